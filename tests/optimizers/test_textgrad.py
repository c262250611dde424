"""TextGrad's backward pass: a critique for every edge, downstream before upstream, along the chain alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from swarmmind.optimizers.parameters import WorkflowParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Case, Scored, Step
from swarmmind.optimizers.textual_backprop.graph import MOST_EDGES, asks, graph
from tests.optimizers.hills import study
from tests.optimizers.passes import KIND, diamond, passed, texts

TOKEN = "tangerine"


def critic(observation: Any) -> dict[str, str]:
    """Passes on what it is told, with the name of the answer that is judged from."""
    if observation["do"] == "judge":
        return {"critique": TOKEN, "kind": KIND, "subject": "loss"}
    told = " and ".join(observation["critiques"])
    return {"critique": f"{observation['role']}({told})", "kind": KIND, "subject": observation["of"]["role"]}


def edge(observation: Any) -> tuple[str, str]:
    """From whom to what."""
    if observation["do"] == "judge":
        return ("loss", observation["role"])
    of = observation["of"]
    return (observation["role"], f"{of['role']}-text" if of["instructions"] else of["role"])


def rewired(**heard: tuple[int, ...]) -> Case:
    """The diamond with other ears."""
    run = diamond().run
    steps = tuple(step._replace(heard=heard.get(step.role, step.heard)) for step in run.steps)
    return Case("train-0", Scored(0.0, run.output, run.feedback, steps, question=run.question, target=run.target))


def test_every_edge_takes_one_call_downstream_before_upstream(tmp_path: Path) -> None:
    got = passed(graph, "abcd", [diamond()], critic, tmp_path)
    order = [edge(one) for one in got.asked]
    assert sorted(order) == sorted(
        [
            ("loss", "d"), ("d", "d-text"), ("d", "b"), ("d", "c"), ("b", "b-text"), ("b", "a"),
            ("c", "c-text"), ("c", "a"), ("a", "a-text"),
        ]
    )  # fmt: skip
    assert order[0] == ("loss", "d")
    assert max(order.index(("d", x)) for x in "bc") < min(order.index((x, "a")) for x in "bc")
    assert order[-1] == ("a", "a-text")


def test_an_answer_that_two_heard_gets_a_critique_from_each(tmp_path: Path) -> None:
    got = passed(graph, "abcd", [diamond()], critic, tmp_path)
    [leaf] = [one for one in got.asked if edge(one) == ("a", "a-text")]
    assert sorted(leaf["critiques"]) == [f"b(d({TOKEN}))", f"c(d({TOKEN}))"]
    assert got.found[-1] == Critique("a-text", f"a({' and '.join(leaf['critiques'])})", KIND, "a", ("train-0",))
    assert Counter(one.parameter for one in got.found) == Counter(["a-text", "b-text", "c-text", "d-text"])


def test_an_answer_waits_for_the_longest_way_to_it(tmp_path: Path) -> None:
    ears = {"a": (), "b": (0,), "c": (0,), "d": (2,), "e": (1, 3)}  # e <- b <- a, and e <- d <- c <- a
    steps = tuple(Step(name, name, "told", "said", of) for name, of in ears.items())
    got = passed(graph, "abcde", [Case("x", Scored(0.0, steps=steps))], critic, tmp_path)
    [leaf] = [one for one in got.asked if edge(one) == ("a", "a-text")]
    assert sorted(leaf["critiques"]) == [f"b(e({TOKEN}))", f"c(d(e({TOKEN})))"]


def test_the_loss_reaches_the_leaf_through_the_chain_alone(tmp_path: Path) -> None:
    def leaf_prompt(case: Case, folder: str) -> list[str]:
        (tmp_path / folder).mkdir()
        got = passed(graph, "abcd", [case], critic, tmp_path / folder)
        return [prompt for prompt in got.prompts if "> You are a." in prompt]

    [whole] = leaf_prompt(rewired(), "whole")
    assert whole.count(TOKEN) == 2
    [one] = leaf_prompt(rewired(c=()), "one")
    assert one.count(TOKEN) == 1
    assert leaf_prompt(rewired(b=(), c=()), "none") == []


def test_the_chain_form_embeds_the_conversation_and_what_was_said_of_it(tmp_path: Path) -> None:
    got = passed(graph, "abcd", [diamond()], critic, tmp_path)
    [prompt] = [one for one in got.prompts if "the answer of b" in one]
    for shown in ("> told d", "> said d", f"> {TOKEN}", "> said b"):
        assert shown in prompt
    for hidden in ("said c", "said a", "You are d.", "What is it?"):
        assert hidden not in prompt
    base = got.prompts[0]
    for shown in ("> What is it?", "> it is wrong", "> it", "score 0.0", "> said d"):
        assert shown in base


def test_what_no_parameter_stands_behind_costs_nothing(tmp_path: Path) -> None:
    def calls(roles: str) -> list[tuple[str, str]]:
        (tmp_path / (roles or "nobody")).mkdir()
        return [edge(one) for one in passed(graph, roles, [diamond()], critic, tmp_path / (roles or "nobody")).asked]

    assert calls("d") == [("loss", "d"), ("d", "d-text")]
    assert calls("b") == [("loss", "d"), ("d", "b"), ("b", "b-text")]
    assert sorted(calls("a")) == sorted(
        [("loss", "d"), ("d", "b"), ("d", "c"), ("b", "a"), ("c", "a"), ("a", "a-text")]
    )
    assert calls("") == []


def test_calls_are_those_of_textgrad(tmp_path: Path) -> None:
    """Counted on textgrad 0.1.8: two chained calls with one system prompt 4 backward, a batch of 3 on one call 6."""
    step = Step("a-1", "a", "told", "said")
    chained = Case("chained", Scored(0.0, steps=(step, step._replace(heard=(0,)))))
    singles = [Case(f"single-{at}", Scored(0.0, steps=(step,))) for at in range(3)]
    for number, (cases, calls) in enumerate([([chained], 4), (singles, 6)]):
        (tmp_path / str(number)).mkdir()
        assert len(passed(graph, "a", cases, critic, tmp_path / str(number)).asked) == calls


def test_where_nothing_is_said_the_chain_ends(tmp_path: Path) -> None:
    def said(observation: Any) -> Any:
        if edge(observation) == ("d", "b"):
            return {**critic(observation), "critique": "  "}
        return "no idea" if edge(observation) == ("d", "c") else critic(observation)

    got = passed(graph, "abcd", [diamond()], said, tmp_path)
    assert [one.parameter for one in got.found] == ["d-text"]
    assert len({edge(one) for one in got.asked}) == 4


def test_policies_of_a_workflow_are_criticized_as_the_workflow(tmp_path: Path) -> None:
    team = {
        "roles": [{"name": name, "responsibility": "all", "policy": f"Do {name}."} for name in "abcd"],
        "steps": [{"name": "s", "roles": list("abcd")}],
    }
    got = passed(graph, "b", [diamond()], critic, tmp_path, [WorkflowParameter("team")], team=team)
    assert [one.parameter for one in got.found] == ["team", "team", "b-text", "team"]


def test_what_a_pass_costs_has_a_bound(tmp_path: Path) -> None:
    step = diamond().run.steps[0]
    steps = tuple(step._replace(heard=tuple(range(at))) for at in range(40))
    got = passed(graph, "a", [Case("dense", Scored(0.0, steps=steps))], critic, tmp_path)
    assert len(got.asked) == 1 + MOST_EDGES == asks(study(texts("a"), {"a-text": "x"}), 1)
