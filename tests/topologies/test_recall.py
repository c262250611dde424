"""How topologies use memory: what is embedded, loaded and persisted, and when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarmmind.agents.answers import final_number
from swarmmind.effects import Failure, Limits, Program, Usage
from swarmmind.errors import Stop
from swarmmind.memory import Several, Window
from swarmmind.ports import Context, Durable, Memory
from swarmmind.runtime.journal import content
from swarmmind.topologies.recall import MAX_EMBEDDED_CHARACTERS, embedded, with_stores
from swarmmind.traces import (
    ANSWER,
    ANYTHING,
    Change,
    Embed,
    Embedding,
    Item,
    Load,
    Loaded,
    Persist,
    Persisted,
    Put,
    Query,
    Trace,
    Vector,
)
from tests.runtime.stage import Played, ask, play

from .swarms import Counter, program, saying, society


class Notebook(Memory):
    """Embeds, fades, and outlives the run; shows everything and keeps a diary of what it was given."""

    store = "notebook"

    def __init__(self) -> None:
        self.given: list[tuple[str, Trace, Vector | None]] = []
        self.asked: list[Query] = []
        self.items: Sequence[Item] | None = None
        self.fresh: list[Change] = []
        self.ticks = 0

    @property
    def embeds(self) -> bool:
        return True

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        assert self.items is not None, "used before it was loaded"
        self.given.append((scope, trace, vector))
        self.fresh.append(Put(Item(str(len(self.given)), text=trace.text)))

    def sense(self, scope: str, query: Query = ANYTHING, rng: Any = None) -> tuple[Trace, ...]:
        self.asked.append(query)
        return (Trace("it was the butler", "a9"),)

    def tick(self) -> None:
        self.ticks += 1

    def levels(self) -> dict[str, float]:
        return {"butler": 1.0 / self.ticks}

    def stores(self) -> Sequence[Durable]:
        return (self,)

    @property
    def loaded(self) -> bool:
        return self.items is not None

    def load(self, items: Sequence[Item]) -> None:
        self.items = items

    def changes(self) -> tuple[Change, ...]:
        fresh, self.fresh = tuple(self.fresh), []
        return fresh

    def fork(self) -> Notebook:
        return self


class World:
    """Executes what memory needs, and may be out of order.

    Attributes:
        done: every effect that was executed.
    """

    def __init__(self, broken: type | None = None) -> None:
        self.done: list[Any] = []
        self.broken = broken

    def __call__(self, effect: Any, flight: object) -> Any:
        self.done.append(effect)
        failure = Failure("server", "out of order") if isinstance(effect, self.broken or ()) else None
        if isinstance(effect, Load):
            return Loaded((Item("old"),), failure)
        if isinstance(effect, Persist):
            return Persisted(len(effect.changes), failure)
        rows = np.eye(4, dtype="<f4")[[len(text) % 4 for text in effect.texts]]
        return Embedding(4, rows.tobytes(), failure, Usage(calls=1, prompt_tokens=len(effect.texts)))

    def replayed(self, *_: object) -> None: ...

    def read(self, *_: object) -> None:
        raise AssertionError("nothing here is a program")

    def handlers(self) -> dict[type, Any]:
        return {Embed: self, Load: self, Persist: self}


class Dear(World):
    """Every effect costs a call."""

    def __call__(self, effect: Any, flight: Any) -> Any:
        flight.try_reserve(Usage(1))
        flight.settle(Usage(1), Usage(1))
        return super().__call__(effect, flight)


def debate(folder: Path, memory: Memory, world: World, model: Any = None, rounds: int = 2) -> Played:
    members = society(2, memory=memory)
    inner = program("debate", members, rounds=rounds)

    def whole(ctx: Context) -> Program:
        return with_stores(memory, inner(ctx))

    said = model or saying("ANSWER: 1", "ANSWER: 2")
    return play(whole, folder / "journal.sqlite", model=said, handlers=world.handlers())


def test_all_texts_of_a_step_are_embedded_by_one_effect_and_prompts_are_not(tmp_path: Path) -> None:
    notebook, world = Notebook(), World()
    assert debate(tmp_path, notebook, world).outcome.ok
    texts = [effect.texts for effect in world.done if isinstance(effect, Embed)]
    assert texts == [("How many?",) * 2, ("ANSWER: 1", "ANSWER: 2")] * 2
    vectors = {trace.kind: None if vector is None else vector.tolist() for _, trace, vector in notebook.given}
    assert vectors == {"user": None, ANSWER: [0.0, 1.0, 0.0, 0.0]}
    assert [query.vector is not None for query in notebook.asked] == [True] * 4


def test_answers_are_left_with_what_they_answer_as_their_key(tmp_path: Path) -> None:
    notebook = Notebook()
    debate(tmp_path, notebook, World(), rounds=1)
    assert [(scope, t.author, t.kind, t.key) for scope, t, _ in notebook.given if t.kind == ANSWER] == [
        ("a0", "a0", ANSWER, "1"),
        ("a1", "a1", ANSWER, "2"),
    ]


def test_what_is_sensed_stands_quoted_in_the_prompt(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", "ANSWER: 2")
    debate(tmp_path, Notebook(), World(), model)
    for heard in model.heard.values():
        assert "[a9, note, strength 1.00]\n> it was the butler\n\n" in heard[0][-1].content


def test_a_store_is_loaded_first_and_changes_are_persisted_with_their_step(tmp_path: Path) -> None:
    notebook, world = Notebook(), World()
    debate(tmp_path, notebook, world)
    assert [type(effect).__name__ for effect in world.done] == ["Load", *["Embed", "Embed", "Persist"] * 2]
    assert notebook.items == (Item("old"),)
    assert [len(effect.changes) for effect in world.done if isinstance(effect, Persist)] == [4, 4]
    keys = [row[1] for row in content(tmp_path / "journal.sqlite") if row[0] == "result"]
    assert sum(key.endswith("/persist") for key in keys) == 2


def test_a_replay_executes_nothing_again_and_gives_the_same_memory(tmp_path: Path) -> None:
    first, second, world = Notebook(), Notebook(), World()
    debate(tmp_path, first, World())
    replayed = debate(tmp_path, second, world)
    assert (replayed.outcome.ok, world.done, replayed.asked) == (True, [], [])
    assert [(s, t, v is None) for s, t, v in second.given] == [(s, t, v is None) for s, t, v in first.given]
    assert second.items == first.items


@pytest.mark.parametrize("broken", [Embed, Load, Persist])
def test_what_memory_needs_and_does_not_get_fails_the_run_and_a_resumed_one_tries_again(
    tmp_path: Path, broken: type
) -> None:
    failed = debate(tmp_path, Notebook(), World(broken))
    assert failed.outcome.failure is not None
    assert (failed.outcome.failure.kind, "out of order" in failed.outcome.failure.message) == ("memory", True)
    world = World()
    resumed = debate(tmp_path, Notebook(), world)
    assert resumed.outcome.ok
    assert isinstance(world.done[0], broken)


def test_what_embedding_cost_is_counted_but_is_nobodys_ask(tmp_path: Path) -> None:
    played = debate(tmp_path, Notebook(), World())
    assert played.meter.total().planned == 4
    assert played.meter.usage.calls == 4 + 4  # asks and embeddings


def test_how_much_of_a_text_is_embedded_is_bounded(tmp_path: Path) -> None:
    world = World()
    debate(tmp_path, Notebook(), world, saying("x" * 1_000_000, "y"))
    assert max(len(text) for effect in world.done if isinstance(effect, Embed) for text in effect.texts) == (
        MAX_EMBEDDED_CHARACTERS
    )


def test_rounds_pass_for_memory_and_people_see_what_is_left(tmp_path: Path) -> None:
    notebook = Notebook()
    debate(tmp_path, notebook, World(), rounds=3)
    assert notebook.ticks == 3
    rows = [row[3] for row in content(tmp_path / "journal.sqlite") if row[0] == "record" and row[2] == "pheromone"]
    assert sorted(rows)[:2] == ['{"round":1,"levels":{"butler":1.0}}', '{"round":2,"levels":{"butler":0.5}}']


def test_memories_that_need_nothing_of_the_world_yield_nothing(tmp_path: Path) -> None:
    played = debate(tmp_path, Window(), World(), rounds=1)
    assert played.outcome.ok
    kinds = {row[2] for row in content(tmp_path / "journal.sqlite") if row[0] == "result"}
    assert kinds == {"Ask"}


def test_several_memories_share_what_is_left_and_each_shows_its_own(tmp_path: Path) -> None:
    notebook, model = Notebook(), saying("ANSWER: 1", "ANSWER: 2")
    debate(tmp_path, Several([Window(), notebook]), World(), model)
    second = model.heard["a0"][1]
    assert [message.role for message in second] == ["system", "user", "assistant", "user"]
    assert second[2].content == "ANSWER: 1"
    assert "> it was the butler" in second[3].content
    assert len(notebook.given) == 8


def test_halves_of_characters_in_what_a_world_says_are_no_reason_to_stop(tmp_path: Path) -> None:
    world = World()
    played = play(lambda ctx: embedded(["\ud800 1", "2"]), tmp_path / "journal.sqlite", handlers=world.handlers())
    assert played.outcome.ok
    assert [effect.texts for effect in world.done] == [("\ufffd 1", "2")]


def test_what_was_learned_is_persisted_though_the_budget_is_spent(tmp_path: Path) -> None:
    notebook, world = Notebook(), World()

    def learning(ctx: Context) -> Program:
        try:
            yield [ask("a0"), ask("a1")]
        except Stop as stop:
            notebook.deposit("a0", Trace(stop.results[0].text))
        return "kept"

    def program(ctx: Context) -> Program:
        return with_stores(notebook, learning(ctx))

    limits = Limits(calls=1)
    played = play(program, tmp_path / "journal.sqlite", limits=limits, handlers=world.handlers())
    assert (played.outcome.value, played.outcome.stopped) == ("kept", "calls")
    assert [type(effect).__name__ for effect in world.done] == ["Load", "Persist"]


@pytest.mark.parametrize("name", ["solo", "vote", "debate"])
def test_what_was_answered_is_the_result_though_remembering_it_cannot_be_paid_for(tmp_path: Path, name: str) -> None:
    asks = {"solo": 1}.get(name, 3)
    notebook = Notebook()
    notebook.load(())
    whole, limits = program(name, society(3, memory=notebook)), Limits(calls=1 + asks)
    said = saying("ANSWER: 1", "ANSWER: 2", "ANSWER: 1")
    played = play(whole, tmp_path / "journal.sqlite", model=said, limits=limits, handlers=Dear().handlers())
    assert (played.outcome.value, played.outcome.stopped) == ("ANSWER: 1", "calls")
    assert (len(played.asked), played.purse.spent.calls) == (asks, 1 + asks)


def test_a_vote_cut_short_keeps_its_answers_though_nothing_more_is_embedded(tmp_path: Path) -> None:
    notebook = Notebook()
    notebook.load(())
    whole, limits = program("vote", society(3, memory=notebook)), Limits(calls=2)
    said = saying("ANSWER: 1", "ANSWER: 2", "ANSWER: 2")
    played = play(whole, tmp_path / "journal.sqlite", model=said, limits=limits, handlers=World().handlers())
    assert (played.outcome.value, played.outcome.stopped) == ("ANSWER: 1", "calls")


def test_a_round_of_a_world_that_was_paid_for_is_played_though_remembering_it_cannot_be(tmp_path: Path) -> None:
    notebook, counter = Notebook(), Counter()
    notebook.load(())
    whole, limits = program("world", society(3, memory=notebook, environment=counter)), Limits(calls=1 + 3)
    said = saying("2", "2", "2")
    played = play(whole, tmp_path / "journal.sqlite", model=said, limits=limits, handlers=Dear().handlers())
    assert played.outcome.value == {"round": 1, "score": 6.0}


@pytest.mark.parametrize("name", ["solo", "vote", "debate"])
def test_an_answer_that_nobody_can_read_is_no_key(tmp_path: Path, name: str) -> None:
    notebook = Notebook()
    notebook.load(())
    members = society(2, memory=notebook)
    members = members._replace(question=members.question._replace(read=final_number))
    said = saying("I do not know", "ANSWER: 7")
    play(program(name, members), tmp_path / "journal.sqlite", model=said, handlers=World().handlers())
    keys = {t.text: t.key for _, t, _ in notebook.given if t.kind == ANSWER}
    assert keys == {"I do not know": ""} | ({} if name == "solo" else {"ANSWER: 7": "7"})
