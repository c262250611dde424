"""GPTSwarm: the drawn graph says who reads whom, and the trace holds what a learner needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind.agents.prompts import speakers
from swarmmind.effects import Agent, Choice, Limits
from swarmmind.errors import UserError
from swarmmind.runtime.journal import content
from swarmmind.topologies import Policy, Society
from swarmmind.topologies.gptswarm.edges import Edges, potential
from tests.runtime.stage import Played, play

from .swarms import FAIL, Said, played, program, saying, society


def recorded(folder: Path, name: str) -> Any:
    return next(
        json.loads(row[3]) for row in content(folder / "journal.sqlite") if row[0] == "record" and row[2] == name
    )


def marked(count: int) -> Said:
    return saying(*[f"<<a{at}>> ANSWER: {at}" for at in range(count)])


def heard(model: Said) -> dict[str, set[str]]:
    """Whose words each agent that was asked read."""
    return {name: set(speakers(told[0][-1].content)) for name, told in model.heard.items() if told}


def only(*edges: str) -> dict[str, float]:
    """Logits that leave no doubt, beside a `probability` that is next to nothing."""
    return dict.fromkeys(edges, 20.0)


def drawn(folder: Path, members: Society, model: Any, *edges: str, **more: Any) -> Played:
    return played(folder, "gptswarm", members, model, logits=only(*edges), probability=1e-9, **more)


def panel(count: int) -> Society:
    """Some who answer and a judge, whose name is the last one."""
    some = society(count + 1)
    judge = Agent(f"a{count}", "judge", "You judge.", "m", index=count)
    return some._replace(agents=[*some.agents[:-1], judge])


@pytest.mark.parametrize("draw", ["sampled", "full"])
def test_an_agent_reads_those_from_whom_an_edge_was_drawn_and_nobody_else(tmp_path: Path, draw: str) -> None:
    model = marked(5)
    played(tmp_path, "gptswarm", society(5), model, edges=draw)
    facts, graph = recorded(tmp_path, "realization"), recorded(tmp_path, "graph")
    between = [edge for edge in facts["edges"] if edge[1] != "final"]
    assert graph == {"nodes": [f"a{at}" for at in range(5)], "edges": between}
    read = heard(model)
    for name in read:
        assert read[name] == {u for u, v in between if v == name}
    assert len(between) == 10 or draw == "sampled"


def test_the_trace_alone_gives_log_p_and_the_gradient(tmp_path: Path) -> None:
    played(tmp_path, "gptswarm", society(4), marked(4), logits={"a0 > a1": 1.5, "a3 > final": -0.5}, probability=0.4)
    facts = recorded(tmp_path, "realization")
    pairs = potential([[name] for name in facts["nodes"]])
    edges = Edges.of(pairs, facts["probability"], facts["logits"], facts["ranks"])
    assert edges.log_probability(facts["decisions"], facts["order"]) == facts["log_probability"] < 0
    taken = [list(pair) for pair, x in zip(pairs, facts["decisions"], strict=True) if x == "1"]
    assert taken == facts["edges"]
    assert len(edges.gradient(facts["decisions"])) == 4 * 3 + 4


def test_an_agent_that_nothing_leads_on_from_is_not_asked(tmp_path: Path) -> None:
    model = marked(4)
    seen = drawn(tmp_path, society(4), model, "a0 > a1", "a1 > final", "a1 > a2", "a3 > a2")
    assert seen.outcome.value == "<<a1>> ANSWER: 1"
    assert heard(model) == {"a0": set(), "a1": {"a0"}}


def test_where_nothing_leads_to_the_end_nobody_is_asked(tmp_path: Path) -> None:
    seen = drawn(tmp_path, society(3), marked(3), "a0 > a1")
    assert (seen.outcome.value, seen.asked) == (None, [])


def test_each_answers_as_soon_as_its_own_inputs_are_there(tmp_path: Path) -> None:
    latency = {"a0": 1.0, "a1": 9.0, "a2": 1.0, "a3": 1.0}
    model = Said({name: ["ANSWER: 1"] for name in latency}, latency)
    ends = [f"a{at} > final" for at in range(4)]
    assert drawn(tmp_path, society(4), model, "a0 > a2", "a2 > a3", *ends).seconds == 9  # not 9 + 1 + 1


def test_the_most_probable_graph_is_that_of_the_edges_above_one_half(tmp_path: Path) -> None:
    model = marked(3)
    logits = {"a0 > a2": 0.1, "a0 > a1": -0.1, "a2 > final": 3.0, "a1 > final": 0.2}
    played(tmp_path, "gptswarm", society(3), model, logits=logits, probability=0.4, edges="most-probable")
    assert heard(model) == {"a0": set(), "a1": set(), "a2": {"a0"}}
    assert recorded(tmp_path, "realization")["log_probability"] == 0.0


def test_the_most_frequent_of_the_inputs_wins_and_others_do_not_count(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", "ANSWER: 1", "ANSWER: 2", "ANSWER: 2", "ANSWER: 2")
    ends = [f"a{at} > final" for at in range(3)]
    seen = drawn(tmp_path, society(5), model, "a3 > a0", "a4 > a0", *ends)
    assert seen.outcome.value == "ANSWER: 1"
    assert recorded(tmp_path, "votes") == {"1": 2, "2": 1}


@pytest.mark.parametrize("decide", ["majority", "random"])
def test_chance_decides_over_ties_or_altogether(tmp_path: Path, decide: str) -> None:
    made = program("gptswarm", society(2), logits=only("a0 > final", "a1 > final"), probability=1e-9, decide=decide)
    values = [
        play(made, tmp_path / f"{seed}.sqlite", model=saying("ANSWER: 1", "ANSWER: 2"), seed=seed).outcome.value
        for seed in range(24)
    ]
    assert 4 <= values.count("ANSWER: 1") <= 20


def test_a_judge_reads_the_inputs_without_names_and_its_answer_counts(tmp_path: Path) -> None:
    model = marked(4)
    seen = drawn(tmp_path, panel(3), model, "a0 > final", "a1 > final", "a2 > a1", decide="judge")
    assert seen.outcome.value == "<<a3>> ANSWER: 3"
    assert heard(model)["a3"] == {"answer 1", "answer 2"}
    assert "<<a0>>" in model.heard["a3"][0][-1].content
    assert "<<a2>>" not in model.heard["a3"][0][-1].content
    assert recorded(tmp_path, "graph")["edges"] == [["a2", "a1"], ["a0", "a3"], ["a1", "a3"]]


def test_without_a_verdict_the_most_frequent_input_counts(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", "ANSWER: 2", "ANSWER: 2", OSError("down"))
    ends = [f"a{at} > final" for at in range(3)]
    assert drawn(tmp_path, panel(3), model, *ends, decide="judge").outcome.value == "ANSWER: 2"
    assert recorded(tmp_path, "votes") == {"1": 1, "2": 2}


def test_who_failed_is_not_quoted_and_holds_nobody_up(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", OSError("down"), "ANSWER: 3")
    seen = drawn(tmp_path, society(3), model, "a0 > a2", "a1 > a2", "a2 > final")
    assert seen.outcome.value == "ANSWER: 3"
    assert heard(model)["a2"] == {"a0"}


def test_if_all_inputs_failed_what_others_said_counts(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", OSError("down"))
    assert drawn(tmp_path, society(2), model, "a0 > a1", "a1 > final").outcome.value == "ANSWER: 1"


@pytest.mark.parametrize(("policy", "calls"), [(FAIL, 2), (Policy("quorum", 0.9), 3)])
def test_a_policy_that_wants_more_ends_it(tmp_path: Path, policy: Policy, calls: int) -> None:
    model = saying("ANSWER: 1", OSError("down"), "ANSWER: 3")
    seen = drawn(tmp_path, society(3, policy=policy), model, "a0 > a2", "a1 > a2", "a2 > final")
    assert seen.outcome.failure is not None
    assert f"the policy {policy.kind!r} needs" in seen.outcome.failure.message
    assert seen.meter.usage.calls == calls


@pytest.mark.parametrize(("affordable", "wanted"), [(0, None), (1, "ANSWER: 0"), (2, "ANSWER: 1"), (3, "ANSWER: 1")])
def test_a_budget_that_ends_it_keeps_what_was_said(tmp_path: Path, affordable: int, wanted: str | None) -> None:
    edges = ["a0 > a1", "a1 > a2", "a1 > final", "a2 > final"]
    model = saying("ANSWER: 0", "ANSWER: 1", "ANSWER: 1", "ANSWER: 9")
    seen = drawn(tmp_path, panel(3), model, *edges, decide="judge", limits=Limits(calls=affordable))
    assert seen.outcome.stopped == "calls"
    assert seen.outcome.value == wanted
    assert seen.meter.usage.calls == affordable


def test_the_order_of_agents_may_be_drawn_too(tmp_path: Path) -> None:
    played(tmp_path, "gptswarm", society(4), marked(4), ranks={"a3": 50.0})
    facts = recorded(tmp_path, "realization")
    assert facts["order"][0] == "a3"
    assert sorted(facts["order"]) == facts["nodes"]
    assert facts["ranks"] == {"a0": 0.0, "a1": 0.0, "a2": 0.0, "a3": 50.0}
    assert all(v != "a3" for _, v in facts["edges"])


def test_choices_are_read_and_counted(tmp_path: Path) -> None:
    ends = [f"a{at} > final" for at in range(3)]
    seen = drawn(tmp_path, society(3, Choice(("A", "B"))), saying("A", "B", "B"), *ends)
    assert seen.outcome.value == "B"


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"decide": "judge"}, "decide: 'judge' needs an agent with the role judge"),
        ({"logits": {"a0 > a9": 1.0}}, "logits: expected potential edges, 'a > b', found 'a0 > a9'; did you mean"),
        ({"ranks": {"a9": 1.0}}, "ranks: expected nodes that something leaves, found 'a9'"),
    ],
)
def test_mistakes_are_said_in_one_line(tmp_path: Path, parameters: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        played(tmp_path, "gptswarm", society(2), marked(2), **parameters)
    judges = society(1)._replace(agents=[Agent("j", "judge", model="m")])
    with pytest.raises(UserError, match="found only judges"):
        played(tmp_path, "gptswarm", judges, marked(1), decide="judge")


def test_a_task_gives_logits_as_a_learner_wrote_them(work: Path) -> None:
    (work / "task.yaml").write_text(
        """
        problem: What is 3 + 4?
        model: scripted
        swarm:
          agents: {solver: 3}
          topology:
            use: gptswarm
            edges: most-probable
            logits: {"solver-0 > final": 2.0, "solver-2 > final": 1, "solver-1 > final": -1}
        score: {use: number, target: "7"}
        """
    )
    result = swarmmind.run_sync(work / "task.yaml", env={})
    assert (result.status, result.score, result.usage.calls) == ("finished", 1.0, 2)
