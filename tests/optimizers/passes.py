"""A case of four agents, a -> b, c -> d, and what a backward pass makes of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from swarmmind.effects import Program
from swarmmind.models.local import ScriptedFunction
from swarmmind.optimizers.parameters import Parameter, TextParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Case, Scored, Step
from swarmmind.optimizers.textual_backprop.backward import Backward
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import play
from tests.optimizers.hills import study

KIND = "missing instruction"


def diamond(name: str = "train-0") -> Case:
    """Everybody hears everybody before it in the diamond."""
    heard = {"a": (), "b": (0,), "c": (0,), "d": (1, 2)}
    steps = tuple(Step(f"{who}-1", who, f"told {who}", f"said {who}", of) for who, of in heard.items())
    return Case(name, Scored(0.0, "said d", "it is wrong", steps, question="What is it?", target="it"))


def texts(*roles: str) -> tuple[Parameter, ...]:
    """Instructions of these roles, each in a parameter called `<role>-text`."""
    return tuple(TextParameter(f"{role}-text", f"what {role} is for", role) for role in roles)


class Passed:
    """What came of a pass.

    Attributes:
        found: its critiques.
        asked: the observations of what it asked, in the journal's order of keys.
        prompts: the journaled prompts by whom they are about, in the order asked.
    """

    def __init__(self, found: list[Critique], asked: list[Any], prompts: list[str]) -> None:
        self.found, self.asked, self.prompts = found, asked, prompts


def passed(
    backward: Backward,
    roles: Sequence[str],
    cases: Sequence[Case],
    answers: Callable[[Any], dict[str, str] | str],
    folder: Path,
    parameters: Sequence[Parameter] = (),
    **values: Any,
) -> Passed:
    """Run a pass through the real driver; `answers` is the critic: from an observation to what it says."""
    tracked = (*texts(*roles), *parameters)
    given = study(tracked, {**{f"{role}-text": f"You are {role}." for role in roles}, **values})
    asked: list[Any] = []

    def say(request: Request, rng: random.Random) -> str:
        asked.append(request.observation)
        said = answers(request.observation)
        return said if isinstance(said, str) else json.dumps(said)

    def program(ctx: Context) -> Program:
        return backward(ctx, given, given.start[0], cases)

    played = play(program, folder / "j", model=ScriptedFunction(say))
    assert played.outcome.ok, played.outcome.failure
    rows = [row for row in content(folder / "j") if row[0] == "result" and row[2] == "Ask"]
    return Passed(played.outcome.value, asked, [json.loads(row[5])[0][-1]["content"] for row in rows])
