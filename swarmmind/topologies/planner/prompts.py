"""What the modules of a planner are told, and the forms they answer in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Choice, Json, Message, Output
from swarmmind.topologies.planner.states import Said, State
from swarmmind.topologies.statements import paragraphs

YES, NO = "yes", "no"
_MOST_CHARACTERS = 2000  # of a state or an objection in a prompt


def _document(name: str, **properties: Any) -> Json:
    rules = {"properties": properties, "required": list(properties), "additionalProperties": False}
    return Json(name, {"type": "object", **rules})


_TEXT = {"type": "string"}
SUBGOAL = _document("subgoal", subgoal=_TEXT)
VERDICT = _document("verdict", why=_TEXT, possible={"type": "boolean"})
STATE = _document("state", state=_TEXT)
ESTIMATE = _document("estimate", why=_TEXT, moves_left={"type": "number"})
REACHED = Choice((YES, NO))


def moves(count: int) -> Json:
    """The form of a proposal of at most so many moves."""
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    return _document("moves", moves={"type": "array", "items": text, "minItems": 1, "maxItems": count})


class Told(NamedTuple):
    """One question to a module: in words, as a value, and what it should answer with."""

    prompt: Message
    observation: dict[str, Any]
    output: Output


class Refused(NamedTuple):
    """A move that the monitor objects to, and why."""

    move: Said
    why: Said


class Prompts:
    """The questions about one problem; all of them begin with it.

    Args:
        problem: its text.
    """

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def decompose(self, state: State, goal: Said) -> Told:
        """What to reach first."""
        words = (
            "Name one state on the way to the goal that should be reached first and that makes the rest easy. Write it "
            "in the form of the states above. If no such state helps, leave it empty."
        )
        return self._told("decompose", state, goal, words, SUBGOAL)

    def propose(self, state: State, aim: Said, count: int, refused: Sequence[Refused]) -> Told:
        """Moves from a state, given what was said against earlier ones."""
        objections = [f"{_quoted(each.move, 'move')}\n{_quoted(each.why, 'objection')}" for each in refused]
        said = ["Moves that were refused in this state, and why:", *objections] if refused else []
        what = "the move" if count == 1 else f"{count} different moves, or as many as there are,"
        words = f"Propose {what} to make now. Each is a single move that the rules allow in this state, in their form."
        told = self._told("propose", state, aim, words, moves(count), *said)
        told.observation["count"] = count
        told.observation["refused"] = [{"move": each.move.text, "why": each.why.text} for each in refused]
        return told

    def check(self, state: State, move: Said) -> Told:
        """Whether a move is possible in a state."""
        words = (
            "Check this move against every rule, in this state alone; whether it is a good move does not matter. Say "
            "first why it is possible, or which rule it breaks and what would have to hold instead."
        )
        return self._about("check", state, move, words, VERDICT)

    def predict(self, state: State, move: Said) -> Told:
        """What state a move leads to."""
        words = (
            "Write down the state after this move, in exactly the form of the state above. If the move cannot be made, "
            "the state stays as it is."
        )
        return self._about("predict", state, move, words, STATE)

    def estimate(self, state: State, aim: Said) -> Told:
        """How far a state is from the aim."""
        words = "Estimate how many moves are left from this state to the goal, at least. Say first how you count."
        return self._told("estimate", state, aim, words, ESTIMATE)

    def compare(self, state: State, aim: Said) -> Told:
        """Whether a state meets the aim."""
        return self._told("compare", state, aim, "Is the goal reached in this state? Answer yes or no.", REACHED)

    def _about(self, do: str, state: State, move: Said, words: str, output: Output) -> Told:
        told = self._told(do, state, None, words, output, _quoted(move, "move"))
        told.observation["move"] = move.text
        return told

    def _told(self, do: str, state: State, aim: Said | None, words: str, output: Output, *more: str) -> Told:
        seen: dict[str, Any] = {"question": self._problem, "do": do, "state": state.said.text}
        seen["since"] = [move.text for move in state.since]
        parts = [self._problem, *_state(state)]
        if aim is not None:
            seen["goal"] = aim.text
            parts.append(_quoted(aim, "goal") if aim.text else "The goal is the one that the problem names.")
        return Told(paragraphs(*parts, *more, words), seen, output)


def _state(state: State) -> list[str]:
    said = _quoted(state.said, "state") if state.said.text else "The state is the one in which the problem begins."
    made = ["Moves made since then, in this order:", *(_quoted(move, "move") for move in state.since)]
    return [said, *made] if state.since else [said]


def _quoted(said: Said, kind: str) -> str:
    return quoted(said.author, said.text, kind, characters=_MOST_CHARACTERS)
