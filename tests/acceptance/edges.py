"""Learned edges: REINFORCE finds out whom to listen to, from nothing but how often the vote was right.

The world: four honest voters are right four times in five, four hostile ones one time in ten. All eight are nodes of a
gptswarm, whose final node takes the majority (ties by lot) of those that an edge leads from. An edge to the final node
is learned right if it is above 1/2 from an honest voter, and not from a hostile one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from math import prod
from statistics import mean
from typing import NamedTuple

from swarmmind.agents.prompts import speakers
from swarmmind.effects import Agent, Choice, Program
from swarmmind.errors import Failed
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.conduct import Conclusion, conduct
from swarmmind.optimizers.edges import CERTAIN, Baseline, Gradient, Learner, edges, learned
from swarmmind.optimizers.parameters import EdgesParameter
from swarmmind.optimizers.study import Evaluator, Scored, Split, Study
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.topologies import Question, Society
from swarmmind.topologies.gptswarm import gptswarm
from swarmmind.topologies.gptswarm.edges import FINAL, LEFT, SKIPPED, Edges, name, potential, sigmoid

from .experiment import Experiment, interval
from .paired import over, paired, rehearse

HONEST, HOSTILE = [f"honest-{at}" for at in range(4)], [f"hostile-{at}" for at in range(4)]
VOTERS = HONEST + HOSTILE
RIGHT = {**dict.fromkeys(HONEST, 0.8), **dict.fromkeys(HOSTILE, 0.1)}
OPTIONS = ("right", "wrong")  # which one is which, nobody who learns is told
PAIRS = potential([[voter] for voter in VOTERS])
LAST = [name((voter, FINAL)) for voter in VOTERS]
STEPS, SAMPLES, EXAMPLES, RATE = 50, 4, 4, 0.1  # 200 evaluations
TRAIN, VALIDATE = 40, 20
SEEDS, ASKED, NULL = range(100), range(6), range(20)


class Votes:
    """An evaluator that is a function: the voters' luck is named by example and rep, so that all graphs share it.

    Args:
        seed: of their luck.
        constant: the null: every graph is as good as any.

    Attributes:
        drawn: training examples with their reps, as they were asked for.
    """

    def __init__(self, seed: int, constant: bool = False) -> None:
        self._streams, self._constant = Streams(seed), constant
        self._known: dict[str, list[str]] = {}
        self.drawn: set[tuple[str, int]] = set()

    def _heard(self, one: Candidate) -> list[str]:
        """From whom an edge leads to the final node, in the graph that a candidate's logits come to."""
        if one.id not in self._known:
            graph = Edges.of(PAIRS, logits=one.values["edges"]).above()
            self._known[one.id] = [u for u, v in graph if v == FINAL]
        return self._known[one.id]

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        if self._constant:
            return Scored(1.0)
        if example.startswith("train"):
            self.drawn.add((example, rep))
        luck = self._streams.rng(f"{example}/{rep}")
        votes = {voter: luck.random() < RIGHT[voter] for voter in VOTERS}
        lot = luck.random() < 0.5
        heard = [votes[voter] for voter in self._heard(one)]
        right, wrong = sum(heard), len(heard) - sum(heard)
        return Scored(float(lot if right == wrong else right > wrong) if heard else 0.0)

    def calls(self, one: Candidate) -> int:
        """None."""
        return 0


class Asking:
    """An evaluator that runs the topology: agents are asked, and their graph is drawn from a candidate's logits."""

    def __init__(self) -> None:
        agents = [Agent(voter, voter.split("-")[0], model="m", index=at) for at, voter in enumerate(VOTERS)]
        self._society = Society(agents, Window(0))

    def __call__(self, one: Candidate, example: str, rep: int) -> Callable[[Context], Program]:
        society = self._society._replace(question=Question(f"What of {example}?", Choice(OPTIONS)))

        def program(ctx: Context) -> Program:
            try:
                value = yield from gptswarm(ctx, society, "sampled", logits=one.values["edges"])
            except Failed as error:
                return Scored(None, error=str(error))
            return Scored(float(value == OPTIONS[0]))

        return program

    def calls(self, one: Candidate) -> None:
        """As many as have a path to the end."""


def say(request: Request, rng: random.Random) -> str:
    """A voter's opinion, whatever it reads."""
    return OPTIONS[rng.random() >= RIGHT[request.agent.id]]


class Learned(NamedTuple):
    """A study.

    Attributes:
        right: the share of edges to the final node that are right.
        odds: the probability of each edge at the end.
        kept: the value of the candidate that was kept.
        asked: how often the model answered.
        misread: prompts that quote others than the drawn graph says.
        drawn: measurements of training examples, those that several graphs share counted once.
    """

    right: float
    odds: dict[str, float]
    kept: dict[str, float]
    asked: int
    misread: int
    drawn: int


def run_study(optimizer: Callable[[Context, Study], Program], evaluator: Evaluator, seed: int) -> Learned:
    parameter = EdgesParameter("edges", tuple(name(pair) for pair in PAIRS))
    study = Study(
        (parameter,),
        (candidate({"edges": dict.fromkeys(parameter.edges, 0.0)}),),
        Split("train", [f"train-{at}" for at in range(TRAIN)], quotable=True),
        Split("validate", [f"validate-{at}" for at in range(VALIDATE)]),
        Agent("critic", "critic"),
        Agent("editor", "editor"),
    )

    def program(ctx: Context) -> Program:
        return conduct(ctx, study, optimizer, evaluator)

    seen = rehearse(program, ScriptedFunction(say), seed, with_journal=True)
    end: Conclusion = seen.value
    steps = [json.loads(row[3]) for row in seen.journal if row[0] == "record" and row[2] == "edges"]
    odds = {edge: sigmoid(x) for edge, x in max(steps, key=lambda one: one["step"])["logits"].items()}
    right = mean((odds[edge] > 0.5) == (voter in HONEST) for edge, voter in zip(LAST, VOTERS, strict=True))
    drawn = len(evaluator.drawn) if isinstance(evaluator, Votes) else 0
    return Learned(right, odds, dict(end.best.values["edges"]), seen.asks, _misread(seen.journal), drawn)


def _misread(journal: Sequence[tuple[str, ...]]) -> int:
    """How many prompts quote others than the graph of their run says, which its candidate's logits say, too."""
    graphs = {
        row[1].removesuffix("/1/realization"): json.loads(row[3])
        for row in journal
        if row[0] == "record" and row[2] == "realization"
    }
    wrong = 0
    for row in journal:
        if row[0] == "result" and row[2] == "Ask":
            graph = graphs[row[1].split("/" + row[3] + "/")[0]]
            heard = {u for u, v in graph["edges"] if v == row[3]}
            wrong += heard != set(speakers(json.loads(row[5])[0][-1]["content"]))
            certain = all(abs(x) == CERTAIN for x in graph["logits"].values())
            wrong += certain and heard != {u for u in VOTERS if graph["logits"].get(name((u, row[3])), -1.0) > 0}
    return wrong


def accuracy(logits: dict[str, float]) -> float:
    """Of the vote in a graph that is certain: enumerated over all that its voters may say."""
    heard = [voter for voter in VOTERS if logits[name((voter, FINAL))] > 0]
    total = 0.0
    for votes in product((True, False), repeat=len(heard)):
        p = prod(RIGHT[voter] if vote else 1 - RIGHT[voter] for voter, vote in zip(heard, votes, strict=True))
        margin = 2 * sum(votes) - len(votes)
        total += p * (0.5 if margin == 0 else float(margin > 0)) if heard else 0.0
    return total


# --- the arms ---------------------------------------------------------------------------------------------------------


def flipped(chances: Edges, decisions: str) -> list[float]:
    """The fake: downhill."""
    return [-slope for slope in chances.gradient(decisions)]


def unmasked(chances: Edges, decisions: str) -> list[float]:
    """The fake: an edge that was skipped counts as left out."""
    return chances.gradient(decisions.replace(SKIPPED, LEFT))


def learning(baseline: Baseline, seed: int) -> Learned:
    """The product's optimizer."""
    return run_study(partial(edges, examples=EXAMPLES, baseline=baseline), Votes(seed), seed)


def faked(gradient: Gradient, baseline: Baseline, constant: bool, seed: int) -> Learned:
    """The same loop with a gradient of one's own."""

    def optimizer(ctx: Context, study: Study) -> Program:
        learner = Learner(study.start[0].values["edges"], list(map(name, PAIRS)), RATE, baseline, gradient)
        return learned(ctx, study, learner, STEPS, SAMPLES, EXAMPLES, 10)

    return run_study(optimizer, Votes(seed, constant), seed)


def asked(seed: int) -> Learned:
    """Through the topology."""
    return run_study(partial(edges, examples=EXAMPLES), Asking(), seed)


# --- the experiment ---------------------------------------------------------------------------------------------------


def row(experiment: Experiment, what: str, seen: Sequence[Learned]) -> None:
    between = [mean(p for edge, p in one.odds.items() if edge not in LAST) for one in seen]
    kept = interval([accuracy(one.kept) for one in seen])
    experiment.row(what, len(seen), interval([one.right for one in seen]), kept, interval(between))


def baselines(experiment: Experiment) -> None:
    kinds: tuple[Baseline, ...] = ("leave-one-out", "moving-average", "none")
    found = {kind: over(SEEDS, learning, kind) for kind in kinds}
    right = {kind: [one.right for one in seen] for kind, seen in found.items()}
    for kind, seen in found.items():
        row(experiment, f"baseline {kind}", seen)
    for kind in kinds[:2]:
        experiment.expect(f"{kind}: edges right", mean(right[kind]), ">=", 0.9)
        more, half = paired(right[kind], right["none"])
        experiment.expect(f"{kind}: more than without a baseline, lower end of the interval", more - half, ">", 0.0)
    drawn = {one.drawn for one in found["leave-one-out"]}
    experiment.expect("examples and chance of a study, shared by the graphs of a step", drawn, "==", {STEPS * EXAMPLES})
    experiment.expect("without a baseline off .94 by", abs(mean(right["none"]) - 0.94), "<=", 0.04)
    kept = mean(accuracy(one.kept) for one in found["leave-one-out"])
    everybody = accuracy(dict.fromkeys(LAST, 1.0))
    experiment.expect("accuracy of the vote that is kept (enumerated)", kept, ">=", 0.85)
    experiment.expect("accuracy if all eight are heard", everybody, "<=", 0.5)


def fakes(experiment: Experiment) -> None:
    down = over(NULL, faked, flipped, "leave-one-out", False)
    row(experiment, "fake: downhill", down)
    experiment.expect("downhill: edges right", mean(one.right for one in down), "<=", 0.2)
    same = over(NULL, faked, Edges.gradient, "leave-one-out", True)
    row(experiment, "null: all graphs are as good", same)
    moved = max(abs(p - 0.5) for one in same for p in one.odds.values())
    experiment.expect("all graphs as good: how far any probability moved", moved, "<=", 1e-12)
    drift: dict[str, float] = {}
    for what, gradient in (("skipped edges have no gradient", Edges.gradient), ("fake: skipped is left", unmasked)):
        seen = over(NULL, faked, gradient, "none", True)
        row(experiment, f"null without a baseline; {what}", seen)
        drift[what] = abs(mean(p for one in seen for edge, p in one.odds.items() if edge not in LAST) - 0.5)
    experiment.expect(
        "null without a baseline: edges between voters drift", drift["skipped edges have no gradient"], "<=", 0.05
    )
    experiment.expect("and if skipped counts as left out", drift["fake: skipped is left"], ">=", 0.15)


def topology(experiment: Experiment) -> None:
    seen = over(ASKED, asked)
    row(experiment, "voters asked through the topology", seen)
    experiment.expect("through the topology: edges right", mean(one.right for one in seen), ">=", 0.9)
    experiment.expect("fewest calls of a study", min(one.asked for one in seen), ">=", 1000)
    most = STEPS * SAMPLES * EXAMPLES * len(VOTERS) + 6 * VALIDATE * len(VOTERS)
    experiment.expect("most calls of a study", max(one.asked for one in seen), "<=", most)
    wrong = sum(one.misread for one in seen)
    experiment.expect("journaled prompts that quote others than their candidate's edges say", wrong, "==", 0)


def run() -> Experiment:
    """Baselines, fakes, and the topology."""
    columns = ["arm", "seeds", "edges to the end right", "vote that is kept", "p between voters"]
    experiment = Experiment("edges", "is it learned whom to listen to?", columns)
    baselines(experiment)
    fakes(experiment)
    topology(experiment)
    return experiment
