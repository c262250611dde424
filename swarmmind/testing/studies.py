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
from swarmmind.effects import Agent, Ask, Json, Message, Program, Record, Reply, Usage
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
from swarmmind.optimizers.study import Evaluate, Evaluator, Keep, Optimize, Scored, Split, Step, Study, Trial
from swarmmind.optimizers.tracing import measures
from swarmmind.ports import Context, Request
from swarmmind.testing.marks import MARK, Killed, filled, marked
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
CANARY = "canary-of-"
"""Stands in whatever a validation run says; what it is of follows."""

_LEVELS = 4  # of scores above 0
_ENDLESS = 5_000  # lists of one optimizer: it does not end


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


class Evaluating:
    """An evaluator that counts, and whose validation runs hold words that no prompt may hold.

    Args:
        score: says another score, from the number of the candidate and the example's, both from 0.
        missing: whether the first measurement of a split's first example has no score.
        kill_after: so many evaluations are begun, and the next one kills the run.

    Attributes:
        runs: what was asked for, as candidate, example and rep.
    """

    def __init__(
        self,
        *,
        score: Callable[[int, int], float] | None = None,
        missing: bool = False,
        kill_after: int | None = None,
    ) -> None:
        self._score, self._missing, self._kill_after = score, missing, kill_after
        self.runs: list[tuple[str, str, int]] = []
        self._numbers: dict[str, int] = {}

    def begin(self, evaluator: Evaluator, study: Study) -> None:
        """Whose scores these are."""
        self._evaluator, self._validating = evaluator, study.validate.ids
        self._examples = (*study.train.ids, *study.validate.ids)
        self._firsts = [split.ids[0] for split in (study.train, study.validate) if len(split.ids) > 1]

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored | Callable[[Context], Program]:
        """The evaluator's score, or the program that returns it.

        Raises:
            Killed: this is one evaluation too many.
        """
        if len(self.runs) == self._kill_after:
            raise Killed
        self.runs.append((one.id, example, rep))
        self._numbers.setdefault(one.id, len(self._numbers))
        if self._missing and example in self._firsts and self.runs.count((one.id, example, rep)) == 1:
            return Scored(None, error="the server is busy")
        run = self._evaluator(one, example, rep)
        if isinstance(run, Scored):
            return self._told(run, one, example)
        assert not isinstance(run, Trial)  # what is checked here is not executed elsewhere

        def program(ctx: Context) -> Program:
            scored = yield from run(ctx)
            return self._told(scored, one, example)

        return program

    def _told(self, run: Scored, one: Candidate, example: str) -> Scored:
        if self._score is not None and run.score is not None:
            score = self._score(self._numbers[one.id], self._examples.index(example))
            run = msgspec.structs.replace(run, score=score)
        if example not in self._validating:
            return run
        canary = f"{CANARY}{example}"
        steps = tuple(step._replace(prompt=f"{step.prompt} {canary}", output=canary) for step in run.steps)
        return msgspec.structs.replace(
            run, output=f"{run.output} {canary}", feedback=canary, question=canary, target=canary, steps=steps
        )

    def calls(self, one: Candidate) -> int | None:
        """What the evaluator says."""
        return self._evaluator.calls(one)


class Watched:
    """An optimizer whose yields are looked at.

    Args:
        program: the optimizer.
        parameters: its own.

    Attributes:
        asks: how many asks of it were answered.
    """

    def __init__(self, program: Optimize, parameters: Mapping[str, Any]) -> None:
        self._program, self._parameters = program, parameters
        self.asks = 0

    def __call__(self, ctx: Context, study: Study) -> Program:
        """The same program.

        Raises:
            TypeError: it yields something that no optimizer may.
            RuntimeError: it yields list after list without an end.
        """
        inner = self._program(ctx, study, **self._parameters)
        results: Any = None
        try:
            for _ in range(_ENDLESS):
                try:
                    wanted: Any = inner.send(results)
                except StopIteration as end:
                    return end.value
                _look(wanted)
                results = yield wanted
                self.asks += sum(isinstance(effect, Ask) for effect in wanted)
            raise RuntimeError(f"after {_ENDLESS:,} lists there is no end to it")
        finally:
            inner.close()


def _look(wanted: Any) -> None:
    if not isinstance(wanted, (list, tuple)):
        raise TypeError(f"an optimizer yields lists, got {type(wanted).__name__}")
    for effect in cast("list[Any]", wanted):
        if not isinstance(effect, (Evaluate, Ask, Keep, Record)):
            raise TypeError(f"an optimizer yields Evaluate, Ask, Keep and Record, got {type(effect).__name__}")


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
    """The same, but that a `value` loses every placeholder, and everything else that it should have."""
    said = helpful(request, mark)
    if isinstance(request.output, Json):
        document = msgspec.json.decode(said)
        if isinstance(document, dict) and "value" in document:
            return msgspec.json.encode({**document, "value": mark}).decode()
    return said


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
