from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Program, Record
from swarmmind.ports import Context
from swarmmind.report import render
from swarmmind.runtime.journal import Journal

from . import runs, swarms
from .pages import Page


def recorded(name: str, *data: Any) -> Callable[[Context], Program]:
    """A program that records these, one by one."""

    def program(ctx: Context) -> Program:
        for fact in data:
            yield [Record(name, fact)]
        return "done"

    return program


def page_of(folder: Path, program: Callable[[Context], Program]) -> Page:
    return Page(render(swarms.played(folder, program, swarms.spoken)))


def charts(page: Page, name: str) -> list[dict[str, Any]]:
    """The charts of the first program of a series."""
    return dict(page.index["series"])[name][0]["charts"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a swarm of 8 workers that learns over 24 events of 4 kinds."""
    return page_of(tmp_path_factory.mktemp("swarm"), swarms.learning())


def test_the_graph_is_what_was_recorded(page: Page):
    [board] = page.index["events"]["boards"].values()
    graph = board["graph"]
    names = [name for name, _ in graph["agents"]]
    assert names == [*(f"validator-{n}" for n in range(3)), *(f"worker-{n}" for n in range(8)), "explorer-0"]
    assert [role for _, role in graph["agents"]][2:4] == ["validator", "worker"]
    assert [event[0] for event in graph["events"]] == [f"e{number}" for number in range(24)]
    assert graph["events"][5][1] == "botany"
    assert graph["events"][5][3].startswith("Work out part 5 of the botany chapter")
    assert graph["events"][5][5] == [2]
    assert names[graph["events"][5][4]] == "explorer-0"
    assert [event[2] for event in graph["events"][-2:]] == ["failed", "open"]
    assert sum(yes + no for *_, yes, no in graph["edges"]) == board["verdicts"]
    assert sum(yes for *_, yes, _ in graph["edges"]) == board["states"]["validated"]
    assert [event for _, event in graph["waiting"]] == [23]
    assert sum(yes + no for *_, yes, no in graph["votes"]) == 3 * board["verdicts"]


def test_the_table_counts_what_the_graph_draws(page: Page):
    [board] = page.index["events"]["boards"].values()
    graph, table = board["graph"], board["table"]
    for row, name in enumerate(table["agents"]):
        for column, kind in enumerate(table["kinds"]):
            edges = [counts for agent, event, *counts in graph["edges"]
                     if graph["agents"][agent][0] == name and graph["events"][event][1] == kind]  # fmt: skip
            assert table["cells"][row][column] == [sum(yes for yes, _ in edges), sum(no for _, no in edges)]


def test_an_events_history_is_in_the_page(page: Page):
    [board] = page.index["events"]["boards"].values()
    detail = page.chunk(board["chunk"])["e22"]
    assert detail["task"] == "Work out part 22 of the poetry chapter, and say why."
    assert [entry[0] for entry in detail["history"]] == ["draw", "verdict"] * 3
    draw, verdict = detail["history"][:2]
    [[chosen, chance]] = draw[4]
    assert 0 < chance < 1
    assert verdict[3:5] == [False, [chosen]]
    assert verdict[5] == [["validator-0", False], ["validator-1", False], ["validator-2", True]]
    assert [why for _, why in verdict[6]] == ["no leaf in e22"]
    assert [entry[3] for entry in detail["history"] if entry[0] == "draw"] == [False, False, True]


def test_an_event_that_is_to_be_worked_on_again_is_open_and_not_failed(tmp_path: Path):
    """As an interrupted run leaves them; records of older runs do not say, and the last verdict is what there is."""

    def program(ctx: Context) -> Program:
        for name, status in (("again", "open"), ("revised", "open"), ("over", "failed"), ("old", None)):
            event = {"event": name, "task": "t", "status": "open"}
            verdict = {"event": name, "accepted": False, "status": status}
            if status is None:
                del event["status"], verdict["status"]
            yield [Record("event", event), Record("draw", {"event": name, "drawn": ["w"]}), Record("verdict", verdict)]
        yield [Record("event", {"event": "revised", "task": "u", "status": "open"})]
        return "cut short"

    [board] = page_of(tmp_path, program).index["events"]["boards"].values()
    states = {event[0]: event[2] for event in board["graph"]["events"]}
    assert states == {"again": "open", "revised": "open", "over": "failed", "old": "failed"}


def test_a_reason_is_told_with_who_gave_it(tmp_path: Path):
    def program(ctx: Context) -> Program:
        yield [Record("verdict", {"event": "e", "accepted": False, "votes": {"a": False, "b": True, "c": False},
                                  "reasons": ["too short", "too long"]})]  # fmt: skip

    page = page_of(tmp_path, program)
    [board] = page.index["events"]["boards"].values()
    [entry] = page.chunk(board["chunk"])["e"]["history"]
    assert entry[-1] == [["a", "too short"], ["c", "too long"]]


def test_probabilities_drift_line_by_line(page: Page):
    [board] = page.index["events"]["boards"].values()
    assert sorted(chart["name"] for chart in board["allocation"]) == sorted(swarms.KINDS)
    for chart in board["allocation"]:
        assert (chart["x"], chart["per"], len(chart["lines"])) == ("draw", 1, 8)
        name, values = chart["lines"][0]
        assert int(name.split("-")[1]) % 4 == swarms.KINDS.index(chart["name"])
        assert values[0] == 0.125
        assert values[-1] > 0.4
        assert all(values[-1] >= other[-1] for _, other in chart["lines"])
        sums = [sum(line[place] for _, line in chart["lines"]) for place in range(len(values))]
        assert sums == pytest.approx([1] * len(values), abs=1e-3)
    assert board["curve"]["lines"][0][1][0] == 0.0


def test_pheromone_is_its_strongest_labels_and_a_table_of_the_rest(page: Page):
    [chart] = charts(page, "pheromone")
    assert (chart["name"], chart["x"], chart["xs"]) == ("levels", "round", list(range(23)))
    assert len(chart["lines"]) == 12
    assert len(chart["rest"]) == 8 * 4 - 12
    best = {label for label, _ in chart["lines"][:4]}
    assert {label.split()[1] for label in best} == set(swarms.KINDS)
    lowest = min(max(values) for _, values in chart["lines"])
    assert all(high <= lowest + 1e-4 for _, _, high, _ in chart["rest"])


def test_nested_swarms_are_told_apart(tmp_path: Path):
    page = page_of(tmp_path, swarms.nested(swarms.learning(6), swarms.learning(9)))
    assert list(page.index["events"]["boards"]) == ["run/1/part-0", "run/1/part-1"]
    counts = [len(board["graph"]["events"]) for board in page.index["events"]["boards"].values()]
    assert counts == [6, 9]
    programs = dict(page.index["series"])["pheromone"]
    assert [(one["program"], len(one["charts"][0]["xs"])) for one in programs] == [
        ("run/1/part-0", 5), ("run/1/part-1", 8),
    ]  # fmt: skip


def test_too_many_events_are_counted_by_kind(tmp_path: Path):
    page = page_of(tmp_path, swarms.learning(90))
    [board] = page.index["events"]["boards"].values()
    assert board["graph"] is None
    assert sum(board["states"].values()) == 90
    assert sum(yes + no for row in board["table"]["cells"] for yes, no in row) == board["verdicts"]
    assert len(page.chunk(board["chunk"])) == 60


def test_many_draws_are_few_points(tmp_path: Path):
    draws = [{"event": "e", "drawn": ["a"], "probabilities": {"a": number / 1000, "b": 1 - number / 1000}}
             for number in range(1000)]  # fmt: skip
    page = page_of(tmp_path, recorded("draw", *draws))
    [board] = page.index["events"]["boards"].values()
    [chart] = board["allocation"]
    assert chart["per"] == 9
    assert len(chart["xs"]) == 112
    [first, last] = [values for name, values in chart["lines"] if name == "a" for values in (values[0], values[-1])]
    assert (first, last) == (0.004, 0.999)


def test_any_numbers_over_rounds_are_lines(tmp_path: Path):
    facts = [{"round": 2 * number, "success": number / 10, "by": {"n-1": 0.5, "n-2": number / 20}, "word": "x"}
             for number in range(10)]  # fmt: skip
    page = page_of(tmp_path, recorded("exchange", *facts))
    success, by = charts(page, "exchange")
    assert (success["x"], success["xs"]) == ("round", list(range(0, 20, 2)))
    assert success["lines"] == [["success", [number / 10 for number in range(10)]]]
    assert by["name"] == "by"
    assert [label for label, _ in by["lines"]] == ["n-1", "n-2"]
    assert "exchange: 10 records" in page.text


def test_a_series_may_count_itself_and_numbers_of_other_sizes_stand_apart(tmp_path: Path):
    facts = [{"lesson": number, "kind": "k", "score": number % 2, "shown": 2, "tokens": 900 + number * number,
              "right": number % 2 == 0} for number in range(40)]  # fmt: skip
    page = page_of(tmp_path, recorded("lesson", *facts))
    found = charts(page, "lesson")
    assert [chart["name"] for chart in found] == ["tokens", "shown, score"]
    assert found[0]["x"] == "lesson"
    assert (found[0]["per"], found[1]["per"]) == (1, 5)  # a score of 0 or 1 is a share of several
    many = [{"lesson": number, "score": 1.5} for number in range(1000)]
    [chart] = charts(page_of(tmp_path / "many", recorded("lesson", *many)), "lesson")
    assert (chart["per"], len(chart["xs"])) == (4, 250)


def test_the_swarms_own_metrics_stand_with_its_output(tmp_path: Path):
    page = page_of(tmp_path, recorded("metrics", {"entropy": 0.93221, "gain": 0.25}))
    assert "Metrics of the swarm entropy 0.9322 gain 0.25" in page.text
    assert "metrics: 1 record" not in page.text


def test_a_label_that_is_gone_leaves_a_gap(tmp_path: Path):
    facts = [
        {"round": 0, "levels": {"a": 1, "b": 1}},
        {"round": 1, "levels": {"b": 1}},
        {"round": 2, "levels": {"a": 1}},
    ]
    [chart] = charts(page_of(tmp_path, recorded("pheromone", *facts)), "pheromone")
    assert sorted(chart["lines"]) == [["a", [1, None, 1]], ["b", [1, 1, None]]]


ODD: list[Any] = [
    None, 7, "words", [1, 2], {}, {"event": {}}, {"event": "e", "drawn": "all of them"}, {"event": None, "drawn": []},
    {"event": "e", "accepted": "maybe"}, {"round": "x" * 2_000_000}, {"round": 1e308, "levels": {"a": 1e308, "": True}},
    {"round": None, "levels": [1]}, {"__proto__": {"a": 1}, "constructor": 2},
]  # fmt: skip


@pytest.mark.parametrize("name", ["event", "draw", "verdict", "pheromone", "exchange", "round", "__proto__"])
def test_records_of_another_shape_stay_tables(tmp_path: Path, name: str):
    page = page_of(tmp_path, recorded(name, *ODD, *ODD))
    assert page.index["events"]["boards"] == {}
    assert name == "round" or f"{name}: {2 * len(ODD)} records" in page.text


def test_one_good_record_among_odd_ones_is_drawn(tmp_path: Path):
    good = {"event": 7, "drawn": ["a", "", "a"], "probabilities": {"a": 1.5, "b": 0.5}}
    page = page_of(tmp_path, recorded("draw", *ODD, good))
    [board] = page.index["events"]["boards"].values()
    assert board["states"] == {"open": 1}
    assert board["graph"]["agents"] == [["a", ""]]
    assert page.chunk(board["chunk"])["7"]["history"] == [["draw", None, None, False, [["a", None]]]]


def test_hostile_records_are_text(tmp_path: Path):
    page = page_of(tmp_path, swarms.hostile)
    assert page.tags["img"] == 0
    assert page.tags["script"] == len(page.letters) + 2
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "style")]
    [board] = page.index["events"]["boards"].values()
    assert [event[0] for event in board["graph"]["events"]] == ["short"]  # the other is too long to be read
    detail = page.chunk(board["chunk"])["short"]
    assert detail["task"] == swarms.EVIL
    assert len(detail["history"][1][-1][0][1]) < 2100
    [chart] = charts(page, "pheromone")
    assert [label for label, _ in chart["lines"]] == ["__proto__", swarms.EVIL[:60]]
    assert len(page.source) < 2_500_000


def test_a_page_does_not_grow_with_the_number_of_records(tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        for number in range(6000):
            levels = {f"label-{number}-{place}": 1.0 for place in range(20)}
            kept.record(f"run/{number}/pheromone", "pheromone", {"round": number, "levels": levels})
            kept.record(f"run/{number}/w/1/event", "event", {"event": f"e{number}", "task": "t" * 500})
            kept.record(f"run/{number}/x", f"series-{number}", {"a": 1})
        yield

    page = Page(render(runs.journal(tmp_path, write)))
    assert len(json.dumps(page.index)) < 400_000
    assert len(page.index["events"]["boards"]) == 12
    assert page.index["events"]["left_out"] == 6000 - 12
