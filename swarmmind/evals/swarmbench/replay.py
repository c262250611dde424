"""Check a recorded game of the original against this world, value by value (spec section 14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose, isqrt
from typing import Any

from swarmmind.evals.swarmbench.physics import DIRECTIONS
from swarmmind.evals.swarmbench.reading import compatible
from swarmmind.evals.swarmbench.tasks import Foraging
from swarmmind.evals.swarmbench.tasks.transport import BOX_WEIGHT
from swarmmind.evals.swarmbench.view import Drawing, Labels, grid
from swarmmind.evals.swarmbench.world import World


def replay(trace: Mapping[str, Any]) -> list[str]:
    """Play a trace again from its seed and its raw replies, and say where the two games differ.

    Compared are the layout; per round every agent's place, view, inbox and status, how its reply was read, and who
    moved in which pass; after each round the whole state, the score and whether the game is over.

    Args:
        trace: a decoded trace: `task`, `seed`, `n_agents`, `width`, `height`, `view_size`, `max_round`, `initial` and
            `rounds`, as described in the specification.

    Returns:
        differences, each as `round 3: Agent_2 view: expected ..., got ...`; empty if there are none.
    """
    world = World(
        trace["task"],
        trace["seed"],
        trace["n_agents"],
        trace["width"],
        trace["height"],
        trace["view_size"],
        trace["max_round"],
    )
    found = _Differences()
    found.compare_state("start", trace["initial"], snapshot(world))
    for record in trace["rounds"]:
        _round(world, record, found)
    return found.lines


def _round(world: World, record: Mapping[str, Any], found: _Differences) -> None:
    """Play one recorded round and compare it."""
    where = f"round {record['round']}"
    found.compare(f"{where}: round", record["round"], world.board.round)
    found.compare_mapping(f"{where}: before", record["agents"], _seen(world))
    actions: list[str | None] = [None] * world.board.agents
    messages: list[str | None] = [None] * world.board.agents
    for name, filed in record["actions"].items():
        agent = int(name.removeprefix("Agent_"))
        actions[agent], messages[agent] = compatible(filed["reply"] or "", world.task.actions)
        found.compare(f"{where}: {name} move", filed["move"], actions[agent])
        found.compare(f"{where}: {name} message", filed["speak"], messages[agent])
    world.step(actions, messages)
    moved = {
        direction: sorted(_name(world, body) for body in bodies)
        for direction, bodies in zip(DIRECTIONS, world.moved, strict=True)
    }
    expected = {direction: sorted(names) for direction, names in record["moved_by_pass"].items()}
    found.compare_mapping(f"{where}: moved", expected, moved)
    found.compare_state(f"{where}: after", record["state"], snapshot(world))
    found.compare(f"{where}: score", record["score"], world.board.score)
    found.compare(f"{where}: done", record["done"], world.done)


def snapshot(world: World) -> dict[str, Any]:
    """The state of a world in the words of a trace."""
    board, scene = world.board, world.board.scene
    names = [f"Agent_{agent}" for agent in range(board.agents)]
    state: dict[str, Any] = {
        "round": board.round,
        "grid": grid(board, world.task),
        "agents": {name: list(scene.place(scene.at[agent + 1])) for agent, name in enumerate(names)},
        "agent_weight": dict.fromkeys(names, 1),
        "escaped": [name for name, gone in zip(names, world.gone, strict=True) if gone],
        "objects": _objects(world),
        "score": board.score,
    }
    for key, value in world.task.state().items():
        per_agent = isinstance(value, list) and key in ("light_on", "carrying")
        state[key] = dict(zip(names, value, strict=True)) if per_agent else value
    state.pop("box", None)
    return state


def _objects(world: World) -> list[dict[str, Any]]:
    board, task = world.board, world.task
    starts = (board.scene.index(i, 0) for i in range(board.height))
    ground = ["".join(board.ground[start : start + board.width]) for start in starts]
    wall = [row.replace("F", ".") for row in ground]
    objects = [_object("W", [0, 0], wall, static=True)]
    state = task.state()
    if isinstance(task, Foraging):
        objects.append(_object("F", list(task.food), ["FF", "FF"], static=True))
    elif "prey" in state:
        objects.append(_object("P", state["prey"], ["P"], static=state["prey_static"]))
    elif "box" in state:
        top, left = (min(cell[axis] for cell in state["box"]) for axis in (0, 1))
        low, right = (max(cell[axis] for cell in state["box"]) for axis in (0, 1))
        shape = [
            "".join("B" if [i, j] in state["box"] else "." for j in range(left, right + 1)) for i in range(top, low + 1)
        ]
        objects.append(_object("B", [top, left], shape, static=False, weight=BOX_WEIGHT))
    return objects


def _object(name: str, corner: list[int], shape: list[str], static: bool, weight: int | None = None) -> dict[str, Any]:
    size = sum(len(row) - row.count(".") for row in shape)
    return {"name": name, "pos": corner, "static": static, "weight": weight or isqrt(size), "shape": shape}


def _seen(world: World) -> dict[str, dict[str, Any]]:
    """What every agent that still acts is shown, in the words of a trace: its own number instead of Y."""
    drawing = Drawing(world.board, world.task, Labels(world.board), world.view)
    heard = world.heard()
    hidden = world.task.hidden()
    seen: dict[str, dict[str, Any]] = {}
    for agent in range(world.board.agents):
        if world.gone[agent]:
            continue
        own = f"${agent}" if hidden and hidden[agent] else str(agent)
        status = world.task.status(agent)
        seen[f"Agent_{agent}"] = {
            "pos": list(world.board.scene.place(world.board.scene.at[agent + 1])),
            "view": [" ".join(own if symbol == "Y" else symbol for symbol in row) for row in drawing.view(agent)],
            "messages_in": [[f"Agent_{speaker}", text] for speaker, text in heard[agent]],
            "task_obs": dict([status]) if status else {},
        }
    return seen


def _name(world: World, body: int) -> str:
    agents = world.board.agents
    return f"Agent_{body - 1}" if body <= agents else "P" if body == agents + 1 else "B"


class _Differences:
    """A growing list of what was expected and not found."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def compare(self, what: str, expected: Any, found: Any) -> None:
        """Note a difference; numbers are equal if they are within a rounding error."""
        if isinstance(expected, float | int) and isinstance(found, float | int):
            same = isclose(expected, found, rel_tol=1e-9, abs_tol=1e-9)
        else:
            same = expected == found
        if not same:
            self.lines.append(f"{what}: expected {expected!r}, got {found!r}")

    def compare_mapping(self, what: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Note differences, key by key, two levels deep."""
        for key in dict.fromkeys((*expected, *found)):
            one, other = expected.get(key), found.get(key)
            if isinstance(one, Mapping) and isinstance(other, Mapping):
                for inner in dict.fromkeys((*one, *other)):
                    self.compare(f"{what} {key} {inner}", one.get(inner), other.get(inner))
            else:
                self.compare(f"{what} {key}", one, other)

    def compare_state(self, where: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Note differences of two states; objects are compared one by one."""
        first, second = ({k: v for k, v in state.items() if k != "objects"} for state in (expected, found))
        self.compare_mapping(where, first, {key: value for key, value in second.items() if key in first})
        self._compare_objects(where, expected["objects"], found["objects"])

    def _compare_objects(self, where: str, expected: Sequence[Any], found: Sequence[Any]) -> None:
        self.compare(f"{where} objects", [o["name"] for o in expected], [o["name"] for o in found])
        for one, other in zip(expected, found, strict=False):
            self.compare_mapping(f"{where} object {one['name']}", one, other)
