"""The scorer that compares numbers."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

from swarmmind.agents.answers import EXACT, final_number
from swarmmind.errors import UserError
from swarmmind.evals.scoring import Scoring


def number(tolerance: float = 0.0, relative: float = 0.0) -> Scoring:
    """1 if the final answer's number is the target's.

    The first number after the last `ANSWER:`, else the last number of the output: `so it is 1,234 km` gives 1234.

    Args:
        tolerance: the largest absolute difference that counts as equal.
        relative: the largest difference as a share of the target.

    Raises:
        UserError: a tolerance is negative.
    """
    if tolerance < 0 or relative < 0:
        raise UserError(f"score: tolerance and relative must not be negative, got {tolerance} and {relative}")

    def score(output: Any, target: Any) -> float:
        found, wanted = final_number(output), final_number(target)
        if found is None or wanted is None:
            return 0.0
        with localcontext(EXACT):
            allowed = max(Decimal(repr(tolerance)), Decimal(repr(relative)) * abs(wanted))
            return float(abs(found - wanted) <= allowed)

    return Scoring(score, final_number)
