"""SwarmSys against chance, a static match, a validator that accepts everything, no evaporation and no exploration.

Twelve workers, two at home in each of six domains, are right there with .90 and elsewhere with .35. Nobody knows that:
ability texts lie anywhere in 32 dimensions. One validator accepts what is right with .95 and what is wrong with .10.
One run is 3,000 events, one after the other; all skills are permuted at event 1,500, so its first half is the first
experiment of the spec and the whole is the second. The world's free constant is how far events lie from their domain.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np

from swarmmind.effects import Agent, Outcome, Program
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.runtime.frame import Flight
from swarmmind.topologies import Question, Society
from swarmmind.topologies.swarmsys import Learning, swarmsys
from swarmmind.traces import Embed, Embedding

from .experiment import Experiment
from .paired import over, paired, rehearse

SEEDS = range(100, 120)
WORKERS, DOMAINS, DIMENSIONS = 12, 6, 32
EVENTS, CHANGE, PROPOSED = 3000, 1500, 100
NOISE = 0.08  # of each coordinate of an event, before it is brought to unit length
HOME, ELSEWHERE, TRUE_POSITIVE, FALSE_POSITIVE = 0.90, 0.35, 0.95, 0.10

CALLS = 2 * EVENTS + EVENTS // PROPOSED + 2  # worker and validator; the explorer's plans; the end; the answer
SPEC = [(0.442, 0.432), (0.449, 0.437), (0.444, 0.426), (0.533, 0.427), (0.591, 0.560), (0.692, 0.684)]

_ITEM = re.compile(r"item (\d+)")


class Variant(NamedTuple):
    """A way to allocate, and a validator."""

    learning: Mapping[str, float] = {}
    accepts_all: bool = False


VARIANTS = {
    "random": Variant({"exploration": 1.0}),
    "static": Variant({"pull": 0.0}),
    "accept all": Variant(accepts_all=True),
    "no evaporation": Variant({"evaporation": 0.0}),
    "no exploration": Variant({"exploration": 0.0}),
    "full": Variant(),
}


class World:
    """What nobody in the swarm knows; the same for every variant of a seed."""

    stateful = False

    def __init__(self, seed: int, accepts_all: bool) -> None:
        chance = np.random.default_rng(seed)
        self.domains = chance.normal(size=(DOMAINS, DIMENSIONS))
        self.domains /= np.linalg.norm(self.domains, axis=1, keepdims=True)
        self.abilities = chance.normal(size=(WORKERS, DIMENSIONS))
        self.of = chance.integers(DOMAINS, size=EVENTS)
        self.noise = chance.normal(scale=NOISE, size=(EVENTS, DIMENSIONS))
        self.luck = chance.random((EVENTS, 2))
        self.homes = np.arange(WORKERS) % DOMAINS
        self.later = chance.permutation(self.homes)
        self.accepts_all = accepts_all
        self.log: list[tuple[int, int, bool]] = []  # item, worker, whether it was right

    # --- the embedder: it knows domains, and no worker's ability ------------------------------------------------------

    def __call__(self, effect: Embed, flight: Flight) -> Embedding:
        rows = np.array([self._vector(text) for text in effect.texts])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Embedding(DIMENSIONS, rows.astype("<f4").tobytes())

    def _vector(self, text: str) -> Any:
        item = _ITEM.search(text)
        if item is None:
            return self.abilities[int(text.removeprefix("I am worker "))]
        return self.domains[self.of[int(item[1])]] + self.noise[int(item[1])]

    def replayed(self, effect: Embed, flight: Flight, result: Embedding) -> None: ...

    def read(self, effect: Embed, outcome: Outcome, meter: object = None) -> Embedding:
        raise AssertionError("no program answers for an embedder")

    # --- the agents: what they know is what they are told -------------------------------------------------------------

    def say(self, request: Request, rng: random.Random) -> str:
        role, seen = request.agent.role, request.observation
        if role == "worker":
            return self._work(request.agent.index, int(_ITEM.findall(request.messages[-1].content)[-1]))
        if role == "explorer":
            return json.dumps({"events": self._plan(seen["events"])})
        if seen["do"] == "judge":
            return self._judge(request.messages[-1].content)
        return '{"missing": "nothing", "end": true}' if seen["do"] == "end" else "ANSWER: done"

    def _plan(self, known: Mapping[str, str]) -> list[dict[str, Any]]:
        first = max(map(int, known), default=-1) + 1
        return [
            {"id": str(n), "task": f"item {n}", "requires": f"domain {self.of[n]}", "depends_on": [], "priority": 0}
            for n in range(first, min(first + PROPOSED, EVENTS))
        ]

    def _work(self, worker: int, item: int) -> str:
        home = (self.homes if item < CHANGE else self.later)[worker] == self.of[item]
        right = self.luck[item, 0] < (HOME if home else ELSEWHERE)
        self.log.append((item, worker, bool(right)))
        return json.dumps({"justification": "by heart", "answer": f"{'right' if right else 'wrong'} {item}"})

    def _judge(self, prompt: str) -> str:
        said = re.findall(r"^> (right|wrong) (\d+)$", prompt, re.MULTILINE)[-1]
        chance = TRUE_POSITIVE if said[0] == "right" else FALSE_POSITIVE
        accept = self.accepts_all or bool(self.luck[int(said[1]), 1] < chance)
        return json.dumps({"reason": "checked", "accept": accept})


class Measured(NamedTuple):
    """One run.

    Attributes:
        accuracy: of events 1,000 to 1,499.
        information: normalized mutual information of worker and domain there.
        after: accuracy of the last 300 events, 1,200 and more after the permutation.
        asks: how many calls the runtime counted.
    """

    accuracy: float
    information: float
    after: float
    asks: int


def measure(name: str, seed: int) -> Measured:
    """A variant on a seed."""
    world = World(seed, VARIANTS[name].accepts_all)
    seen = rehearse(_program(name), ScriptedFunction(world.say), seed, handlers={Embed: world})
    assert [item for item, _, _ in world.log] == list(range(EVENTS))
    settled, last = world.log[1000:CHANGE], world.log[-300:]
    information = _information([(worker, int(world.of[item])) for item, worker, _ in settled])
    right = [mean(right for _, _, right in part) for part in (settled, last)]
    return Measured(right[0], information, right[1], seen.asks)


def _program(name: str) -> Any:
    roles = [("explorer", 1), ("worker", WORKERS), ("validator", 1)]
    agents = [
        Agent(f"{role}-{n}", role, f"I am {role} {n}", "m", index=n) for role, count in roles for n in range(count)
    ]
    society = Society(agents, Window(0), Question("Judge every item."))
    learning = Learning(**VARIANTS[name].learning)

    def program(ctx: Context) -> Program:
        return swarmsys(
            ctx, society, team=1, attempts=1, batch=1, explore_every=0, max_events=EVENTS, learning=learning
        )

    return program


def _information(pairs: Sequence[tuple[int, int]]) -> float:
    """Normalized mutual information, over the mean of the entropies."""
    joint, total = Counter(pairs), len(pairs)
    left, right = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    shared = sum(n / total * log(n * total / (left[a] * right[b])) for (a, b), n in joint.items())
    entropies = [-sum(n / total * log(n / total) for n in counts.values()) for counts in (left, right)]
    return 2 * shared / sum(entropies)


def run() -> Experiment:
    """Six variants on 20 paired seeds, 3,000 events each."""
    experiment = Experiment(
        "swarmsys", f"{len(SEEDS)} paired seeds, 12 workers, 6 domains; skills are permuted at event 1,500",
        ["variant", "accuracy", "sd", "NMI(worker, domain)", "after", "spec", "spec, after"],
    )  # fmt: skip
    found = {name: over(SEEDS, measure, name) for name in VARIANTS}
    accuracy = {name: [one.accuracy for one in runs] for name, runs in found.items()}
    after = {name: mean(one.after for one in runs) for name, runs in found.items()}
    information = {name: mean(one.information for one in runs) for name, runs in found.items()}
    for name, spec in zip(VARIANTS, SPEC, strict=True):
        runs = accuracy[name]
        experiment.row(name, mean(runs), stdev(runs), information[name], after[name], *spec)
    _expect(experiment, accuracy, after, information)
    experiment.expect("calls of every run", {one.asks for runs in found.values() for one in runs}, "==", {CALLS})
    _expect_log(experiment)
    return experiment


def _expect(
    experiment: Experiment,
    accuracy: Mapping[str, Sequence[float]],
    after: Mapping[str, float],
    information: Mapping[str, float],
) -> None:
    reached = {name: mean(runs) for name, runs in accuracy.items()}
    experiment.expect("full", reached["full"], ">=", 0.62)
    experiment.expect("full over static", reached["full"] - reached["static"], ">=", 0.15)
    for name in ("random", "static", "accept all", "no evaporation", "no exploration"):
        difference, half = paired(accuracy["full"], accuracy[name])
        experiment.expect(f"full over {name}, lower end of the paired interval", difference - half, ">", 0.0)
    experiment.expect("full after the permutation", after["full"], ">=", 0.62)
    experiment.expect("no evaporation after the permutation", after["no evaporation"], "<", 0.50)
    null = abs(reached["accept all"] - reached["random"])
    experiment.expect("null: accept all from random", null, "<=", 0.05)
    experiment.expect(
        "although it specializes: its NMI over random's", information["accept all"] - information["random"], ">=", 0.3
    )


def _expect_log(experiment: Experiment) -> None:
    """What one run's journal says: draws are recorded, and validators were told what workers answered."""
    world = World(SEEDS[0], accepts_all=False)
    handlers = {Embed: world}
    seen = rehearse(_program("full"), ScriptedFunction(world.say), SEEDS[0], handlers=handlers, with_journal=True)
    records = [(row[2], json.loads(row[3])) for row in seen.journal if row[0] == "record"]
    draws = sorted((data for name, data in records if name == "draw"), key=lambda data: data["round"])
    sums = [sum(data["probabilities"].values()) for data in draws]
    experiment.expect("draws recorded, all with probabilities", len(draws), "==", EVENTS)
    experiment.expect("largest distance of their sums from 1", max(abs(total - 1) for total in sums), "<=", 1e-9)
    early, late = (_at_home(world, draws[part]) for part in (slice(50), slice(1000, CHANGE)))
    experiment.expect("chance of those at home, events 0 to 49", early, "<=", 0.30)
    experiment.expect("and events 1,000 to 1,499", late, ">=", 0.45)
    answers = {item: f"{'right' if right else 'wrong'} {item}" for item, _, right in world.log}
    prompts = [row[5] for row in seen.journal if row[0] == "result" and row[4] == "validator"]
    told = sum(any(f"> {answer}\\n" in prompt for prompt in prompts) for answer in list(answers.values())[:100])
    experiment.expect("of the first 100 answers, in a validator's journaled prompt", told, "==", 100)


def _at_home(world: World, draws: Sequence[Mapping[str, Any]]) -> float:
    """The mean chance that draws of the first half gave to those who are at home in the event's domain."""
    return mean(
        sum(
            chance
            for worker, chance in draw["probabilities"].items()
            if world.homes[int(worker.removeprefix("worker-"))] == world.of[int(draw["event"])]
        )
        for draw in draws
    )
