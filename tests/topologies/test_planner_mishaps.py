"""What a planner makes of failures, refusals and spent budgets."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.effects import Agent, Limits
from swarmmind.memory import Window
from swarmmind.testing import check_topology
from swarmmind.topologies import TOPOLOGIES, Policy, Question, Society

from .line import ROLES, Modules, cast, moves, planned, problem

ASIDES = ["decompose", "propose", "check", "predict", "estimate", "compare"]


@pytest.mark.parametrize("cast_of", [("actor", *ROLES), ("solver", "critic")])
def test_it_keeps_the_promises_of_a_topology(cast_of: tuple[str, ...]) -> None:
    agents = [Agent(f"{role}-{at}", role) for at, role in enumerate(cast_of)]
    society = Society(agents, Window(0), Question(problem(0, 3, 3)))
    # its value is a plan of what several said
    excused = ["value", "failures", "budget"]
    check_topology(TOPOLOGIES["planner"], society, asides=ASIDES, excused=excused, parameters={"tries": 3})


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["decomposer", "monitor", "predictor", "coordinator"])
def test_a_module_that_is_down_says_nothing_and_the_plan_is_made(role: str, tmp_path: Path) -> None:
    model = Modules(down=lambda who, key: who == role)
    seen = planned(tmp_path, model, cast(text=problem(0, 3, 5)))
    assert seen.outcome.ok
    assert moves(seen.outcome.value)[:3] == ["+1", "+1", "+1"]
    assert seen.meter.total().failed == sum(not one.text for one in model.heard) > 0


def test_without_its_evaluator_it_goes_on_by_chance(tmp_path: Path) -> None:
    model = Modules(down=lambda who, key: who == "evaluator")
    seen = planned(tmp_path, model, cast(text=problem(0, 50, 8)))
    assert set(moves(seen.outcome.value)) == {"+1", "-1"}


def test_an_actor_that_failed_once_is_asked_again(tmp_path: Path) -> None:
    failed: list[str] = []

    def down(role: str, key: str) -> bool:
        if role == "actor" and len(failed) < 3:
            failed.append(key)
            return True
        return False

    seen = planned(tmp_path, Modules(down=down))
    assert moves(seen.outcome.value) == ["+1", "+1", "+1"]
    assert seen.meter.total().failed == 3


def test_an_actor_that_is_down_ends_it_with_its_failure_after_one_state(tmp_path: Path) -> None:
    model = Modules(down=lambda who, key: who == "actor")
    seen = planned(tmp_path, model)
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.message.endswith("OSError: down")
    assert len(model.told("propose")) == 10


def test_an_actor_that_goes_down_leaves_the_moves_that_were_made(tmp_path: Path) -> None:
    model = Modules()
    model = Modules(down=lambda who, key: who == "actor" and len(model.told("compare")) > 1)
    seen = planned(tmp_path, model, cast(text=problem(0, 9)))
    assert seen.outcome.ok
    assert moves(seen.outcome.value) == ["+1", "+1"] + ["+1"] * (len(moves(seen.outcome.value)) - 2)
    assert len(moves(seen.outcome.value)) < 9


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_that_bears_no_failure_ends_it_with_the_first(role: str, tmp_path: Path) -> None:
    model = Modules(down=lambda who, key: who == role)
    seen = planned(tmp_path, model, cast(policy="fail"))
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.message.endswith("OSError: down")
    assert {one.key for one in model.heard if not one.text} <= {one.key for one in model.rounds()[-1]}


def test_a_quorum_counts_who_was_asked_at_once(tmp_path: Path) -> None:
    for share, fails in ((0.5, False), (0.9, True)):
        folder = tmp_path / f"{share}"
        folder.mkdir()
        society = cast()._replace(policy=Policy("quorum", share))
        society = society._replace(agents=[*society.agents, Agent("evaluator-1", "evaluator", model="m", index=6)])
        seen = planned(folder, Modules(down=lambda role, key: key.endswith("evaluator-0")), society)
        assert (seen.outcome.failure is not None) == fails


def test_what_cannot_be_read_is_a_failure_and_no_move(tmp_path: Path) -> None:
    model = Modules({"propose": lambda seen: "+1"})
    seen = planned(tmp_path, model)
    assert seen.outcome.failure is not None
    assert not model.told("check")


# --- budgets ----------------------------------------------------------------------------------------------------------


def test_a_spent_budget_leaves_the_moves_that_were_made_and_a_resumed_run_makes_the_others(tmp_path: Path) -> None:
    whole = Modules()
    (tmp_path / "whole").mkdir()
    wanted = planned(tmp_path / "whole", whole, cast(text=problem(0, 6)))
    plan, count = moves(wanted.outcome.value), len(whole.heard)
    lengths: list[int] = []
    for most in range(1, count, 5):
        folder = tmp_path / f"{most}"
        folder.mkdir()
        seen = planned(folder, Modules(), cast(text=problem(0, 6)), Limits(calls=most))
        assert (seen.outcome.stopped, seen.meter.usage.calls) == ("calls", most)
        made = [] if seen.outcome.value is None else moves(seen.outcome.value)
        assert made == plan[: len(made)]
        assert seen.outcome.value is None or made
        lengths.append(len(made))
        model = Modules()
        assert planned(folder, model, cast(text=problem(0, 6))).outcome == wanted.outcome
        assert len(model.heard) == count - most
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (0, len(plan) - 1)
