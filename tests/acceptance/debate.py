"""Debate must gain through agents who recognize a right answer when they read one, and through nothing else."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import prod, sqrt
from statistics import mean
from typing import NamedTuple

from swarmmind.agents.answers import final_text, plurality
from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Ask, Message, Nested, Outcome, Program, Reply
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.topologies import TOPOLOGIES, Question, Society
from swarmmind.topologies.vote import elected

from .experiment import Experiment
from .paired import over, paired, rehearse

OPTIONS = "abcd"
AGENTS, ROUNDS, DISTRACTOR = 5, 3, 0.8
BATCHES, QUESTIONS = range(600, 606), 500
FAKED = BATCHES[:2]
N = len(BATCHES) * QUESTIONS


class Row(NamedTuple):
    """How able the agents are, and what the spec measured with such agents.

    Attributes:
        p: the probability of a right first answer.
        q: of switching, if one is wrong and reads a right answer.
        w: otherwise, of taking over the plurality of what one reads.
        wanted: the shares of right answers of one agent, of a vote and of a debate.
    """

    p: float
    q: float
    w: float
    wanted: tuple[float, float, float]


ROWS = (
    Row(0.55, 0.6, 0.2, (0.551, 0.678, 0.972)),
    Row(0.35, 0.6, 0.2, (0.353, 0.334, 0.862)),
    Row(0.55, 0.0, 0.9, (0.551, 0.666, 0.667)),
    Row(0.35, 0.0, 0.9, (0.344, 0.325, 0.327)),
)

_QUOTED = re.compile(r"^\[([^\],]+)[^\]]*\]\n((?:^>.*\n?)+)", re.MULTILINE)
_MARK = re.compile(r"<<(\S+) in (\d)>>")


class Debaters:
    """The world: who is right at first, and what reading does. An agent knows nothing but the prompt, and luck.

    Luck is named by problem, agent and round, so that all arms share it. On ties of what it reads an agent keeps its
    own answer.
    """

    def __init__(self, row: Row, seed: int) -> None:
        self._row, self._streams = row, Streams(seed)

    def key(self, problem: str) -> str:
        """The right answer."""
        return self._streams.rng(f"{problem}/key").choice(OPTIONS)

    def say(self, request: Request, _: random.Random) -> str:
        """What an agent answers to a prompt."""
        name = request.agent.id
        problem = next(m.content for m in request.messages if m.role == "user").split("?")[0]
        own = next((m.content for m in reversed(request.messages) if m.role == "assistant"), None)
        found = _MARK.search(own or "")
        number = int(found[2]) + 1 if found else 1
        luck = self._streams.rng(f"{problem}/{name}/{number}")
        right = self.key(problem)
        others = [final_text(said.replace("> ", "")) or "" for _, said in _QUOTED.findall(request.messages[-1].content)]
        answer = self._revised(final_text(own) or "", others, right, luck) if own else self._first(right, luck)
        return f"<<{name} in {number}>>\nANSWER: {answer}"

    def _first(self, right: str, luck: random.Random) -> str:
        if luck.random() < self._row.p:
            return right
        at = OPTIONS.index(right)
        wrong = OPTIONS[at + 1 :] + OPTIONS[:at]
        return wrong[0] if luck.random() < DISTRACTOR else luck.choice(wrong[1:])

    def _revised(self, own: str, others: Sequence[str], right: str, luck: random.Random) -> str:
        recognizes, follows = luck.random() < self._row.q, luck.random() < self._row.w
        if recognizes and own != right and right in others:
            return right
        most = max((others.count(each) for each in others), default=0)
        first = {each for each in others if others.count(each) == most}
        return first.pop() if follows and len(first) == 1 else own


def fake(ctx: Context, society: Society, rounds: int, shows: str) -> Program:
    """A debate that asks one agent after the other and shows it the wrong thing, or (`others`) the right one."""
    agents, question = society.agents, society.question
    said: dict[str, Reply] = {}
    for number in range(rounds):
        before = dict(said)
        for agent in agents:
            source = said if shows == "leak" else before
            heard = [] if shows == "nothing" else [agent] if shows == "own" else [a for a in agents if a != agent]
            messages = [question.prompt()]
            if number:
                words = "\n\n".join(quoted(a.id, source[a.id].text or "") for a in heard)
                messages += [Message("assistant", before[agent.id].text or ""), Message("user", f"Look:\n\n{words}")]
            [said[agent.id]] = yield [Ask(agent, tuple(messages))]
    last = [said[agent.id] for agent in agents]
    return elected([question.answer(reply) for reply in last], last)


Arm = Callable[[Context, Society], Program]

ARMS: Mapping[str, Arm] = {
    "single": lambda ctx, society: TOPOLOGIES["solo"].program(ctx, society),
    "majority": lambda ctx, society: TOPOLOGIES["vote"].program(ctx, society, samples=AGENTS),
    "debate": lambda ctx, society: TOPOLOGIES["debate"].program(ctx, society, rounds=ROUNDS),
    "early": lambda ctx, society: TOPOLOGIES["debate"].program(ctx, society, rounds=ROUNDS, stop_on_agreement=True),
    "nothing": lambda ctx, society: fake(ctx, society, ROUNDS, "nothing"),
    "own": lambda ctx, society: fake(ctx, society, ROUNDS, "own"),
    "others": lambda ctx, society: fake(ctx, society, ROUNDS, "others"),
    "leak": lambda ctx, society: fake(ctx, society, ROUNDS, "leak"),
}


class Played(NamedTuple):
    """A batch of problems under one arm.

    Attributes:
        right: problem by problem, whether the result was right.
        calls: answered by the model.
        prompts: of round 2 and later, in the journal, if it was read.
        breaches: those of them, and of round 1, that do not hold exactly what the barrier allows.
    """

    right: list[bool]
    calls: int
    prompts: int
    breaches: int


def play(row: Row, arm: str, seed: int) -> Played:
    """A batch, in one run with one journal; each problem is a program of its own."""
    agents = [Agent(f"a{at}", "solver", model="m", index=at) for at in range(AGENTS)]
    world = Debaters(row, seed)
    problems = [f"Problem {number}" for number in range(QUESTIONS)]

    def one(problem: str) -> Callable[[Context], Program]:
        return lambda ctx: ARMS[arm](ctx, Society(agents, Window(0), Question(f"{problem}?")))

    def program(ctx: Context) -> Program:
        outcomes: list[Outcome] = yield [Nested(one(problem), problem.replace(" ", "-")) for problem in problems]
        return [final_text(outcome.value) for outcome in outcomes]

    logged = seed == BATCHES[0] and arm not in ("single", "majority")
    played = rehearse(program, ScriptedFunction(world.say), seed, with_journal=logged)
    right = [answer == world.key(problem) for answer, problem in zip(played.value, problems, strict=True)]
    checked = [barrier(row) for row in played.journal if row[0] == "result" and row[2] == "Ask"]
    return Played(right, played.asks, sum(late for late, _ in checked), sum(not kept for _, kept in checked))


def barrier(row: Sequence[str]) -> tuple[bool, bool]:
    """Of a journaled ask: whether it is of round 2 or later, and whether its prompt is what the barrier allows.

    That is: exactly the others' answers of the round before, under their names; in round 1 nobody's.
    """
    name, [messages, _] = row[3], json.loads(row[5])
    mark = _MARK.search(json.loads(row[6])["text"])
    assert mark is not None
    number = int(mark[2])
    told = messages[-1]["content"]
    there = {(author, *found) for author, said in _QUOTED.findall(told) for found in _MARK.findall(said)}
    others = [f"a{at}" for at in range(AGENTS) if f"a{at}" != name] if number > 1 else []
    exactly = there == {(other, other, str(number - 1)) for other in others}
    return number > 1, exactly and len(_MARK.findall(told)) == len(others)


def exact_majority(p: float) -> float:
    """The probability that the plurality of independent first answers, the first one on ties, is right."""
    share = (p, (1 - p) * DISTRACTOR, (1 - p) * (1 - DISTRACTOR) / 2, (1 - p) * (1 - DISTRACTOR) / 2)
    draws = product(range(len(share)), repeat=AGENTS)
    return sum(prod(share[each] for each in drawn) for drawn in draws if plurality(drawn) == 0)


def run() -> Experiment:
    """The spec's four rows, paired; fakes, early stop and the barrier on the first row."""
    experiment = Experiment(
        "debate", f"{AGENTS} agents, {ROUNDS} rounds, {len(OPTIONS)} options, {N} problems a row",
        ["p, q, w", "single", "majority", "debate", "debate - majority, paired"],
    )  # fmt: skip
    for row in ROWS:
        arms = {arm: over(BATCHES, play, row, arm) for arm in ("single", "majority", "debate")}
        _expect_row(experiment, row, arms)
        if row is ROWS[0]:
            _expect_fakes(experiment, row, arms)
    return experiment


def _right(batches: Iterable[Played]) -> list[bool]:
    return [right for batch in batches for right in batch.right]


def _expect_row(experiment: Experiment, row: Row, arms: Mapping[str, Sequence[Played]]) -> None:
    name = f"{row.p}, {row.q}, {row.w}"
    shares = {arm: mean(_right(batches)) for arm, batches in arms.items()}
    gain, half = paired(_right(arms["debate"]), _right(arms["majority"]))
    experiment.row(name, *shares.values(), f"{gain:+.3f} ± {half:.3f}")
    for (arm, share), wanted in zip(shares.items(), row.wanted, strict=True):
        experiment.expect(f"{name}: {arm}, off the spec's {wanted}", abs(share - wanted), "<=", _errors(wanted))
    for arm, exact in (("single", row.p), ("majority", exact_majority(row.p))):
        off = abs(shares[arm] - exact)
        experiment.expect(f"{name}: {arm}, off the exact {exact:.4f}", off, "<=", _errors(exact))
    if row.q:
        experiment.expect(f"{name}: gain over the majority, lower end", gain - half, ">=", 0.25)
    else:
        experiment.expect(f"{name} (null): gain over the majority, in half-widths", abs(gain) / half, "<=", 1.0)
        experiment.expect(f"{name} (null): half-width", half, "<=", 0.01)
    calls = {arm: {batch.calls / QUESTIONS for batch in batches} for arm, batches in arms.items()}
    experiment.expect(f"{name}: calls a problem", calls, "==", {"single": {1}, "majority": {5}, "debate": {15}})


def _errors(share: float) -> float:
    """Three standard errors of a share."""
    return 3 * sqrt(share * (1 - share) / N)


def _expect_fakes(experiment: Experiment, row: Row, arms: Mapping[str, Sequence[Played]]) -> None:
    society = Society([Agent("a", "solver")] * AGENTS, Window(0))
    counted = TOPOLOGIES["debate"].calls
    assert counted is not None
    experiment.expect("calls, as the topology says beforehand", counted(society, rounds=ROUNDS), "==", 15)
    for shows in ("nothing", "own"):
        batches = over(FAKED, play, row, shows)
        experiment.row(f"fake: shows {shows}", "", "", mean(_right(batches)), "")
        same = _right(batches) == _right(arms["majority"][: len(FAKED)])
        experiment.expect(f"fake: shows {shows}: is the majority, answer by answer", same, "==", True)
    early = over(FAKED, play, row, "early")
    calls = sum(batch.calls for batch in early) / (len(FAKED) * QUESTIONS)
    experiment.row("stops on agreement", "", "", mean(_right(early)), f"{calls:.2f} calls a problem")
    same = _right(early) == _right(arms["debate"][: len(FAKED)])
    experiment.expect("stops on agreement (nobody leaves one here): equal, answer by answer", same, "==", True)
    experiment.expect("stops on agreement: calls a problem", calls, "<", 14.0)
    late = AGENTS * (ROUNDS - 1) * QUESTIONS
    checked = {
        "debate": arms["debate"][0],
        "others": play(row, "others", BATCHES[0]),
        "leak": play(row, "leak", BATCHES[0]),
    }
    experiment.expect(
        "prompts checked", {name: each.prompts for name, each in checked.items()}, "==", dict.fromkeys(checked, late)
    )
    experiment.expect("debate: prompts that break the barrier", checked["debate"].breaches, "==", 0)
    experiment.expect("asked one by one, previous answers: breaches", checked["others"].breaches, "==", 0)
    same = checked["others"].right == checked["debate"].right
    experiment.expect("asked one by one, previous answers: equal, answer by answer", same, "==", True)
    leaked = (AGENTS - 1) * (ROUNDS - 1) * QUESTIONS  # all but the first agent of a round read something of it
    experiment.expect("a leak of this round's answers: breaches", checked["leak"].breaches, "==", leaked)
