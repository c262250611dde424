"""A team's work as data: steps, who works in each, and what each reads.

    [{"name": "draft", "roles": ["worker"], "task": "Write a plan."},
     {"name": "check", "roles": ["validator"], "inputs": ["draft"], "aggregate": "vote"}]

It is interpreted and never executed, so that optimizers may rewrite it and whatever they wrote can be told what is
wrong with it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from swarmmind.errors import near
from swarmmind.spec.source import show, show_path

PROBLEM = "problem"
"""The name of what is there before any step."""

GATES = ("node", "edge", "structure")
"""What is judged of a workflow, in this order."""

Aggregate: TypeAlias = Literal["join", "vote", "refine"]

_MOST_SHOWN = 20  # problems of one gate
_LONGEST_CIRCLE = 10  # steps of it that are named


def _listed(value: Any) -> Any:
    """JSON has lists only."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise ValueError(f"must be distinct, got {show(name)} twice")
    return names


def _whole(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds half a character (a lone surrogate), which no server takes")
    return text


_Names: TypeAlias = Annotated[
    tuple[str, ...], BeforeValidator(_listed), Field(min_length=1, max_length=1000), AfterValidator(_distinct)
]


class Step(BaseModel):
    """One piece of the work.

    Attributes:
        name: what others call it; unique in its workflow.
        roles: every agent that has one of them works in it, in this order.
        inputs: what it waits for and reads: names of other steps. `problem` is what everybody is told anyway; a step
            that reads nothing else begins at once.
        aggregate: what becomes of the answers. `join`: all of them go on. `vote`: all are asked at once and the most
            frequent answer goes on. `refine`: one after the other improves what the one before it wrote.
        task: what is to be done in it, in words; part of the prompt as it stands.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,60}$")]
    roles: _Names
    inputs: _Names = (PROBLEM,)
    aggregate: Aggregate = "join"
    task: Annotated[str, AfterValidator(_whole)] = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The steps among its inputs."""
        return tuple(name for name in self.inputs if name != PROBLEM)


class Workflow(BaseModel):
    """All of the work; it has passed the gates that need no population.

    Attributes:
        steps: the last one gives the deliverable; the order of the others means nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    steps: Annotated[tuple[Step, ...], BeforeValidator(_listed), Field(min_length=1)]

    @model_validator(mode="after")
    def _holds_together(self) -> Workflow:
        for problem in _edge(self.steps) or _structure(self.steps):
            raise ValueError(problem)
        return self

    def data(self) -> list[dict[str, Any]]:
        """It as plain JSON data again: the list of its steps, without what they leave at its default."""
        return [step.model_dump(mode="json", exclude_defaults=True) for step in self.steps]

    def in_order(self) -> list[Step]:
        """The steps, none before one that it reads: those with fewer steps behind them first, then as listed."""
        depths = _depths(self.steps)
        return sorted(self.steps, key=lambda step: depths[step.name])


def workflow(data: Any, roles: Collection[str]) -> Workflow:
    """A workflow from plain JSON data: the list of its steps.

    Args:
        data: see `gates`.
        roles: those that there are.

    Raises:
        ValueError: a gate is closed to it; with the first problem, in one line.
    """
    for problems in gates(data, roles).values():
        for problem in problems:
            raise ValueError(problem)
    return Workflow(steps=tuple(Step.model_validate(each) for each in data))


def usual(roles: Sequence[str]) -> Workflow:
    """A step for each role, one after the other, the last one by vote."""
    names = [f"step-{at}" for at in range(1, len(roles) + 1)]
    before = [PROBLEM, *names]
    steps = [
        Step(name=name, roles=(role,), inputs=(before[at],))
        for at, (name, role) in enumerate(zip(names, roles, strict=True))
    ]
    return Workflow(steps=(*steps[:-1], steps[-1].model_copy(update={"aggregate": "vote"})))


def gates(steps_data: Any, roles: Collection[str]) -> dict[str, list[str]]:
    """What is wrong with a workflow, by gate; all lists are empty if nothing is.

    A gate that cannot be judged because an earlier one is closed is left empty: `edge` needs every step to be well
    formed, `structure` every input to be there.

    Args:
        steps_data: the list of the steps as plain JSON data, or anything at all.
        roles: those that there are.

    Returns:
        Problems under `node`, `edge` and `structure`, in this order; each is one line that begins with its place, and
        of each gate at most 20.
    """
    found: dict[str, list[str]] = {gate: [] for gate in GATES}
    steps, found["node"] = _read(steps_data)
    if steps:
        found["edge"] = _edge(steps)
        found["structure"] = [] if found["edge"] else _structure(steps)
        found["node"] = _roles(steps, roles)
    return {gate: _some(problems) for gate, problems in found.items()}


# --- node -------------------------------------------------------------------------------------------------------------


def _read(data: Any) -> tuple[list[Step], list[str]]:
    """The steps if all of them are well formed, and what is wrong if not."""
    if not isinstance(data, (list, tuple)):
        return [], [f"must be a list of steps, got {_show(data)}"]
    if not data:
        return [], ["must hold at least one step, got an empty list"]
    steps, problems = list[Step](), list[str]()
    for at, each in enumerate(cast("Sequence[Any]", data)):
        if not isinstance(each, (Mapping, Step)):
            problems.append(f"{at}: must be a step (a mapping with 'name' and 'roles'), got {_show(each)}")
            continue
        try:
            steps.append(Step.model_validate(each))
        except ValidationError as error:
            problems += [_sentence(at, one) for one in error.errors(include_url=False)]
    return ([] if problems else steps), problems


def _sentence(at: int, problem: ErrorDetails) -> str:
    path, kind, given = show_path((at, *problem["loc"])), problem["type"], problem["input"]
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    if kind == "missing":
        return f"{path}: is missing"
    if kind == "extra_forbidden":
        return f"{path}: unknown key{near(str(problem['loc'][-1])[:60], list(Step.model_fields))}"
    if kind == "string_pattern_mismatch":
        message = "must be 1 to 60 letters, digits, '_' or '-'"
    elif kind == "tuple_type":
        message = "must be a list of names"
    elif kind in ("too_short", "too_long"):
        return f"{path}: must hold 1 to 1,000 names, got {len(given)}"
    return f"{path}: {message}" if kind == "value_error" else f"{path}: {message}, got {_show(given)}"


def _roles(steps: Iterable[Step], roles: Collection[str]) -> list[str]:
    known = [show_path((role,)) for role in roles]
    return [
        f"{at}.roles.{place}: no agent has the role {_show(role)}{near(role[:60], known)}"
        for at, step in enumerate(steps)
        for place, role in enumerate(step.roles)
        if role not in roles
    ]


# --- edge -------------------------------------------------------------------------------------------------------------


def _edge(steps: Sequence[Step]) -> list[str]:
    known = {PROBLEM: None, **{step.name: None for step in steps}}
    return [
        f"{at}.inputs.{place}: no step is called {_show(name)}{near(name[:60], list(known)[:100])}"
        for at, step in enumerate(steps)
        for place, name in enumerate(step.inputs)
        if name not in known
    ]


# --- structure --------------------------------------------------------------------------------------------------------


def _structure(steps: Sequence[Step]) -> list[str]:
    names = [step.name for step in steps]
    first = {name: at for at, name in reversed(list(enumerate(names)))}
    problems = [
        f"{at}.name: step {first[name]} is called {name!r} too" for at, name in enumerate(names) if first[name] != at
    ]
    if PROBLEM in first:
        problems.append(f"{first[PROBLEM]}.name: 'problem' is what steps are given; call this one something else")
    if problems:  # whom an input means is then not known
        return problems
    circle = _circle(steps)
    if circle:
        shown = circle if len(circle) <= _LONGEST_CIRCLE else [*circle[: _LONGEST_CIRCLE - 2], "...", *circle[-2:]]
        problems.append(f"{first[circle[0]]}.inputs: steps wait for each other in a circle: {' -> '.join(shown)}")
    useful = _leading(steps)
    problems += [
        f"{at}: nothing of {name!r} reaches the last step, {names[-1]!r}"
        for at, name in enumerate(names)
        if name not in useful
    ]
    return problems


def _depths(steps: Sequence[Step]) -> dict[str, int]:
    """How many steps lie behind each, along the longest way; those in or behind a circle are missing."""
    waiting = {step.name: len(step.reads) for step in steps}
    readers: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for name in step.reads:
            readers[name].append(step.name)
    ready = [name for name, count in waiting.items() if not count]
    depths = dict.fromkeys(ready, 0)
    for name in ready:  # it grows while it is walked (Kahn): a step comes after all that it reads
        for reader in readers[name]:
            waiting[reader] -= 1
            depths[reader] = max(depths.get(reader, 0), depths[name] + 1)
            if not waiting[reader]:
                ready.append(reader)
    return {name: depths[name] for name in ready}


def _circle(steps: Sequence[Step]) -> list[str]:
    """A way along inputs that ends where it begins, in the order of the work; empty if there is none."""
    depths = _depths(steps)
    stuck = {
        step.name: [name for name in step.reads if name not in depths] for step in steps if step.name not in depths
    }
    if not stuck:
        return []
    way, seen, name = list[str](), dict[Hashable, int](), next(iter(stuck))
    while name not in seen:  # each of them waits for one of them, so walking back comes round
        seen[name] = len(way)
        way.append(name)
        name = stuck[name][0]
    return [name, *reversed(way[seen[name] :])]


def _leading(steps: Sequence[Step]) -> set[str]:
    """The steps from which a way leads to the last one, itself included."""
    reads = {step.name: step.reads for step in steps}
    found, open_names = {steps[-1].name}, [steps[-1].name]
    while open_names:
        for name in reads[open_names.pop()]:
            if name not in found:
                found.add(name)
                open_names.append(name)
    return found


# --- words ------------------------------------------------------------------------------------------------------------


def _some(problems: list[str]) -> list[str]:
    more = len(problems) - _MOST_SHOWN
    return problems if more <= 0 else [*problems[: _MOST_SHOWN - 1], f"and {more + 1} more problems of this kind"]


def _show(value: Any) -> str:
    try:
        return show(value)
    except ValueError:  # a number with too many digits to be written
        return "a number with very many digits"
