"""Majorities against the binomial (coordination.md, section 3), and votes by probability against their closed forms.

Every question is a nested run of the shipped `vote` with its own agents, through the real driver and journal. The
scripted voters are right with a known probability, or hold a known distribution which they sample from and, where
log-probabilities are wanted, say.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from math import comb, sqrt
from operator import eq
from typing import Any, NamedTuple

import msgspec

from swarmmind.effects import Agent, Ask, Choice, Nested, Program, Reply
from swarmmind.memory import Window
from swarmmind.models.local import Scripted, ScriptedFunction
from swarmmind.ports import Call, Context, Model, Request
from swarmmind.rng import Streams
from swarmmind.topologies import TOPOLOGIES, Question, Society

from .experiment import Experiment
from .paired import over, paired, rehearse

RIGHT = "right"
TWO, FOUR = (RIGHT, "wrong"), ("a", RIGHT, "b", "c")
LOGPROBS = r"\"logprobs\":true"  # in a journaled request
BATCH = 250  # questions per run, each run with a seed and a journal of its own
ORACLE = {(5, 0.6): 0.6826, (9, 0.6): 0.7334, (31, 0.6): 0.8716, (129, 0.6): 0.9893, (129, 0.4): 0.0107}
BATCHES = {5: 12, 9: 12, 31: 8, 129: 8}
KNOWS, SURE, UNSURE = 0.4, 0.9, 0.4  # two kinds of voters: how many know, and how probable the right option is to each
SOFT = (5, 9, 31)
SAMPLES = (1, 5, 25)


class Job(NamedTuple):
    """One run of `BATCH` questions.

    Attributes:
        arm: `count` and `soft` are the shipped vote, `first` is the fake that takes the first answer.
        voters: whose voters these are (see `_model`).
        agents: how many there are.
        options: of every question.
        p: how often a voter is right, for `scripted`.
        samples: for `count`; by default one per agent.
    """

    arm: str
    voters: str
    agents: int
    options: tuple[str, ...] = TWO
    p: float = 0.6
    samples: int = 0


class Played(NamedTuple):
    """The winner of every question, and how many asks that took.

    Attributes:
        likeliest: what the first voter holds to be likeliest, question by question, if it has beliefs.
        asks: answered by the model.
        weighed: asks in the journal that were for log-probabilities.
    """

    winners: list[str]
    likeliest: list[str]
    asks: int
    weighed: int

    def right(self) -> float:
        """The share of questions with the right winner."""
        return sum(winner == RIGHT for winner in self.winners) / len(self.winners)


class Believer:
    """Voters with distributions: they sample from them, and say them where log-probabilities are wanted.

    The belief of a voter about a question is the same in every arm and however often it is asked.
    """

    stateful = False

    def __init__(self, kind: str, seed: int) -> None:
        self._kind, self._streams = kind, Streams(seed)
        self._inner = ScriptedFunction(self._say)

    def answer(self, request: Request, call: Call) -> Any:
        reply = self._inner.answer(request, call)
        assert isinstance(reply, Reply)
        wanted = isinstance(request.output, Choice) and request.output.logprobs
        return msgspec.structs.replace(reply, probabilities=self._belief(request)) if wanted else reply

    async def close(self) -> None: ...

    def _belief(self, request: Request) -> dict[str, float]:
        assert isinstance(request.output, Choice)
        return self.belief(request.output.options, f"{request.messages[-1].content}/{request.agent.id}")

    def belief(self, options: tuple[str, ...], name: str) -> dict[str, float]:
        rng = self._streams.rng(name)
        if self._kind == "uniform":
            return dict.fromkeys(options, 1 / len(options))
        if self._kind == "two kinds":
            likely = SURE if rng.random() < KNOWS else UNSURE
            return {RIGHT: likely, "wrong": 1 - likely}
        weights = {option: rng.gammavariate(2.0, 1.0) * (1.5 if option == RIGHT else 1.0) for option in options}
        return {option: weight / sum(weights.values()) for option, weight in weights.items()}

    def _say(self, request: Request, rng: random.Random) -> str:
        likely = self._belief(request)
        return rng.choices(list(likely), list(likely.values()))[0]


def _model(job: Job, seed: int) -> Model:
    if job.voters == "scripted":
        return Scripted(job.p, answers=dict.fromkeys(map(_text, range(BATCH)), RIGHT))
    return Believer(job.voters, seed)


def _text(number: int) -> str:
    return f"Question {number} of many."


def _society(job: Job, number: int) -> Society:
    agents = [Agent(f"a{at}", "solver", model="m", index=at) for at in range(job.agents)]
    return Society(agents, Window(0), Question(_text(number), Choice(job.options)))


def _first(ctx: Context, society: Society) -> Program:
    """The cheapest fake of a vote: everybody is asked, and the first answer wins."""
    replies: list[Reply] = yield [Ask(a, (society.question.prompt(),), society.question.output) for a in society.agents]
    return replies[0].value


def _arm(job: Job, society: Society) -> Callable[[Context], Program]:
    if job.arm == "first":
        return partial(_first, society=society)
    parameters: Mapping[str, Any] = {"samples": job.samples or job.agents, "logprobs": job.arm == "soft"}
    return partial(TOPOLOGIES["vote"].program, society=society, **parameters)


def play(job: Job, seed: int) -> Played:
    """A batch of questions, as one run."""

    def many(ctx: Context) -> Program:
        outcomes = yield [Nested(_arm(job, _society(job, at)), f"q{at}") for at in range(BATCH)]
        return [outcome.value for outcome in outcomes]

    model = _model(job, seed)
    played = rehearse(many, model, seed, with_journal=job.arm == "soft")
    likeliest: list[str] = []
    if isinstance(model, Believer):
        beliefs = [model.belief(job.options, f"{_text(at)}/a0") for at in range(BATCH)]
        likeliest = [max(belief, key=lambda option: belief[option]) for belief in beliefs]
    weighed = sum(row[2] == "Ask" and LOGPROBS in row[5] for row in played.journal if row[0] == "result")
    return Played(played.value, likeliest, played.asks, weighed)


def majority(n: int, p: float) -> float:
    """How often more than half of n (odd) independent voters are right."""
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 + 1, n + 1))


def soft_majority(n: int) -> float:
    """How often the mean belief in the right one is above one half; if it is one half, the first sample decides."""
    total = 0.0
    for knowing in range(n + 1):
        share = comb(n, knowing) * KNOWS**knowing * (1 - KNOWS) ** (n - knowing)
        belief = (knowing * SURE + (n - knowing) * UNSURE) / n
        total += share * (belief if abs(belief - 0.5) < 1e-9 else float(belief > 0.5))
    return total


def error(share: float, count: int) -> float:
    """The standard error of a share."""
    return sqrt(share * (1 - share) / count)


def counted(batches: int, job: Job) -> Played:
    """So many batches of a job, the same seeds for every job, put together."""
    played = over(range(batches), partial(play, job))
    return Played(
        [winner for each in played for winner in each.winners],
        [likeliest for each in played for likeliest in each.likeliest],
        sum(each.asks for each in played),
        sum(each.weighed for each in played),
    )


def _gain(better: Played, worse: Played) -> tuple[float, float]:
    return paired([winner == RIGHT for winner in better.winners], [winner == RIGHT for winner in worse.winners])


class _Table:
    """Rows with their oracle, and the expectation that each is within three standard errors of it."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment

    def row(self, name: str, played: Played, oracle: float, asks_each: int) -> None:
        questions, got = len(played.winners), played.right()
        near = abs(got - oracle) / error(oracle, questions)
        self.experiment.row(name, questions, played.asks, got, oracle, f"{near:.1f}")
        self.experiment.expect(f"{name}: standard errors from {oracle:.4f}", near, "<=", 3.0)
        self.experiment.expect(f"{name}: asks", played.asks, "==", questions * asks_each)


def run() -> Experiment:
    """Counted votes, the fake that takes the first answer, votes by probability, and a null."""
    question = "is a majority as often right as the binomial says, and one distribution worth endless samples?"
    experiment = Experiment("votes", question, ["vote", "questions", "asks", "right", "oracle", "s.e. away"])
    table = _Table(experiment)
    _count(table)
    _soften(table)
    _endless(experiment)
    null = counted(8, Job("soft", "uniform", 9, FOUR))
    table.row("null: 9 who have no idea, by probability", null, 0.25, 9)
    return experiment


def _count(table: _Table) -> None:
    experiment = table.experiment
    votes: dict[tuple[int, float], Played] = {}
    for (n, p), oracle in ORACLE.items():
        experiment.expect(f"oracle of {n} at {p}", round(majority(n, p), 4), "==", oracle)
        votes[n, p] = counted(BATCHES[n], Job("count", "scripted", n, p=p))
        table.row(f"majority of {n}, each right {p:.0%}", votes[n, p], majority(n, p), n)
    fake = counted(BATCHES[9], Job("first", "scripted", 9))
    table.row("fake: the first of 9 answers", fake, 0.6, 9)
    away = abs(fake.right() - majority(9, 0.6)) / error(majority(9, 0.6), len(fake.winners))
    experiment.expect("the fake: standard errors from the majority's oracle", away, ">", 3.0)
    gain, half = _gain(votes[9, 0.6], fake)
    experiment.expect("majority of 9 over the fake, same voters", gain - half, ">=", 0.1)


def _soften(table: _Table) -> None:
    for n in SOFT:
        count = counted(BATCHES[n], Job("count", "two kinds", n))
        soft = counted(BATCHES[n], Job("soft", "two kinds", n))
        table.row(f"{n} with beliefs, one sample each, counted", count, majority(n, 0.6), n)
        table.row(f"{n} with beliefs, by probability", soft, soft_majority(n), n)
        gain, half = _gain(soft, count)
        wanted = soft_majority(n) - majority(n, 0.6)
        table.experiment.expect(
            f"{n}: gain {wanted:+.3f} of probabilities, off by", abs(gain - wanted), "<=", 1.53 * half
        )
        table.experiment.expect(f"{n}: asks for log-probabilities in the journal", soft.weighed, "==", soft.asks)


def _endless(experiment: Experiment) -> None:
    """One agent, four options: one distribution against 1, 5 and 25 samples of it, and the argmax that both aim at."""
    one = counted(8, Job("soft", "gamma", 1, FOUR))
    questions = len(one.winners)
    best = sum(likeliest == RIGHT for likeliest in one.likeliest) / questions
    experiment.row("one agent, one distribution", questions, one.asks, one.right(), best, "")
    agreeing = sum(map(eq, one.winners, one.likeliest))
    experiment.expect("one call gives the argmax: questions", agreeing, "==", questions)
    experiment.expect("one call: asks", one.asks, "==", questions)
    shares: list[float] = []
    for samples in SAMPLES:
        many = counted(8, Job("count", "gamma", 1, FOUR, samples=samples))
        shares.append(sum(map(eq, many.winners, one.likeliest)) / questions)
        experiment.row(
            f"one agent, {samples} samples: {shares[-1]:.3f} the argmax", questions, many.asks, many.right(), best, ""
        )
        experiment.expect(f"{samples} samples: asks", many.asks, "==", questions * samples)
    experiment.expect("more samples, more often the argmax", shares, "==", sorted(shares))
    experiment.expect("25 samples are not endless", shares[-1], "<", 1.0)
