"""What the task's `optimize.parameters` mean: parameters of a study, tied to the task that they change."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from swarmmind.effects import Sampling
from swarmmind.errors import SpecError, near
from swarmmind.optimizers.parameters import ChoiceParameter, NumberParameter, Parameter, TextParameter
from swarmmind.runs.studies import structures
from swarmmind.runs.studies.draft import Draft
from swarmmind.runs.teams import topology_of
from swarmmind.spec import Card, LoadedTask, PathParameter
from swarmmind.spec.source import KeyPath, show
from swarmmind.spec.templates import template


class Bound(NamedTuple):
    """A parameter of a study that knows what it changes.

    Attributes:
        parameter: as an optimizer sees it.
        start: the task's own value.
        put: changes a draft so that it has a value.
        at: where the study names it.
        depth: of its path; what lies higher is put first.
    """

    parameter: Parameter
    start: Any
    put: Callable[[Draft, Any], None]
    at: KeyPath
    depth: int = 0

    @property
    def name(self) -> str:
        """The parameter's."""
        return self.parameter.name


def bind(loaded: LoadedTask, *, allow_code: bool = False) -> list[Bound]:
    """The study's parameters, in the order of the task.

    Raises:
        SpecError: one means nothing here, is there twice, or does not hold the task's own value; with its place.
    """
    optimize = loaded.task.optimize
    assert optimize is not None
    found: list[Bound] = []
    for at, use in enumerate(optimize.parameters):
        place: KeyPath = ("optimize", "parameters", at)
        for bound in _meant(loaded, use, place, allow_code):
            if any(other.name == bound.name for other in found):
                raise loaded.error(place, f"{show(bound.name)} is there twice")
            problems = bound.parameter.check(bound.start)
            if problems:
                raise loaded.error(place, f"the task's own value of {bound.name}: {problems[0]}")
            found.append(bound)
    names = [bound.name for bound in found]
    for bound in found:
        rival = next((name for name in names if _rivals(bound.name, name)), None)
        if rival is not None:
            raise loaded.error(bound.at, f"{bound.name!r} cannot change together with {rival!r}, which it replaces")
    return found


def _rivals(name: str, other: str) -> bool:
    replaced = ("prompts.", "swarm.agents", "swarm.topology")
    if name == "workflow":
        return other.startswith(replaced)
    return name in ("graph", "edges") and other == "swarm.topology"


def _meant(loaded: LoadedTask, use: str | PathParameter, at: KeyPath, allow_code: bool) -> Iterator[Bound]:
    if isinstance(use, PathParameter):
        yield _path(loaded, use, at, allow_code)
    elif use.startswith("prompts"):
        yield from _prompts(loaded, use.removeprefix("prompts").removeprefix("."), at)
    else:
        topology = topology_of(loaded, loaded.swarm, allow_code=allow_code)[1]
        try:
            parameter, start, put = structures.STRUCTURES[use](loaded, topology)
        except ValueError as error:
            raise loaded.error(at, str(error)) from error
        yield Bound(parameter, start, put, at)


# --- texts ------------------------------------------------------------------------------------------------------------


def _prompts(loaded: LoadedTask, role: str, at: KeyPath) -> Iterator[Bound]:
    swarm = loaded.swarm
    speaking = [group.card for place, group in enumerate(swarm.swarm.groups) if place not in swarm.inner]
    roles = [name for name in loaded.cards if name in speaking]  # a swarm that stands for agents never reads their card
    if role and role not in roles:
        raise loaded.error(at, f"no agent of the swarm has the role {show(role)}{near(role, roles)}")
    for name in [role] if role else roles:
        card = loaded.cards[name]
        text = card.body.text.strip()
        about = f"instructions of the role {name}: {card.description}"
        parameter = TextParameter(f"prompts.{name}", about, name, card.body.variables, max(20_000, 2 * len(text)))
        yield Bound(parameter, text, partial(_put_prompt, name), at)


def _put_prompt(role: str, draft: Draft, text: str) -> None:
    draft.cards[role] = rewritten(draft.cards[role], text)


def rewritten(card: Card, text: str) -> Card:
    """A card with other instructions."""
    return card._replace(body=template(text.replace("\r\n", "\n").strip() + "\n", card.body.place))


# --- values -----------------------------------------------------------------------------------------------------------


def _path(loaded: LoadedTask, use: PathParameter, at: KeyPath, allow_code: bool) -> Bound:
    here: KeyPath = (*at, "path")
    steps = use.steps
    if loaded.swarm.inner and steps[:2] not in (["swarm", "topology"], ["swarm", "memory"], ["swarm", "on_failure"]):
        message = "reaches swarms that stand for agents, which do not change; only topology and memory may"
        raise loaded.error(here, message)
    try:
        start = Draft.of(loaded).get(steps)
    except KeyError:
        try:
            start = _default(loaded, steps, allow_code)
        except KeyError:
            raise loaded.error(here, f"{show(use.path)} has no value in the task to start from") from None
    parameter: Parameter
    if use.options is not None:
        parameter = ChoiceParameter(use.path, tuple(use.options))
    else:
        assert use.low is not None
        assert use.high is not None
        parameter = NumberParameter(use.path, use.low, use.high, use.scale, use.integer)
    put = partial(_put_value, steps)
    return Bound(parameter, start, put, at, len(steps))


def _put_value(steps: Sequence[str], draft: Draft, value: Any) -> None:
    try:
        draft.put(steps, value)
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(f"{'.'.join(steps)}: {error}") from error


def _default(loaded: LoadedTask, steps: Sequence[str], allow_code: bool) -> Any:
    """What a value is if the task does not say.

    Raises:
        KeyError: nobody says.
    """
    if list(steps) == ["swarm", "on_failure"]:
        return loaded.swarm.swarm.on_failure
    head, *rest = steps
    if head == "sampling" and len(rest) == 1 and rest[0] in Sampling.__struct_fields__:
        return getattr(Sampling(), rest[0])
    if len(steps) == 3 and steps[1] == "topology":
        if steps[2] in loaded.topology.parameters:
            return loaded.topology.parameters[steps[2]]
        program = topology_of(loaded, loaded.swarm, allow_code=allow_code)[0].program
        found = inspect.signature(program).parameters[steps[2]].default
        if found is not inspect.Parameter.empty:
            return found
    if steps[1] == "memory":
        place, *name = steps[2:] if steps[2:3] and steps[2].isdigit() else ["0", *steps[2:]]
        if len(name) == 1 and int(place) < len(loaded.memory):
            return loaded.memory[int(place)].parameters[name[0]]
    raise KeyError(".".join(steps))
