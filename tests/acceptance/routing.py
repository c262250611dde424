"""A team of 5 layers of 3 agents, each of which lacks 2 rules of 40; what comes out at the end does not say who.

An answer shows the symptoms of what its own agent lacks. At the end of the pipe stands a report of at most 3 symptoms,
without their places. So a critic who sees an agent's own answer can tell whose symptom it is, and nobody else can.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from swarmmind.effects import Agent, Program
from swarmmind.models.local import ScriptedFunction
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.conduct import Conclusion, conduct
from swarmmind.optimizers.parameters import Parameter, TextParameter
from swarmmind.optimizers.study import Evaluator, Scored, Split, Step, Study
from swarmmind.optimizers.textual_backprop.program import textual_backprop
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams

from .paired import Rehearsed, rehearse

LAYERS, WIDTH, PRIVATE, RULES = 5, 3, 2, 40
REPORTED, PENALTY = 3, 0.02
ROLES = tuple(f"l{layer}-{letter}" for layer in range(1, LAYERS + 1) for letter in "abc"[:WIDTH])
BARE = "Do your part."

CRITIC, EDITOR = (Agent(name, name, f"You are the {name}.", "m") for name in ("critic", "editor"))

_SYMPTOM = re.compile(r"symptom (\d+)")
_RULE = re.compile(r"rule (\d+)")
_ANSWER = re.compile(r"^\[([^\],]+), answered[^\]]*\]\n((?:>.*\n?)+)", re.MULTILINE)
_REPORT = re.compile(r"^\[(?:scorer|critic)\]\n((?:>.*\n?)+)", re.MULTILINE)


def rules(text: str) -> list[int]:
    """Those that a text holds, or speaks of."""
    return sorted({int(number) for number in _RULE.findall(text)})


class World:
    """Who needs what, and what comes of what they have. Free of noise.

    Args:
        seed: of who needs what.
        phantom: whether the report is of symptoms that nobody has: nobody is at fault.
        shuffled: whether each measurement reports others of the symptoms, rather than the first.
    """

    def __init__(self, seed: int, phantom: bool = False, shuffled: bool = False) -> None:
        self._streams, self._shuffled = Streams(seed), shuffled
        drawn = self._streams.rng("needs").sample(range(RULES), len(ROLES) * PRIVATE)
        self.needs = {role: sorted(drawn[PRIVATE * at : PRIVATE * (at + 1)]) for at, role in enumerate(ROLES)}
        self._unneeded = sorted(set(range(RULES)) - set(drawn))
        self._phantom = phantom

    def missing(self, values: Mapping[str, str]) -> dict[str, list[int]]:
        """By role."""
        return {role: [rule for rule in self.needs[role] if rule not in rules(values[role])] for role in ROLES}

    def score(self, values: Mapping[str, str]) -> float:
        """The share of what is needed that is there, less a little for each rule that its agent does not need."""
        held = {role: rules(values[role]) for role in ROLES}
        right = sum(rule in self.needs[role] for role in ROLES for rule in held[role])
        return right / (len(ROLES) * PRIVATE) - PENALTY * (sum(map(len, held.values())) - right)

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        """The score; of training examples all that was said, too."""
        score = 0.5 if self._phantom else self.score(one.values)
        if not example.startswith("train"):
            return Scored(score)
        missing = self.missing(one.values)
        everywhere = (
            self._unneeded[:] if self._phantom else sorted(rule for lacks in missing.values() for rule in lacks)
        )
        if self._shuffled:
            self._streams.rng(f"report/{rep}").shuffle(everywhere)
        report = ", ".join(f"symptom {rule}" for rule in everywhere[:REPORTED])
        steps = tuple(
            Step(
                role,
                role,
                f"Do your part of {example}.",
                " ".join([f"{role} did its part.", *(f"There is symptom {rule}." for rule in missing[role])]),
                tuple(range(at - at % WIDTH - WIDTH, at - at % WIDTH)) if at >= WIDTH else (),
            )
            for at, role in enumerate(ROLES)
        )
        return Scored(score, "done", f"Seen at the end: {report}." if report else "", steps, question=example)

    def calls(self, one: Candidate) -> int:
        """None: it is a function."""
        return 0


class Crew:
    """Critics and the editor, as programs that read what they are shown.

    Args:
        right: how often a local critic names the rule that it sees is missing; else it names any rule.
        wipes: how often the editor empties a text instead.
    """

    def __init__(self, right: float = 1.0, wipes: float = 0.0) -> None:
        self._right, self._wipes = right, wipes

    def __call__(self, request: Request, rng: random.Random) -> str:
        """An answer to any request."""
        seen = request.observation
        if seen["do"] == "edit":
            return json.dumps(self._edit(seen, rng))
        prompt = request.messages[-1].content
        reported = [int(number) for block in _REPORT.findall(prompt) for number in _SYMPTOM.findall(block)]
        if seen["do"] == "criticize the whole":
            listed = ", ".join(f"symptom {rule}" for rule in dict.fromkeys(reported))
            return json.dumps({"critique": f"Seen at the end: {listed}.", "layers": []})
        shown = [(role, int(number)) for role, said in _ANSWER.findall(prompt) for number in _SYMPTOM.findall(said)]
        own = [(role, rule) for role, rule in dict.fromkeys(shown) if rule in reported]
        return json.dumps({"critiques": [self._critique(role, rule, rng) for role, rule in own]})

    def _critique(self, role: str, rule: int, rng: random.Random) -> dict[str, str]:
        named = rule if rng.random() < self._right else rng.randrange(RULES)
        text = f"It lacks rule {named}."
        return {"parameter": role, "kind": "missing instruction", "subject": f"rule {named}", "text": text}

    def _edit(self, seen: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
        if rng.random() < self._wipes:
            return {"value": BARE, "note": "emptied"}
        named = [rule for one in seen["critiques"] for rule in rules(one["subject"])]
        lines = [f"Heed rule {rule}." for rule in dict.fromkeys(named) if rule not in rules(seen["value"])]
        return {"value": "\n".join([seen["value"], *lines]), "note": f"added {len(lines)}"}


def study(start: Mapping[str, Any], parameters: tuple[Parameter, ...] | None = None, examples: int = 8) -> Study:
    """A study of the team's instructions, or of other parameters."""
    return Study(
        parameters or tuple(TextParameter(role, role=role) for role in ROLES),
        (candidate(start),),
        Split("train", [f"train-{at}" for at in range(examples)], quotable=True),
        Split("validate", [f"validate-{at}" for at in range(examples)]),
        CRITIC,
        EDITOR,
        "doing its part",
    )


def bare() -> dict[str, str]:
    """Nobody has any rule."""
    return dict.fromkeys(ROLES, BARE)


def solved(world: World) -> dict[str, str]:
    """Everybody has what it needs."""
    return {role: "\n".join([BARE, *(f"Heed rule {rule}." for rule in needed)]) for role, needed in world.needs.items()}


def optimized(
    given: Study,
    evaluator: Evaluator,
    answers: Callable[[Request, random.Random], str],
    seed: int,
    *,
    with_journal: bool = False,
    **parameters: Any,
) -> tuple[Conclusion, Rehearsed]:
    """Textual backpropagation through the real driver, with a journal of its own."""

    def program(ctx: Context) -> Program:
        return conduct(ctx, given, lambda at, one: textual_backprop(at, one, **parameters), evaluator)

    rehearsed = rehearse(program, ScriptedFunction(answers), seed, with_journal=with_journal)
    return rehearsed.value, rehearsed
