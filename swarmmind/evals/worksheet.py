"""Rule-based explorers, workers and validators for worksheets: what a swarm is worth when skills are real but hidden.

A worksheet is a text with numbered parts, each of a kind and with a whole number for an answer:

    7. [base] What is the digit sum of the result of part 3 in base 5?

Explorers parse it, workers solve the parts of one kind well (their parameter `skill`) and all others badly, validators
solve every part again and slip now and then. None of them sees an answer key.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from datetime import date
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

from swarmmind.effects import Agent
from swarmmind.ports import Policy

SKILLED, UNSKILLED, SLIP = 0.95, 0.35, 0.04
"""How often a worker is right at its own kind and at others, and how often a validator misjudges."""

CONVINCED = 0.5
"""How often a worker takes over what a co-worker says of a part that is not of its kind."""

_PROPOSED = 8  # parts at a time
_PART = re.compile(r"^\s*(\d+)\.\s*\[(\w+)\]\s*(.+?)\s*$", re.MULTILINE)
_RESULTS = re.compile(r"the results? of parts? (\d+(?:(?:, | and )\d+)*)")
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_PAIRS = {"CM": 900, "CD": 400, "XC": 90, "XL": 40, "IX": 9, "IV": 4}


class Part(NamedTuple):
    """One part of a worksheet: its number, kind and text, and the parts whose results it needs."""

    number: int
    kind: str
    task: str
    needs: tuple[str, ...]


def parts(worksheet: str) -> list[Part]:
    """The parts of a worksheet, in its order."""
    return [Part(int(number), kind, task, needs(task)) for number, kind, task in _PART.findall(worksheet)]


def needs(task: str) -> tuple[str, ...]:
    """The numbers of the parts that a part refers to."""
    return tuple(number for found in _RESULTS.findall(task) for number in re.findall(r"\d+", found))


def solve(task: str, results: Mapping[str, str]) -> int | None:
    """The answer to a part; `None` if it cannot be read, or a result that it needs is missing or no number.

    Args:
        task: its text.
        results: answers by the numbers of parts.
    """
    try:
        text = _RESULTS.sub(lambda found: ", ".join(str(int(results[n])) for n in re.findall(r"\d+", found[1])), task)
        for pattern, rule in _RULES:
            found = re.fullmatch(pattern, text)
            if found:
                return rule(*found.groups())
    except (KeyError, ValueError):
        pass
    return None


def _from_roman(numeral: str) -> int:
    values = [_ROMAN[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(-value if value < after else value for value, after in zip(values, following, strict=True))


def _roman_letters(number: str) -> int:
    left, letters = int(number), 0
    for numeral, value in sorted((_ROMAN | _PAIRS).items(), key=lambda one: -one[1]):
        letters += len(numeral) * (left // value)
        left %= value
    return letters


def _digit_sum(number: str, base: str) -> int:
    left, total = int(number), 0
    while left:
        left, digit = divmod(left, int(base))
        total += digit
    return total


def _days(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def _weekday(day: str) -> int:
    return date.fromisoformat(day).isoweekday()


def _from_base(digits: str, base: str) -> int:
    return int(digits, int(base))


def _sum(numbers: str) -> int:
    return sum(map(int, re.findall(r"\d+", numbers)))


def _product(numbers: str) -> int:
    return prod(map(int, re.findall(r"\d+", numbers)))


def _remainder(number: str, divisor: str) -> int:
    return int(number) % int(divisor)


_RULES: list[tuple[str, Callable[..., int]]] = [
    (r"Which number is the Roman numeral ([IVXLCDM]+)\?", _from_roman),
    (r"How many letters has (\d{1,6}) as a Roman numeral\?", _roman_letters),
    (r"How many days is it from (\d{4}-\d\d-\d\d) to (\d{4}-\d\d-\d\d)\?", _days),
    (r"Which day of the week is (\d{4}-\d\d-\d\d)\? Answer 1 for Monday to 7 for Sunday\.", _weekday),
    (r"Which decimal number is (\w{1,12}) in base (\d{1,2})\?", _from_base),
    (r"What is the digit sum of (\d+) in base ([2-9]|[1-3]\d)\?", _digit_sum),
    (r"Add (.+)\.", _sum),
    (r"Multiply (.+)\.", _product),
    (r"What is the remainder of (\d+) divided by ([1-9]\d*)\?", _remainder),
]


class _Explorer:
    """Splits the worksheet into its parts, a few at a time; every other explorer begins at its end."""

    def __init__(self, agent: Agent) -> None:
        self._backwards = agent.index % 2 == 1
        self._left: list[Part] | None = None
        self._told: dict[str, Part] = {}

    def __call__(self, observation: Any, rng: random.Random) -> str:
        if self._left is None:
            self._left = parts(observation["task"])
            if self._backwards:
                self._left.reverse()
        again = [self._told[event] for event in observation["refused"] if event in self._told]
        proposed, self._left = (again + self._left)[:_PROPOSED], (again + self._left)[_PROPOSED:]
        self._told |= {str(part.number): part for part in proposed}
        return json.dumps({"events": [_event(part) for part in proposed]})


def _event(part: Part) -> dict[str, Any]:
    return {
        "id": str(part.number),
        "task": part.task,
        "requires": part.kind,
        "depends_on": list(part.needs),
        "priority": 0,
    }


class _Worker:
    """Solves parts; right with a probability that depends on its skill, which nobody is told."""

    def __init__(self, agent: Agent) -> None:
        self._skill = str(agent.parameters.get("skill", ""))

    def __call__(self, observation: Any, rng: random.Random) -> str:
        home = observation["requires"] == self._skill
        own, others = observation["own"], observation["others"]
        if others:
            answer = others[0] if not home and rng.random() < CONVINCED else own
            return _json(justification="I have read the other answers.", answer=str(answer or others[0]))
        right = solve(observation["task"], observation["results"])
        if right is None:
            return _json(justification="I lack a result or a rule for it.", answer="unknown")
        slipped = rng.random() >= (SKILLED if home else UNSKILLED)
        answer = right + rng.choice((-1, 1)) * rng.randint(1, 30) if slipped else right
        return _json(justification=f"By the rules for {observation['requires']}.", answer=str(answer))


class _Validator:
    """Solves parts again, and misjudges now and then; puts the answer together from the last part."""

    def __call__(self, observation: Any, rng: random.Random) -> str:
        if observation["do"] == "end":
            return _json(missing="nothing", end=True)
        if observation["do"] == "assemble":
            last = max(parts(observation["task"]), default=None)
            answer = observation["results"].get(str(last.number)) if last else None
            return f"ANSWER: {answer or 'unknown'}"
        right = solve(observation["task"], observation["results"])
        holds = right is not None and observation["answer"].strip() == str(right)
        accept = holds != (rng.random() < SLIP)
        return _json(reason="I get the same." if accept else "I get something else.", accept=accept)


def _json(**document: Any) -> str:
    return json.dumps(document)


def worksheet(agent: Agent) -> Policy:
    """Works on worksheets: explorers parse, workers solve parts of their `skill` well, validators solve them again."""
    if agent.role == "explorer":
        return _Explorer(agent)
    return _Worker(agent) if agent.role == "worker" else _Validator()


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"worksheet": worksheet})
