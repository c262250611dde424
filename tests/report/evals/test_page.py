"""`eval.html` as text: what can be read of it without a script, and what is in it for the script."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from swarmmind.errors import RunError
from swarmmind.evals.record import Arm, Case, Instance, Kind, Manifest, Recorded
from swarmmind.evals.table import Cell, Estimate, Line, Point, Table
from swarmmind.report import export, render_eval
from swarmmind.report.evals import drawn, figures
from tests.report.pages import Page

from . import evals


def page(folder: Path, recorded: Recorded, table: Table | None = None, limit_bytes: int = 9_000_000) -> Page:
    return Page(render_eval(evals.written(folder, recorded, table), limit_bytes=limit_bytes))


def test_the_leaderboard_can_be_read_without_a_script(tmp_path: Path):
    recorded = evals.dice(evals.manifest())
    table = evals.table(
        recorded, published=evals.PUBLISHED, guess={"": 0.11, "sums": 0.1}, threshold=0.8, below=["ring"]
    )
    found = page(tmp_path, recorded, table)
    score = table.lines[0].total.score
    assert score is not None
    for words in (
        f"{score.mean:.3f} [{score.low:.3f}, {score.high:.3f}]",
        "vote same tokens",
        "o4-mini published",
        "0.910 ± 0.040",
        "ring below the threshold",
        "360 planned = 357 finished + 2 failed + 1 cancelled",
        "Threshold 0.8: not reached by 1 of the arms.",
        "debate less vote: +0.121",
        "(free)",
        "Published: arXiv:2505.04364, table 1",
    ):
        assert words in found.text
    assert found.tags["circle"] > 6 * 3 + 4
    assert found.policy.startswith("default-src 'none'; script-src 'sha256-")
    assert not [value for _, name, value in found.attributes if name in ("src", "style") or name.startswith("on")]


def test_every_episode_is_in_the_page(tmp_path: Path):
    recorded = evals.dice(evals.manifest(8, 2), missing=5)
    found = page(tmp_path, recorded)
    index = found.index
    order = [one[0] for one in index["instances"]]
    assert sorted(order) == sorted(one.id for one in recorded.manifest.instances)
    seen = 0
    for row in recorded.rows():
        arm, instance = recorded.manifest.arms.index(row.arm), order.index(row.instance.id)
        place = instance * 2 + recorded.manifest.seeds.index(row.seed)
        numbers = {name: values[place] for name, values in index["episodes"][arm].items()}
        said = found.chunk(0)[instance]["said"][arm * 2 + place % 2]
        if row.played is None:
            assert set(numbers.values()) == {None}
            assert said is None
        else:
            assert numbers["scores"] is (False if row.played.score is None else numbers["scores"])
            assert numbers["scores"] == (row.played.score or 0)
            assert said[:3] == [row.played.output, row.played.reason, row.played.error]
            seen += 1
    assert seen == len(recorded.played)


def test_instances_go_from_hard_to_easy(tmp_path: Path):
    recorded = evals.dice(evals.manifest())
    order = [one[0] for one in page(tmp_path, recorded).index["instances"]]
    means: dict[str, list[float]] = {}
    for row in recorded.rows():
        if row.arm.kind == "arm" and row.played is not None and row.played.score is not None:
            means.setdefault(row.instance.id, []).append(row.played.score)
    ranks = [sum(means[one]) / len(means[one]) for one in order]
    assert ranks == sorted(ranks)
    assert ranks[0] < ranks[-1]


def test_what_finds_no_place_is_counted(tmp_path: Path):
    recorded = evals.dice(evals.manifest(400, 2), output="x" * 7000)
    found = page(tmp_path, recorded, limit_bytes=1)
    assert found.index["left_out"] > 0
    assert found.index["clipped"] > 0
    assert list(found.letters) == ["c0"]
    assert len(found.chunk(0)) + found.index["left_out"] == 400
    assert "1,000 characters more are not in this page" in found.chunk(0)[0]["said"][0][0]


def test_hostile_texts_stay_texts(tmp_path: Path):
    recorded = evals.hostile()
    table = evals.table(recorded, warnings=[evals.HOSTILE], published=[
        evals.PublishedRow(evals.HOSTILE, {evals.HOSTILE: (0.5, 0.1)}, 0.5, evals.HOSTILE)])  # fmt: skip
    folder = evals.written(tmp_path, recorded, table, error=evals.HOSTILE, models=[evals.HOSTILE])
    (folder / "task.yaml").write_text(evals.HOSTILE)
    found = Page(render_eval(folder))
    assert found.tags["img"] == 0
    assert found.tags["script"] == len(found.letters) + 2
    assert evals.SIGNS in found.text
    assert not set("\x00\x1b\u202e") & set(found.source)


def test_an_eval_that_was_not_played_has_a_page(tmp_path: Path):
    given = evals.manifest(3, 2)
    found = page(tmp_path, Recorded(given, {}))
    assert "36 planned = 0 finished + 0 failed + 36 cancelled" in found.text
    assert "no score" in found.text
    with pytest.raises(RunError, match="is no eval"):
        render_eval(tmp_path / "nothing")


def line(name: str, score: float, tokens: float | None, kind: Kind = "arm") -> Line:
    estimate = Estimate(score, score - 0.1, score + 0.1, 0.1, 9, 9)
    return Line(Arm(name, name, kind), Cell(estimate, 9, 0, tokens=tokens), {})


def table_of(*lines: Line) -> Table:
    return Table("t", [], "mean", list(lines), [], [], 1, 9, 9, 9, 0, 0)


def test_the_front_joins_those_that_nobody_beats_for_their_price():
    rows = [line("cheap", 0.3, 100), line("worse", 0.2, 200), line("good", 0.6, 300), line("dear", 0.5, 900)]
    [one] = drawn.scatters(table_of(*rows, line("best", 0.9, 1000), line("free", 0.4, 0, "baseline")))
    at = {spot.name: (spot.x, spot.y) for spot in one.spots}
    assert one.cost == "tokens"
    stair = [f"M{at['cheap'][0]} {at['cheap'][1]}", *(f"H{at[name][0]}V{at[name][1]}" for name in ("good", "best"))]
    assert one.front == "".join(stair) + f"H{one.x.end}"
    assert [name for _, name in one.free] == ["free"]
    assert at["good"][0] < at["dear"][0]
    assert at["best"][1] < at["good"][1]
    assert drawn.scatters(table_of(rows[0])) == []
    assert drawn.scatters(table_of(line("a", 0.5, None), line("b", 0.5, None))) == []


def test_a_score_without_an_interval_has_its_place_among_costs():
    single = Estimate(0.5, None, None, 0.0, 1, 1)
    unsure = msgspec.structs.replace(line("b", 0.5, 20), total=Cell(single, 1, 0, tokens=20))
    [one] = drawn.scatters(table_of(line("a", 0.4, 10), unsure))
    spot = next(spot for spot in one.spots if spot.name == "b")
    assert spot.low == spot.y == spot.high


def test_costs_far_apart_stand_on_an_axis_of_powers():
    [one] = drawn.scatters(table_of(line("a", 0.3, 10), line("b", 0.4, 1000), line("c", 0.5, 100_000)))
    xs = [spot.x for spot in one.spots]
    assert one.x.powers
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert all(not spot.label or 0 < spot.label[0] < 640 for spot in one.spots)


def test_curves_have_bands_where_ends_are_known():
    points = [
        Point(at, Estimate(score, score - 0.1, score + 0.1, 0.1, 9, 9))
        for at, score in ((4, 0.5), (16, 0.7), (64, 0.6))
    ]
    unsure = [Point(at, Estimate(0.2, None, None, 0.1, 1, 1)) for at in (4, 64)]
    rows = [line("sure", 0.5, 1), line("unsure", 0.5, 1), line("single", 0.5, 1)]
    lines = [
        msgspec.structs.replace(row, curve=curve) for row, curve in zip(rows, (points, unsure, points[:1]), strict=True)
    ]
    chart = drawn.curves(table_of(*lines))
    assert chart is not None
    assert [curve.name for curve in chart.curves] == ["sure", "unsure"]
    assert [words for _, words in chart.x.ticks()] == ["4", "16", "64"]
    assert chart.curves[0].band.count("L") == 5
    assert chart.curves[1].band == ""
    assert drawn.curves(table_of(*rows)) is None


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 7), (0.001, 0.0012), (0, 2e6), (-1e-9, 1e-9)])
def test_ticks_are_few_and_within(low: float, high: float):
    axis = drawn.Axis(low, high, 0.0, 100.0)
    places = [at for at, _ in axis.ticks()]
    assert 2 <= len(places) <= 8
    assert places == sorted(places)
    assert all(0 <= at <= 100 and math.isfinite(at) for at in places)


def test_a_world_is_called_by_its_case_and_rows_that_are_the_same_share_their_episodes(tmp_path: Path):
    arms = [Arm("a", "swarm"), Arm("b", "rules", "baseline")]
    cases = [
        Case(f"digest{place}", {"problem.environment": name}, name) for place, name in enumerate(("bench/a", "bench/b"))
    ]
    worlds = [Instance(case.id, case.id) for case in cases]
    plays = {f"{arm.id} {case.id}": f"p{case.id}" for arm in arms for case in cases}
    given = Manifest(
        "worlds", arms, cases, worlds, [1, 2, 3], plays, columns="problem.environment", units={"bench/b": 0.5}
    )
    recorded = evals.dice(given)
    found = page(tmp_path, recorded)
    assert [one[0] for one in found.index["instances"]] in (["bench/a", "bench/b"], ["bench/b", "bench/a"])
    assert found.index["shared"] == 6
    assert found.index["units"] == {"bench/b": 0.5}
    assert ("th", "title", "bench/a") not in found.attributes
    assert ("span", "title", "bench/a") in found.attributes
    names = {sample.get("name") for sample in ET.parse(export(tmp_path, "junit")[0]).iter("testcase")}
    assert names == {f"{case.column} seed {seed}" for case in cases for seed in (1, 2, 3)}


@pytest.mark.parametrize(
    ("columns", "heads"),
    [
        (["x/a", "x/b"], ["a", "b"]),
        (["x/a", "y/b"], ["x/a", "y/b"]),
        (["x/a"], ["x/a"]),
        (["a", "b"], ["a", "b"]),
        ([], []),
    ],
)
def test_what_all_columns_begin_with_is_left_out(columns: list[str], heads: list[str]):
    assert figures.heads(columns) == heads


@pytest.mark.parametrize(
    ("values", "places"), [([0.5, -1], 3), ([0.0], 3), ([12.5, 0.1], 2), ([100, 3], 1), ([0.0042, 0.001], 4), ([], 3)]
)
def test_numbers_below_each_other_have_as_many_decimals_as_the_largest(values: list[float], places: int):
    assert figures.decimals(values) == places
