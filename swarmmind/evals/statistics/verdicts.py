"""What a difference means, in a word and in a sentence."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from swarmmind.evals.table import Verdict

_SAME = 0.05  # tokens that differ by less are the same
_PLACES, _LONG = 6, 1e12  # beyond, powers of ten say more


class Finding(NamedTuple):
    """A difference with what is known of it; see `table.Difference`.

    Attributes:
        first: the name of the arm that is asked about.
        second: of the one that it is compared with.
        why: what the second is to the first.
        mean: the first less the second.
        low: of the 95 % interval; `None` if nothing can be said.
        high: likewise.
        instances: how many both have scores for.
        seeds: how many of each.
        detectable: the smallest difference that would show; `None` if unknown.
        seeds_needed: to show one as large as seen; `None` if never, or unknown.
        tokens: what the first spent over what the second spent; `None` if unknown.
        worlds: whether each instance is the only one of its case.
    """

    first: str
    second: str
    why: Literal["arm", "control", "baseline", "floor"]
    mean: float
    low: float | None
    high: float | None
    instances: int
    seeds: int
    detectable: float | None = None
    seeds_needed: int | None = None
    tokens: float | None = None
    worlds: bool = False


def verdict(found: Finding, margin: float | None = None) -> tuple[Verdict, str]:
    """The verdict, and a sentence with its numbers.

    * `no difference`: the whole interval is closer to 0 than the margin. Without a margin nobody can say that.
    * `better`, `worse`: the interval does not hold 0.
    * `cannot tell`: it does, or there is none; the sentence says what would show.

    Args:
        found: what is known.
        margin: the largest difference that does not matter, in the units of the scores.
    """
    said = _said(found.low, found.high, margin)
    sentence = _sentence(found)
    if said == "cannot tell":
        return said, f"cannot tell: {sentence}; {_more(found)}"
    if said == "no difference":
        return said, f"{sentence}: too small to matter (less than {_number(margin or 0.0, found)})"
    if found.why == "control":
        return said, f"{sentence}: it {'helps' if said == 'better' else 'hurts'}"
    return said, f"{sentence}: {said}"


def _said(low: float | None, high: float | None, margin: float | None) -> Verdict:
    if low is None or high is None:
        return "cannot tell"
    if margin is not None and -margin < low and high < margin:
        return "no difference"
    return "better" if low > 0 else "worse" if high < 0 else "cannot tell"


def _sentence(found: Finding) -> str:
    more = found.mean >= 0
    ends = ""
    if found.low is not None and found.high is not None:
        low, high = (found.low, found.high) if more else (-found.high, -found.low)
        ends = f" [{_number(low, found)}, {_number(high, found)}]"
    seeds = f"{found.seeds} {_noun('seed', found.seeds)}"
    what = "world" if found.worlds else "problem"
    size = f"{found.instances} {_noun(what, found.instances)} x {seeds}" if found.instances > 1 else seeds
    words = (
        f"{found.first} scores {_number(abs(found.mean), found)}{ends} {'more' if more else 'less'} than {found.second}"
    )
    return f"{words}{_spent(found)} ({size})"


def _spent(found: Finding) -> str:
    if found.tokens is None:
        return ""
    if abs(found.tokens - 1) <= _SAME:
        return " for the same tokens"
    return f" for {found.tokens:.2g} times the tokens" if found.why != "floor" else ""


def _more(found: Finding) -> str:
    """What would let one tell."""
    if found.low is None:
        return "so few independent episodes say nothing of chance"
    if found.detectable is None:
        return "no difference was seen at all"
    if found.seeds_needed is not None:
        return f"{found.seeds_needed} seeds would show a difference of {_number(abs(found.mean), found)}"
    more = "worlds" if found.worlds else "problems"
    return f"only a difference of {_number(found.detectable, found)} would show, and with more {more} a smaller one"


def _number(value: float, found: Finding) -> str:
    """With so many places that the interval's width has two digits."""
    width = 0.0 if found.low is None or found.high is None else found.high - found.low
    width = width or abs(found.mean) or 1.0
    places = max(1 - math.floor(math.log10(width)), 0)
    return f"{value:,.{places}f}" if places <= _PLACES and abs(value) < _LONG else f"{value:.3g}"


def _noun(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
