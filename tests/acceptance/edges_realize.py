"""Learned edges (GPTSwarm): what is drawn is exact, what is recorded suffices to learn, and edges matter.

The world: a problem has four options. Three truthful agents are right three times in four and, half of the time, say
what is most frequent among what they read and their own answer; three liars all say the same wrong option.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from statistics import mean
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from scipy.stats import chisquare

from swarmmind.agents.prompts import speakers
from swarmmind.effects import Agent, Choice, Nested, Program
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.testing.marks import quotations
from swarmmind.topologies import Question, Society
from swarmmind.topologies.gptswarm import gptswarm
from swarmmind.topologies.gptswarm.edges import FINAL, Edge, Edges, Realization, potential, reaching, sigmoid

from .experiment import Experiment, interval
from .paired import over, rehearse

SAMPLES = 100_000
SEEDS = range(12)
PROBLEMS = 150
LEARNERS = range(4)
STEPS, BATCH, RATE = 80, 16, 0.5
OPTIONS = "ABCD"
TRUTHFUL = [f"truthful-{at}" for at in range(3)]
LIARS = [f"liar-{at}" for at in range(3)]

# --- exactness --------------------------------------------------------------------------------------------------------

PAIRS: tuple[Edge, ...] = (("a", "b"), ("b", "a"), ("b", FINAL))
THREE = Edges(PAIRS, (0.4, -0.3, 0.8))
Gradient = Callable[[Edges, Realization], list[float]]


def utility(edges: Sequence[Edge]) -> float:
    """Any function of the graph that no edge is without influence on."""
    return 0.2 + 0.5 * (PAIRS[0] in edges) - 0.1 * (PAIRS[1] in edges) + 0.3 * (len(edges) == 2)


def expected_utility(logits: Sequence[float]) -> float:
    """Enumerated by hand: where a > b is taken, b > a is skipped."""
    one, two, three = (sigmoid(value) for value in logits)
    total = 0.0
    for first, last in product((True, False), repeat=2):
        p = (one if first else 1 - one) * (three if last else 1 - three)
        kept = [pair for pair, taken in zip(PAIRS, (first, False, last), strict=True) if taken]
        if first:
            total += p * utility(kept)
        else:
            total += p * (two * utility([*kept, PAIRS[1]]) + (1 - two) * utility(kept))
    return total


def enumerated_gradient() -> list[float]:
    """Central differences of the enumerated expectation."""
    step, found = 1e-5, list[float]()
    for at in range(len(PAIRS)):
        up, down = list(THREE.logits), list(THREE.logits)
        up[at], down[at] = up[at] + step, down[at] - step
        found.append((expected_utility(up) - expected_utility(down)) / (2 * step))
    return found


def counting_skipped(edges: Edges, drawn: Realization) -> list[float]:
    """The fake: what was skipped counts as left out."""
    return edges.gradient(drawn.decisions.replace(".", "0"))


def true_gradient(edges: Edges, drawn: Realization) -> list[float]:
    """The product's."""
    return edges.gradient(drawn.decisions)


def off(gradient: Gradient, baseline: float, drawn: Sequence[Realization]) -> float:
    """How many standard errors REINFORCE's estimate is off the enumerated gradient, at the worst of the slopes."""
    terms = np.array([(utility(one.edges) - baseline) * np.array(gradient(THREE, one)) for one in drawn])
    errors = terms.std(axis=0, ddof=1) / len(drawn) ** 0.5
    return float(np.abs((terms.mean(axis=0) - enumerated_gradient()) / errors).max())


def gradients(experiment: Experiment) -> None:
    rng = random.Random(1)
    drawn = [THREE.realize(rng) for _ in range(SAMPLES)]
    found = {
        "no baseline": off(true_gradient, 0.0, drawn),
        "baseline": off(true_gradient, expected_utility(THREE.logits), drawn),
        "fake: skipped edges counted": off(counting_skipped, 0.0, drawn),
    }
    for name, z in found.items():
        experiment.row(f"gradient of 3 edges, {name}", "largest |z|", z)
        experiment.expect(f"{name}: largest |z| of three slopes", z, ">" if "fake" in name else "<=", 3.0)


def random_edges(seed: int) -> Edges:
    """Some agents of one or two nodes, any probabilities; every other one with a learned order."""
    rng = random.Random(seed)
    count = rng.randint(2, 7)
    agents = [[f"n{at}{letter}" for letter in "xy"[: rng.randint(1, 2)]] for at in range(count)]
    pairs = potential(agents)
    fixed = tuple((nodes[0], nodes[1]) for nodes in agents if len(nodes) == 2)
    logits = tuple(rng.gauss(0.5, 2) for _ in pairs)
    ranks = {node: rng.gauss(0, 1) for nodes in agents for node in nodes} if seed % 2 else {}
    return Edges(pairs, logits, ranks, fixed)


def ignoring_cycles(edges: Edges, seed: int) -> list[Edge]:
    """The fake: every edge is decided, whatever it closes."""
    rng = random.Random(seed)
    return [pair for pair, value in zip(edges.pairs, edges.logits, strict=True) if rng.random() < sigmoid(value)]


def cyclic(edges: Sequence[Edge]) -> bool:
    return not nx.is_directed_acyclic_graph(nx.DiGraph(edges))


def graphs(experiment: Experiment) -> None:
    count = 4000
    made = [(edges, edges.realize(random.Random(at))) for at, edges in ((at, random_edges(at)) for at in range(count))]
    cycles = sum(cyclic((*edges.fixed, *drawn.edges)) for edges, drawn in made)
    fake = sum(cyclic((*edges.fixed, *ignoring_cycles(edges, at))) for at, (edges, _) in enumerate(made))
    experiment.row("random potential graphs", "with a cycle", f"{cycles} of {count}")
    experiment.row("fake: cycles ignored", "with a cycle", f"{fake} of {count}")
    experiment.expect("graphs with a cycle", cycles, "==", 0)
    experiment.expect("the fake's graphs with a cycle", fake, ">=", count // 2)
    moved = 0
    for edges, drawn in made:
        logits = tuple(9.0 if x == "." else value for x, value in zip(drawn.decisions, edges.logits, strict=True))
        other = Edges(edges.pairs, logits, edges.ranks, edges.fixed)
        moved += other.log_probability(drawn.decisions, drawn.order) != drawn.log_probability
    experiment.expect("log p that a skipped edge's logit moves", moved, "==", 0)
    experiment.expect("graphs in which an edge was skipped", sum("." in d.decisions for _, d in made), ">=", count // 2)


def frequencies(experiment: Experiment) -> None:
    pairs = potential([["a"], ["b"]])
    for name, ranks in (("fixed order", {}), ("learned order", {"a": 0.4, "b": -0.2})):
        edges = Edges(pairs, (0.4, -0.3, 0.8, -1.0), ranks)
        rng = random.Random(3)
        seen = Counter((drawn.decisions, drawn.order) for drawn in (edges.realize(rng) for _ in range(SAMPLES)))
        p = {one: math.exp(edges.log_probability(*one)) for one in seen}
        test = chisquare([seen[one] for one in p], [SAMPLES * p[one] / sum(p.values()) for one in p])
        experiment.row(
            f"{len(p)} realizations, {name}", "sum of p; chi-square p", f"{sum(p.values()):.12f}; {test.pvalue:.2f}"
        )
        experiment.expect(f"{name}: sum of all probabilities off one", abs(sum(p.values()) - 1), "<=", 1e-9)
        experiment.expect(f"{name}: frequencies, p of chi-square", float(test.pvalue), ">=", 0.001)


# --- a swarm with liars, through the real driver ----------------------------------------------------------------------


class Ran(NamedTuple):
    """Problems worked on at once in one run: how many were right, and what the journal says."""

    right: list[bool]
    realizations: list[dict[str, Any]]
    calls: int
    expected_calls: int
    misread: int
    off_log_p: int


def society() -> Society:
    agents = [Agent(name, name.split("-")[0], model="m", index=at) for at, name in enumerate(TRUTHFUL + LIARS)]
    return Society(agents, Window(0))


def target(problem: int) -> str:
    return OPTIONS[problem % 4]


def say(request: Request, rng: random.Random) -> str:
    """What an agent of this world says; whom it reads, it knows from its prompt alone."""
    at = int(request.observation["question"].split()[-1])
    right, lie = target(at), target(at + 1)
    if request.agent.role == "liar":
        return lie
    own = right if rng.random() < 0.75 else rng.choice([option for option in OPTIONS if option != right])
    swayed, tie = rng.random() < 0.5, rng.random()
    if not swayed:
        return own
    read = Counter([own, *(body for author, body in quotations(request.messages[-1].content) if author)])
    most = sorted(option for option in read if read[option] == max(read.values()))
    return most[int(tie * len(most))]


def swarm(parameters: Mapping[str, Any], count: int, first: int = 0) -> Callable[[Context], Program]:
    """As many problems, each a program of its own."""

    def work(at: int) -> Callable[[Context], Program]:
        asked = society()._replace(question=Question(f"Which option is right in problem {at}", Choice(tuple(OPTIONS))))
        return lambda ctx: gptswarm(ctx, asked, **parameters)

    def program(ctx: Context) -> Program:
        outcomes = yield [Nested(work(at), f"item-{at}") for at in range(first, first + count)]
        return [outcome.value == target(at) for at, outcome in enumerate(outcomes, first)]

    return program


def ran(parameters: Mapping[str, Any], count: int, seed: int, first: int = 0) -> Ran:
    seen = rehearse(swarm(parameters, count, first), ScriptedFunction(say), seed, with_journal=True)
    drawn = {
        row[1].split("/")[2]: json.loads(row[3])
        for row in seen.journal
        if row[0] == "record" and row[2] == "realization"
    }
    misread = 0
    for row in seen.journal:
        if row[0] == "result" and row[2] == "Ask":
            prompt = json.loads(row[5])[0][-1]["content"]
            edges = drawn[row[1].split("/")[2]]["edges"]
            misread += set(speakers(prompt)) != {u for u, v in edges if v == row[3]}
    facts = [drawn[f"item-{at}"] for at in range(first, first + count)]
    asked = sum(len(reaching([(u, v) for u, v in one["edges"]])) - 1 for one in facts)
    off = sum(
        chances(one).log_probability(one["decisions"], one["order"]) != one["log_probability"]
        for one in facts
        if one["decisions"]
    )
    return Ran(seen.value, facts, seen.asks, asked, misread, off)


def chances(facts: Mapping[str, Any]) -> Edges:
    """The potential edges of a run, from its trace alone."""
    pairs = potential([[name] for name in facts["nodes"]])
    return Edges.of(pairs, facts["probability"], facts["logits"], facts["ranks"])


BEST = {
    "edges": "most-probable",
    "probability": 0.1,
    "logits": {f"{name} > {FINAL}": 3.0 for name in TRUTHFUL},
}
ARMS: dict[str, dict[str, Any]] = {"full": {"edges": "full"}, "random": {}, "best": BEST}


def arms(seed: int) -> dict[str, Ran]:
    return {name: ran(parameters, PROBLEMS, seed) for name, parameters in ARMS.items()}


def learned(constant: bool, seed: int) -> dict[str, float]:
    """REINFORCE with a leave-one-out baseline, on what the trace says; the probability of each edge to the end."""
    logits: dict[str, float] = chances(
        {"nodes": TRUTHFUL + LIARS, "probability": 0.5, "logits": {}, "ranks": None}
    ).named()
    for step in range(STEPS):
        run = ran({"logits": logits}, BATCH, seed, first=step * BATCH)
        gains = [1.0 if constant else float(right) for right in run.right]
        for gain, facts in zip(gains, run.realizations, strict=True):
            advantage = gain - (sum(gains) - gain) / (BATCH - 1)
            slopes = chances(facts).gradient(facts["decisions"])
            for name, slope in zip(logits, slopes, strict=True):
                logits[name] += RATE * advantage * slope
    return {name: sigmoid(value) for name, value in logits.items()}


def swarms(experiment: Experiment) -> None:
    found = over(SEEDS, arms)
    score = {name: [mean(one[name].right) for one in found] for name in ARMS}
    every = [run for one in found for run in one.values()]
    for name, values in score.items():
        experiment.row(f"3 truthful, 3 liars: {name} edges", "right", interval(values))
    experiment.expect("full graph: off .26 by", abs(mean(score["full"]) - 0.26), "<=", 0.04)
    experiment.expect("random graphs: off .33 by", abs(mean(score["random"]) - 0.33), "<=", 0.04)
    experiment.expect(
        "truthful to the end only: seeds with .75 or more", sum(x >= 0.75 for x in score["best"]), ">=", 11
    )
    worst = min(best - max(pair) for best, *pair in zip(score["best"], score["full"], score["random"], strict=True))
    experiment.expect("and better than full and random, on the worst of the seeds by", worst, ">=", 0.3)
    experiment.expect(
        "calls off those of nodes with a path to the end", sum(r.calls - r.expected_calls for r in every), "==", 0
    )
    experiment.expect("prompts that quote others than the recorded edges say", sum(r.misread for r in every), "==", 0)
    experiment.expect("log p recomputed from the journal that is another one", sum(r.off_log_p for r in every), "==", 0)
    sampled = sum(bool(facts["decisions"]) for run in every for facts in run.realizations)
    experiment.expect("realizations in the journals", sampled, "==", PROBLEMS * len(SEEDS))


def learning(experiment: Experiment) -> None:
    for constant in (False, True):
        ends = over(LEARNERS, learned, constant)
        honest, lying = (
            [mean(one[f"{name} > {FINAL}"] for name in names) for one in ends] for names in (TRUTHFUL, LIARS)
        )
        what = "constant utility" if constant else "learning from the trace"
        experiment.row(what, "P(edge to the end) truthful, liars", f"{interval(honest)}, {interval(lying)}")
        if constant:
            moved = max(abs(p - 0.5) for one in ends for p in one.values())
            experiment.expect("constant utility: how far any probability moved", moved, "<=", 1e-12)
        else:
            gap = min(one - other for one, other in zip(honest, lying, strict=True))
            experiment.expect("learned: smallest gap of truthful and liars", gap, ">=", 0.3)


def run() -> Experiment:
    """Exactness, then a swarm with liars."""
    experiment = Experiment(
        "edges-realize", "is what is drawn exact, and does it matter?", ["what", "measure", "value"]
    )
    gradients(experiment)
    graphs(experiment)
    frequencies(experiment)
    swarms(experiment)
    learning(experiment)
    return experiment
