"""Who decides: votes, monarchs, advised monarchs, weights and a tree of 129, against what probability says of them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import log, prod, sqrt
from statistics import mean
from typing import Any, NamedTuple

from swarmmind.effects import Agent, Choice, Nested, Outcome, Program
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.topologies import TOPOLOGIES, Question, Society

from .experiment import Experiment
from .paired import over, paired, rehearse

SIDES = ("heads", "tails")
BATCHES = range(700, 706)
SMALL, LARGE = 500, 80  # problems a batch, for societies of 9 and of 129
MEMBERS, TREE, BRANCHING, FOLLOWS = 9, 129, 8, 0.7
MIXED = (0.9, 0.85, 0.6, 0.6, 0.55, 0.55, 0.55, 0.55, 0.55)

_QUOTED = re.compile(r"^\[([^\],]+)[^\]]*\]\n> (.*)$", re.MULTILINE)


class Arm(NamedTuple):
    """A society and how it decides.

    Attributes:
        name: of the row.
        topology: `mindstorm` without rounds, or `hierarchy`.
        rule: who decides.
        people: per agent: role, how often its own answer is right, how often it follows what it reads, its weight.
        exact: the probability that the decision is right.
        calls: per problem.
        spec: what the spec measured, if it did.
    """

    name: str
    topology: str
    rule: str
    people: tuple[tuple[str, float, float, float], ...]
    exact: float
    calls: int
    spec: float | None = None

    @property
    def problems(self) -> int:
        """Of a batch."""
        return SMALL if len(self.people) <= MEMBERS + 1 else LARGE


class World:
    """Problems with two sides. An agent's own answer is luck; what it does with others' it reads in its prompt.

    Luck is named by problem and agent, so that all arms share it.
    """

    def __init__(self, seed: int) -> None:
        self._streams = Streams(seed)

    def key(self, problem: str) -> str:
        """The right side."""
        return self._streams.rng(f"{problem}/key").choice(SIDES)

    def say(self, request: Request, _: random.Random) -> str:
        """An agent's answer: its own, or, if it follows, what most of those say whom it reads (its own on ties)."""
        problem = request.messages[-1].content.split("?")[0]
        luck = self._streams.rng(f"{problem}/{request.agent.id}")
        right, given = self.key(problem), request.agent.parameters
        own = right if luck.random() < given["accuracy"] else SIDES[1 - SIDES.index(right)]
        read = [said for _, said in _QUOTED.findall(request.messages[-1].content)]
        heads, tails = map(read.count, SIDES)
        if luck.random() >= given["follows"] or heads == tails:
            return own
        return SIDES[tails > heads]


class Played(NamedTuple):
    """A batch.

    Attributes:
        right: problem by problem, whether the decision was right.
        calls: answered by the model.
        planned: by the topology.
        read: of each role, how many quotations its journaled prompts held, if the journal was read; every one of them
            is checked to be what its author answered.
    """

    right: list[bool]
    calls: int
    planned: int
    read: dict[str, set[int]]


def play(arm: Arm, seed: int) -> Played:
    """A batch, in one run with one journal; each problem is a program of its own."""
    agents = [
        Agent(f"m{at}", role, model="m", parameters={"accuracy": able, "follows": follows, "weight": weight}, index=at)
        for at, (role, able, follows, weight) in enumerate(arm.people)
    ]
    tree = arm.topology == "hierarchy"
    more = {"branching": BRANCHING} if tree else {"rounds": 0, "stop_on_agreement": False}
    topology, parameters = TOPOLOGIES[arm.topology], {"rule": arm.rule, **more}
    world, problems = World(seed), [f"Problem {number}" for number in range(arm.problems)]

    def one(problem: str) -> Callable[[Context], Program]:
        return lambda ctx: topology.program(ctx, _society(agents, problem), **parameters)

    def program(ctx: Context) -> Program:
        outcomes: list[Outcome] = yield [Nested(one(problem), problem.replace(" ", "-")) for problem in problems]
        return [outcome.value for outcome in outcomes]

    played = rehearse(program, ScriptedFunction(world.say), seed, with_journal=seed == BATCHES[0])
    right = [value == world.key(problem) for value, problem in zip(played.value, problems, strict=True)]
    assert topology.calls is not None
    return Played(right, played.asks, topology.calls(_society(agents, ""), **parameters), _read(played.journal))


def _society(agents: Sequence[Agent], problem: str) -> Society:
    return Society(agents, Window(0), Question(f"{problem}?", Choice(SIDES)))


def _read(journal: Sequence[Sequence[str]]) -> dict[str, set[int]]:
    asks = [row for row in journal if row[0] == "result" and row[2] == "Ask"]
    prompts = [json.loads(row[5])[0][-1]["content"] for row in asks]
    said = {
        (prompt.split("?")[0], row[3]): json.loads(row[6])["text"] for row, prompt in zip(asks, prompts, strict=True)
    }
    found: dict[str, set[int]] = {}
    for row, prompt in zip(asks, prompts, strict=True):
        quotations = _QUOTED.findall(prompt)
        assert all(said[prompt.split("?")[0], author] == words for author, words in quotations)
        found.setdefault(row[4], set()).add(len(quotations))
    return found


# --- closed forms -----------------------------------------------------------------------------------------------------


def heads_of(chances: Sequence[float]) -> list[float]:
    """The distribution of the number of successes of independent trials, from 0 to all."""
    found = [1.0]
    for p in chances:
        found = [a * (1 - p) + b * p for a, b in zip([*found, 0.0], [0.0, *found], strict=True)]
    return found


def majority(chances: Sequence[float]) -> float:
    """More than half of an odd number of independent votes are right."""
    assert len(chances) % 2
    return sum(heads_of(chances)[len(chances) // 2 + 1 :])


def advised(own: float, reports: Sequence[float]) -> float:
    """A leader who follows most of the reports with probability `FOLLOWS`, and its own answer otherwise and on ties."""
    found, half = heads_of(reports), len(reports) / 2
    most, tie = sum(found[int(half) + 1 :]), 0.0 if len(reports) % 2 else found[int(half)]
    return (1 - FOLLOWS) * own + FOLLOWS * (most + tie * own)


def weighted(chances: Sequence[float], weights: Sequence[float]) -> float:
    """The heavier side is right, all outcomes enumerated; these weights never tie."""
    total = 0.0
    for votes in product((False, True), repeat=len(chances)):
        if sum(w if vote else -w for vote, w in zip(votes, weights, strict=True)) > 0:
            total += prod(p if vote else 1 - p for vote, p in zip(votes, chances, strict=True))
    return total


def tree(rule: str, chances: Sequence[float]) -> float:
    """The top's report of a heap-shaped tree, from the leaves up; groups share no member: reports are independent."""
    found = list(chances)
    for at in range(len(chances) - 1, -1, -1):
        reports = found[BRANCHING * at + 1 : BRANCHING * at + BRANCHING + 1]
        if reports:
            found[at] = advised(chances[at], reports) if rule != "democracy" else majority([*reports, chances[at]])
    return found[0]


# --- the experiment ---------------------------------------------------------------------------------------------------


def _flat(count: int, p: float, spec: float | None = None) -> Arm:
    people = (("solver", p, 0.0, 1.0),) * count
    return Arm(f"democracy of {count}, p {p}", "mindstorm", "democracy", people, majority([p] * count), count, spec)


def _crown(rule: str, leader: float, p: float, spec: float | None = None) -> Arm:
    people = (("leader", leader, FOLLOWS, 1.0), *(("solver", p, 0.0, 1.0),) * MEMBERS)
    exact = leader if rule == "monarchy" else advised(leader, [p] * MEMBERS)
    return Arm(f"{rule}, leader {leader}, p {p}", "mindstorm", rule, people, exact, MEMBERS + 1, spec)


def _scales(name: str, rule: str, weights: Sequence[float]) -> Arm:
    people = tuple(("solver", p, 0.0, w) for p, w in zip(MIXED, weights, strict=True))
    exact = weighted(MIXED, weights)
    return Arm(f"{name}, mixed p", "mindstorm", rule, people, exact, MEMBERS)


def _heap(rule: str, top: float, p: float) -> Arm:
    chances = (top, *(p,) * (TREE - 1))
    people = tuple(("solver", able, FOLLOWS if rule != "democracy" else 0.0, 1.0) for able in chances)
    return Arm(f"tree of {TREE}, {rule}, top {top}, p {p}", "hierarchy", rule, people, tree(rule, chances), TREE)


LOG_ODDS = [log(p / (1 - p)) for p in MIXED]
ARMS: dict[str, Arm] = {
    "democracy": _flat(MEMBERS, 0.6, 0.733),
    "coins": _flat(MEMBERS, 0.5),
    "fools": _flat(MEMBERS, 0.4),
    "alone .9": _crown("monarchy", 0.9, 0.6, 0.903),
    "alone .6": _crown("monarchy", 0.6, 0.6, 0.6),
    "alone .3": _crown("monarchy", 0.3, 0.6, 0.3),
    "advised .9": _crown("advised-monarchy", 0.9, 0.6, 0.784),
    "advised .6": _crown("advised-monarchy", 0.6, 0.6, 0.695),
    "advised .3": _crown("advised-monarchy", 0.3, 0.6, 0.605),
    "advised by coins": _crown("advised-monarchy", 0.9, 0.5),
    "log-odds": _scales("log-odds weights", "weighted", LOG_ODDS),
    "equal": _scales("equal weights", "weighted", [2.0] * MEMBERS),
    "mixed": _scales("democracy", "democracy", [1.0] * MEMBERS),
    "flat": _flat(TREE, 0.6),
    "tree": _heap("democracy", 0.6, 0.6),
    "tree of coins": _heap("democracy", 0.5, 0.5),
    "tree of fools": _heap("democracy", 0.4, 0.4),
    "strong top": _heap("advised-monarchy", 0.9, 0.55),
    "weak top": _heap("advised-monarchy", 0.3, 0.55),
}  # fmt: skip


def run() -> Experiment:
    """All arms on the same luck; each against its closed form, and against the arm it must beat or equal."""
    experiment = Experiment(
        "governance", f"{len(BATCHES) * SMALL} problems for {MEMBERS}, {len(BATCHES) * LARGE} for {TREE}",
        ["society", "right", "closed form", "spec", "calls a problem"],
    )  # fmt: skip
    played = {name: over(BATCHES, play, arm) for name, arm in ARMS.items()}
    right = {name: [each for batch in batches for each in batch.right] for name, batches in played.items()}
    for name, arm in ARMS.items():
        share, count = mean(right[name]), len(right[name])
        calls = {batch.calls / arm.problems for batch in played[name]}
        experiment.row(arm.name, share, arm.exact, arm.spec or "", arm.calls)
        for what, wanted in (("closed form", arm.exact), ("spec", arm.spec)):
            if wanted is not None:
                error = 3 * sqrt(wanted * (1 - wanted) / count)
                null = " (null)" if wanted == 0.5 else ""
                experiment.expect(f"{arm.name}{null}: off the {what}", abs(share - wanted), "<=", error)
        experiment.expect(
            f"{arm.name}: calls a problem", calls | {batch.planned for batch in played[name]}, "==", {arm.calls}
        )
    _expect_rules(experiment, right)
    _expect_trees(experiment, right)
    _expect_prompts(experiment, {name: batches[0].read for name, batches in played.items()})
    return experiment


def _expect_rules(experiment: Experiment, right: Mapping[str, Sequence[bool]]) -> None:
    def lower(what: str, better: str, worse: str) -> None:
        gain, half = paired(right[better], right[worse])
        experiment.expect(f"{what}, lower end", gain - half, ">", 0.0)

    lower("advice lifts a weak monarch", "advised .3", "alone .3")
    lower("advice lifts one like the others", "advised .6", "alone .6")
    lower("advice drags a strong monarch down", "alone .9", "advised .9")
    lower("coins (null) drag it further", "advised .9", "advised by coins")
    lower("weights by log-odds beat democracy", "log-odds", "mixed")
    experiment.expect("equal weights are democracy, answer by answer", right["equal"] == right["mixed"], "==", True)
    experiment.expect("fools (p .4): their vote is worse than one of them", mean(right["fools"]), "<", 0.4 - 0.1)


def _expect_trees(experiment: Experiment, right: Mapping[str, Sequence[bool]]) -> None:
    gain, half = paired(right["flat"], right["tree"])
    exact = ARMS["flat"].exact - ARMS["tree"].exact
    experiment.expect("what a tree loses to the flat vote, off the closed forms", abs(gain - exact), "<=", 1.53 * half)
    experiment.expect("what a tree loses to the flat vote, lower end", gain - half, ">", 0.0)
    experiment.expect("tree over one member (.6)", mean(right["tree"]), ">", 0.7)
    experiment.expect("a strong top (.9) is dragged down", mean(right["strong top"]), "<", 0.9 - 0.02)
    experiment.expect("a weak top (.3) is lifted", mean(right["weak top"]), ">", 0.3 + 0.2)
    experiment.expect("tree of fools (p .4) is worse than one fool", mean(right["tree of fools"]), "<", 0.4 - 0.1)


def _expect_prompts(experiment: Experiment, read: Mapping[str, Mapping[str, Any]]) -> None:
    """Quotations in journaled prompts, by the reader's role: who decides alone reads nobody, who is advised all."""
    experiment.expect("read by a monarch", read["alone .9"], "==", {"leader": {0}, "solver": {0}})
    experiment.expect("read by an advised one", read["advised .9"], "==", {"leader": {MEMBERS}, "solver": {0}})
    experiment.expect("read in a democracy", read["democracy"], "==", {"solver": {0}})
    experiment.expect("read in a tree", read["tree"], "==", {"solver": {0, BRANCHING}})
