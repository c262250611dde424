from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from swarmmind.effects import Choice, Limits, Message
from swarmmind.errors import UserError
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from swarmmind.topologies import Policy
from swarmmind.topologies.graphs import Graph

from .swarms import FAIL, calls, played, saying, society

ROUNDS = 4
GRAPHS = {
    "chain": Graph(kind="chain"),
    "star": Graph(kind="star"),
    "small-world": Graph(kind="small-world", k=2, p=0.3, seed=11),
    "scale-free": Graph(kind="scale-free", m=1, seed=2),
    "delaunay": Graph(kind="delaunay", seed=5),
}


class Relay:
    """Agents that pass on all words they know: `word-<own name>`, and those in their conversation.

    Attributes:
        prompts: what each was told, step by step.
    """

    stateful = False

    def __init__(self, broadcast: bool = False, *, strangers: bool = False) -> None:
        self.prompts: dict[str, list[tuple[Message, ...]]] = {}
        self._broadcast, self._strangers = broadcast, strangers

    def answer(self, request: Request, call: Any) -> Any:
        return ScriptedFunction(self._say).answer(request, call)

    def _say(self, request: Request, rng: object) -> str:
        seen, name = request.observation, request.agent.id
        self.prompts.setdefault(name, []).append(request.messages)
        said = " ".join(sorted({f"word-{name}."}.union(*(words(message.content) for message in request.messages))))
        if seen["do"] == "answer":
            return f"ANSWER: {said}"
        to = [*seen["neighbors"], "a0", "nobody", name] if self._strangers else seen["neighbors"]
        return said if self._broadcast else json.dumps(dict.fromkeys(to, said))

    async def close(self) -> None: ...


def words(prompt: str) -> set[str]:
    return set(re.findall(r"word-a\d+\.", prompt))


@pytest.mark.parametrize("broadcast", [False, True])
@pytest.mark.parametrize("kind", GRAPHS)
def test_a_word_is_after_d_rounds_exactly_where_d_edges_lead(tmp_path: Path, kind: str, broadcast: bool) -> None:
    members, model, graph = society(12), Relay(broadcast, strangers=True), GRAPHS[kind]
    seen = played(tmp_path, "messages", members, model, graph=graph, rounds=ROUNDS, broadcast=broadcast)
    distances = dict(nx.all_pairs_shortest_path_length(graph.undirected(members.agents, 0)))
    for node in range(12):
        prompts = model.prompts[f"a{node}"]
        assert len(prompts) == ROUNDS + 1
        for step, messages in enumerate(prompts):
            there = {f"word-a{u}." for u, far in distances[node].items() if 0 < far <= step}
            own = {f"word-a{node}."} if step > 1 or (step and broadcast) else set[str]()
            assert words(messages[-1].content) - own == there  # and nothing of this step, or from farther away
    assert seen.meter.usage.calls == 12 * (ROUNDS + 1)


def test_the_call_count_is_rounds_plus_one_for_each_node(tmp_path: Path) -> None:
    members = society(9)
    seen = played(tmp_path, "messages", members, Relay(), graph=Graph(kind="grid"), rounds=3)
    assert calls("messages", members, graph=Graph(kind="grid"), rounds=3) == seen.meter.usage.calls == 36
    few = Graph.model_validate({"edges": [["a4", "a2"]]})
    assert calls("messages", members, graph=few, rounds=3) == 8


def test_only_neighbors_are_written_to_and_who_is_silent_is_named(tmp_path: Path) -> None:
    said = saying(['{"a1": "hi", "a2": "psst", "a9": "who?"}', "ANSWER: 1"], ["{}", "ANSWER: 1"], ["{}", "ANSWER: 2"])
    seen = played(tmp_path, "messages", society(3), said, graph=Graph(kind="chain"), rounds=1)
    told = {name: heard[1][-1].content for name, heard in said.heard.items()}
    assert "[a0]\n> hi" in told["a1"]
    assert "Nothing from: a2." in told["a1"]
    assert "psst" not in told["a2"]
    assert "Nothing from: a1." in told["a2"]
    assert seen.outcome.value == "ANSWER: 1"


def test_a_conversation_goes_on_from_all_that_was_said(tmp_path: Path) -> None:
    model = Relay()
    played(tmp_path, "messages", society(4), model, graph=Graph(kind="ring"), rounds=3)
    for prompts in model.prompts.values():
        for before, after in pairwise(prompts):
            assert after[: len(before)] == before
            assert [message.role for message in after[len(before) :]] == ["assistant", "user"]


def test_a_memory_that_brings_turns_brings_the_conversation(tmp_path: Path) -> None:
    model = Relay()
    played(tmp_path, "messages", society(4, memory=Window(2)), model, graph=Graph(kind="ring"), rounds=3)
    assert [len(prompt) for prompt in model.prompts["a0"]] == [2, 4, 4, 4]  # the window holds one turn of two


def test_who_fails_is_silent_and_hears_later_what_it_missed(tmp_path: Path) -> None:
    texts: list[list[str | Exception]] = [
        [json.dumps({f"a{to}": f"<<a{at} in {step}>>" for to in range(3)}) for step in range(3)] for at in range(3)
    ]
    for at in range(3):
        texts[at].append(f"ANSWER: {at}")
    texts[1][1] = OSError("down")
    said = saying(*texts)
    seen = played(tmp_path, "messages", society(3), said, graph=Graph(kind="chain"), rounds=3)
    assert "Nothing from: a1." in said.heard["a0"][2][-1].content
    assert [message.role for message in said.heard["a1"][2]] == ["system", "user", "assistant", "user"]
    last = said.heard["a1"][2][-1].content
    assert last.index("<<a0 in 0>>") < last.index("<<a0 in 1>>")
    assert seen.outcome.value == "ANSWER: 0"
    assert seen.meter.total().failed == 1


@pytest.mark.parametrize("policy", [FAIL, Policy("quorum", 0.9)])
def test_a_policy_that_wants_more_ends_it(tmp_path: Path, policy: Policy) -> None:
    said = saying(["{}"], ["{}", OSError("down")], ["{}"])
    seen = played(tmp_path, "messages", society(3, policy=policy), said, rounds=3)
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.message.startswith("2 of 3 agents answered")
    assert seen.meter.usage.calls == 6


@pytest.mark.parametrize(("affordable", "wanted"), [(2, None), (6, None), (7, "ANSWER: 0"), (8, "ANSWER: 0")])
def test_a_spent_budget_keeps_the_answers_that_are_there(tmp_path: Path, affordable: int, wanted: str | None) -> None:
    said = saying(*[["{}", "{}", f"ANSWER: {at}"] for at in range(3)])
    seen = played(tmp_path, "messages", society(3), said, Limits(calls=affordable), rounds=2)
    assert (seen.outcome.value, seen.outcome.stopped) == (wanted, "calls")
    assert seen.outcome.failure is None


def test_the_last_question_is_the_tasks_own(tmp_path: Path) -> None:
    said = saying(["{}", "B"], ["{}", "A"], ["{}", "B"])
    seen = played(tmp_path, "messages", society(3, Choice(("A", "B"))), said, rounds=1)
    assert seen.outcome.value == "B"
    assert said.heard["a0"][1][-1].content.endswith("How many?")


def test_people_see_the_graph_the_traffic_and_every_answer(tmp_path: Path) -> None:
    said = saying(['{"a1": "x"}', "{}", "ANSWER: 7"], ["{}", "{}", "ANSWER: 7"], ["{}", "{}", "ANSWER: 8"])
    played(tmp_path, "messages", society(3), said, graph=Graph(kind="chain"), rounds=2)
    kept = [(row[2], json.loads(row[3])) for row in content(tmp_path / "journal.sqlite") if row[0] == "record"]
    assert kept[0][0] == "graph"
    assert kept[0][1]["nodes"] == ["a0", "a1", "a2"]
    assert kept[0][1]["edges"] == [[0, 1], [1, 2]]
    assert [data for name, data in kept if name == "messages"] == [
        {"step": 0, "delivered": 1, "silent": 2},
        {"step": 1, "delivered": 0, "silent": 3},
    ]
    assert dict(kept)["answers"] == {"a0": "7", "a1": "7", "a2": "8"}


@pytest.mark.parametrize("affordable", [1, 5, 12, 19])
def test_a_run_that_was_cut_off_goes_on_where_it_was(tmp_path: Path, affordable: int) -> None:
    members, ring = society(5), Graph(kind="ring")
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    whole = played(tmp_path / "whole", "messages", members, Relay(), graph=ring, rounds=3)
    played(tmp_path / "cut", "messages", members, Relay(), Limits(calls=affordable), graph=ring, rounds=3)
    resumed = played(tmp_path / "cut", "messages", members, Relay(), graph=ring, rounds=3)
    assert resumed.outcome == whole.outcome
    assert len(resumed.asked) == 20 - affordable
    both = [list(content(tmp_path / folder / "journal.sqlite")) for folder in ("whole", "cut")]
    assert both[0] == both[1]


def test_more_nodes_than_agents_are_refused() -> None:
    with pytest.raises(UserError, match="graph: 4 nodes need as many agents, and there are 3"):
        calls("messages", society(3), graph=Graph(kind="ring", nodes=4))
