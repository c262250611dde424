from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from swarmmind.agents.prompts import speakers
from swarmmind.effects import Agent, Choice, Limits
from swarmmind.errors import UserError
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.topologies import Policy, Question, Society

from .swarms import FAIL, SKIP, Said, calls, played, saying, society

DOWN = OSError("down")


def mixture(proposers: int, policy: Policy = SKIP, question: Question | None = None) -> Society:
    agents = [Agent(f"a{at}", "solver", "You solve.", "m", index=at) for at in range(proposers)]
    last = Agent("last", "aggregator", "You aggregate.", "m", index=proposers)
    return Society([*agents, last], Window(0), question or Question("How many?"), policy=policy)


def script(*proposers: Any, last: Any = ("ANSWER: 9",)) -> Said:
    said = saying(*proposers)
    return Said({**said.scripts, "last": last})


def prompts(model: Said, name: str) -> list[str]:
    return [heard[-1].content for heard in model.heard[name]]


def numbers(count: int, layers: int) -> list[list[str]]:
    return [[f"I am a{at} in {layer}. ANSWER: {at}" for layer in range(1, layers)] for at in range(count)]


@pytest.mark.parametrize(("proposers", "layers"), [(4, 3), (2, 2), (1, 4), (3, 1)])
def test_every_layer_reads_all_of_the_layer_before_and_nothing_else(
    tmp_path: Path, proposers: int, layers: int
) -> None:
    members, model = mixture(proposers), script(*numbers(proposers, max(layers, 2)))
    seen = played(tmp_path, "moa", members, model, layers=layers)
    assert seen.outcome.value == "ANSWER: 9"
    assert seen.meter.usage.calls == calls("moa", members, layers=layers) == proposers * (layers - 1) + 1
    everybody = [f"a{at}" for at in range(proposers)]
    told = {name: prompts(model, name) for name in everybody} | {"last": prompts(model, "last")}
    assert [len(told[name]) for name in everybody] == [layers - 1] * proposers
    for layer in range(2, layers + 1):
        for name in everybody if layer < layers else ["last"]:
            prompt = told[name][layer - 1 if layer < layers else 0]
            assert re.findall(r"> I am (a\d) in (\d)\.", prompt) == [(each, str(layer - 1)) for each in everybody]
            heads = [f"[{each}, reference {at}]" for at, each in enumerate(everybody, 1)]
            assert [line for line in prompt.splitlines() if line.startswith("[")] == heads
            assert list(speakers(prompt)) == everybody
            assert prompt.startswith("How many?")
            assert "`ANSWER: <your answer>`" in prompt.splitlines()[-1]
    assert all("reference" not in told[name][0] for name in everybody if told[name])


def test_a_layer_is_told_in_the_same_words(tmp_path: Path) -> None:
    model = script(*numbers(3, 3))
    played(tmp_path, "moa", mixture(3), model, layers=3)
    assert len({heard[1] for heard in model.heard.values() if len(heard) > 1}) == 1


def test_the_makespan_is_the_number_of_layers(tmp_path: Path) -> None:
    model = ScriptedFunction(lambda request, rng: "ANSWER: 1", 1.0)
    assert played(tmp_path, "moa", mixture(5), model, layers=4).seconds == 4


def test_without_an_aggregator_the_first_agent_aggregates(tmp_path: Path) -> None:
    members = society(3)
    model = saying(["ANSWER: 1", "ANSWER: 8"], "ANSWER: 2", "ANSWER: 3")
    seen = played(tmp_path, "moa", members, model, layers=2)
    assert seen.outcome.value == "ANSWER: 8"
    assert [len(heard) for heard in model.heard.values()] == [2, 1, 1]
    assert calls("moa", members, layers=2) == 4


def test_more_than_one_aggregator_is_refused() -> None:
    members = mixture(2)
    twice = members._replace(agents=[*members.agents, Agent("more", "aggregator", model="m")])
    with pytest.raises(UserError, match="at most one agent with the role aggregator, got 2"):
        calls("moa", twice)


def test_an_aggregator_alone_is_its_own_proposer(tmp_path: Path) -> None:
    members = mixture(0)
    seen = played(tmp_path, "moa", members, Said({"last": ["ANSWER: 1", "ANSWER: 2"]}), layers=2)
    assert (seen.outcome.value, seen.meter.usage.calls, calls("moa", members, layers=2)) == ("ANSWER: 2", 2, 2)


def test_who_fails_is_missing_from_the_references_and_nothing_stands_in_for_it(tmp_path: Path) -> None:
    model = script("ANSWER: 1", DOWN, ["ANSWER: 3", DOWN])
    seen = played(tmp_path, "moa", mixture(3), model, layers=3)
    assert seen.outcome.value == "ANSWER: 9"
    assert list(speakers(prompts(model, "a0")[1])) == ["a0", "a2"]
    assert "[a2, reference 2]" in prompts(model, "a0")[1]
    assert list(speakers(prompts(model, "last")[0])) == ["a0"]
    total = seen.meter.total()
    assert (total.planned, total.finished, total.failed) == (7, 4, 3)


def test_a_layer_in_which_nobody_answers_leaves_the_one_before(tmp_path: Path) -> None:
    model = script(["ANSWER: 1", DOWN], ["ANSWER: 2", DOWN])
    assert played(tmp_path, "moa", mixture(2), model, layers=3).outcome.value == "ANSWER: 9"
    assert list(speakers(prompts(model, "last")[0])) == ["a0", "a1"]


def test_if_the_aggregator_fails_the_last_layers_most_frequent_answer_is_left(tmp_path: Path) -> None:
    model = script("ANSWER: 1", "so\nANSWER: 2", "ANSWER: 2", last=[DOWN])
    assert played(tmp_path, "moa", mixture(3), model, layers=2).outcome.value == "so\nANSWER: 2"


def test_nobody_at_all_is_a_failure(tmp_path: Path) -> None:
    seen = played(tmp_path, "moa", mixture(2), script(DOWN, DOWN, last=[DOWN]), layers=3)
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.message.startswith("0 of 2 agents answered")


@pytest.mark.parametrize("policy", [FAIL, Policy("quorum", 0.9)])
@pytest.mark.parametrize("failing", ["proposer", "aggregator"])
def test_a_policy_that_wants_more_ends_it(tmp_path: Path, policy: Policy, failing: str) -> None:
    model = script("ANSWER: 1", DOWN) if failing == "proposer" else script("ANSWER: 1", "ANSWER: 2", last=[DOWN])
    seen = played(tmp_path, "moa", mixture(2, policy), model, layers=2)
    assert seen.outcome.failure is not None
    assert f"the policy {policy.kind!r}" in seen.outcome.failure.message


@pytest.mark.parametrize(
    ("affordable", "wanted"),
    [(0, None), (1, "ANSWER: 1"), (2, "ANSWER: 1"), (3, "ANSWER: 4"), (4, "ANSWER: 4"), (5, "ANSWER: 9")],
)
def test_a_budget_that_ends_it_early_keeps_the_latest_there_is(
    tmp_path: Path, affordable: int, wanted: str | None
) -> None:
    model = script(["ANSWER: 1", "ANSWER: 4"], ["ANSWER: 2", "ANSWER: 5"])
    seen = played(tmp_path, "moa", mixture(2), model, Limits(calls=affordable), layers=3)
    assert seen.outcome.value == wanted
    assert seen.outcome.stopped == ("calls" if affordable < 5 else None)
    assert seen.meter.usage.calls == affordable


def test_choices_are_mixed_too(tmp_path: Path) -> None:
    model = script("left", "right", last=["right"])
    seen = played(tmp_path, "moa", mixture(2, question=Question("Where?", Choice(("left", "right")))), model, layers=2)
    assert seen.outcome.value == "right"
    assert "ANSWER" not in prompts(model, "last")[0]
