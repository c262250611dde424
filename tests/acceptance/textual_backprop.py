"""Critiques that reach whom they are about, against everybody, anybody, the wrong one; momentum, gate, aggregators."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import Any, NamedTuple

from swarmmind.effects import Program
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.conduct import Conclusion
from swarmmind.optimizers.parameters import ChoiceParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Case, Scored, Step, Study
from swarmmind.optimizers.textual_backprop.backward import Backward
from swarmmind.optimizers.textual_backprop.layer_requests import whole
from swarmmind.optimizers.textual_backprop.layers import layers
from swarmmind.optimizers.textual_backprop.program import textual_backprop_most
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams

from .experiment import Experiment
from .paired import Rehearsed, over, paired
from .routing import LAYERS, ROLES, WIDTH, Crew, World, bare, optimized, rules, solved, study

SEEDS, CHOOSERS = range(900, 920), range(900, 960)
STEPS, LONG, CHOICES = 30, 80, 60
OPTIONS = ("vote", "refine", "pipeline", "mixture")
TEAMS = 3  # layers that choose how to aggregate

_WORD = re.compile(r"\bl(\d)-[abc]\b")


# --- what routing is measured against ---------------------------------------------------------------------------------


def _reported(study: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
    """The symptoms that the critic of the whole names: all that is known without looking into a layer."""
    [reply] = yield [whole(study, (), candidate, cases)]
    return [int(number) for number in re.findall(r"symptom (\d+)", reply.value["critique"])]


def _lacks(role: str, rule: int) -> Critique:
    return Critique(role, f"It lacks rule {rule}.", "missing instruction", f"rule {rule}")


def broadcast(ctx: Context, study: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
    """Everybody is told all of it."""
    found = yield from _reported(study, candidate, cases)
    return [_lacks(role, rule) for role in ROLES for rule in found]


def blind(ctx: Context, study: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
    """Each symptom is somebody's."""
    found = yield from _reported(study, candidate, cases)
    rng = ctx.rng("/".join(["blind", candidate.id, *(case.id for case in cases)]))
    return [_lacks(rng.choice(ROLES), rule) for rule in found]


def mirrored(ctx: Context, study: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
    """Found where it is, told to whom stands opposite."""
    found = yield from layers(ctx, study, candidate, cases)
    return [one._replace(parameter=ROLES[-1 - ROLES.index(one.parameter)]) for one in found]


class Arm(NamedTuple):
    """A configuration.

    Attributes:
        backward: who is told what.
        gated: whether a child must do better to be kept.
        steps: how many.
        right: how often a local critic is.
        wipes: how often the editor empties a text.
        momentum: the paper's alpha.
        phantom: whether nobody is at fault.
        shuffled: whether each batch reports others of the symptoms, so that all are heard of in time.
        start: whether everybody has what it needs from the start.
    """

    backward: str | Backward = "layers"
    gated: bool = True
    steps: int = STEPS
    right: float = 1.0
    wipes: float = 0.0
    momentum: float = 0.0
    phantom: bool = False
    shuffled: bool = False
    start: str = "bare"


ARMS = {
    "routed": Arm(shuffled=True),
    "broadcast": Arm(broadcast, shuffled=True),
    "blind": Arm(blind, shuffled=True),
    "reversed": Arm(mirrored, shuffled=True),
    "broadcast, ungated": Arm(broadcast, gated=False),
    "half right": Arm(gated=False, steps=LONG, right=0.5),
    "half right, momentum": Arm(gated=False, steps=LONG, right=0.5, momentum=0.7),
    "half right, momentum, gated": Arm(steps=LONG, right=0.5, momentum=0.7),
    "wiping": Arm(wipes=0.4),
    "wiping, ungated": Arm(gated=False, wipes=0.4),
    "nothing wrong": Arm(start="solved", steps=8),
    "nobody at fault": Arm(phantom=True, steps=8),
}


class Run(NamedTuple):
    """What came of it.

    Attributes:
        score: of the candidate that was kept last.
        kept: the scores of all that were kept, in order.
        steps: until everything was right; the arm's if it never was.
        wrong: of the rules that were added, the share that its agent does not need.
        asks: of critics and editors.
        edits: of editors alone.
        tried: candidates.
        within: asks and examples are no more than was said before.
        layers: of each local critic's journaled prompt, the layers whose words it holds; read for the first seed.
        calls: per role in the journal, read for the first seed.
    """

    score: float
    kept: list[float]
    steps: int
    wrong: float
    asks: int
    edits: int
    tried: int
    within: bool
    layers: list[list[str]]
    calls: dict[str, int]


def play(name: str, seed: int) -> Run:
    """One arm on one seed."""
    arm, world = ARMS[name], World(seed, ARMS[name].phantom, ARMS[name].shuffled)
    given = study(solved(world) if arm.start == "solved" else bare())
    counted = _Counted(Crew(arm.right, arm.wipes))
    parameters: dict[str, Any] = {
        "backward": arm.backward,
        "steps": arm.steps,
        "accept": "sign-test" if arm.gated else "always",
        "momentum": arm.momentum,
    }
    end, rehearsed = optimized(given, world, counted, seed, with_journal=True, **parameters)
    assert end.evaluation is not None
    kept = [json.loads(row[3])["mean"] for row in _records(rehearsed, "best")]
    most = textual_backprop_most(given, **parameters)
    bound = most.asks if arm.backward in ("layers", mirrored) else most.asks + arm.steps
    return Run(
        world.score(end.best.values),
        kept,
        _until(rehearsed, arm.steps),
        _wrong(world, end),
        rehearsed.asks,
        counted.edits,
        end.tried,
        end.examples <= most.examples and rehearsed.asks <= bound,
        _seen(rehearsed) if seed == SEEDS[0] else [],
        _calls(rehearsed),
    )


class _Counted:
    def __init__(self, crew: Crew) -> None:
        self._crew, self.edits = crew, 0

    def __call__(self, request: Request, rng: random.Random) -> str:
        self.edits += request.observation["do"] == "edit"
        return self._crew(request, rng)


def _records(rehearsed: Rehearsed, name: str) -> list[tuple[str, ...]]:
    """In the order in which they were made."""
    rows = [row for row in rehearsed.journal if row[0] == "record" and row[2] == name]
    return sorted(rows, key=lambda row: [int(part) for part in re.findall(r"\d+", row[1])])


def _until(rehearsed: Rehearsed, steps: int) -> int:
    """How many batches were not yet all right."""
    told = [json.loads(row[3]) for row in _records(rehearsed, "evaluation")]
    failing = [one["mean"] < 1.0 - 1e-9 for one in told if one["split"] == "train"]
    return min(sum(failing), steps)


def _wrong(world: World, end: Conclusion) -> float:
    added: list[bool] = []
    for one in end.candidates.values():
        for parent in [end.candidates[each] for each in one.parents if each in end.candidates]:
            for role in ROLES:
                new = set(rules(one.values[role])) - set(rules(parent.values[role]))
                added += [rule not in world.needs[role] for rule in sorted(new)]
    return mean(added) if added else 0.0


def _seen(rehearsed: Rehearsed) -> list[list[str]]:
    prompts = [json.loads(row[5])[0][-1]["content"] for row in rehearsed.journal if row[0] == "result"]
    return [sorted(set(_WORD.findall(prompt))) for prompt in prompts if "You are shown one layer" in prompt]


def _calls(rehearsed: Rehearsed) -> dict[str, int]:
    asked = [row[4] for row in rehearsed.journal if row[0] == "result" and row[2] == "Ask"]
    return {role: asked.count(role) for role in sorted(set(asked))}


# --- aggregators ------------------------------------------------------------------------------------------------------


class Teams:
    """Layers, each with one right option of 4: with it their output is good 9 times of 10, else 3 times of 10."""

    def __init__(self, seed: int) -> None:
        self._streams = Streams(seed)
        self._right = [self._streams.rng(f"right/{at}").choice(OPTIONS) for at in range(TEAMS)]
        self.tried: dict[int, list[bool]] = {}

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        """The share of layers whose output is good, and what each said."""
        right = [one.values[f"aggregate-{at}"] == option for at, option in enumerate(self._right)]
        if example.startswith("train"):
            self.tried[rep] = right
        luck = self._streams.rng(f"{example}/{rep}")
        good = [luck.random() < (0.9 if each else 0.3) for each in right]
        steps = tuple(
            Step(f"layer-{at}", "worker", "Go.", "good" if each else "poor", (at - 1,) if at else ())
            for at, each in enumerate(good)
        )
        return Scored(sum(good) / TEAMS, "done", steps=steps)

    def calls(self, one: Candidate) -> int:
        """None: it is a function."""
        return 0


def blaming(request: Request, rng: random.Random) -> str:
    """A critic who blames the settings of those layers whose answers, as the prompt has them, are mostly poor."""
    said = re.findall(r"^\[layer-(\d)[^\]]*\]\n> (good|poor)$", request.messages[-1].content, re.MULTILINE)
    poor = [sum(1 if word == "poor" else -1 for at, word in said if int(at) == layer) > 0 for layer in range(TEAMS)]
    found = [
        {"parameter": f"aggregate-{at}", "kind": "wrong setting", "subject": "aggregation", "text": "Poor output."}
        for at, each in enumerate(poor)
        if each
    ]
    return json.dumps({"critique": "Some layers are poor.", "layers": [], "critiques": found})


def silent(request: Request, rng: random.Random) -> str:
    """A critic who blames nobody: credit is the score alone."""
    return json.dumps({"critique": "Something is poor.", "layers": [], "critiques": []})


def choose(explore: float, blames: bool, seed: int) -> float:
    """How often the options tried in the last 20 steps were the right ones."""
    world = Teams(seed)
    parameters = tuple(ChoiceParameter(f"aggregate-{at}", OPTIONS) for at in range(TEAMS))
    start = {parameter.name: OPTIONS[0] for parameter in parameters}
    given = study(start, parameters)
    optimized(given, world, blaming if blames else silent, seed, steps=CHOICES, explore=explore)
    return mean(mean(world.tried[step]) for step in range(CHOICES - 19, CHOICES + 1))


# --- the experiment ---------------------------------------------------------------------------------------------------


def run() -> Experiment:
    """All arms on the same teams."""
    experiment = Experiment(
        "textual-backprop", f"{LAYERS} layers of {WIDTH}, {len(SEEDS)} teams",
        ["arm", "score", "solved", "steps to it", "wrong rules", "worst drop", "asks", "edits"],
    )  # fmt: skip
    runs = {name: over(SEEDS, play, name) for name in ARMS}
    for name, each in runs.items():
        experiment.row(
            name, mean(r.score for r in each), mean(r.score > 1 - 1e-9 for r in each), median(r.steps for r in each),
            mean(r.wrong for r in each), min(map(_drop, each)), mean(r.asks for r in each), mean(r.edits for r in each),
        )  # fmt: skip
    score = {name: mean(r.score for r in each) for name, each in runs.items()}
    wrong = {name: mean(r.wrong for r in each) for name, each in runs.items()}
    experiment.expect("routed: score", score["routed"], ">=", 0.98)
    experiment.expect("routed: wrong rules", wrong["routed"], "==", 0)
    for name in ("broadcast", "blind", "reversed"):
        experiment.expect(f"{name}: score", score[name], "<=", 0.15)
    experiment.expect("broadcast, ungated: score", score["broadcast, ungated"], "<", -1.0)
    experiment.expect("wrong edits with momentum", wrong["half right, momentum"], "<=", 0.10)
    experiment.expect("wrong edits without", wrong["half right"], ">=", 0.35)
    experiment.expect("solved without momentum, ungated", mean(r.score > 0.99 for r in runs["half right"]), "==", 0)
    experiment.expect("worst drop of what is kept", min(map(_drop, runs["wiping"])), "==", 0.0)
    experiment.expect("worst drop, ungated", min(map(_drop, runs["wiping, ungated"])), "<", 0.0)
    _expect_choices(experiment)
    _expect_null(experiment, runs)
    _expect_calls(experiment, runs)
    return experiment


def _drop(run: Run) -> float:
    """The worst from one kept candidate to the next; 0 if there is none."""
    return min(0.0, *(after - before for before, after in pairwise(run.kept))) if len(run.kept) > 1 else 0.0


def _expect_choices(experiment: Experiment) -> None:
    arms = {"blamed": (0.2, True), "score alone": (0.2, False), "at random": (1.0, True)}
    found = {name: over(CHOOSERS, choose, *arm) for name, arm in arms.items()}
    right = {name: mean(shares) for name, shares in found.items()}
    for name, share in right.items():
        experiment.row(f"aggregators, {name}", share, "", "", "", "", "", "")
    gain, half = paired(found["blamed"], found["score alone"])
    experiment.expect("right options: blamed over score alone, lower end", gain - half, ">", 0.0)
    experiment.expect("right options in the last 20 of 60 steps", right["blamed"], ">=", 0.7)
    experiment.expect("the same at random (null .25), off", abs(right["at random"] - 0.25), "<=", 0.06)


def _expect_null(experiment: Experiment, runs: Mapping[str, Sequence[Run]]) -> None:
    experiment.expect("nothing wrong: asks", {r.asks for r in runs["nothing wrong"]}, "==", {0})
    experiment.expect("nobody at fault: edits", {r.edits for r in runs["nobody at fault"]}, "==", {0})
    experiment.expect("nobody at fault: candidates", {r.tried for r in runs["nobody at fault"]}, "==", {1})
    experiment.expect("nobody at fault: asks", {r.asks for r in runs["nobody at fault"]}, "==", {8 * (1 + LAYERS)})


def _expect_calls(experiment: Experiment, runs: Mapping[str, Sequence[Run]]) -> None:
    seen = runs["routed"][0].layers
    experiment.expect("layers whose words a local critic's prompt holds", {len(each) for each in seen}, "==", {1})
    layers = "".join(sorted({each[0] for each in seen}))
    experiment.expect("layers with a critic", layers, "==", "12345")
    passes = runs["routed"][0].steps
    first = runs["routed"][0]
    experiment.expect("critics journaled in a routed run", first.calls["critic"], "==", passes * (1 + LAYERS))
    experiment.expect("local ones of them", len(seen), "==", passes * LAYERS)
    experiment.expect("editors journaled", first.calls.get("editor", 0), "==", first.edits)
    experiment.expect("no more than was said before", all(r.within for each in runs.values() for r in each), "==", True)
