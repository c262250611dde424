"""The routing world with flaws that are carried along: who reads an answer with a symptom writes one with it, too.

So a symptom at the end may stem from anybody, and only from somebody whose own answer shows it while nothing that it
read does. What is known at the end has to be passed back, answer by answer, to be of use.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Scored, Step
from swarmmind.ports import Request

from . import routing
from .routing import LAYERS, REPORTED, ROLES, WIDTH

JOINER = "joiner"
"""Stands at the end of the layers, and has no instructions that could be changed."""

CHAIN: dict[str, tuple[int, ...]] = {role: (at - 1,) if at else () for at, role in enumerate(ROLES)}
"""All of them, one after the other: whom each hears, by its number."""

LAYERED: dict[str, tuple[int, ...]] = {
    **{
        role: tuple((at // WIDTH - 1) * WIDTH + (at + more) % WIDTH for more in (0, 1)) if at >= WIDTH else ()
        for at, role in enumerate(ROLES)
    },
    JOINER: tuple(range((LAYERS - 1) * WIDTH, LAYERS * WIDTH)),
}
"""Five layers of three, who hear two of the layer before; and a joiner."""

_SYMPTOM = re.compile(r"symptom (\d+)")
_BLOCK = re.compile(r"^\[([^\],]+)[^\]]*\]\n((?:>.*(?:\n|$))+)", re.MULTILINE)


class World(routing.World):
    """Free of noise.

    Args:
        seed: of who needs what.
        ears: whom each hears.
    """

    def __init__(self, seed: int, ears: dict[str, tuple[int, ...]]) -> None:
        super().__init__(seed)
        self._ears = ears

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        """The score, and of training examples all that was said."""
        score = self.score(one.values)
        if not example.startswith("train"):
            return Scored(score)
        missing = self.missing(one.values)
        steps: list[Step] = []
        symptoms: list[list[int]] = []
        for role, ears in self._ears.items():
            carried = {rule for one in ears for rule in symptoms[one]}
            symptoms.append(sorted(carried.union(missing.get(role, ()))))
            output = f"{role} did its part. {_symptoms(symptoms[-1])}"
            prompt = "\n".join(
                [f"Do your part of {example}.", *(quoted(steps[i].agent, str(steps[i].output)) for i in ears)]
            )
            steps.append(Step(role, role, prompt, output, ears))
        report = _symptoms(symptoms[-1][:REPORTED])
        return Scored(score, steps[-1].output, report, tuple(steps), question=example)


class Block(NamedTuple):
    """A quotation in a prompt: whose, and the symptoms that it names."""

    author: str
    symptoms: list[int]


def blocks(prompt: str) -> list[Block]:
    """The quotations in a prompt, in order."""
    return [Block(author, _named(text)) for author, text in _BLOCK.findall(prompt)]


class Crew(routing.Crew):
    """Critics for `requirements` and `graph`, who know what stands in their prompts; the editor of the routing world.

    Args:
        passes_on: whether a critic tells those before it what is wanted; if not, it says so little that it is blank.
        looks: whether a critic looks for the symptom in what it is shown; if not, everybody is at fault.
        speaks: whether critiques say what is wrong.
    """

    def __init__(self, passes_on: bool = True, looks: bool = True, speaks: bool = True) -> None:
        super().__init__()
        self._passes_on, self._looks, self._speaks = passes_on, looks, speaks

    def __call__(self, request: Request, rng: random.Random) -> str:
        """An answer to any request."""
        do, prompt = request.observation["do"], request.messages[-1].content
        if do == "judge":
            return json.dumps(self._judge(blocks(prompt), "answer" if "role" in request.observation else "loss"))
        if do == "suggest":
            return json.dumps(self._suggest(blocks(prompt), request.observation["agent"], rng))
        if do == "trace-back":
            return json.dumps(self._trace(blocks(prompt), request.observation["of"]["instructions"], rng))
        return super().__call__(request, rng)

    def _judge(self, shown: Sequence[Block], what: str) -> dict[str, str]:
        """What the scorer reports, and nothing else: at the end nobody knows whose it is."""
        wanted = [rule for block in shown if block.author == "scorer" for rule in block.symptoms]
        free = f"Be free of this. {_symptoms(wanted)}"
        if what == "loss":
            return {"critique": "See the report.", "kind": "", "subject": "", "requirement": free}
        return {"critique": free, "kind": "other", "subject": "report"}

    def _suggest(self, shown: Sequence[Block], agent: str, rng: random.Random) -> dict[str, str]:
        wanted = [rule for block in shown if block.author == "requirement" for rule in block.symptoms]
        read = [rule for block in shown if block.author == "input" for rule in block.symptoms]
        wrote = [rule for block in shown if block.author == agent for rule in block.symptoms]
        before = [rule for rule in wanted if rule in read or not self._looks]
        requirement = f"Be free of this. {_symptoms(before)}" if before and self._passes_on else ""
        return {**self._fault(wanted, read, wrote, "suggestion", rng), "requirement": requirement}

    def _trace(self, shown: Sequence[Block], instructions: bool, rng: random.Random) -> dict[str, str]:
        """The prompt has the input, the answer, what was said of it, and what is to be judged, in this order."""
        read, wrote, *said, target = shown
        wanted = [rule for block in said for rule in block.symptoms]
        if instructions:
            return self._fault(wanted, read.symptoms, wrote.symptoms, "critique", rng)
        before = [rule for rule in wanted if rule in target.symptoms or not self._looks]
        text = f"Be free of this. {_symptoms(before)}" if before and self._passes_on else ""
        return {"critique": text, "kind": "other", "subject": "report"}

    def _fault(
        self, wanted: Sequence[int], read: Sequence[int], wrote: Sequence[int], field: str, rng: random.Random
    ) -> dict[str, str]:
        own = [rule for rule in wanted if not self._looks or (rule in wrote and rule not in read)]
        if not self._speaks:
            own = [rng.randrange(routing.RULES) for _ in own]
        subject = " and ".join(f"rule {rule}" for rule in dict.fromkeys(own))
        return {field: f"It lacks {subject}." if own else "", "kind": "missing instruction", "subject": subject}


def _named(text: str) -> list[int]:
    return list(dict.fromkeys(int(number) for number in _SYMPTOM.findall(text)))


def _symptoms(rules: Sequence[int]) -> str:
    return " ".join(f"There is symptom {rule}." for rule in rules) or "All is well."


def said(journal: Sequence[tuple[str, ...]], of: str) -> list[Any]:
    """What agents of a role were told, as their prompts stand in a journal."""
    asks = [row for row in journal if row[0] == "result" and row[2] == "Ask" and row[4] == of]
    return [json.loads(row[5])[0][-1]["content"] for row in asks]
