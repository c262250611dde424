"""Agent symbolic learning's backward pass: what is required goes back step by step, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmmind.optimizers.parameters import WorkflowParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Case
from swarmmind.optimizers.textual_backprop.requirements import MOST_STEPS, asks, requirements
from tests.optimizers.hills import study
from tests.optimizers.passes import KIND, diamond, passed, texts


def critic(observation: Any) -> dict[str, str]:
    """Everything is at fault; what is required carries the way it took."""
    if observation["do"] == "judge":
        return {"critique": "bad", "kind": "missing step", "subject": "it", "requirement": "better"}
    name = observation["role"]
    way = " and ".join(observation["requirements"])
    return {"suggestion": f"{name}: {way}", "kind": KIND, "subject": name, "requirement": f"({way} for {name})"}


def without_requirement(*roles: str) -> Any:
    def said(observation: Any) -> dict[str, str]:
        answer = critic(observation)
        return {**answer, "requirement": " "} if observation.get("role", "loss") in roles else answer

    return said


def test_requirements_go_from_the_loss_to_the_first_step_along_what_was_heard(tmp_path: Path) -> None:
    got = passed(requirements, "abcd", [diamond()], critic, tmp_path)
    assert [one.parameter for one in got.found] == ["d-text", "c-text", "b-text", "a-text"]
    assert got.found[-1] == Critique(
        "a-text", "a: ((better for d) for c) and ((better for d) for b)", KIND, "a", ("train-0",)
    )
    assert [one.get("role", "loss") for one in got.asked] == ["loss", "d", "c", "b", "a"]


def test_a_step_is_shown_its_instructions_input_output_and_requirements(tmp_path: Path) -> None:
    got = passed(requirements, "abcd", [diamond()], critic, tmp_path)
    [prompt] = [one for one in got.prompts if "> You are c." in one]
    for shown in ("> told c", "> said c", "> (better for d)", "making digits nines"):
        assert shown in prompt
    for hidden in ("said d", "said b", "You are a.", "What is it?", "it is wrong"):
        assert hidden not in prompt
    [loss] = [one for one in got.prompts if "> What is it?" in one]
    for shown in ("> said d", "> it", "> it is wrong", "score 0.0"):
        assert shown in loss
    assert "said a" not in loss


def test_a_step_whose_successors_require_nothing_is_not_asked_and_proposes_nothing(tmp_path: Path) -> None:
    got = passed(requirements, "abcd", [diamond()], without_requirement("b", "c"), tmp_path)
    assert [one.parameter for one in got.found] == ["d-text", "c-text", "b-text"]
    assert len(got.asked) == 4
    (tmp_path / "loss").mkdir()
    got = passed(requirements, "abcd", [diamond()], without_requirement("loss"), tmp_path / "loss")
    assert got.found == []
    assert len(got.asked) == 1


def test_one_successor_with_a_requirement_is_enough_even_if_it_came_earlier(tmp_path: Path) -> None:
    case = diamond()
    ears = {
        0: (),
        1: (0,),
        2: (1,),
        3: (0, 2),
    }  # a by d itself, and by b, of which c requires nothing
    steps = tuple(step._replace(heard=ears[at]) for at, step in enumerate(case.run.steps))
    own = Case("x", type(case.run)(0.0, steps=steps))
    got = passed(requirements, "abcd", [own], without_requirement("c"), tmp_path)
    assert [(one.parameter, one.text) for one in got.found] == [
        ("d-text", "d: better"),
        ("c-text", "c: (better for d)"),
        ("a-text", "a: (better for d)"),
    ]


def test_a_step_nobody_heard_gets_nothing(tmp_path: Path) -> None:
    case = diamond()
    steps = list(case.run.steps)
    steps[3] = steps[3]._replace(heard=(1,))
    got = passed(requirements, "abcd", [Case("x", type(case.run)(0.0, steps=tuple(steps)))], critic, tmp_path)
    assert [one.parameter for one in got.found] == ["d-text", "b-text", "a-text"]


def test_steps_behind_which_nobody_can_be_changed_are_not_asked(tmp_path: Path) -> None:
    got = passed(requirements, "b", [diamond()], critic, tmp_path)
    assert [one.get("role", "loss") for one in got.asked] == ["loss", "d", "b"]  # d has no text, but b is behind it
    assert [one.parameter for one in got.found] == ["b-text"]


def test_a_workflow_is_criticized_by_the_loss_and_for_each_of_its_roles(tmp_path: Path) -> None:
    team = {
        "roles": [{"name": name, "responsibility": "all", "policy": f"Do {name}."} for name in "abcd"],
        "steps": [{"name": "s", "roles": list("abcd")}],
    }
    got = passed(requirements, "b", [diamond()], critic, tmp_path, [WorkflowParameter("team")], team=team)
    assert [one.parameter for one in got.found] == ["team", "team", "team", "b-text", "team"]
    assert [one.subject for one in got.found] == ["it", "d", "c", "b", "a"]
    assert any("> Do c." in prompt for prompt in got.prompts)
    assert not any("> Do b." in prompt for prompt in got.prompts)  # b's own text goes before the team's


@pytest.mark.parametrize("unreadable", ["judge", "suggest"])
def test_what_cannot_be_read_proposes_nothing(tmp_path: Path, unreadable: str) -> None:
    def said(observation: Any) -> Any:
        return "no idea" if observation["do"] == unreadable else critic(observation)

    assert passed(requirements, "abcd", [diamond()], said, tmp_path).found == []


def test_every_case_goes_back_on_its_own_and_together(tmp_path: Path) -> None:
    cases = [diamond("one"), diamond("two"), Case("none", diamond().run.__class__(0.0))]
    got = passed(requirements, "abcd", cases, critic, tmp_path)
    assert [one.cases for one in got.found if one.parameter == "a-text"] == [("one",), ("two",)]
    assert len(got.asked) == 3 + 8
    assert len(got.asked) <= asks(study(texts("a"), {"a-text": "x"}), 3)


def test_what_a_pass_costs_has_a_bound(tmp_path: Path) -> None:
    step = diamond().run.steps[0]
    steps = tuple(step._replace(heard=(at - 1,) if at else ()) for at in range(MOST_STEPS + 20))
    got = passed(requirements, "a", [Case("long", diamond().run.__class__(0.0, steps=steps))], critic, tmp_path)
    assert len(got.asked) == 1 + MOST_STEPS == asks(study(texts("a"), {"a-text": "x"}), 1)
    assert got.asked[-1]["step"] == 20
