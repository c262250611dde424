"""Swarms as a task describes them, built: the outermost one, and those that stand where an agent stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from swarmmind.agents.asker import Society as AgentSociety
from swarmmind.agents.population import populate, stand_in
from swarmmind.effects import Agent, Ask, Nested, Program
from swarmmind.errors import RunError, SpecError, UserError, near
from swarmmind.memory import MEMORIES, Several, memory
from swarmmind.ports import Context, Environment, Memory
from swarmmind.rng import Streams
from swarmmind.runs.parameters import build, checked
from swarmmind.runtime.frame import Flight, Frame
from swarmmind.spec import LoadedSwarm, LoadedTask, ModelSpec, Swarm, load_code
from swarmmind.spec.source import KeyPath, show
from swarmmind.topologies import TOPOLOGIES, Policy, Question, Society, Topology
from swarmmind.topologies.recall import with_stores


class Team(NamedTuple):
    """A swarm without a problem.

    Attributes:
        agents: who takes part.
        memory: what they remember.
        policy: what a failure does.
        run: the topology with its parameters: from a context and a society to a program.
        calls: from a society to the calls of a run without failures; `None` if the topology cannot say. Raises
            `SpecError` for a society that the topology cannot work with.
        whole: whether the topology takes a data set whole.
    """

    agents: tuple[Agent, ...]
    memory: Memory
    policy: Policy
    run: Callable[..., Program]
    calls: Callable[[Society], int] | None
    whole: bool = False

    def society(self, question: Question, environment: Environment | None = None, seed: int = 0) -> Society:
        """The swarm with something to do."""
        return Society(self.agents, self.memory, question, environment, self.policy, seed)


def make_team(
    loaded: LoadedTask, swarm: LoadedSwarm, streams: Streams, prefix: str = "", *, allow_code: bool = False
) -> Team:
    """Build a swarm of a task.

    Args:
        loaded: the task.
        swarm: one of its swarms.
        streams: chance for its agents' parameters.
        prefix: put before its agents' ids.
        allow_code: whether the user allowed the task to name Python code.

    Raises:
        SpecError: a part is unknown or a parameter is wrong; with its place in the task.
    """
    topology, arguments = topology_of(loaded, swarm, allow_code=allow_code)
    located = _locator(loaded, swarm)
    if not topology.memory and any(part.use != "none" for part in swarm.memory):
        raise loaded.error((*swarm.path, "memory"), f"topology {swarm.topology.name!r} uses no memory; leave it out")
    return Team(
        populate(loaded.task, swarm, streams, prefix),
        _memory(loaded, swarm, allow_code),
        _policy(swarm.swarm),
        _running(partial(topology.program, **arguments), located),
        None if topology.calls is None else _counting(partial(topology.calls, **arguments), located),
        topology.whole,
    )


def make_societies(loaded: LoadedTask, streams: Streams, *, allow_code: bool = False) -> dict[str, AgentSociety]:
    """The swarms that stand for agents, at any depth, by the name agents know them by.

    Raises:
        SpecError: see `make_team`; or a topology cannot work with its swarm.
    """
    found: dict[str, AgentSociety] = {}
    for swarm in _inner(loaded.swarm):
        team = make_team(loaded, swarm, streams, allow_code=allow_code)  # its mistakes are told before anything runs
        if team.calls is not None:
            team.calls(team.society(Question("")))
        found[stand_in(swarm)] = _StandIn(partial(make_team, loaded, swarm, streams, allow_code=allow_code))
    return found


class _StandIn:
    """Answers for the agents of a group: each has a team, with a memory, of its own in each program."""

    def __init__(self, make: Callable[[str], Team]) -> None:
        self._make = make
        self._seats: WeakKeyDictionary[Frame, dict[str, _Seat]] = WeakKeyDictionary()

    def __call__(self, ask: Ask, flight: Flight) -> Nested:
        seats = self._seats.setdefault(flight.frame, {})
        seat = seats.get(ask.agent.id)
        if seat is None:
            seat = seats[ask.agent.id] = _Seat(self._make(f"{ask.agent.id}."))
        text = "\n\n".join(message.content for message in ask.messages)
        turn = seat.turn(flight)
        society = seat.team.society(Question(text, ask.output))._replace(memory=turn.memory)

        def program(ctx: Context) -> Program:
            value = yield from with_stores(society.memory, seat.team.run(ctx, society))
            turn.answered = True
            return value

        return Nested(program, ask.agent.id)


class _Turn:
    """One ask of a team, with the memory it works on."""

    __slots__ = ("answered", "key", "memory", "step")

    def __init__(self, flight: Flight, memory: Memory) -> None:
        self.key, self.step, self.memory = flight.key, flight.step, memory
        self.answered = False


class _Seat:
    """A team in one program.

    An ask goes on from what the last one that the program has the answer of left behind. So asks that are under way at
    once know nothing of each other, whichever is done first: a replay, where all of them are done sooner, is the same.
    """

    def __init__(self, team: Team) -> None:
        self.team = team
        self._memory = team.memory
        self._turns: list[_Turn] = []

    def turn(self, flight: Flight) -> _Turn:
        """The turn of an ask that begins now."""
        frame, open_turns = flight.frame, list[_Turn]()
        for turn in self._turns:
            if turn.step == flight.step or turn.key in frame.flights or turn.key in frame.arrived:
                open_turns.append(turn)
            elif turn.answered:
                self._memory = turn.memory
        begun = _Turn(flight, self._memory.fork())
        self._turns = [*open_turns, begun]
        return begun


def authors(loaded: LoadedTask) -> list[str]:
    """The names of the models that agents of any of the swarms use."""
    task = loaded.task
    names: dict[str, None] = {}
    for swarm in (loaded.swarm, *_inner(loaded.swarm)):
        for place, group in enumerate(swarm.swarm.groups):
            if place not in swarm.inner:
                names[group.model or swarm.cards[group.card].model or task.model.name] = None
    return list(names)


def models_named(loaded: LoadedTask) -> dict[str, ModelSpec]:
    """The models that agents of any of the swarms, and a judge, use, by the name these know them by."""
    score = loaded.task.score
    judge = [str(score.parameters["model"])] if score is not None and score.judged else []
    return {name: model_of(loaded, name) for name in dict.fromkeys([*authors(loaded), *judge])}


def model_of(loaded: LoadedTask, name: str) -> ModelSpec:
    """The model that a name of `authors` means.

    Raises:
        ValueError: there is none; the message says what is known.
    """
    task = loaded.task
    return task.model if name == task.model.name else task.model_named(name)


def _inner(swarm: LoadedSwarm) -> Iterator[LoadedSwarm]:
    for inner in swarm.inner.values():
        yield inner
        yield from _inner(inner)


def _policy(swarm: Swarm) -> Policy:
    policy = swarm.on_failure
    return Policy(policy) if isinstance(policy, str) else Policy("quorum", policy.quorum)


def topology_of(loaded: LoadedTask, swarm: LoadedSwarm, *, allow_code: bool = False) -> tuple[Topology, dict[str, Any]]:
    """A swarm's topology, with its parameters as its program takes them.

    Raises:
        SpecError: it is unknown, or a parameter is wrong; with its place in the task.
    """
    part, path = swarm.topology, (*swarm.path, "topology")

    def complain(name: str, message: str) -> SpecError:
        return part.error(name, message) if name in part.places else loaded.error(path, f"{name}: {message}")

    if part.is_code:
        found = _code(loaded, part.use, path, allow_code)
    elif part.use in TOPOLOGIES:
        found = TOPOLOGIES[part.use]
    else:
        raise loaded.error(path, f"unknown code {part.use!r}{near(part.use, list(TOPOLOGIES))}")
    topology = found if isinstance(found, Topology) else Topology(found)
    if not callable(topology.program):
        raise loaded.error(path, f"{part.use!r} must be a generator function or a Topology, got {show(found)}")
    return topology, checked(topology.program, part.parameters, 2, complain, loaded.folder)


def _code(loaded: LoadedTask, use: str, path: KeyPath, allow_code: bool) -> Any:
    try:
        return load_code(use, loaded.folder, allow_code)
    except SpecError as error:
        raise error if error.file else loaded.error(path, str(error)) from error


def _locator(loaded: LoadedTask, swarm: LoadedSwarm) -> Callable[[UserError], SpecError]:
    """Gives mistakes that a topology finds a place: messages may begin with `swarm.agents: ` or a parameter."""
    places = {f"swarm.{key}": (key,) for key in ("agents", "memory", "topology")}
    places |= {name: ("topology", name) for name in swarm.topology.parameters}

    def located(error: UserError) -> SpecError:
        head, _, rest = str(error).partition(": ")
        path, message = (places[head], rest) if head in places else (("topology",), str(error))
        return loaded.error((*swarm.path, *path), message)

    return located


def _running(program: Callable[..., Program], located: Callable[[UserError], SpecError]) -> Callable[..., Program]:
    """The same program, where mistakes it finds have a place."""

    def run(ctx: Context, society: Society) -> Program:
        try:
            return (yield from program(ctx, society))
        except (SpecError, RunError):  # they have one
            raise
        except UserError as error:
            raise located(error) from error

    return run


def _counting(calls: Callable[[Society], int], located: Callable[[UserError], SpecError]) -> Callable[[Society], int]:
    """The same count, where mistakes it finds have a place."""

    def count(society: Society) -> int:
        try:
            return calls(society)
        except SpecError:
            raise
        except UserError as error:
            raise located(error) from error

    return count


def _memory(loaded: LoadedTask, swarm: LoadedSwarm, allow_code: bool) -> Memory:
    made = [_one_memory(loaded, swarm, place, allow_code) for place in range(len(swarm.memory))]
    return made[0] if len(made) == 1 else Several(made)


def _one_memory(loaded: LoadedTask, swarm: LoadedSwarm, place: int, allow_code: bool) -> Memory:
    part = swarm.memory[place]
    path = (*swarm.path, "memory", place)
    if part.is_code:
        found = _code(loaded, part.use, path, allow_code)
    elif part.use in MEMORIES:
        found = memory(part.use)
    else:
        raise loaded.error(path, f"unknown code {part.use!r}{near(part.use, list(MEMORIES))}")
    return build(found, part.parameters, part.error)
