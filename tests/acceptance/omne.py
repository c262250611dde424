"""OMNE, spec 10c: a shared long-term memory that consolidates, against raw episodes, a shuffled index, and none.

300 problems of 30 types in a row. An agent is right with probability .3, and with .9 if the right note is in its
prompt: a success with a problem of this type, which says what works there. It finds the note where a language model
would, in the text of the prompt. All memories show at most 30 notes.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from swarmmind.agents.answers import final_text
from swarmmind.effects import Agent, Outcome, Program
from swarmmind.memory import Window
from swarmmind.memory.longterm import LongTerm
from swarmmind.memory.store import Stores
from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.embedding import Embeddings
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Memory, Request
from swarmmind.runtime.handler import Handler
from swarmmind.topologies import Lesson, Question, Society
from swarmmind.topologies.omne import omne
from swarmmind.topologies.recall import with_stores
from swarmmind.traces import ANYTHING, Embed, Load, Loaded, Persist, Persisted, Query, Trace, Vector

from .experiment import Experiment, interval
from .paired import over, paired, rehearse

SEEDS, TASKS, TYPES, LAST, NOTES = 40, 300, 30, 100, 30
WITHOUT, WITH = 0.3, 0.9
STORE = "store.sqlite"
_SYLLABLES = ["ka", "lo", "mi", "nu", "pe", "ra", "so", "ti", "vu", "ze", "bor", "dun", "fal", "gim"]
_TYPE = re.compile(r"A (\w+) of kind (\w+ \w+ \w+)")


class World(NamedTuple):
    """What is hidden: what works with each type, and which problems come."""

    remedies: dict[str, str]
    lessons: Sequence[Lesson]


def world(seed: int, zipf: bool, again: int = 0) -> World:
    """The types of a seed are always the same; `again` draws other problems of them."""
    rng = random.Random(f"types/{seed}")
    words = [first + second + third for first in _SYLLABLES for second in _SYLLABLES for third in _SYLLABLES]
    rng.shuffle(words)
    kinds = [" ".join(words[3 * at : 3 * at + 3]) for at in range(TYPES)]
    remedies = dict(zip(kinds, words[1000 : 1000 + TYPES], strict=True))
    chance = random.Random(f"tasks/{seed}/{zipf}/{again}")
    weights = list(accumulate(1 / (at + 1) if zipf else 1.0 for at in range(TYPES)))
    drawn = chance.choices(kinds, cum_weights=weights, k=TASKS)
    text = "A case of kind {}, number {}. What works?"
    lessons = [Lesson(text.format(kind, at + 1), remedies[kind]) for at, kind in enumerate(drawn)]
    return World(remedies, lessons)


class Patient:
    """Right with .3, and with .9 if its prompt quotes a success with a problem of this type.

    Attributes:
        informed: how many prompts held the right note.
    """

    def __init__(self, hidden: World) -> None:
        self._hidden, self.informed = hidden, 0

    def __call__(self, request: Request, rng: random.Random) -> str:
        prompt = request.messages[-1].content
        luck = rng.random()  # the first draw, whatever is shown: arms share it
        own = [line for line in prompt.splitlines() if not line.startswith((">", "["))]
        kind = next(found[2] for line in own if (found := _TYPE.search(line)))
        noted = _remedies_noted(prompt, kind)
        right = self._hidden.remedies[kind]
        self.informed += right in noted
        works = luck < (WITH if right in noted else WITHOUT)
        others = [remedy for remedy in self._hidden.remedies.values() if remedy != right]
        return f"ANSWER: {right if works else rng.choice(others)}"


def _remedies_noted(prompt: str, kind: str) -> list[str]:
    """What the quotations of a prompt say about a kind, those judged wrong left out."""
    notes = re.split(r"^\[[^\[\]]*\]$", prompt, flags=re.MULTILINE)[1:]
    told: list[str] = []
    for note in notes:
        lines = [line[2:] for line in note.splitlines() if line.startswith("> ")]
        text = "\n".join(lines)
        if f"of kind {kind}," in text and "judged wrong" not in text:
            told += re.findall(r"ANSWER: (\w+)", text)
    return told


class Shuffled(LongTerm):
    """The index shuffled, anew for each reading: whoever asks about a problem is sent to some other pattern's place."""

    def __init__(self, store: str, episodes: int, patterns: int) -> None:
        super().__init__(store, episodes=episodes, patterns=patterns)
        self._places: dict[str, Vector] = {}

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        """As it should be."""
        if trace.kind == "pattern" and vector is not None:
            self._places[trace.key] = vector
        super().deposit(scope, trace, vector)

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        """What lies where chance points."""
        if query.vector is not None and self._places:
            query = query._replace(vector=random.Random(query.text).choice(list(self._places.values())))
        return super().sense(scope, query, rng)


# --- the variants -----------------------------------------------------------------------------------------------------

_RAW = {"patterns": 0, "facts": 0, "episodes": 1, "consolidate_every": 0}
_CONSOLIDATED = {"patterns": 1, "facts": 0, "consolidate_every": 5}
ARMS: dict[str, tuple[Callable[[], Memory], dict[str, Any]]] = {
    "consolidated": (lambda: LongTerm(STORE, episodes=0, patterns=NOTES), _CONSOLIDATED),
    "FIFO of raw episodes": (lambda: LongTerm(STORE, episodes=NOTES), _RAW),
    "shuffled index": (lambda: Shuffled(STORE, episodes=0, patterns=NOTES), _CONSOLIDATED),
    "no memory": (lambda: Window(0), _CONSOLIDATED),
}


class Lived(NamedTuple):
    """One run of one variant.

    Attributes:
        scores: 1 or 0, task by task.
        informed: prompts that held the right note.
        asks: calls in the log.
    """

    scores: list[float]
    informed: int
    asks: int


class Nowhere:
    """Executes `Persist` where no later run will ask for it: what one run does not depend on a disk for."""

    def __call__(self, effect: Any, flight: Any, /) -> Any:
        return Loaded() if isinstance(effect, Load) else Persisted(len(effect.changes))

    def replayed(self, effect: Any, flight: Any, result: Any, /) -> None: ...

    def read(self, effect: Any, outcome: Outcome, /) -> Any: ...

    def close(self) -> None: ...


def live(hidden: World, memory: Memory, settings: dict[str, Any], stores: Any, seed: int) -> Lived:
    """A run of its own through the real driver, journal and embedder."""
    patient = Patient(hidden)
    agents = [Agent(f"doctor-{at}", "doctor", "You treat.", "m", index=at) for at in range(2)]
    society = Society(agents, memory, Question(""), lessons=hidden.lessons, judge=judge)
    handlers: dict[type, Handler] = {Embed: Embeddings(Hashing()), Load: stores, Persist: stores}

    def program(ctx: Context) -> Program:
        return with_stores(society.memory, omne(ctx, society, **settings))

    try:
        found = rehearse(program, ScriptedFunction(patient), seed, handlers=handlers)
    finally:
        stores.close()
    scores = [judge(output, lesson.target) for output, lesson in zip(found.value, hidden.lessons, strict=True)]
    return Lived(scores, patient.informed, found.asks)


def judge(output: Any, target: Any) -> float:
    """Whether the answer is right."""
    return float(final_text(output) == final_text(target))


def one(arm: str, zipf: bool, seed: int) -> Lived:
    """One seed of one variant."""
    make, settings = ARMS[arm]
    return live(world(seed, zipf), make(), settings, Nowhere(), seed)


def twice(seed: int) -> tuple[float, float, float]:
    """The first tasks of a first run, of a second run with the same store, and of a second run with a fresh one."""
    make, settings = ARMS["consolidated"]
    with tempfile.TemporaryDirectory() as name:
        here, fresh = Path(name), Path(name) / "fresh"
        more = world(seed, False, again=1)
        first = live(world(seed, False), make(), settings, Stores(here, "first", at_once=True), seed)
        second = live(more, make(), settings, Stores(here, "second", at_once=True), seed + 1)
        empty = live(more, make(), settings, Stores(fresh, "second", at_once=True), seed + 1)
    return fmean(first.scores[:60]), fmean(second.scores[:60]), fmean(empty.scores[:60])


# --- whose it is ------------------------------------------------------------------------------------------------------


def whose() -> dict[str, list[bool]]:
    """Whether each prompt of A, B, A in turn holds the fact, and the private note, that A left the first time."""
    fact, note = "the north gate | opens with | a copper key", "I mistook the levers"
    lessons = [Lesson(f"How does the north gate open, try {at}?", "copper") for at in range(3)]
    seen: dict[str, list[bool]] = {fact: [], note: []}

    def says(request: Request, rng: random.Random) -> str:
        for text in seen:
            seen[text].append(text in request.messages[-1].content)
        return (
            f"FACT: {fact}\nNOTE: {note}\nANSWER: copper"
            if "try 0" in request.messages[-1].content
            else "ANSWER: copper"
        )

    agents = [Agent(name, "doctor", "You open gates.", "m") for name in ("A", "B")]
    society = Society(agents, LongTerm(STORE), Question(""), lessons=lessons, judge=judge)
    with tempfile.TemporaryDirectory() as folder:
        stores = Stores(Path(folder), "run", at_once=True)
        handlers: dict[type, Handler] = {Embed: Embeddings(Hashing()), Load: stores, Persist: stores}

        def program(ctx: Context) -> Program:
            return with_stores(society.memory, omne(ctx, society, patterns=0))

        rehearse(program, ScriptedFunction(says), 1, handlers=handlers)
        stores.close()
    return {"fact": seen[fact], "note": seen[note]}


def run() -> Experiment:
    """All variants on the same seeds, uniform and Zipf."""
    experiment = Experiment(
        "omne",
        f"success over the last {LAST} of {TASKS} tasks of {TYPES} types, {NOTES} notes, {SEEDS} paired seeds",
        ["tasks", "memory", "success", "right note in the prompt", "asks"],
    )
    seeds = list(range(SEEDS))
    for zipf in (False, True):
        name, means = "Zipf" if zipf else "uniform", dict[str, list[float]]()
        for arm in ARMS:
            lives = over(seeds, one, arm, zipf)
            means[arm] = [fmean(lived.scores[-LAST:]) for lived in lives]
            asks = sum(lived.asks for lived in lives)
            informed = sum(lived.informed for lived in lives) / asks
            experiment.row(name, arm, interval(means[arm]), informed, asks)
            experiment.expect(f"{name}, {arm}: calls in the log", asks, "==", SEEDS * TASKS)
        _expect(experiment, name, means)
    _expect_survival(experiment, seeds[:10])
    found = whose()
    experiment.expect(
        "the fact A left is in A's first, B's and A's next prompt", found["fact"], "==", [False, True, True]
    )
    experiment.expect("the private note of A is in them", found["note"], "==", [False, False, True])
    return experiment


def _expect(experiment: Experiment, name: str, means: dict[str, list[float]]) -> None:
    best = means["consolidated"]
    experiment.expect(f"{name}: consolidated", fmean(best), ">=", 0.78)
    experiment.expect(f"{name}: consolidated - FIFO", paired(best, means["FIFO of raw episodes"])[0], ">=", 0.08)
    null = abs(paired(means["shuffled index"], means["no memory"])[0])
    experiment.expect(f"{name}: |shuffled index - no memory|", null, "<=", 0.05)


def _expect_survival(experiment: Experiment, seeds: list[int]) -> None:
    lives = over(seeds, twice)
    first, second, fresh = (fmean(column) for column in zip(*lives, strict=True))
    experiment.expect("first 60 tasks of a second run with the same store", second, ">=", 0.78)
    experiment.expect("first 60 tasks of a first run", first, "<=", 0.6)
    experiment.expect("the same tasks as the second run's with a fresh store", fresh, "<=", 0.6)
