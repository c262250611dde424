from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Limits
from swarmmind.errors import UserError
from swarmmind.memory import memory
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Call, Request
from swarmmind.runtime.journal import content
from swarmmind.topologies import Policy
from swarmmind.topologies.graphs import Graph

from .swarms import FAIL, calls, played, saying, society

RING, MESH, CHAIN = Graph(kind="ring"), Graph(kind="mesh"), Graph(kind="chain")


class Timed:
    """Agents that say something else at every turn, each after its own latency.

    Attributes:
        begun: when each was asked, turn by turn, in seconds.
        heard: whose answers, and of which turn, each was shown, turn by turn.
    """

    stateful = False

    def __init__(self, latency: Mapping[str, float], script: Mapping[str, Sequence[str]] | None = None) -> None:
        self._latency, self._script = latency, script or {}
        self.begun: dict[str, list[float]] = {}
        self.heard: dict[str, list[dict[str, str]]] = {}

    def answer(self, request: Request, call: Call) -> Any:
        name, turn = request.agent.id, request.observation["turn"]
        self.begun.setdefault(name, []).append(call.now())
        self.heard.setdefault(name, []).append(request.observation["heard"])
        for other, text in request.observation["heard"].items():
            assert f"[{other}]\n> {text}" in request.messages[-1].content
        said = self._script.get(name, [f"{name} in {turn}" for turn in range(1, 9)])[turn - 1]
        return ScriptedFunction(lambda request, rng: f"ANSWER: {said}", self._latency.get(name, 1.0)).answer(
            request, call
        )

    async def close(self) -> None: ...


def records(folder: Path) -> list[tuple[str, Any]]:
    return [(row[2], json.loads(row[3])) for row in content(folder / "journal.sqlite") if row[0] == "record"]


def test_those_who_take_equally_long_go_in_step(tmp_path: Path) -> None:
    model = Timed({})
    seen = played(tmp_path, "gossip", society(6), model, graph=RING, turns=3, share=1.0)
    assert seen.seconds == 3
    assert calls("gossip", society(6), graph=RING, turns=3) == seen.meter.usage.calls == 18
    assert model.begun == {f"a{at}": [0, 1, 2] for at in range(6)}
    for at in range(6):
        near = [f"a{(at + step) % 6}" for step in (-1, 1)]
        first, second, third = model.heard[f"a{at}"]
        assert first == {}
        assert second == {name: f"ANSWER: {name} in 1" for name in sorted(near)}
        assert third == {name: f"ANSWER: {name} in 2" for name in sorted(near)}


def test_a_straggler_costs_itself_alone(tmp_path: Path) -> None:
    makespans: list[dict[str, list[float]]] = []
    for name, slow in (("even", 1.0), ("odd", 100.0)):
        (tmp_path / name).mkdir()
        model = Timed({"a3": slow})
        played(tmp_path / name, "gossip", society(8), model, graph=RING, turns=4, share=0.5)
        makespans.append({agent: times for agent, times in model.begun.items() if agent != "a3"})
    assert makespans[0] == makespans[1]
    assert max(map(max, makespans[1].values())) == 3


def test_what_comes_late_is_for_a_later_turn(tmp_path: Path) -> None:
    model = Timed({"a0": 40.0, "a2": 100.0})
    played(tmp_path, "gossip", society(3), model, graph=MESH, turns=4, share=0.5)
    assert model.begun["a1"] == [0, 40, 80, 100]
    assert [heard.get("a2") for heard in model.heard["a1"]] == [None, None, None, "ANSWER: a2 in 1"]


@pytest.mark.parametrize(("share", "wanted"), [(0.25, 1.0), (0.3, 2.0), (0.5, 2.0), (0.7, 3.0), (1.0, 4.0)])
def test_a_turn_begins_when_the_share_of_neighbors_has_answered(tmp_path: Path, share: float, wanted: float) -> None:
    model = Timed({"a0": 0.5, "a1": 1.0, "a2": 2.0, "a3": 3.0, "a4": 4.0})
    graph = Graph(kind="star")
    played(tmp_path, "gossip", society(5), model, graph=graph, turns=2, share=share, deadline_seconds=None)
    assert model.begun["a0"] == [0, wanted]


@pytest.mark.parametrize(("deadline", "wanted"), [(None, 50.0), (10.0, 10.5), (1.5, 2.0), (0.25, 1.0)])
def test_a_deadline_takes_what_is_there(tmp_path: Path, deadline: float | None, wanted: float) -> None:
    model = Timed({"a0": 0.5, "a1": 1.0, "a2": 50.0})
    graph = Graph(kind="star")
    played(tmp_path, "gossip", society(3), model, graph=graph, turns=2, share=1.0, deadline_seconds=deadline)
    assert model.begun["a0"] == [0, wanted]


def test_timers_that_nobody_waits_for_cost_no_time(tmp_path: Path) -> None:
    seen = played(tmp_path, "gossip", society(4), Timed({}), graph=RING, turns=2, deadline_seconds=1000.0)
    assert seen.seconds == 2


def test_who_agrees_with_all_it_hears_is_not_asked_again(tmp_path: Path) -> None:
    model = saying(*["ANSWER: 4"] * 6)
    seen = played(tmp_path, "gossip", society(6), model, graph=RING, turns=5)
    assert seen.meter.usage.calls == 6
    assert seen.outcome.value == "ANSWER: 4"


def test_without_deadlines_those_who_agree_end_it(tmp_path: Path) -> None:
    model = saying(*["ANSWER: 4"] * 6)
    seen = played(tmp_path, "gossip", society(6), model, graph=RING, turns=5, deadline_seconds=None)
    assert (seen.outcome.value, seen.meter.usage.calls) == ("ANSWER: 4", 6)


def test_it_ends_when_those_who_agree_have_outwaited_their_timers(tmp_path: Path) -> None:
    model = Timed({"a2": 10.0}, {"a0": "44", "a1": "44", "a2": "54"})
    seen = played(tmp_path, "gossip", society(3), model, graph=CHAIN, turns=2, deadline_seconds=1.0)
    assert (seen.outcome.value, seen.seconds) == ("ANSWER: 4", 20.0)
    assert {name: len(begun) for name, begun in model.begun.items()} == {"a0": 1, "a1": 2, "a2": 2}


def test_who_agrees_is_asked_again_when_somebody_changes_its_mind(tmp_path: Path) -> None:
    model = Timed({}, {"a0": "1111", "a1": "1222", "a2": "2222"})
    played(tmp_path, "gossip", society(3), model, graph=CHAIN, turns=4)
    assert model.begun["a0"][:2] == [0, 2]  # not at 1, when a1 said the same
    assert model.heard["a0"][1] == {"a1": "ANSWER: 2"}


def test_who_fails_says_nothing_and_is_believed_its_last_answer(tmp_path: Path) -> None:
    down = OSError("down")
    model = saying(["ANSWER: 1", "ANSWER: 3"], ["ANSWER: 2", down, down], [down])
    seen = played(tmp_path, "gossip", society(3), model, graph=MESH, turns=3)
    assert "[a2]" not in "".join(prompts[-1].content for prompts in model.heard["a0"])
    told = dict(records(tmp_path))
    assert told["answers"] == {"a0": "3", "a1": "2"}
    assert told["turns"] == {"a0": 2, "a1": 3, "a2": 3}
    assert seen.outcome.value == "ANSWER: 3"


def test_under_fail_one_failure_ends_it(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", OSError("down"), "ANSWER: 1")
    seen = played(tmp_path, "gossip", society(3, policy=FAIL), model, graph=MESH, turns=3)
    assert seen.outcome.failure is not None
    assert "the policy 'fail' needs 1" in seen.outcome.failure.message


def test_a_quorum_is_of_those_who_have_answered_at_last(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", OSError("down"), "ANSWER: 1")
    seen = played(tmp_path, "gossip", society(3, policy=Policy("quorum", 0.9)), model, graph=MESH, turns=2)
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.message.startswith("2 of 3 agents answered")


@pytest.mark.parametrize("affordable", [1, 4, 7, 11])
def test_a_spent_budget_keeps_the_last_answers_and_a_resume_goes_on(tmp_path: Path, affordable: int) -> None:
    latency = {f"a{at}": 1.0 + at for at in range(5)}
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    whole = played(tmp_path / "whole", "gossip", society(5), Timed(latency), graph=RING, turns=3)
    limits = Limits(calls=affordable)
    cut = played(tmp_path / "cut", "gossip", society(5), Timed(latency), limits, graph=RING, turns=3)
    assert cut.outcome.stopped == "calls"
    assert cut.outcome.value.startswith("ANSWER: a")
    resumed = played(tmp_path / "cut", "gossip", society(5), Timed(latency), graph=RING, turns=3)
    assert resumed.outcome == whole.outcome
    assert len(resumed.asked) == whole.meter.usage.calls - affordable


def test_when_the_budget_is_spent_nobody_waits_for_timers(tmp_path: Path) -> None:
    latency = {f"a{at}": 1.0 + at for at in range(5)}
    seen = played(tmp_path, "gossip", society(5), Timed(latency), Limits(calls=7), graph=RING, turns=3)
    assert (seen.outcome.stopped, seen.seconds) == ("calls", 5.0)  # of the slowest, whose answer was paid for


@pytest.mark.parametrize("affordable", [1, 3, 5])
def test_what_can_be_said_but_not_remembered_any_more_counts(tmp_path: Path, affordable: int) -> None:
    members = society(6, memory=memory("vectors")())
    latency = {f"a{at}": 1.0 + at for at in range(6)}
    seen = played(tmp_path, "gossip", members, Timed(latency), Limits(calls=affordable), graph=RING, turns=2)
    assert seen.outcome.stopped == "calls"
    assert len(dict(records(tmp_path))["answers"]) == affordable


def test_it_replays_exactly(tmp_path: Path) -> None:
    latency = {f"a{at}": 0.7 + 0.31 * at for at in range(7)}
    first = played(tmp_path, "gossip", society(7), Timed(latency), graph=RING, turns=3, deadline_seconds=1.3)
    before = list(content(tmp_path / "journal.sqlite"))
    again = played(tmp_path, "gossip", society(7), Timed({}), graph=RING, turns=3, deadline_seconds=1.3)
    assert again.outcome == first.outcome
    assert again.asked == []
    assert list(content(tmp_path / "journal.sqlite")) == before


def test_who_has_no_neighbors_answers_once(tmp_path: Path) -> None:
    alone = Graph.model_validate({"nodes": ["x", "y", "z"], "edges": [["x", "y"]]})
    model = Timed({})
    played(tmp_path, "gossip", society(3), model, graph=alone, turns=3)
    assert [len(model.begun[f"a{at}"]) for at in range(3)] == [3, 3, 1]
    assert calls("gossip", society(3), graph=alone, turns=3) == 7


def test_more_nodes_than_agents_are_refused() -> None:
    with pytest.raises(UserError, match="graph: 9 nodes need as many agents, and there are 3"):
        calls("gossip", society(3), graph=Graph(kind="ring", nodes=9))
