"""A rule-based apprentice of a house whose rules nobody tells: what a swarm can learn by remembering.

The problems are of five kinds, four ciphers and a measure. Each says which rules there could be, and not which of them
is the house's:

    The caravel cipher moves every letter on in the alphabet by 1, 2, 3, 4 or 5 places.
    Write "copper" in the caravel cipher.

An apprentice can apply every rule. Which one it applies is what it was shown of earlier attempts: one that was judged
right tells the rule, one that was judged wrong excludes one, and without either it guesses. It says what it applied, so
that its attempt teaches the next. It keeps nothing to itself: what it knows is what stands in its prompt.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from swarmmind.effects import Agent
from swarmmind.ports import Policy

_CIPHER = re.compile(r'Write "([a-z]{1,40})" in the (\w+) cipher\.')
_SPANS = re.compile(r"How many house inches are (\d{1,9}) house spans\?")
_JUDGED = re.compile(r"\(was judged (right|wrong)\)\s*\Z")


class Rule(NamedTuple):
    """One way to solve a kind of problems.

    Attributes:
        words: the rule in a sentence, by which it is known again.
        apply: from the word or number of a problem to its answer.
    """

    words: str
    apply: Callable[[str], str]


def solve(question: str, rule: Rule) -> str:
    """The answer to a problem by a rule of its kind; empty if the problem cannot be read."""
    return rule.apply(_read(question)[1])


def candidates(question: str) -> Sequence[Rule]:
    """The rules there could be for a problem; none if its kind is unknown."""
    return RULES.get(_read(question)[0], ())


def _read(question: str) -> tuple[str, str]:
    """The kind of a problem, and the word or number it is about."""
    if found := _CIPHER.search(question):
        return found[2], found[1]
    found = _SPANS.search(question)
    return ("spans", found[1]) if found else ("", "")


# --- the rules of the world -------------------------------------------------------------------------------------------


def _moved(word: str, first: int, more: int) -> str:
    return "".join(chr((ord(letter) - 97 + first + more * at) % 26 + 97) for at, letter in enumerate(word))


def _all_but_vowels(word: str) -> str:
    return re.sub("[aeiou]", "", word)


def _each_half_turned(word: str) -> str:
    half = len(word) // 2
    return word[:half][::-1] + word[half:][::-1]


def _halves_swapped(word: str) -> str:
    return word[len(word) // 2 :] + word[: len(word) // 2]


def _neighbors_swapped(word: str) -> str:
    return "".join(word[at : at + 2][::-1] for at in range(0, len(word), 2))


def _ends_swapped(word: str) -> str:
    return word[-1:] + word[1:-1] + word[0] if len(word) > 1 else word


def _caravel(places: int) -> Rule:
    return Rule(f"The caravel cipher moves every letter on by {places}.", partial(_moved, first=places, more=0))


def _ladder(places: int) -> Rule:
    words = f"The ladder cipher moves the first letter on by {places}, and each one after it by one place more."
    return Rule(words, partial(_moved, first=places, more=1))


def _times(spans: str, inches: int) -> str:
    return str(inches * int(spans))


def _span(inches: int) -> Rule:
    return Rule(f"A house span is {inches} house inches.", partial(_times, inches=inches))


_MIRROR: dict[str, Callable[[str], str]] = {
    "turns the whole word round": lambda word: word[::-1],
    "turns each half of the word round": _each_half_turned,
    "swaps the halves of the word": _halves_swapped,
    "swaps neighbors, two by two": _neighbors_swapped,
    "swaps the first and the last letter": _ends_swapped,
}
_HOLLOW: dict[str, Callable[[str], str]] = {
    "leaves out the vowels": _all_but_vowels,
    "leaves out the first letter": lambda word: word[1:],
    "leaves out the last letter": lambda word: word[:-1],
    "leaves out the first and the last letter": lambda word: word[1:-1],
    "leaves out every second letter": lambda word: word[::2],
}
_RULES: dict[str, list[Rule]] = {
    "caravel": [_caravel(places) for places in range(1, 6)],
    "mirror": [Rule(f"The mirror cipher {words}.", apply) for words, apply in _MIRROR.items()],
    "hollow": [Rule(f"The hollow cipher {words}.", apply) for words, apply in _HOLLOW.items()],
    "ladder": [_ladder(places) for places in range(5)],
    "spans": [_span(inches) for inches in range(8, 13)],
}
RULES: Mapping[str, Sequence[Rule]] = MappingProxyType(_RULES)
"""By kind: the rules there could be. Which one is the house's stands nowhere here."""


# --- the apprentice ---------------------------------------------------------------------------------------------------


def choose(rules: Sequence[Rule], shown: Iterable[Mapping[str, Any]], rng: random.Random) -> Rule:
    """The rule that what is shown speaks for, the first shown one if there are several; else one that it allows.

    Args:
        rules: at least one.
        shown: what the prompt quotes, each with its `kind` and its `text`. Episodes count as they were judged;
            patterns and facts come from what was judged right.
        rng: for guessing.
    """
    right: list[Rule] = []
    wrong: list[Rule] = []
    for trace in shown:
        judged = _JUDGED.search(trace["text"])
        if judged or trace["kind"] in ("pattern", "fact"):
            told = [rule for rule in rules if rule.words in trace["text"]]
            (wrong if judged and judged[1] == "wrong" else right).extend(told)
    allowed = [rule for rule in rules if rule not in wrong] or rules
    return next((rule for rule in right if rule in allowed), None) or rng.choice(allowed)


def _answer(observation: Any, rng: random.Random) -> str:
    question = str(observation["question"])
    rules = candidates(question)
    if not rules:
        return "I know no rule for this.\nANSWER: unknown"
    rule = choose(rules, observation.get("shown", ()), rng)
    return f"{rule.words}\nANSWER: {solve(question, rule)}"


def apprentice(agent: Agent) -> Policy:
    """Solves house ciphers by the rule that its prompt tells from earlier attempts, else by a guess."""
    return _answer


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"apprentice": apprentice})
