"""Self-consistency (Wang et al. 2022): independent samples, then the most frequent answer, counted in code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from typing import Annotated

from pydantic import Field

from swarmmind.agents.answers import plurality
from swarmmind.agents.prompts import remembered
from swarmmind.effects import Ask, Program, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.recall import exchange, recall, remember
from swarmmind.topologies.society import Society, Topology


def vote(ctx: Context, society: Society, samples: Annotated[int, Field(ge=1)] = 5) -> Program:
    """Ask for independent answers and return a reply that holds the most frequent one.

    Args:
        ctx: the program's place.
        society: its agents are asked in turn, the first one again after the last.
        samples: how many answers; at least 1. With a population of more than one, each agent gives
            at least one.

    Raises:
        Failed: too few agents answered (see `Policy`).
    """
    question = society.question
    count = max(samples, len(society.agents))
    voters = [society.agents[i % len(society.agents)] for i in range(count)]
    prompt = question.prompt()
    shown = yield from recall(society, voters, [question.text] * count)
    try:
        replies = yield [
            Ask(a, (*society.system(a), *remembered(traces, prompt)), question.output)
            for a, traces in zip(voters, shown, strict=True)
        ]
    except Stop as stop:
        replies = stop.results
    society.policy.check(replies)
    answers = [question.answer(reply) for reply in replies]
    said = zip(voters, replies, answers, strict=True)
    turns = [turn for a, reply, answer in said for turn in exchange(a, prompt, reply, answer)]
    with suppress(Stop):  # the votes are there, whether they can be remembered or not
        yield from remember(society, turns)
    yield [Record("votes", tally(answers))]
    return elected(answers, replies)


def vote_calls(society: Society, samples: int = 5) -> int:
    """Calls of a run in which every answer is readable at once."""
    return max(samples, len(society.agents))


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
