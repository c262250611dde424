"""What of an eval is played again when something that it names has changed since: that alone."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from swarmmind import Result
from swarmmind.evals.record import read
from swarmmind.runs.evals.plan import make_eval
from swarmmind.spec import load_task
from tests.runs.evals.test_evals import evaluate, suite
from tests.runs.projects import SUMS, write_sums

RELAY = """
from swarmmind.effects import Ask

def relay(ctx, society):
    [reply] = yield [Ask(society.agents[0], (society.question.prompt(),))]
    return "{said}"
"""
CARD = "---\nname: solver\ndescription: solves\n{more}---\nAnswer well.\n"


def plays(result: Result) -> dict[str, str]:
    return read(result.path).manifest.plays


def labels(result: Result) -> set[str]:
    return {row.label for row in read(result.path).rows()}


def again(path: Path, first: Result, *overrides: str) -> Result:
    return evaluate(path, overrides, into=first.folder, allow_code=True)


def test_code_of_ones_own_is_part_of_who_plays(work: Path) -> None:
    file = work / "relay.py"
    path = suite(work, grid={"swarm.topology": [{"use": "vote"}, {"use": "./relay.py:relay"}]})
    file.write_text(RELAY.format(said=2))
    first = evaluate(path, allow_code=True)
    vote, relay = plays(first).values()
    file.write_text(RELAY.format(said=5) + "\n")  # of another size: bytecode of the same second is not taken for it
    for name in [name for name in sys.modules if name.startswith("swarmmind_task")]:
        del sys.modules[name]  # as in a process of its own
    second = again(path, first)
    same, other = plays(second).values()
    assert (vote == same, relay == other) == (True, False)
    assert {row.played.output for row in read(first.path).rows() if row.played and row.arm.id == "a2"} == {"5"}


@pytest.mark.parametrize(
    ("card", "more"),
    [("", "model: clever\n"), ("model: clever\n", "model: scripted\n"), ("", "sampling: {temperature: 0.2}\n")],
)
def test_a_role_card_is_part_of_who_plays(card: str, more: str, work: Path) -> None:
    file = work / "agents" / "solver.md"
    file.parent.mkdir(parents=True)
    path = suite(work, models={"clever": {"name": "scripted", "accuracy": 1.0}})
    file.write_text(CARD.format(more=card))
    first = evaluate(path)
    file.write_text(CARD.format(more=more))
    before = labels(first)
    assert not labels(again(path, first)) & before


@pytest.mark.parametrize(
    "changes",
    [
        {"models": {"other": "scripted"}},
        {"prices": {"scripted": {"prompt_usd_per_million": 1, "completion_usd_per_million": 1}}},
        {"name": "another", "description": "of the same"},
        {"model": {"name": "scripted", "accuracy": 0.5, "attempts": 2}},
    ],
)
def test_what_shapes_no_answer_is_no_part_of_who_plays(changes: dict[str, Any], work: Path) -> None:
    first = evaluate(suite(work))
    before = labels(first)
    assert labels(again(suite(work, **changes), first)) == before


def test_more_rows_of_the_data_set_leave_those_that_were_played(work: Path) -> None:
    some = {"dataset": "sums.jsonl", "limit": 2}
    first = evaluate(suite(work, problem=some))
    before = labels(first)
    more = again(suite(work, problem={**some, "limit": 3}), first)
    assert len(labels(more)) == 6
    assert before < labels(more)


def test_a_data_set_that_is_taken_whole_is_part_of_who_plays(work: Path) -> None:
    swarm = {"agents": {"solver": 4}, "topology": {"use": "sapo", "rounds": 1}}
    path = suite(work, swarm=swarm)
    first = evaluate(path)
    before = labels(first)
    write_sums(work, [*SUMS, ("What is 5 + 4?", "9")])
    assert not labels(again(path, first)) & before


def test_what_a_large_data_set_takes_grows_with_its_rows_and_not_with_their_pairs(work: Path) -> None:
    path = suite(work)
    write_sums(work, [(f"What is {number} + 1?", str(number + 1)) for number in range(3000)])
    loaded = load_task(path)
    tracemalloc.start()
    plan = make_eval(loaded)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(plan.manifest.instances) == 3000
    assert plan.manifest.guess == {"": 0.0}
    assert peak_bytes < 50e6
