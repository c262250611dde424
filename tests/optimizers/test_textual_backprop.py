"""The loop of textual backpropagation: what is measured, edited, refused and kept."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Limits, Program
from swarmmind.errors import UserError
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.conduct import Conclusion, conduct
from swarmmind.optimizers.parameters import ChoiceParameter, EdgesParameter, Parameter, TextParameter, WorkflowParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Case, Most, Scored, Step, Study
from swarmmind.optimizers.textual_backprop.program import textual_backprop, textual_backprop_most
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import Played, play
from tests.optimizers.hills import Function, conducted, document, study

WORKER = TextParameter("worker", role="worker")
KEPT = TextParameter("kept", placeholders=frozenset({"question"}))
TEAM = {
    "roles": [{"name": name, "responsibility": "it", "policy": "Do it."} for name in ("a", "b")],
    "steps": [{"name": "first", "roles": ["a"]}, {"name": "last", "roles": ["b"], "inputs": ["first"]}],
}


def blaming(*names: str) -> Any:
    """A backward pass that asks nobody: these parameters are at fault."""

    def backward(ctx: Context, given: Study, one: Candidate, cases: Sequence[Case]) -> Program:
        yield []
        return [Critique(name, f"{name} is poor", "flaw", "it", tuple(case.id for case in cases)) for name in names]

    return backward


def nines(values: Mapping[str, Any], example: str, rep: int) -> float:
    """The more nines the better."""
    return str(values["worker"]).count("9") / 10


def adds_a_nine(request: Request, rng: random.Random) -> str:
    return document(value=request.observation["value"] + "9", note="one more")


def run(
    journal: Path,
    answers: Callable[[Request, random.Random], str] | None = adds_a_nine,
    score: Callable[[Mapping[str, Any], str, int], float | Scored] = nines,
    parameters: tuple[Parameter, ...] = (WORKER,),
    start: Sequence[Mapping[str, Any]] = ({"worker": "nine: "},),
    backward: Any = None,
    **settings: Any,
) -> tuple[Conclusion, Played, Function]:
    function = Function(score)
    settings["backward"] = backward or blaming(*(p.name for p in parameters))
    given = study(parameters, *start)
    end, played = conducted(textual_backprop, given, function, journal, answers=answers, **settings)
    most = textual_backprop_most(given, **settings)
    assert end.examples <= most.examples
    return end, played, function


def records(journal: Path, name: str) -> list[Any]:
    return [json.loads(row[3]) for row in content(journal) if row[0] == "record" and row[2] == name]


def test_it_is_found_by_its_file() -> None:
    assert OPTIMIZERS["textual-backprop"].program is textual_backprop


def test_each_step_keeps_what_does_better(tmp_path: Path) -> None:
    end, played, function = run(tmp_path / "j", steps=4, batch=2)
    assert (end.best.values["worker"], end.reason, end.tried) == ("nine: 9999", "finished", 5)
    assert end.best.note == "worker: one more"
    assert len(played.asked) == 4
    assert len(function.asked) == 10 + 4 * (2 + 2 * 10)  # start; batch, child and best


def test_what_it_takes_at_most_is_exact_when_everything_fails(tmp_path: Path) -> None:
    given = study((WORKER, ChoiceParameter("how", ("vote", "refine"))), {"worker": "", "how": "vote"})
    assert textual_backprop_most(given, steps=4, batch=3, explore=0) == Most(10 + 4 * 23, 4 * (13 + 2))
    assert textual_backprop_most(given, steps=4, batch=30, remeasure=False) == Most(10 + 4 * 20, 4 * (13 + 1))
    assert textual_backprop_most(given, steps=4, batch=3, accept="always", backward=blaming()) == Most(10 + 4 * 13, 4)


def test_best_and_child_are_measured_afresh_on_the_same_chance(tmp_path: Path) -> None:
    end, _, function = run(tmp_path / "j", steps=2)
    first, second, third = end.candidates
    validated = [(one, rep) for one, example, rep in function.asked if example == "validate-0"]
    assert validated == [(first, 0), (second, 1), (first, 1), (third, 2), (second, 2)]


@pytest.mark.parametrize("settings", [{"remeasure": False}, {"accept": "always"}])
def test_the_best_keeps_its_score_if_nobody_compares_or_it_is_wished(settings: Any, tmp_path: Path) -> None:
    end, _, function = run(tmp_path / "j", steps=2, **settings)
    validated = [(one, rep) for one, example, rep in function.asked if example == "validate-0"]
    assert validated == [(one, 0) for one in end.candidates]
    assert end.best.values["worker"] == "nine: 99"


def test_every_batch_is_run_afresh_epoch_by_epoch(tmp_path: Path) -> None:
    _, _, function = run(tmp_path / "j", lambda request, rng: "hm", steps=6, batch=4)
    trained = [(rep, example) for _, example, rep in function.asked if example.startswith("train")]
    assert [[rep for rep, _ in trained].count(step) for step in range(1, 7)] == [4, 4, 2, 4, 4, 2]
    assert len({example for rep, example in trained if rep <= 3}) == 10


def test_one_that_was_refused_is_never_measured_again(tmp_path: Path) -> None:
    def worse(request: Request, rng: random.Random) -> str:
        return document(value="none", note="shorter")

    end, played, function = run(tmp_path / "j", worse, start=[{"worker": "9"}], steps=5)
    assert (end.best.values["worker"], end.tried, len(played.asked)) == ("9", 2, 5)
    assert len([1 for _, example, _ in function.asked if example == "validate-0"]) == 1 + 2
    [refused] = records(tmp_path / "j", "refused")
    assert refused["gates"] == {"worker": "performance"}


def test_the_best_of_several_starts_is_where_it_begins(tmp_path: Path) -> None:
    starts = [{"worker": "9"}, {"worker": "999"}, {"worker": "99"}]
    end, _, function = run(tmp_path / "j", start=starts, steps=1)
    assert end.best.values["worker"] == "9999"
    assert [one for one, example, _ in function.asked if example.startswith("train")] == [list(end.candidates)[1]] * 4


@pytest.mark.parametrize("accept", ["always", "not-worse"])
def test_starts_and_children_without_a_score_are_not_kept_and_end_nothing(accept: str, tmp_path: Path) -> None:
    def flaky(values: Mapping[str, Any], example: str, rep: int) -> Scored:
        dead = len(values["worker"]) == 2
        return Scored(None, error="down") if dead else Scored(nines(values, example, rep))

    settings: dict[str, Any] = {"score": flaky, "start": [{"worker": "99"}, {"worker": "9"}], "accept": accept}
    end, _, _ = run(tmp_path / "j", steps=3, **settings)
    assert (end.best.values["worker"], end.reason, end.tried) == ("9", "finished", 2)


@pytest.mark.parametrize("count", [1, 2])
def test_if_no_start_can_be_scored_it_has_failed(count: int, tmp_path: Path) -> None:
    given = study((WORKER,), *({"worker": "9" * at} for at in range(1, count + 1)))
    down = Function(lambda values, example, rep: Scored(None, error="down"))
    seen = play(lambda ctx: conduct(ctx, given, lambda at, one: textual_backprop(at, one), down), tmp_path / "j.sqlite")
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.kind == "program"
    assert seen.outcome.failure.message.startswith("none of ")


def test_an_option_that_cannot_be_run_ends_nothing_and_an_outage_does(tmp_path: Path) -> None:
    def broken(values: Mapping[str, Any], example: str, rep: int) -> Scored:
        return Scored(None, error="down") if values["how"] == "refine" or rep > 4 else Scored(0.5)

    how = ChoiceParameter("how", ("vote", "refine"))
    end, _, _ = run(tmp_path / "j", None, broken, (how,), [{"how": "vote"}], blaming(), steps=9)
    assert (end.best.values["how"], end.reason, end.missing) == ("vote", "failed", 20)


def test_where_nothing_fails_nobody_is_asked_and_nothing_changes(tmp_path: Path) -> None:
    def good(values: Mapping[str, Any], example: str, rep: int) -> float:
        return 0.9

    end, played, _ = run(tmp_path / "j", score=good, enough=0.9, backward="layers", steps=3)
    assert (end.tried, played.asked, end.reason) == (1, [], "finished")


def test_an_edit_with_problems_is_refused_and_the_others_stand(tmp_path: Path) -> None:
    def edits(request: Request, rng: random.Random) -> str:
        lost = request.observation["parameter"] == "kept"
        return document(value="lost" if lost else request.observation["value"] + "9", note="edited")

    start = {"worker": "nine: ", "kept": "{{ question }}"}
    end, _, _ = run(tmp_path / "j", edits, parameters=(WORKER, KEPT), start=[start], steps=1)
    assert dict(end.best.values) == {"worker": "nine: 9", "kept": "{{ question }}"}
    [refused] = records(tmp_path / "j", "refused")
    assert refused["gates"] == {"kept": "node"}
    assert "placeholder" in refused["problems"]["kept"][0]


def test_an_edit_that_cannot_be_read_is_no_change(tmp_path: Path) -> None:
    end, _, function = run(tmp_path / "j", lambda request, rng: "no", steps=2)
    assert (end.best.values["worker"], end.tried) == ("nine: ", 1)
    assert len(function.asked) == 10 + 2 * 4
    assert [one["note"] for one in records(tmp_path / "j", "refused")] == ["the edit of worker"] * 2


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"op": "set_roles", "name": "last", "roles": ["nobody"]}, "node"),
        ({"op": "set_roles", "name": "nowhere", "roles": ["a"]}, "node"),
        ({"op": "set_inputs", "name": "last", "inputs": ["nowhere"]}, "edge"),
        ({"op": "set_inputs", "name": "first", "inputs": ["last"]}, "structure"),
    ],
)
def test_a_workflow_passes_gates_in_order(change: dict[str, Any], gate: str, tmp_path: Path) -> None:
    def edits(request: Request, rng: random.Random) -> str:
        return document(operations=[change], note="edited")

    def poor(values: Mapping[str, Any], example: str, rep: int) -> float:
        return 0.0

    end, _, _ = run(tmp_path / "j", edits, poor, (WorkflowParameter("team"),), [{"team": TEAM}], steps=1)
    assert end.tried == 1
    [refused] = records(tmp_path / "j", "refused")
    assert refused["gates"] == {"team": gate}


def test_choices_learn_from_trials_and_are_not_edited(tmp_path: Path) -> None:
    def right(values: Mapping[str, Any], example: str, rep: int) -> float:
        return 0.9 if values["how"] == "refine" else 0.1

    how = ChoiceParameter("how", ("vote", "refine", "pipeline"))
    end, played, _ = run(tmp_path / "j", None, right, (how,), [{"how": "vote"}], blaming(), steps=4)
    assert (end.best.values["how"], end.best.note, played.asked) == ("refine", "how: refine", [])


def test_without_exploring_choices_are_edited_and_the_editor_knows_the_options(tmp_path: Path) -> None:
    def right(values: Mapping[str, Any], example: str, rep: int) -> float:
        return 0.9 if values["how"] == "refine" else 0.1

    def edits(request: Request, rng: random.Random) -> str:
        assert "vote, refine, pipeline" in request.messages[-1].content
        return document(value='"refine"', note="other")

    how = ChoiceParameter("how", ("vote", "refine", "pipeline"))
    end, played, _ = run(tmp_path / "j", edits, right, (how,), [{"how": "vote"}], steps=1, explore=0.0)
    assert (end.best.values["how"], len(played.asked)) == ("refine", 1)


@pytest.mark.parametrize("history", [0, 1, 2])
def test_an_editor_is_shown_exactly_the_last_values(history: int, tmp_path: Path) -> None:
    _, played, _ = run(tmp_path / "j", steps=4, history=history)
    last = played.asked[-1]
    assert last.count("[earlier value]") == last.count("[said of it") == history
    for at in range(3):
        assert (f"[earlier value]\n> nine: {'9' * at}\n" in last) == (at >= 3 - history)


def test_momentum_acts_only_on_what_comes_back(tmp_path: Path) -> None:
    end, played, _ = run(tmp_path / "j", steps=6, momentum=0.7)
    assert (end.best.values["worker"], len(played.asked)) == ("nine: 999", 3)


def test_what_it_cannot_work_with_is_said_before_anything_is_run(tmp_path: Path) -> None:
    edges = (EdgesParameter("edges", ("a > b",)),)
    with pytest.raises(UserError, match="needs a parameter of kind"):
        run(tmp_path / "a", parameters=edges, start=[{"edges": {"a > b": 0.0}}])
    function = Function(nines)
    for missing in ({"train": 0}, {"validate": 0}):
        given = study((WORKER,), {"worker": ""} | {"worker": "x"}, **missing)
        with pytest.raises(UserError, match=f"examples to {next(iter(missing))} on"):
            conducted(textual_backprop, given, function, tmp_path / "b")
    with pytest.raises(UserError, match="persistence"):
        run(tmp_path / "c", momentum=0.1)
    assert function.asked == []


def whole(request: Request, rng: random.Random) -> str:
    """A crew for the pass by layers."""
    seen = request.observation
    if seen["do"] == "edit":
        return adds_a_nine(request, rng)
    one = {"parameter": "worker", "kind": "missing instruction", "subject": "nines", "text": "too few"}
    return document(critiques=[one]) if "layer" in seen else document(critique="too few", layers=[])


@pytest.mark.parametrize("cut", range(1, 6))
def test_resumed_it_asks_nothing_again(cut: int, tmp_path: Path) -> None:
    def score(values: Mapping[str, Any], example: str, rep: int) -> Scored:
        return Scored(nines(values, example, rep), steps=(Step("worker-0", "worker", "?", "!"),))

    settings: dict[str, Any] = {"answers": whole, "score": score, "backward": "layers", "steps": 3}
    end, first, _ = run(tmp_path / "whole", **settings)
    given = study((WORKER,), {"worker": "nine: "})
    limits = Limits(calls=cut)
    conducted(textual_backprop, given, Function(score), tmp_path / "cut", answers=whole, limits=limits, steps=3)
    again, second, _ = run(tmp_path / "cut", **settings)
    assert again == end
    assert len(second.asked) == len(first.asked) - cut
    assert list(content(tmp_path / "cut")) == list(content(tmp_path / "whole"))
