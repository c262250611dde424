"""Scorers: output and target to a score in [0, 1]. None of them asks a model.

A scorer also says what agents are asked for (its `output`) and how an answer is found in prose (its `read`), so that
a vote counts what will be scored.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import Any

import regex

from swarmmind.agents.answers import EXACT, final_number, final_text
from swarmmind.effects import Choice
from swarmmind.errors import UserError
from swarmmind.evals.scoring import Scoring

MAX_PATTERN_SECONDS = 1.0
"""How long a pattern may search one output; one that takes longer does not match."""


def exact() -> Scoring:
    """1 if the final answer is the target's text.

    The final answer is what follows the last `ANSWER:`, else the whole output. Case, blanks, quotes and a closing
    full stop do not count: `ANSWER: "Paris".` matches `paris`. `60%` does not match `60`; use `number` for that.
    """

    def score(output: Any, target: Any) -> float:
        answer = final_text(output)
        return float(answer is not None and answer == final_text(target))

    return Scoring(score)


def number(tolerance: float = 0.0, relative: float = 0.0) -> Scoring:
    """1 if the final answer's number is the target's.

    The first number after the last `ANSWER:`, else the last number of the output: `so it is 1,234 km` gives 1234.

    Args:
        tolerance: the largest absolute difference that counts as equal.
        relative: the largest difference as a share of the target.

    Raises:
        UserError: a tolerance is negative.
    """
    if tolerance < 0 or relative < 0:
        raise UserError(f"score: tolerance and relative must not be negative, got {tolerance} and {relative}")

    def score(output: Any, target: Any) -> float:
        found, wanted = final_number(output), final_number(target)
        if found is None or wanted is None:
            return 0.0
        with localcontext(EXACT):
            allowed = max(Decimal(repr(tolerance)), Decimal(repr(relative)) * abs(wanted))
            return float(abs(found - wanted) <= allowed)

    return Scoring(score, final_number)


def choice(options: Sequence[str]) -> Scoring:
    """1 if the option is the target; agents are asked for exactly one of the options.

    Args:
        options: at least two different texts, e.g. `[A, B, C, D]`.

    Raises:
        UserError: there are fewer than two, or equal ones.
    """
    texts = tuple(str(option) for option in options)
    if len(set(texts)) != len(texts) or len(texts) < 2:
        raise UserError(f"score.options: must be at least two different texts, got {list(texts)!r:.80}")

    def score(output: Any, target: Any) -> float:
        return float(output is not None and str(output) == str(target))

    return Scoring(score, str, Choice(texts))


def pattern(ignore_case: bool = False) -> Scoring:
    """1 if the target, a regular expression, is found in the output. `\\b115\\b` is found in `The sum is 115.`.

    Raises (from the scorer):
        UserError: the target is not a regular expression.
    """

    def score(output: Any, target: Any) -> float:
        flags = regex.IGNORECASE if ignore_case else 0
        try:
            return float(regex.search(str(target), str(output), flags, timeout=MAX_PATTERN_SECONDS) is not None)
        except regex.error as error:
            raise UserError(f"score.target: not a regular expression: {error}") from None
        except TimeoutError:
            return 0.0

    return Scoring(score)


def mentions() -> Scoring:
    """1 if the output mentions every phrase of the target, else the share of those that it mentions.

    The target is a list of phrases, or a text with one in each line. The whole output counts. A phrase is mentioned if
    it stands there as whole words; case and how words are parted do not count: `Fire exits` is mentioned in
    `- the fire\\n  exits: all of them`, `exit` is not.

    Raises (from the scorer):
        UserError: the target holds no phrase.
    """

    def score(output: Any, target: Any) -> float:
        phrases = [_words(line) for line in (target if isinstance(target, list) else str(target).splitlines())]
        phrases = [phrase for phrase in phrases if phrase]
        if not phrases:
            raise UserError(f"score.target: must be phrases, a list or one in each line, got {target!r:.60}")
        text = "" if output is None else _words(output)
        found = (regex.search(rf"(?<!\w){regex.escape(phrase)}(?!\w)", text) is not None for phrase in phrases)
        return sum(found) / len(phrases)

    return Scoring(score, marked=False)


def _words(text: Any) -> str:
    return " ".join(unicodedata.normalize("NFKC", str(text)).casefold().split())


SCORERS: dict[str, Callable[..., Scoring]] = {
    "choice": choice,
    "exact": exact,
    "mentions": mentions,
    "number": number,
    "regex": pattern,
}
"""The names that a task's `score: {use: ...}` may give."""
