"""Answers compared two at a time, by somebody who wrote neither: all pairs at once, or a bubble pass for the best."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Choice, Message
from swarmmind.topologies.drafts import Draft, Panel, attempt
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Question, Society

_WINNER = Choice(("A", "B"))
_ASK = "Which answer is better, A or B? Judge what they say, not how long they are or which stands first."


class Duel(NamedTuple):
    """Two answers, by their places, in the order in which they are shown, and who compares them."""

    first: int
    second: int
    judge: Agent


class Ranked(NamedTuple):
    """Answers, the best first, how often each won, and whether the budget ended the comparisons."""

    drafts: list[Draft]
    wins: list[int]
    stopped: bool = False


def duels(who: Panel, authors: Sequence[Agent], both_orders: bool = False) -> list[Duel]:
    """All pairs of answers by these authors, each once or in both orders, and then by the same judge.

    Once, every other pair has its later answer first, so that each stands first about half of the time.

    Raises:
        UserError: nobody may judge a pair.
    """
    found: list[Duel] = []
    for number, (a, b) in enumerate(combinations(range(len(authors)), 2)):
        judge = who.judge(number, authors[a], authors[b])
        pair = [Duel(a, b, judge), Duel(b, a, judge)]
        found.extend(pair if both_orders else pair[(a + b + 1) % 2 :][:1])
    return found


def fought(society: Society, drafts: Sequence[Draft], pairs: Sequence[Duel]) -> Steps[Ranked]:
    """Compare these pairs, all at once, and rank by wins; of equals the first is the better one.

    Raises:
        Failed: too few agents answered (see `Policy`).
    """
    wins, stopped = yield from _wins(society, drafts, pairs)
    return _ranking(drafts, wins, stopped)


def bubbled(society: Society, who: Panel, drafts: Sequence[Draft]) -> Steps[Ranked]:
    """Compare the best so far with the next one, one after another; only the first of the ranking means anything.

    Raises:
        Failed: too few agents answered (see `Policy`).
    """
    best, stopped = 0, False
    for place in range(1, len(drafts)):
        first, second = (best, place) if place % 2 else (place, best)
        duel = Duel(first, second, who.judge(place, drafts[first].author, drafts[second].author))
        wins, stopped = yield from _wins(society, drafts, [duel])
        if stopped:
            break
        best = place if wins[place] else best
    return _ranking(drafts, [int(place == best) for place in range(len(drafts))], stopped)


def _wins(society: Society, drafts: Sequence[Draft], pairs: Sequence[Duel]) -> Steps[tuple[list[int], bool]]:
    """How often each answer won; a comparison that failed is nobody's win."""
    said = yield from attempt(
        society,
        [duel.judge for duel in pairs],
        [_prompt(society.question, drafts[duel.first], drafts[duel.second]) for duel in pairs],
        _WINNER,
        observations=[_seen(society, drafts[duel.first], drafts[duel.second]) for duel in pairs],
    )
    wins = [0] * len(drafts)
    for duel, reply in zip(pairs, said.replies):  # noqa: B905  (nobody may have answered)
        if reply.ok:
            wins[duel.first if reply.value == "A" else duel.second] += 1
    return wins, said.stopped


def _ranking(drafts: Sequence[Draft], wins: Sequence[int], stopped: bool) -> Ranked:
    order = sorted(range(len(drafts)), key=lambda place: -wins[place])
    return Ranked([drafts[place] for place in order], [wins[place] for place in order], stopped)


def _prompt(question: Question, first: Draft, second: Draft) -> Message:
    parts = (question.text, quoted("answer A", first.text), quoted("answer B", second.text), _ASK)
    return Message("user", "\n\n".join(parts))


def _seen(society: Society, first: Draft, second: Draft) -> dict[str, object]:
    return {"question": society.question.text, "do": "compare", "answers": [first.text, second.text]}
