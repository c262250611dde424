"""MAP-Elites on a deceptive trap: cells that are measured lead round it, and nothing an editor claims enters them.

The world: twelve bits, better the fewer ones there are, save for all twelve, which are best. Behavior is the number of
ones in each half: a grid of 7 x 7. So that the elites of a cell differ, each string of bits has a small flaw of its
own.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from statistics import mean
from typing import Any, NamedTuple

from swarmmind.effects import Agent, Program, Record
from swarmmind.models.local import ScriptedFunction
from swarmmind.optimizers.archives.grid import Descriptor
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.conduct import Conclusion, conduct
from swarmmind.optimizers.map_elites import map_elites
from swarmmind.optimizers.parameters import ChoiceParameter, Parameter, TextParameter
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Optimize, Scored, Split, Study
from swarmmind.optimizers.variation import drawn, varied
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams

from .experiment import Experiment, interval
from .paired import over, paired, rehearse

BITS, HALF, CELLS = 12, 6, 49
EVALUATIONS, POPULATION, BATCH = 3000, 49, 10
SEEDS, FAKED, NOISY, EDITED = range(100), range(20), range(30), range(20)
FLAW, NOISE = 0.01, 0.2

Cell = tuple[int, int]
AXES = [Descriptor(measure=half, low=0.0, high=float(HALF), bins=HALF + 1) for half in ("left", "right")]
CHOICES: tuple[Parameter, ...] = tuple(ChoiceParameter(f"bit-{at:02}", (0, 1)) for at in range(BITS))
CLAIMS: tuple[Parameter, ...] = tuple(ChoiceParameter(f"claim-{one.measure}", tuple(range(HALF + 1))) for one in AXES)
TEXT = TextParameter("text", "twelve digits, each 0 or 1")
START = "01" * HALF
EDITOR = Agent("editor", "editor", "You edit.", "m")
LOOP: dict[str, Any] = {
    "descriptors": AXES,
    "initial": POPULATION,
    "batch": BATCH,
    "steps": (EVALUATIONS - POPULATION - 1) // BATCH,
    "remeasure": False,
}


def bits_of(values: Mapping[str, Any]) -> str:
    """Whatever form they have."""
    return values["text"] if "text" in values else "".join(str(values[one.name]) for one in CHOICES)


@cache
def quality(bits: str) -> float:
    """The trap: .9 without ones, less for each of them, and 1 if all are there; less the flaw."""
    ones = bits.count("1")
    if ones == BITS:
        return 1.0
    flaw = int.from_bytes(blake2b(bits.encode(), digest_size=4).digest(), "big") / 2**32
    return 0.9 * (1 - ones / BITS) - FLAW * flaw


def cell_of(bits: str) -> Cell:
    """Counted here, not by the archive."""
    return bits[:HALF].count("1"), bits[HALF:].count("1")


class World:
    """Scores candidates, and keeps a log of all that it scored.

    Args:
        claimed: the fake: behavior is what a candidate says of itself.
        noise: the standard deviation of a measurement.
        seed: of the noise.
    """

    def __init__(self, claimed: bool = False, noise: float = 0.0, seed: int = 0) -> None:
        self._claimed, self._noise, self._streams = claimed, noise, Streams(seed)
        self.log: dict[str, float] = {}

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        bits = bits_of(one.values)
        if example == "learn":
            self.log[bits] = quality(bits)
        luck = self._streams.rng(f"{bits}/{example}/{rep}").gauss(0, self._noise) if self._noise else 0.0
        cell = tuple(one.values[claim.name] for claim in CLAIMS) if self._claimed else cell_of(bits)
        measures = {axis.measure: float(at) for axis, at in zip(AXES, cell, strict=True)}
        return Scored(quality(bits) + luck, measures=measures)

    def calls(self, one: Candidate) -> int:
        """None."""
        return 0


class Found(NamedTuple):
    """A study, from its journal.

    Attributes:
        best: the quality of what it came to.
        log: what was scored, with its quality.
        elites: of the last archive: cell, bits, quality as the archive has it.
        prompts: what editors were told.
        evaluations: children and starts, those that were remembered included.
    """

    best: float
    log: dict[str, float]
    elites: list[tuple[Cell, str, float]]
    prompts: list[str]
    evaluations: int

    @property
    def consistent(self) -> bool:
        """Every elite behaves as its cell says, and is the best of all that ever did."""
        tops: dict[Cell, float] = {}
        for bits, score in self.log.items():
            tops[cell_of(bits)] = max(tops.get(cell_of(bits), 0.0), score)
        return all(cell_of(bits) == cell and score == tops[cell] for cell, bits, score in self.elites)

    @property
    def coverage(self) -> float:
        """Of the cells that elites truly belong to."""
        return len({cell_of(bits) for _, bits, _ in self.elites}) / CELLS

    @property
    def qd(self) -> float:
        """The sum of the best true qualities of the cells that elites truly belong to."""
        tops: dict[Cell, float] = {}
        for _, bits, _ in self.elites:
            tops[cell_of(bits)] = max(tops.get(cell_of(bits), 0.0), quality(bits))
        return sum(tops.values())


def found(
    optimizer: Optimize,
    world: World,
    seed: int,
    parameters: tuple[Parameter, ...] = CHOICES,
    answer: Callable[[Request, random.Random], str] | None = None,
    **given: Any,
) -> Found:
    """A study through the real driver, read back from its journal."""
    start = {one.name: int(bit) for one, bit in zip(CHOICES, START, strict=True)} if TEXT not in parameters else {}
    start |= {one.name: START if one is TEXT else 0 for one in parameters if one.name not in start}
    study = Study(
        parameters,
        (candidate(start),),
        Split("train", ["learn"], quotable=True),
        Split("validate", ["choose"]),
        EDITOR,
        EDITOR,
        "strings of bits",
    )

    def program(ctx: Context) -> Program:
        return conduct(ctx, study, lambda place, one: optimizer(place, one, **given), world)

    seen = rehearse(program, ScriptedFunction(answer or _nobody), seed, with_journal=True)
    end: Conclusion = seen.value
    records = [json.loads(row[3]) for row in seen.journal if row[0] == "record" and row[2] == "archive"]
    last = max(records, key=lambda one: one["round"])["cells"]
    elites = [(tuple(cell), bits_of(end.candidates[name].values), score) for cell, name, score in last]
    asks = [json.loads(row[5])[0][-1]["content"] for row in seen.journal if row[0] == "result" and row[2] == "Ask"]
    count = sum(row[0] == "record" and row[2] == "evaluation" and '"train"' in row[3] for row in seen.journal)
    return Found(quality(bits_of(end.best.values)), world.log, elites, asks, count)


def _nobody(request: Request, rng: random.Random) -> str:
    raise AssertionError("nobody is to be asked")


# --- others -----------------------------------------------------------------------------------------------------------


def greedy(ctx: Context, study: Study) -> Program:
    """The same starts, mutations and evaluations, but only the best survive, whatever their behavior."""
    rng = ctx.rng("greedy")
    first = [study.start[0].child({one.name: drawn(one, rng) for one in CHOICES}) for _ in range(POPULATION - 1)]
    people: list[Evaluation] = yield [Evaluate(one, study.train, study.train.ids) for one in (*study.start, *first)]
    for step in range((EVALUATIONS - POPULATION) // BATCH):
        parents = [rng.choice(people).candidate for _ in range(BATCH)]
        children = [one.child(varied(CHOICES, one.values, rng)) for one in parents]
        seen: list[Evaluation] = yield [Evaluate(one, study.train, study.train.ids) for one in children]
        people = sorted([*people, *seen], key=lambda one: -one.mean)[:POPULATION]
        cells = [[cell_of(bits_of(one.candidate.values)), one.candidate.id, one.mean] for one in people]
        yield [Keep(people[0].candidate, people[0]), Record("archive", {"round": step, "cells": cells})]


_WANTED = re.compile(r"come to (left|right) [\d.]+; it should be from ([\d.]+) to ([\d.]*\d)")
_VALUE = re.compile(r"\[text\]\n> ([01]{12})")


def obeying(request: Request, rng: random.Random) -> str:
    """An editor who reads in its prompt what is wanted and does that four times in five; it claims the best cell."""
    prompt = request.messages[-1].content
    bits = [int(bit) for bit in _VALUE.findall(prompt)[-1]]
    wanted = {half: (float(low), float(high)) for half, low, high in _WANTED.findall(prompt)}
    if not wanted or rng.random() >= 0.8:
        return ignoring(request, rng)
    for half, (low, high) in wanted.items():
        places = range(HALF) if half == "left" else range(HALF, BITS)
        number = next(ones for ones in range(HALF + 1) if low <= ones <= high)
        for at, place in enumerate(rng.sample(places, HALF)):
            bits[place] = int(at < number)
    return _said(bits)


def ignoring(request: Request, rng: random.Random) -> str:
    """The fake: whatever is wanted, one bit is turned, and the best cell claimed."""
    bits = [int(bit) for bit in _VALUE.findall(request.messages[-1].content)[-1]]
    place = rng.randrange(BITS)
    bits[place] = 1 - bits[place]
    return _said(bits)


def _said(bits: Sequence[int]) -> str:
    return json.dumps({"value": "".join(map(str, bits)), "note": "Its runs come to left 6 and right 6."})


# --- the experiment ---------------------------------------------------------------------------------------------------


def measured(seed: int) -> Found:
    return found(map_elites, World(), seed, **LOOP)


def alone(seed: int) -> Found:
    return found(greedy, World(), seed)


def at_random(seed: int) -> Found:
    return found(map_elites, World(), seed, descriptors=AXES, initial=EVALUATIONS - 1, steps=0)


def faked(seed: int) -> Found:
    return found(map_elites, World(claimed=True), seed, CHOICES + CLAIMS, **LOOP)


def noisy(remeasure: bool, seed: int) -> Found:
    given: dict[str, Any] = {**LOOP, "remeasure": remeasure, "steps": LOOP["steps"] // (2 if remeasure else 1)}
    return found(map_elites, World(noise=NOISE, seed=seed), seed, **given)


def written(editor: Callable[[Request, random.Random], str], seed: int) -> Found:
    return found(map_elites, World(), seed, (TEXT,), editor, descriptors=AXES, steps=20, batch=8, remeasure=False)


def row(experiment: Experiment, name: str, seen: Sequence[Found]) -> None:
    best = mean(one.best == 1.0 for one in seen)
    coverage, qd = interval([one.coverage for one in seen]), interval([one.qd for one in seen])
    experiment.row(name, len(seen), best, coverage, qd, f"{sum(one.consistent for one in seen)} of {len(seen)}")


def trap(experiment: Experiment) -> None:
    grid, best, chance = over(SEEDS, measured), over(SEEDS, alone), over(SEEDS, at_random)
    claims = over(FAKED, faked)
    row(experiment, "map-elites", grid)
    row(experiment, f"greedy, population {POPULATION}", best)
    row(experiment, "random", chance)
    row(experiment, "fake: claimed behavior", claims)
    optimum, coverage = mean(one.best == 1.0 for one in grid), mean(one.coverage for one in grid)
    luck = mean(one.best == 1.0 for one in chance)
    experiment.expect("map-elites: finds the optimum", optimum, ">=", 0.85)
    experiment.expect("map-elites: coverage", coverage, ">=", 0.95)
    experiment.expect("map-elites: QD score off 23.0 by", abs(mean(one.qd for one in grid) - 23), "<=", 0.3)
    experiment.expect("map-elites: most evaluations", max(one.evaluations for one in grid), "<=", EVALUATIONS)
    experiment.expect("seeds with an elite of another cell or not the best of its log", _wrong(grid), "==", 0)
    experiment.expect("greedy: finds the optimum", mean(one.best == 1.0 for one in best), "<=", 0.05)
    experiment.expect("greedy: coverage", mean(one.coverage for one in best), "<=", 0.05)
    experiment.expect("random: optimum off .52 by", abs(luck - 0.52), "<=", 0.15)
    experiment.expect("random: evaluations", {one.evaluations for one in chance}, "==", {EVALUATIONS})
    more, half = paired([one.qd for one in grid], [one.qd for one in chance])
    experiment.expect("QD above random, lower end of the interval", more - half, ">=", 1.0)
    experiment.expect("claimed behavior: seeds that pass as consistent", len(claims) - _wrong(claims), "==", 0)
    experiment.expect("claimed behavior: true coverage", mean(one.coverage for one in claims), "<=", 0.1)


def _wrong(seen: Sequence[Found]) -> int:
    return sum(not one.consistent for one in seen)


def noise(experiment: Experiment) -> None:
    once, again = over(NOISY, noisy, False), over(NOISY, noisy, True)
    inflation = [[mean(x - quality(bits) for _, bits, x in one.elites) for one in arm] for arm in (once, again)]
    for name, arm, lies in zip(("measured once", "measured again"), (once, again), inflation, strict=True):
        row(experiment, f"noise {NOISE}, {name}; qualities too high by {interval(lies)}", arm)
    ratio = mean(inflation[1]) / mean(inflation[0])
    experiment.expect("inflation of elites measured again, of that of elites measured once", ratio, "<=", 0.6)
    limit = EVALUATIONS
    experiment.expect("and with no more evaluations, the most", max(one.evaluations for one in again), "<=", limit)


def editors(experiment: Experiment) -> None:
    obeyed, ignored = over(EDITED, written, obeying), over(EDITED, written, ignoring)
    row(experiment, "editor, 160 asks, target cells", obeyed)
    row(experiment, "fake: targets ignored", ignored)
    more, half = paired([one.coverage for one in obeyed], [one.coverage for one in ignored])
    experiment.expect("coverage won by targets, lower end of the interval", more - half, ">=", 0.1)
    experiment.expect("editors claim the best cell; archives that believe it", _wrong([*obeyed, *ignored]), "==", 0)
    prompts = [prompt for one in obeyed for prompt in one.prompts]
    experiment.expect("prompts of editors in the journals", len(prompts), "==", 160 * len(EDITED))
    blind = sum("it should be from" not in prompt and "should score higher" not in prompt for prompt in prompts)
    experiment.expect("of these, without what is wanted", blind, "==", 0)
    tries = [prompt.count("and scored") for prompt in prompts]
    experiment.expect("with earlier tries at the cell, their share", mean(count > 0 for count in tries), ">=", 0.5)
    experiment.expect("most tries in a prompt", max(tries), "==", 3)


def run() -> Experiment:
    """The trap, then noise, then editors."""
    columns = ["arm", "seeds", "optimum", "coverage", "QD score", "consistent"]
    experiment = Experiment("map-elites", "does a grid of measured behaviors lead round a trap?", columns)
    trap(experiment)
    noise(experiment)
    editors(experiment)
    return experiment
