"""Rules of acceptance end to end: 40 proposals of plus or minus .05, scored on 50 examples with noise."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, stdev
from typing import Any, NamedTuple

from swarmmind.effects import Program
from swarmmind.models.local import ScriptedFunction
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.conduct import conduct
from swarmmind.optimizers.parameters import NumberParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Case, Scored, Split, Study
from swarmmind.optimizers.textual_backprop.program import textual_backprop
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams

from .experiment import Experiment
from .paired import over, rehearse
from .routing import CRITIC, EDITOR

SEEDS = range(1000, 1200)
STEPS, VALIDATE, STEP, START = 40, 50, 0.05, 0.5
WORST, BEST = 0.02, 0.98  # nobody fails or succeeds for sure
SHARES = (0.2, 0.5)
SPEC = {
    "always": (0.04, 0.51),
    "strict": (0.35, 0.85),
    "strict, old score kept": (0.53, 0.68),
    "sign test .2": (0.52, 0.74),
    "sign test .05": (0.52, 0.59),
}
RULES: dict[str, dict[str, Any]] = {
    "always": {"accept": "always"},
    "strict": {"accept": "strict"},
    "strict, old score kept": {"accept": "strict", "remeasure": False},
    "sign test .2": {"accept": "sign-test", "alpha": 0.2},
    "sign test .05": {"accept": "sign-test", "alpha": 0.05},
}


class Luck:
    """True quality is what a candidate says of itself; each example succeeds with that probability, by luck of its own.

    Args:
        seed: of the luck.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn: dict[tuple[str, int], list[bool]] = {}

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        """1 or 0; training examples always fail."""
        if example.startswith("train"):
            return _FAILED
        key = (one.id, rep)
        if key not in self._drawn:
            rng, chance = Streams(self._seed).rng(f"{one.id}/{rep}"), quality(one)
            self._drawn[key] = [rng.random() < chance for _ in range(VALIDATE)]
        return _PASSED if self._drawn[key][int(example.rpartition("-")[2])] else _FAILED

    def calls(self, one: Candidate) -> int:
        """None: it is a function."""
        return 0


_PASSED, _FAILED = Scored(1.0), Scored(0.0)


def quality(one: Candidate) -> float:
    """What is true of a candidate; what is left of its value tells it from others of the same quality."""
    return round(one.values["quality"], 2)


def complaint(ctx: Context, study: Study, one: Candidate, cases: Sequence[Case]) -> Program:
    """A backward pass that always finds something, and asks nobody."""
    yield []
    return [Critique("quality", "It could be better.")]


def editing(good: float) -> Any:
    """An editor whose proposals are better with this probability, and else as much worse; no two are equal."""

    def edit(request: Request, rng: random.Random) -> str:
        now = round(request.observation["value"], 2)
        better = min(max(now + (STEP if rng.random() < good else -STEP), WORST), BEST)
        return json.dumps({"value": json.dumps(round(better, 2) + rng.random() * 1e-6), "note": ""})

    return edit


class Run(NamedTuple):
    """What came of one study.

    Attributes:
        end: the true quality of what was kept last.
        accepted: how many proposals were kept.
        harmful: how many of them are truly worse than what they replaced.
        edits: how many the model was asked for.
    """

    end: float
    accepted: int
    harmful: int
    edits: int


def play(rule: str, good: float, seed: int) -> Run:
    """One study."""
    given = Study(
        (NumberParameter("quality", 0, 2),),
        (candidate({"quality": START}),),
        Split("train", ["train-0"], quotable=True),
        Split("validate", [f"validate-{at}" for at in range(VALIDATE)]),
        CRITIC,
        EDITOR,
    )
    kept: list[Candidate] = []

    def noting(ctx: Context, one: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
        kept.append(candidate)
        return (yield from complaint(ctx, one, candidate, cases))

    def program(ctx: Context) -> Program:
        return conduct(ctx, given, lambda at, one: textual_backprop(at, one, noting, STEPS, **RULES[rule]), Luck(seed))

    rehearsed = rehearse(program, ScriptedFunction(editing(good)), seed)
    way = [*kept, rehearsed.value.best]
    changes = [(a, b) for a, b in pairwise(way) if a.id != b.id]
    harmful = sum(quality(after) < quality(before) for before, after in changes)
    return Run(quality(way[-1]), len(changes), harmful, rehearsed.asks)


def run() -> Experiment:
    """Every rule at both shares of good proposals, on the same seeds."""
    experiment = Experiment(
        "gates", f"true quality after {STEPS} proposals, from {START}; {len(SEEDS)} seeds",
        ["rule", "good proposals", "end", "spec", "accepted", "harmful of these"],
    )  # fmt: skip
    ends: dict[tuple[str, float], list[float]] = {}
    edits: set[int] = set()
    for good_at, good in enumerate(SHARES):
        for rule in RULES:
            runs = over(SEEDS, play, rule, good)
            ends[rule, good] = [one.end for one in runs]
            edits |= {one.edits for one in runs}
            accepted, harmful = sum(one.accepted for one in runs), sum(one.harmful for one in runs)
            wanted, got = SPEC[rule][good_at], mean(ends[rule, good])
            experiment.row(rule, good, got, wanted, accepted / len(runs), harmful / max(accepted, 1))
            error = 2.6 * 2**0.5 * stdev(ends[rule, good]) / len(runs) ** 0.5 + 0.005  # both are samples; rounded
            experiment.expect(f"{rule}, {good:.0%} good: off the spec", abs(got - wanted), "<=", error)
            if (rule, good) == ("strict", 0.2):
                experiment.expect(
                    "strict, 20% good: harmful of the accepted", abs(harmful / accepted - 0.61), "<=", 0.05
                )
    experiment.expect("edits journaled in a study", edits, "==", {STEPS})
    _expect_order(experiment, {key: mean(each) for key, each in ends.items()})
    return experiment


def _expect_order(experiment: Experiment, end: dict[tuple[str, float], float]) -> None:
    for rule in ("sign test .2", "strict, old score kept"):
        experiment.expect(f"20% good: {rule} over strict", end[rule, 0.2], ">", end["strict", 0.2] + 0.1)
    experiment.expect("20% good: strict over always", end["strict", 0.2], ">", end["always", 0.2] + 0.1)
    best = max(RULES, key=lambda rule: end[rule, 0.5])
    experiment.expect("50% good: the best", best, "==", "strict")
