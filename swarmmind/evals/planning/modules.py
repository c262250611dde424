"""Rule-based modules of a planner, with the slips of MAP's ablations: what a planner is worth when its actor is weak.

They know the rules of all planning problems of the box, and slip with known probabilities, which are parameters of
their agents. Asked for a whole plan, one of them plays on as the actor alone, without anybody's advice.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from swarmmind.effects import Agent
from swarmmind.evals.planning.hanoi import Hanoi
from swarmmind.evals.planning.puzzles import Move, Puzzle, State, best_move, distances
from swarmmind.evals.planning.rooms import Rooms
from swarmmind.ports import Policy

FAR = 1000.0
"""How far an aim is said to be that cannot be reached."""


class Skills(NamedTuple):
    """How good modules are; an agent's parameters of these names go before.

    Attributes:
        invalid: how often a move of the actor is illegal.
        best: how often a legal one is the first of a shortest plan; otherwise it is any.
        detects: how often the monitor objects to an illegal move.
        false_alarm: how often it objects to a legal one.
        noise: the standard deviation of the evaluator's error, in moves.
        knows: what the evaluator goes by: the true distance, the number of parts that are not as in the goal, or
            nothing.
    """

    invalid: float = 0.35
    best: float = 0.5
    detects: float = 0.95
    false_alarm: float = 0.05
    noise: float = 1.0
    knows: Literal["distance", "mismatch", "nothing"] = "distance"


@lru_cache(maxsize=1024)
def read_puzzle(problem: str) -> Puzzle | None:
    """The puzzle of a problem's text; `None` if nobody here knows its rules."""
    return Hanoi.read(problem) or Rooms.read(problem)


class _Module:
    """Plays whichever module it is asked for."""

    def __init__(self, agent: Agent, skills: Skills) -> None:
        given = {name: agent.parameters[name] for name in Skills._fields if name in agent.parameters}
        self._skills = skills._replace(**given)

    def __call__(self, observation: Any, rng: random.Random) -> str:
        puzzle = read_puzzle(str(observation["question"]))
        if puzzle is None:
            raise ValueError("knows the problems planning/hanoi and planning/graph alone")
        act: Callable[[Puzzle, Mapping[str, Any], random.Random], str] = getattr(
            self, "_" + str(observation.get("do", "answer")), self._answer
        )
        return act(puzzle, observation, rng)

    def _answer(self, puzzle: Puzzle, seen: Mapping[str, Any], rng: random.Random) -> str:
        state, plan = puzzle.start, list[str]()
        while state != puzzle.goal and len(plan) < puzzle.limit:
            move = self._act(puzzle, state, puzzle.goal, rng)
            plan.append(puzzle.write_move(move) if move is not None else "stay")
            state = puzzle.after(state, move)
        return f"ANSWER: {'; '.join(plan) or 'no moves'}"

    def _decompose(self, puzzle: Puzzle, seen: Mapping[str, Any], rng: random.Random) -> str:
        return json.dumps({"subgoal": puzzle.write_state(puzzle.between(_state(puzzle, seen)))})

    def _propose(self, puzzle: Puzzle, seen: Mapping[str, Any], rng: random.Random) -> str:
        state, aim = _state(puzzle, seen), _aim(puzzle, seen)
        found = [self._act(puzzle, state, aim, rng) for _ in range(seen["count"])]
        return json.dumps({"moves": ["stay" if move is None else puzzle.write_move(move) for move in found]})

    def _check(self, puzzle: Puzzle, seen: Mapping[str, Any], rng: random.Random) -> str:
        state, move = _state(puzzle, seen), puzzle.read_move(seen["move"])
        legal, luck = move in puzzle.moves(state), rng.random()
        if luck < (self._skills.false_alarm if legal else self._skills.detects):
            why = "That breaks a rule, I believe." if legal else puzzle.why(state, move)
            return json.dumps({"why": why, "possible": False})
        return json.dumps({"why": "It breaks no rule.", "possible": True})

    def _predict(self, puzzle: Puzzle, seen: Mapping[str, Any], rng: random.Random) -> str:
        return json.dumps({"state": puzzle.write_state(_moved(puzzle, _state(puzzle, seen), seen["move"]))})

    def _estimate(self, puzzle: Puzzle, seen: Mapping[str, Any], rng: random.Random) -> str:
        state, aim, knows = _state(puzzle, seen), _aim(puzzle, seen), self._skills.knows
        left = 0.0
        if knows == "distance":
            left = distances(puzzle, aim).get(state, FAR) + rng.gauss(0, self._skills.noise)
        elif knows == "mismatch":
            left = puzzle.mismatch(state, aim) + rng.gauss(0, self._skills.noise)
        return json.dumps({"why": f"By {knows}.", "moves_left": left})

    def _compare(self, puzzle: Puzzle, seen: Mapping[str, Any], rng: random.Random) -> str:
        return "yes" if _state(puzzle, seen) == _aim(puzzle, seen) else "no"

    def _act(self, puzzle: Puzzle, state: State, aim: State, rng: random.Random) -> Move | None:
        """A move; `None` where none is left."""
        legal, illegal = puzzle.moves(state), puzzle.illegal(state)
        if rng.random() < self._skills.invalid and illegal:
            return rng.choice(illegal)
        if rng.random() < self._skills.best:
            best = best_move(puzzle, state, aim)
            if best is not None:
                return best
        return rng.choice(legal) if legal else None


def _state(puzzle: Puzzle, seen: Mapping[str, Any]) -> State:
    state = puzzle.read_state(seen["state"])
    state = puzzle.start if state is None else state
    for move in seen["since"]:
        state = _moved(puzzle, state, move)
    return state


def _moved(puzzle: Puzzle, state: State, move: str) -> State:
    return puzzle.after(state, puzzle.read_move(move))


def _aim(puzzle: Puzzle, seen: Mapping[str, Any]) -> State:
    aim = puzzle.read_state(seen["goal"])
    return puzzle.goal if aim is None else aim


def planner(agent: Agent) -> Policy:
    """Plays the modules of a planner with the slips of MAP's ablations, on the problems of `planning/`."""
    return _Module(agent, Skills())


def exact(agent: Agent) -> Policy:
    """Plans without a slip: shortest plans, by search."""
    return _Module(agent, Skills(0.0, 1.0, 1.0, 0.0, 0.0))


def at_random(agent: Agent) -> Policy:
    """Makes any legal moves until it happens to be at the goal."""
    return _Module(agent, Skills(0.0, 0.0))


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType(
    {"planner": planner, "planner-exact": exact, "planner-random": at_random}
)
