"""What a forager is told, in words. The shared messages are the same for all agents and rounds of a game."""

from __future__ import annotations

from collections.abc import Sequence

from swarmmind.effects import Message
from swarmmind.evals.collective.world import MOVES, Rules

_ROLE = "You are one of many foragers on a grid. You see only what is next to you. Find food, again and again."

_MEMORY = (
    "You remember where you saw food; how sure you are of it fades from 1 towards 0, and food moves now and then, so "
    "a place you are sure of may be empty."
)
_SHARED = " What others left as traces on cells you came near is among your memories as well."
_TRACES = (
    "Foragers leave traces on cells with food. You sense those within {reach} cells of you; their strength fades, and "
    "those who find a cell empty weaken its trace."
)


def shared(rules: Rules) -> tuple[Message, ...]:
    """The messages that every agent gets first."""
    size = rules.size
    parts = [
        f"The grid has {size} x {size} cells; opposite edges touch. Places are named by how many rows south (+) or "
        f"north (-) and how many columns east (+) or west (-) of you they are, e.g. (+2, -1).",
        f"Food lies in {rules.patches} patches of {rules.patch} x {rules.patch} cells. Every {rules.lifetime} rounds "
        f"all patches move somewhere else, and so does a patch that is eaten up. You see food at most "
        f"{rules.vision} rows and columns away. Standing on food you eat one meal, and must then walk away for "
        f"{rules.away} rounds; you are asked again after that. Several foragers may stand on one cell.",
    ]
    if rules.memory:
        parts.append(_MEMORY + (_SHARED if rules.traces and rules.reader == "memory" else ""))
    if rules.traces and rules.reader == "reactive":
        parts.append(_TRACES.format(reach=rules.reach))
    parts.append(f"Each round you choose one of: {', '.join(MOVES)}. Answer with that word alone.")
    return (Message("system", _ROLE), Message("user", "\n\n".join(parts)))


def private(
    round_number: int,
    heading: str,
    sees: Sequence[tuple[int, int]],
    remembers: Sequence[tuple[int, int, float]],
    senses: Sequence[tuple[int, int, float]],
) -> Message:
    """The last message of a prompt: what is one agent's alone.

    Args:
        round_number: rounds played so far.
        heading: its last move.
        sees: food in sight, as rows and columns away.
        remembers: places where it remembers food, and how sure it is.
        senses: traces of food within reach, and their strengths.
    """
    lines = [f"Round {round_number}. You last moved {heading}."]
    lines.append(f"You see food at {_places([(*at, '') for at in sees])}." if sees else "You see no food.")
    if remembers:
        lines.append(f"You remember food at {_places([(r, c, f' sure {sure:.2f}') for r, c, sure in remembers])}.")
    if senses:
        lines.append(f"You sense traces at {_places([(r, c, f' strength {much:.2f}') for r, c, much in senses])}.")
    return Message("user", "\n".join(lines))


def _places(places: Sequence[tuple[int, int, str]]) -> str:
    return ", ".join([f"({rows:+d}, {columns:+d}){how}" for rows, columns, how in places])
