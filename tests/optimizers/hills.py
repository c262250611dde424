"""A small world for optimizers: digits that should be nines, an editor that raises them, everything counted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from swarmmind.effects import Agent, Ask, Limits, Message, Program, Text
from swarmmind.models.local import ScriptedFunction
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.conduct import Conclusion, Stops, conduct
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.study import Evaluator, Optimize, Scored, Split, Study
from swarmmind.ports import Context, Model, Request
from swarmmind.testing.play import MODEL, Played, play

CRITIC, EDITOR = Agent("critic", "critic", "You criticize.", MODEL), Agent("editor", "editor", "You edit.", MODEL)


def study(parameters: tuple[Parameter, ...], *start: Mapping[str, Any], train: int = 10, validate: int = 10) -> Study:
    """A study of these parameters."""
    return Study(
        parameters,
        tuple(candidate(values) for values in start),
        Split("train", [f"train-{at}" for at in range(train)], quotable=True),
        Split("validate", [f"validate-{at}" for at in range(validate)]),
        CRITIC,
        EDITOR,
        "making digits nines",
    )


class Function:
    """An evaluator that is a function: `(values, example, rep)` to a score or a `Scored`; counts what it is asked."""

    def __init__(self, score: Callable[[Mapping[str, Any], str, int], float | Scored]) -> None:
        self._score = score
        self.asked: list[tuple[str, str, int]] = []

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        self.asked.append((one.id, example, rep))
        found = self._score(one.values, example, rep)
        return found if isinstance(found, Scored) else Scored(found)

    def calls(self, one: Candidate) -> int:
        return 0


class Asking:
    """An evaluator that asks one agent per example: its answer is a number, the score."""

    def __init__(self, parameter: str) -> None:
        self._parameter = parameter

    def __call__(self, one: Candidate, example: str, rep: int) -> Callable[[Context], Program]:
        text = f"{example}: {one.values[self._parameter]}"

        def program(ctx: Context) -> Program:
            worker = Agent("worker", "worker", model=MODEL)
            [reply] = yield [Ask(worker, (Message("user", text),), Text(), observation=one.values)]
            if not reply.ok:
                return Scored(None, error=reply.failure.message, usage=reply.usage)
            return Scored(float(reply.value), reply.value, usage=reply.usage, question=text)

        return program

    def calls(self, one: Candidate) -> int:
        return 1


def conducted(
    optimizer: Optimize,
    given: Study,
    evaluator: Evaluator,
    journal: Path,
    *,
    answers: Callable[[Request, random.Random], str] | Model | None = None,
    stops: Stops | None = None,
    limits: Limits | None = None,
    seed: int = 7,
    **parameters: Any,
) -> tuple[Conclusion, Played]:
    """Run a study through the real driver, or go on with the one that the journal holds."""

    def program(ctx: Context) -> Program:
        return conduct(ctx, given, lambda at, one: optimizer(at, one, **parameters), evaluator, stops)

    model = ScriptedFunction(answers) if callable(answers) else answers
    played = play(program, journal, model=model, limits=limits, seed=seed)
    assert played.outcome.ok, played.outcome.failure
    return played.outcome.value, played


def document(**values: Any) -> str:
    """What a scripted critic or editor says."""
    return json.dumps(values)
