"""Numbers are kept with the machine they were taken on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.store import load, store


def test_what_is_stored_is_loaded_with_date_and_machine(tmp_path: Path):
    path = store("client_call", {"raw_us": 95.5, "runs": [1, 2]}, tmp_path)
    found = load("client_call", tmp_path)
    assert path == tmp_path / "client_call.json"
    assert found["data"] == {"raw_us": 95.5, "runs": [1, 2]}
    assert found["name"] == "client_call"
    assert found["date"].endswith("UTC")
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["python"].startswith("CPython 3.")
    assert found["machine"]["versions"]["aiohttp"].count(".") >= 1


def test_the_latest_numbers_replace_earlier_ones_and_leave_nothing_beside_them(tmp_path: Path):
    store("one", {"n": 1}, tmp_path)
    store("one", {"n": 2}, tmp_path)
    assert load("one", tmp_path)["data"] == {"n": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["one.json"]


def test_a_number_that_is_none_is_refused_and_what_was_there_stays(tmp_path: Path):
    store("one", {"n": 1}, tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        store("one", {"n": math.nan}, tmp_path)
    assert load("one", tmp_path)["data"] == {"n": 1}


def test_what_was_never_measured_is_not_found(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.json"):
        load("nothing", tmp_path)
