"""What agents are told, in words: the shared part once per game, and each agent's own part (spec section 7).

The shared messages are byte-identical for all agents and rounds of a game, so a server reads them once.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarmmind.effects import Message
from swarmmind.evals.swarmbench.reading import MESSAGE_LIMIT
from swarmmind.evals.swarmbench.world import World

_ROLE = (
    "You control one robot of a swarm on a grid. You see only what is near you. Work with the other robots to solve "
    "a common task."
)

_SYMBOLS = """\
A view is the part of the map around you. The numbers above and left of it are global column and row numbers, not \
robots.
  .    free cell
  W    wall
  B    heavy obstacle; it takes at least five robots pushing the same way to move it
  Y    you (the others see your number there)
  7    the robot with number 7
  *    off the map
Other symbols are explained in the task. Cells are named (row, column), counted over the whole map; row numbers grow \
downwards and column numbers to the right. What is entirely off the map is out of the game."""

_PHYSICS = """\
You weigh 1 and can push with a force of up to 2 in the direction you choose. Anything, you included, moves in a \
direction only if the force on it in that direction is at least its weight. Walls never move; of all obstacles only B \
does. Force is passed on only through direct contact, so you can help a robot that pushes by pushing it from behind. \
There is no pulling and no dragging along sideways."""

_TALK = f"""\
Robots within your view hear what you say, one round later, without learning who said it; you hear yourself too. Be \
brief and unambiguous, and say only what helps. A message has at most {MESSAGE_LIMIT} characters; the rest is cut off \
and replaced by "..."."""

_STRICT = "one of the actions and nothing else on that line"


def shared(world: World, *, by_choice: bool, strict: bool) -> tuple[Message, ...]:
    """The messages that every agent gets first.

    Args:
        world: the game; only what is the same for all agents is read from it.
        by_choice: the answer is an action alone, by constrained decoding; nobody can speak.
        strict: replies are read strictly.
    """
    actions = ", ".join(world.task.actions)
    parts = [
        f"TASK\n{world.task.text(world.board)}",
        f"MAP\n{_SYMBOLS}",
        f"PHYSICS\n{_PHYSICS}",
        f"ACTIONS\nEach round you choose one of: {actions}. All robots choose at the same time.",
    ]
    if not by_choice:
        parts.append(f"MESSAGES\nWith any action you may say something to the others. {_TALK}")
    parts.append(f"ANSWER\n{_answer(by_choice=by_choice, strict=strict)}")
    return (Message("system", _ROLE), Message("user", "\n\n".join(parts)))


def _answer(*, by_choice: bool, strict: bool) -> str:
    if by_choice:
        return "Answer with the action alone."
    return (
        "Explore, and cooperate. Think first: what do you see and hear, what will you do and why, and what should "
        "the others know? Then end with these lines, the second one only if you have something to say:\n"
        f"ACTION: <{_STRICT if strict else 'one of the actions'}>\n"
        "MSG: <your message>"
    )


def private(
    name: str,
    round_number: int,
    views: Sequence[str],
    status: str,
    heard: Sequence[str],
    history: Sequence[str],
) -> Message:
    """The last message of a prompt: what is one agent's alone.

    Args:
        name: the agent's name.
        round_number: rounds played so far.
        views: its view now and those before, newest first, as text.
        status: what it is told about itself, or nothing.
        heard: texts, in order.
        history: its own last actions and messages, oldest first, as lines.
    """
    lines = [f"You are {name}. This is round {round_number}.\n\nYour view now:\n{views[0]}"]
    for ago, view in enumerate(views[1:], start=1):
        lines.append(f"Your view {ago} round{'s' if ago > 1 else ''} ago:\n{view}")
    if status:
        lines.append(f"Your status: {status}")
    if heard:
        lines.append("You hear:\n- " + "\n- ".join(heard))
    else:
        lines.append("You hear nothing.")
    if history:
        lines.append("What you did last, oldest first:\n" + "\n".join(history))
    return Message("user", "\n\n".join(lines))
