"""Drawings of stored numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.store import store

plots = pytest.importorskip("benchmarks.plots", exc_type=ModuleNotFoundError)

SVG = "{http://www.w3.org/2000/svg}"


def peer(label: str, kind: str, cpu: float, layered: float, debate: float) -> dict[str, Any]:
    return {
        "label": label,
        "kind": kind,
        "workloads": {
            "fan_out_200": {"cpu_ms_per_call": cpu, "ratio": cpu / 0.1},
            "layered": {"wall_ms": layered, "ratio": 1.0},
            "debate": {"wall_ms": debate, "ratio": 1.0},
        },
    }


DATA: dict[str, Any] = {
    "in_flight": 64,
    "latency_ms": 20,
    "ideal_ms": {"layered": 100.0, "debate": 80.0},
    "peers": {
        "b": peer("Framework B", "framework", 3.0, 500, 200),
        "a": peer("raw aiohttp", "client", 0.1, 120, 90),
        "ours": peer("SwarmMind", "ours", 0.2, 125, 96),
    },
}


def drawn(folder: Path) -> dict[str, str]:
    store("peers", DATA, folder)
    plots.main(["--folder", str(folder)])
    return {path.name: path.read_text() for path in folder.glob("*.svg")}


def test_bars_are_sorted_and_carry_their_ratios():
    bars = plots.cpu_bars(DATA)
    assert [bar.label for bar in bars] == ["raw aiohttp", "SwarmMind", "Framework B"]
    assert bars[-1].note == "3.00  (30.0x)"
    assert [bar.note for bar in plots.wall_bars(DATA, "debate")] == ["90  (1.12x)", "96  (1.20x)", "200  (2.50x)"]


def test_who_was_not_measured_has_no_bar():
    some = {**DATA, "peers": {**DATA["peers"], "c": {"label": "C", "kind": "framework", "workloads": {}}}}
    assert "C" not in {bar.label for bar in plots.cpu_bars(some) + plots.wall_bars(some, "layered")}


def test_drawings_are_text_without_fonts_small_and_readable_in_the_dark(tmp_path: Path):
    found = drawn(tmp_path)
    assert set(found) == {"peers_cpu.svg", "peers_wall.svg"}
    for text in found.values():
        root = ElementTree.fromstring(text)
        said = [node.text for node in root.iter(f"{SVG}text")]
        assert "Framework B" in said
        assert "SwarmMind" in said
        assert "prefers-color-scheme: dark" in text
        assert plots.INK in text
        assert "font-face" not in text
        assert "DejaVu" not in text
        assert 'href="http' not in text
        assert "@import" not in text
        assert len(text) < 60_000


def test_the_same_numbers_are_the_same_drawing(tmp_path: Path):
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")


def test_what_is_not_stored_is_not_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plots.main(["--folder", str(tmp_path)])
    assert "peers: nothing is stored" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
