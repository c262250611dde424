"""What a cell, or the controller, is told, in words. Shared messages are the same for all who have one rule."""

from __future__ import annotations

from collections.abc import Sequence

from swarmmind.effects import Message
from swarmmind.evals.sorting.row import Algotype

_CELL = (
    "You are one cell of a row of cells. Each cell has a number. The row should come to stand in order, the smallest "
    "number at the left end, but nobody leads, and you know nothing of the row but what you are told."
)
_CONTROLLER = (
    "You give orders to a row of cells. Each cell has a number. The row should come to stand in order, the smallest "
    "number at the left end."
)
_RULES: dict[Algotype, str] = {
    "bubble": (
        "You see your neighbor on either side. Each time you are asked, look at one side, whichever you like: if you "
        "and that neighbor stand in the wrong order, change places with it: LEFT or RIGHT. If you do not, STAY. Do not "
        "always begin with the same side."
    ),
    "insertion": (
        "You are asked while all who can act to the left of you stand in order, and you see your left neighbor. If it "
        "is larger than you, you belong further left: change places with it, LEFT. Otherwise STAY."
    ),
    "selection": (
        "There is a place in the row that you aim at, at first the left end. You see who stands there, however far "
        "away that is. If that cell is larger than you, the place is yours: change places with it, SWAP. Otherwise "
        "STAY, and you will aim at the next place to its right."
    ),
}
_ORDERS = (
    "You see the whole row. With each answer you order one cell to change places with its right neighbor, by the "
    "number of its place: places count from 1 at the left end. A cell may fail to move, and then it will fail again. "
    "Answer with the place alone, or with STAY when nothing is left to order: that ends it."
)


def shared(algotype: Algotype) -> tuple[Message, ...]:
    """What every cell of a rule is told first."""
    return (Message("system", _CELL), Message("user", f"{_RULES[algotype]} Answer with that word alone."))


def orders() -> tuple[Message, ...]:
    """What the controller is told first."""
    return (Message("system", _CONTROLLER), Message("user", _ORDERS))


def beside(value: int, left: int | None, right: int | None) -> Message:
    """What a cell sees of its neighbors; `None` is the row's end."""
    sides = [f"on your left {'the row ends' if left is None else f'stands {left}'}"]
    sides.append(f"on your right {'the row ends' if right is None else f'stands {right}'}")
    return Message("user", f"Your number is {value}; {', '.join(sides)}.")


def before(value: int, left: int) -> Message:
    """What a cell sees that may only go left."""
    return Message("user", f"Your number is {value}; on your left stands {left}.")


def at(value: int, place: int, aim: int, there: int) -> Message:
    """What a cell sees of the place that it aims at; places count from 0 here and from 1 for it."""
    return Message("user", f"Your number is {value}, your place is {place + 1}. At place {aim + 1} stands {there}.")


def whole(values: Sequence[int], ordered: int | None, moved: bool) -> Message:
    """What the controller sees: the row, and what came of its last order (places count from 0 here)."""
    last = "" if ordered is None else f" The cell at place {ordered + 1} {'moved' if moved else 'did not move'}."
    return Message("user", f"The row: {' '.join(map(str, values))}.{last}")
