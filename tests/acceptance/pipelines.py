"""Hidden pipelines: 6 of 8 kinds of nodes in an order that the editor of a team only partly finds.

A pipeline is a workflow whose steps read each other one after the other. The editor is right at times, and at times it
answers with something illegal.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import msgspec

from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import Problems, WorkflowParameter
from swarmmind.optimizers.study import Scored
from swarmmind.ports import Request
from swarmmind.rng import Streams

KINDS = tuple("abcdefgh")
HIDDEN, BEGUN, SURPLUS = 6, 3, 0.03
RIGHT, ILLEGAL = 0.6, 0.3
TEAM = WorkflowParameter("team")


class Unchecked(msgspec.Struct, frozen=True):
    """A workflow that nobody checks."""

    kind: ClassVar[str] = "workflow"

    name: str
    about: str = ""

    def check(self, value: Any) -> Problems:
        """Nothing is ever wrong."""
        return []


def chained(kinds: Sequence[str]) -> dict[str, Any]:
    """A pipeline of these kinds; there is a role for every kind."""
    roles = [{"name": kind, "responsibility": f"does {kind}", "policy": f"Do {kind}."} for kind in KINDS]
    names = ["problem", *(f"s{at}" for at in range(len(kinds)))]
    steps = [
        {"name": name, "roles": [kind], "inputs": [before]}
        for before, name, kind in zip(names, names[1:], kinds, strict=False)
    ]
    return {"roles": roles, "steps": steps}


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for a in one:
        new = [0]
        for at, b in enumerate(other):
            new.append(row[at] + 1 if a == b else max(row[at + 1], new[at]))
        row = new
    return row[-1]


def worth(kinds: Sequence[str], hidden: Sequence[str]) -> float:
    """The share of the hidden pipeline that is there in its order, less a little for what is too much."""
    right = common(kinds, hidden)
    return right / HIDDEN - SURPLUS * (len(kinds) - right)


class World:
    """Scores pipelines; what is right is known after a training example."""

    def __init__(self, seed: int) -> None:
        rng = Streams(seed).rng("pipeline")
        self._hidden, self.start = rng.sample(KINDS, HIDDEN), rng.sample(KINDS, BEGUN)
        self._legal: dict[str, bool] = {}

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        """Free of noise; what is no legal workflow does nothing."""
        team = one.values["team"]
        found = [step["roles"][0] for step in team["steps"]] if self.legal(one) else []
        return Scored(worth(found, self._hidden), " ".join(found), target=" ".join(self._hidden))

    def legal(self, one: Candidate) -> bool:
        """Whether a candidate is a legal workflow."""
        if one.id not in self._legal:
            self._legal[one.id] = not TEAM.check(one.values["team"])
        return self._legal[one.id]

    def calls(self, one: Candidate) -> int:
        """None: it is a function."""
        return 0


class Edit(NamedTuple):
    """What may be done to a pipeline: `add` a kind at a place, `delete` what is there, `move` it to another place."""

    do: str
    at: int
    kind: str = ""
    to: int = 0

    def made(self, nodes: Sequence[Any]) -> list[Any]:
        """The nodes after it; one that is added is its kind."""
        if self.do == "add":
            return [*nodes[: self.at], self.kind, *nodes[self.at :]]
        rest = [*nodes[: self.at], *nodes[self.at + 1 :]]
        return rest if self.do == "delete" else [*rest[: self.to], nodes[self.at], *rest[self.to :]]


def edits(do: str, size: int) -> list[Edit]:
    """All that may be done in one way to a pipeline of a size."""
    if do == "add":
        return [Edit(do, at, kind) for kind in KINDS for at in range(size + 1)]
    if size < 2:
        return []
    if do == "delete":
        return [Edit(do, at) for at in range(size)]
    return [Edit(do, at, to=to) for at in range(size) for to in range(size) if to != at]


class Editor:
    """Critic and editor, as programs.

    Args:
        ways: in which the editor changes a pipeline, one at a time: as is best if it is right, else in another way. If
            none, it rewrites a task.
        sees: whether the critic says what is right.
        whole: whether the editor does its operations itself, without any check, and answers with the whole value.
    """

    def __init__(self, ways: Sequence[str], *, sees: bool = True, whole: bool = False) -> None:
        self._ways, self._sees, self._whole = ways, sees, whole
        self.was_illegal: list[bool] = []
        self.values: list[str] = []

    def __call__(self, request: Request, rng: random.Random) -> str:
        """An answer to any request."""
        seen = request.observation
        if seen["do"] == "judge":
            words = f"right: {seen['case']['target']}" if self._sees else "right: something else"
            return json.dumps({"critique": words, "kind": "wrong steps", "subject": "steps", "requirement": ""})
        value = seen["value"]
        told = [kind for kind in seen["critiques"][0]["text"].split() if kind in KINDS]
        operations = self._operations(value["steps"], told, rng)
        self.values.append(json.dumps(value))
        self.was_illegal.append(rng.random() < ILLEGAL)
        if self.was_illegal[-1]:
            operations.insert(rng.randrange(len(operations) + 1), _illegal(value["steps"], rng))
        if self._whole:
            return json.dumps({"value": json.dumps(_unchecked(value, operations)), "note": ""})
        return json.dumps({"operations": operations, "note": ""})

    def _operations(self, steps: Sequence[Any], told: Sequence[str], rng: random.Random) -> list[dict[str, Any]]:
        options = edits(rng.choice(self._ways), len(steps)) if self._ways else []
        if not options:
            return [{"op": "update_step", "name": steps[0]["name"], "task": f"Do it {rng.random()}."}]
        kinds = [step["roles"][0] for step in steps]
        if told:
            value = [worth(option.made(kinds), told) for option in options]
            right = rng.random() < RIGHT
            chosen = [option for option, one in zip(options, value, strict=True) if (one == max(value)) is right]
            options = chosen or options
        return _as_operations(steps, rng.choice(options))


def _as_operations(steps: Sequence[Any], edit: Edit) -> list[dict[str, Any]]:
    """An edit as operations, with the inputs of whoever reads somebody else after it."""
    names = [step["name"] for step in steps]
    fresh = next(f"n{at}" for at in range(1000) if f"n{at}" not in names)
    after: list[str] = edit._replace(kind=fresh).made(names)
    reads = dict(zip(after, ["problem", *after], strict=False))
    what: dict[str, Any] = {"op": f"{edit.do}_step", "name": fresh if edit.do == "add" else names[edit.at]}
    if edit.do != "delete":
        what["before"] = dict(pairwise(after)).get(what["name"], "")
    if edit.do == "add":
        what |= {"roles": [edit.kind], "inputs": [reads[fresh]], "aggregate": "join", "task": ""}
    had = {step["name"]: step["inputs"] for step in steps}
    changed = [name for name in after if name in had and had[name] != [reads[name]]]
    return [what, *({"op": "set_inputs", "name": name, "inputs": [reads[name]]} for name in changed)]


def _illegal(steps: Sequence[Any], rng: random.Random) -> dict[str, Any]:
    """An operation after which there is no legal workflow, whatever stands beside it."""
    last = steps[-1]["name"]
    lost = {"op": "add_step", "name": "lost", "aggregate": "join", "task": "", "before": last}
    return rng.choice(
        [
            {**lost, "roles": [KINDS[0]], "inputs": ["nowhere"]},
            {**lost, "roles": ["nobody"], "inputs": ["problem"]},
            {**lost, "roles": [KINDS[0]], "inputs": ["problem"]},
            {**lost, "roles": [KINDS[0]], "inputs": ["lost"]},
            {"op": "add_role", "name": KINDS[0], "responsibility": "again", "policy": "Again."},
        ]
    )


def _unchecked(value: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What comes of operations if nobody looks: those that name nothing do nothing."""
    new = copy.deepcopy(dict(value))
    for operation in operations:
        what, name = operation["op"], operation["name"]
        fields = {field: given for field, given in operation.items() if field not in ("op", "before")}
        members = new["roles" if what.endswith("role") else "steps"]
        mine = [one for one in members if one["name"] == name]
        if what.startswith("add"):
            mine = [fields]
        elif what.startswith(("set", "update")):
            for one in mine:
                one.update(fields)
            continue
        kept = [one for one in members if not any(one is other for other in mine)]
        places = [at for at, one in enumerate(kept) if one["name"] == operation.get("before")] or [len(kept)]
        members[:] = kept if what.startswith("delete") else [*kept[: places[0]], *mine[:1], *kept[places[0] :]]
    return new
