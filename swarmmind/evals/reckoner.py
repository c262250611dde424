"""Rule-based pupils who do sums, often from left to right, and judge each other's: peer ranking without a model.

    What is 7 + 3 * 5 - 4?      right is 18; from left to right it is 46

Whoever gets it wrong gets it wrong in the same way, so the mistake is popular and a majority elects it. Seeing two
answers is easier than finding one: a pupil judges better than it answers. Two parameters of an agent, in [0, 1]:
`accuracy` (.4), how often it answers right, and `judgment` (.75), how often it prefers the right one of two answers; a
clique that stands by its mistake has 0 of both.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from swarmmind.agents.answers import final_number
from swarmmind.effects import Agent
from swarmmind.ports import Policy

ACCURACY, JUDGMENT = 0.4, 0.75
_SUM = re.compile(r"What is (\d{1,6}(?: [-+*] \d{1,6}){1,40})\?")


def solve(question: str) -> tuple[int, int] | None:
    """The right result of a sum, and the one from left to right; `None` if the question holds no sum."""
    found = _SUM.search(question)
    if found is None:
        return None
    first, *steps = re.findall(r"(?:[-+*] )?\d+", found[1])
    total, term, hasty = 0, int(first), int(first)  # `term` is the product that is still growing
    for step in steps:
        sign, number = step[0], int(step[2:])
        if sign == "*":
            term, hasty = term * number, hasty * number
        else:
            number = number if sign == "+" else -number
            total, term, hasty = total + term, number, hasty + number
    return total + term, hasty


def reckoner(agent: Agent) -> Policy:
    """Does sums, often from left to right, and judges other answers to them a little better than it answers."""
    accuracy = float(agent.parameters.get("accuracy", ACCURACY))
    judgment = float(agent.parameters.get("judgment", JUDGMENT))

    def say(observation: Any, rng: random.Random) -> str:
        sure = rng.random()
        results = solve(str(observation["question"]))
        if observation.get("do") == "judge":
            held = [results is not None and final_number(text) == results[0] for text in observation["answers"]]
            better = (sure < judgment) == held[0] if held[0] != held[1] else rng.random() < 0.5
            return json.dumps({"reason": "I did the sum once more.", "choice": "A" if better else "B"})
        if results is None:
            return "I can only do sums.\nANSWER: unknown"
        right = sure < accuracy
        how = "Products first" if right else "From left to right"
        return f"{how}, it comes to {results[0 if right else 1]}.\nANSWER: {results[0 if right else 1]}"

    return say


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"reckoner": reckoner})
