"""Scorers that compare texts: exactly, by their words, by a pattern, or with options."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any, cast

import regex

from swarmmind.agents.answers import final_text
from swarmmind.effects import Choice
from swarmmind.errors import UserError
from swarmmind.evals.scoring import Scoring

MAX_PATTERN_SECONDS = 1.0
"""How long a pattern may search one output; one that takes longer does not match."""


def exact() -> Scoring:
    """1 if the final answer is the target's text, or one of the target's texts.

    The final answer is what follows the last `ANSWER:`, else the whole output. Case, blanks, quotes and a closing
    full stop do not count: `ANSWER: "Paris".` matches `paris`, and it matches `[Paris, City of Light]`. `60%` does not
    match `60`; use `number` for that.
    """

    def score(output: Any, target: Any) -> float:
        answer = final_text(output)
        return float(answer is not None and any(answer == final_text(right) for right in accepted(target)))

    return Scoring(score)


def contains() -> Scoring:
    """1 if the final answer contains the target's text, or one of the target's texts, as whole words.

    The final answer is what follows the last `ANSWER:`, else the whole output. Case and how words are parted do not
    count: `ANSWER: It was Marie  Curie.` contains `marie curie` and `Curie`, not `Cur`. An answer that lists everything
    contains everything: where that may be, use `exact` or `f1`. See `mentions` for targets that must all be there.
    """

    def score(output: Any, target: Any) -> float:
        answer = final_text(output)
        phrases = [phrase for right in accepted(target) if (phrase := final_text(right)) is not None]
        return float(answer is not None and any(_has(answer, phrase) for phrase in phrases))

    return Scoring(score)


def accepted(target: Any) -> list[Any]:
    """Each of the right answers."""
    return cast("list[Any]", target) if isinstance(target, list) else [target]


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
        phrases = [words(line) for line in (target if isinstance(target, list) else str(target).splitlines())]
        phrases = [phrase for phrase in phrases if phrase]
        if not phrases:
            raise UserError(f"score.target: must be phrases, a list or one in each line, got {target!r:.60}")
        text = "" if output is None else words(output)
        return sum(_has(text, phrase) for phrase in phrases) / len(phrases)

    return Scoring(score, marked=False)


def _has(text: str, phrase: str) -> bool:
    """Whether a text has a phrase as whole words."""
    return regex.search(rf"(?<!\w){regex.escape(phrase)}(?!\w)", text) is not None


def words(text: Any) -> str:
    """A text with its case folded and one blank between words."""
    return " ".join(unicodedata.normalize("NFKC", str(text)).casefold().split())
