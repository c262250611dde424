"""Self-consistency (Wang et al. 2022): independent samples, then the most frequent answer, counted in code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from typing import Annotated

from pydantic import Field

from swarmmind.agents.answers import plurality
from swarmmind.agents.prompts import remembered
from swarmmind.effects import Agent, Ask, Choice, Output, Program, Record, Reply
from swarmmind.errors import Stop, UserError
from swarmmind.ports import Context
from swarmmind.topologies.pace import each
from swarmmind.topologies.recall import exchange, recall, remember
from swarmmind.topologies.society import Society, Topology
from swarmmind.traces import Trace


def vote(ctx: Context, society: Society, samples: Annotated[int, Field(ge=1)] = 5, logprobs: bool = False) -> Program:
    """Ask for independent answers and return a reply that holds the most frequent one.

    Args:
        ctx: the program's place.
        society: its agents are asked in turn, the first one again after the last.
        samples: how many answers; at least 1, and each agent gives at least one.
        logprobs: for a question of choices: ask every agent once, whatever `samples` is, and take the distribution of
            its answer for its vote; an agent whose server gives none casts a whole vote. One call then says what
            infinitely many samples at temperature 1 would.

    Raises:
        Failed: too few agents answered (see `Policy`).
    """
    question = society.question
    voters, output = _voters(society, samples, logprobs), _output(society, logprobs)
    prompt, seen = question.prompt(), {"question": question.text, "do": "answer"}
    shown = yield from recall(society, voters, [question.text] * len(voters))

    def ask(agent: Agent, traces: Sequence[Trace]) -> Ask:
        return Ask(agent, (*society.system(agent), *remembered(traces, prompt)), output, observation=seen)

    try:
        replies = yield (yield from each(ask, voters, shown))
    except Stop as stop:
        replies = stop.results
    society.policy.check(replies)
    answers = yield from each(question.answer, replies)
    turns = yield from each(exchange, voters, [prompt] * len(voters), replies, answers)
    with suppress(Stop):  # the votes are there, whether they can be remembered or not
        yield from remember(society, [entry for turn in turns for entry in turn])
    if not logprobs:
        yield [Record("votes", tally(answers))]
        return elected(answers, replies)
    weights = masses(replies)
    yield [Record("votes", weights)]
    return max(weights, key=lambda option: weights[option], default=None)


def vote_calls(society: Society, samples: int = 5, logprobs: bool = False) -> int:
    """Calls of a run in which every answer is readable at once.

    Raises:
        UserError: distributions are wanted of a question without options.
    """
    _output(society, logprobs)
    return len(_voters(society, samples, logprobs))


def _voters(society: Society, samples: int, logprobs: bool) -> Sequence[Agent]:
    count = len(society.agents)
    return society.agents if logprobs else [society.agents[i % count] for i in range(max(samples, count))]


def _output(society: Society, logprobs: bool) -> Output:
    output = society.question.output
    if not logprobs:
        return output
    if isinstance(output, Choice):
        return Choice(output.options, logprobs=True)
    raise UserError("logprobs: needs a question with options (score: {use: choice, options: [...]}), got one without")


def masses(replies: Iterable[Reply]) -> dict[str, float]:
    """How much of the votes each option has, to nine digits: a reply's distribution, or one vote for what it says.

    Options come in the order in which they were first given, and after them those that nobody gave, so that of several
    maxima the first one was given first.
    """
    there = [reply for reply in replies if reply.ok]
    votes: dict[str, float] = {reply.value: 0.0 for reply in there}
    for reply in there:
        for option, share in (reply.probabilities or {reply.value: 1.0}).items():
            votes[option] = votes.get(option, 0.0) + share
    return {option: round(mass, 9) for option, mass in votes.items()}


def elected(answers: Sequence[Hashable | None], replies: Sequence[Reply]) -> str | None:
    """What the first agent with the most frequent answer said; the first reply's value if no answer was found.

    Args:
        answers: what was read in each reply (see `Question.answer`).
        replies: as many.
    """
    winner = plurality(answers)
    for reply, answer in zip(replies, answers, strict=True):
        if reply.ok and (winner is None or answer == winner):
            return reply.value
    return None


def tally(answers: Iterable[Hashable | None]) -> dict[str, int]:
    """How many replies gave each answer."""
    return Counter(str(answer) for answer in answers if answer is not None)


TOPOLOGY = Topology(vote, vote_calls)
