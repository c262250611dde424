"""A small study for any optimizer: one parameter of each kind it changes, and who answers in it.

Everybody's words depend on the effect's key alone; an example's score is read from the last worker's words, so it goes
through the journal like everything that is paid for.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import msgspec

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Ask, Json, Message, Program, Reply, Usage
from swarmmind.models.example_json import example
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.parameters import (
    ChoiceParameter,
    EdgesParameter,
    GraphParameter,
    NumberParameter,
    Parameter,
    TextParameter,
    WorkflowParameter,
)
from swarmmind.optimizers.study import Scored, Split, Step, Study
from swarmmind.optimizers.tracing import measures
from swarmmind.ports import Context, Request
from swarmmind.testing.marks import MARK, filled, marked
from swarmmind.testing.play import MODEL

_ROLES = ("drafter", "checker")
_EDGES = ("drafter > checker", "drafter > judge", "checker > judge")
_TEAM: dict[str, Any] = {
    "roles": [{"name": role, "responsibility": f"It is the {role}.", "policy": f"Be a {role}."} for role in _ROLES],
    "steps": [
        {"name": "draft", "roles": ["drafter"], "task": "Write an answer."},
        {"name": "check", "roles": ["checker"], "task": "Improve it.", "inputs": ["draft"]},
    ],
}
_PARAMETERS: tuple[tuple[Parameter, Any], ...] = (
    (TextParameter("drafter", "how to draft", "drafter", frozenset({"question"})), "Draft {{ question }}."),
    (TextParameter("checker", "how to check", "checker", frozenset({"question"})), "Check {{ question }}."),
    (ChoiceParameter("topology", ("chain", "vote", {"kind": "ring", "k": 2}), "who hears whom"), "chain"),
    (NumberParameter("temperature", 0.0, 2.0, about="of all"), 0.7),
    (NumberParameter("evaporation", 0.001, 1.0, "log", about="of pheromones"), 0.1),
    (NumberParameter("rounds", 1, 9, integer=True, about="of debate"), 2),
    (GraphParameter("graph", _ROLES), {"nodes": list(_ROLES), "edges": [["drafter", "checker"]]}),
    (EdgesParameter("edges", _EDGES), dict.fromkeys(_EDGES, 0.0)),
    (WorkflowParameter("team", "the team"), _TEAM),
)
_LEVELS = 4  # of scores above 0


def study_for(kinds: Collection[str], train: int = 6, validate: int = 4) -> Study:
    """A study whose parameters are of these kinds; its agents' model is the one of `play`."""
    known = [(parameter, value) for parameter, value in _PARAMETERS if parameter.kind in kinds]
    critic, editor = (Agent(role, role, f"You are the {role}.", MODEL) for role in ("critic", "editor"))
    return Study(
        tuple(parameter for parameter, _ in known),
        (candidate({parameter.name: value for parameter, value in known}),),
        Split("train", [f"train-{at}" for at in range(train)], quotable=True),
        Split("validate", [f"validate-{at}" for at in range(validate)]),
        critic,
        editor,
        "answering questions",
    )


class Team:
    """An evaluator whose workers are asked one after the other, each shown what the one before it said.

    Who they are a candidate's workflow says, or else its texts: at most two.
    """

    def __init__(self, study: Study) -> None:
        self._roles = [p.role for p in study.parameters if isinstance(p, TextParameter) and p.role]
        self._teams = [p.name for p in study.of("workflow")]

    def _workers(self, one: Candidate) -> list[str]:
        named = [role["name"] for team in self._teams for role in one.values[team]["roles"]]
        return (named or self._roles or ["worker"])[:2]

    def __call__(self, one: Candidate, example: str, rep: int) -> Callable[[Context], Program]:
        """A run on an example."""
        about = json.dumps(dict(one.values), sort_keys=True)

        def program(ctx: Context) -> Program:
            usage, said = Usage(), list[Step]()
            for role in self._workers(one):
                agent = Agent(f"{role}-0", role, model=MODEL)
                before = [quoted(step.agent, step.output or "") for step in said[-1:]]
                prompt = "\n".join((f"{example}: {about}", *before))
                [reply] = cast("list[Reply]", (yield [Ask(agent, (Message("user", prompt),))]))
                usage += reply.usage
                if reply.failure is not None:
                    return Scored(None, error=reply.failure.message, usage=usage)
                heard = (len(said) - 1,) if said else ()
                said.append(Step(agent.id, role, prompt, reply.text, heard))
            score = int(MARK.findall(said[-1].output or "")[-1][-2:], 16) % (_LEVELS + 1) / _LEVELS
            steps = tuple(said)
            return Scored(score, steps[-1].output, "", steps, measures(steps, usage), usage, f"Question {example}?")

        return program

    def calls(self, one: Candidate) -> int:
        """One for each worker."""
        return len(self._workers(one))


def helpful(request: Request, mark: str) -> str:
    """What a critic or editor says that means well: a document of the wanted shape, in which a `value` is a new one of
    what was shown, and a `parameter` is one of those it was asked about. Everybody else says a marked sentence.
    """
    output, asked = request.output, request.observation
    if not isinstance(output, Json) or not isinstance(asked, Mapping):
        return marked(request, mark)
    document = filled(example(_generous(output.schema), random.Random(mark)), mark)
    if isinstance(document, dict) and isinstance(document.get("value"), str) and "value" in asked:
        document["value"] = _changed(asked["value"], mark)
    names = [name for name in asked.get("parameters", ()) if isinstance(name, str)]
    if names:
        _name(document, names[int(mark[-2:], 16) % len(names)], mark)
    return msgspec.json.encode(document).decode()


def useless(request: Request, mark: str) -> str:
    """What one says that got the shape right and nothing else: a `value` loses every placeholder."""
    output = request.output
    if not isinstance(output, Json):
        return marked(request, mark)
    return msgspec.json.encode(filled(example(_generous(output.schema), random.Random(mark)), mark)).decode()


def _generous(schema: Any) -> Any:
    """The same schema, whose lists are not empty."""
    if isinstance(schema, list):
        return [_generous(one) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    known = {name: _generous(value) for name, value in cast("dict[str, Any]", schema).items()}
    return {**known, "minItems": max(1, known.get("minItems", 0))} if known.get("type") == "array" else known


def _changed(value: Any, mark: str) -> str:
    """A new value for a text, or for a workflow, whose first policy changes; for anything else the same."""
    if isinstance(value, str):
        return f"{MARK.sub('', value).rstrip()}\n{mark}"
    if isinstance(value, Mapping) and "roles" in value:
        first, *others = value["roles"]
        return json.dumps({**value, "roles": [{**first, "policy": _changed(first["policy"], mark)}, *others]})
    return json.dumps(value)


def _name(document: Any, name: str, mark: str) -> None:
    """Have every `parameter` of a document that is no name yet be this one."""
    for inner in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        _name(inner, name, mark)
    if isinstance(document, dict) and document.get("parameter") == mark:
        document["parameter"] = name
