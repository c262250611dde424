"""A swarm that is watched does what it did, and who heard whom is what stood in the prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, AnyOf, Ask, Delivery, Json, Message, Nested, Program, Reply
from swarmmind.optimizers.tracing import Exchange, steps, watched
from swarmmind.ports import Context
from swarmmind.runtime.journal import content
from swarmmind.testing.play import play
from tests.topologies.witness import Latency, Marked, Told, a_second, program, quotes, share, society


def jitter(seed: int) -> Latency:
    return lambda agent, key: 0.1 + share("late", seed, key)


def run(folder: Path, name: str, latency: Latency = a_second, watch: bool = True) -> tuple[Any, Marked, list[Exchange]]:
    model, seen = Marked(latency), list[Exchange]()
    begun = program(name, society(name))
    folder.mkdir()
    outcome = play(
        lambda ctx: watched(begun(ctx), seen) if watch else begun(ctx), folder / "journal.sqlite", model=model
    ).outcome
    return (outcome, sorted(map(str, content(folder / "journal.sqlite")))), model, seen


def heard(told: list[Told]) -> set[tuple[str | None, str | None]]:
    """By their words: whom each answer heard, as the marks in its prompt say."""
    said = {(one.agent, one.key): one.text for one in told}
    return {
        (said[quote.author, quote.key], one.text)
        for one in told
        for quote in quotes(tuple(message for message in one.messages if message.role != "system"))
        if quote.author != one.agent and quote.under == quote.author
    }


@pytest.mark.parametrize("name", ["debate", "macnet", "messages", "omne", "sapo", "swarmsys", "workflow", "world"])
def test_watching_changes_nothing_and_sees_who_heard_whom(name: str, tmp_path: Path) -> None:
    alone, _, _ = run(tmp_path / "alone", name, watch=False)
    together, model, seen = run(tmp_path / "watched", name)
    assert together == alone
    made = steps(seen)
    assert {(made[one].output, step.output) for step in made for one in step.heard} == heard(model.told)
    assert all(one < at for at, step in enumerate(made) for one in step.heard)


@pytest.mark.parametrize("name", ["macnet", "macnet-tree", "workflow", "messages"])
def test_the_order_of_steps_does_not_depend_on_who_was_faster(name: str, tmp_path: Path) -> None:
    one, other = (steps(run(tmp_path / f"{seed}", name, jitter(seed))[2]) for seed in (1, 2))
    assert one == other


def asked(name: str, prompt: str, there: int, reply: Reply, strand: str = "") -> Exchange:
    return Exchange(Ask(Agent(name, name), (Message("user", prompt),)), reply, there, strand)


def said(text: str) -> Reply:
    return Reply(text, text)


def test_nobody_hears_who_was_asked_at_once() -> None:
    first, again = said("It is one."), said("It is two.")
    made = steps(
        [
            asked("a", "?", 0, first),
            asked("a", "Again?", 1, again),
            asked("b", f"{quoted('a', 'It is 1.')}", 1, said("b")),
        ]
    )
    assert [(step.agent, step.prompt == "Again?", step.heard) for step in made] == [
        ("a", False, ()),
        ("a", True, ()),
        ("b", False, (0,)),
    ]


def test_of_a_document_one_text_may_be_passed_on_and_of_equal_words_the_latest_are_meant() -> None:
    documents = [{"to": "b", "message": f"Look at\n{place}."} for place in ("one", "two")]
    seen = [asked("a", f"{at}", at, Reply(json.dumps(said), said)) for at, said in enumerate(documents)]
    seen += [asked("c", f"c{at}", 2 + at, said("ANSWER: 1")) for at in range(3)]
    prompt = "\n".join((quoted("a", "Look at\none."), quoted("c", "ANSWER: 1"), quoted("c", "ANSWER: 1")))
    made = steps([*seen, asked("d", prompt, 5, said("so"))])
    [told] = [step.heard for step in made if step.agent == "d"]
    assert sorted(made[one].prompt for one in told) == ["0", "c1", "c2"]


def test_a_nested_program_that_is_done_late_is_delivered_as_it_was_yielded(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": True}

    def inner(ctx: Context) -> Program:
        [reply] = yield [Ask(Agent("slow", "slow", model="m"), (Message("user", "?"),), Json("any", schema))]
        return reply.text

    def outer(ctx: Context) -> Program:
        fast = Ask(Agent("fast", "fast", model="m"), (Message("user", "?"),))
        nested = Nested(inner, "inner")
        arrived: list[Delivery] = []
        first: list[Delivery] = yield AnyOf([nested, fast])
        arrived += first
        while len(arrived) < 2:
            arrived += yield AnyOf([])
        assert [one.effect for one in arrived] == [fast, nested]
        assert arrived[1].effect is nested
        return "done"

    seen: list[Exchange] = []
    model = Marked(lambda agent, key: 5.0 if agent == "slow" else 1.0)
    played = play(lambda ctx: watched(outer(ctx), seen), tmp_path / "j.sqlite", model=model)
    assert played.outcome.value == "done"
    assert [(one.ask.agent.id, one.there, one.strand) for one in seen] == [("fast", 0, ""), ("slow", 0, "/inner")]
