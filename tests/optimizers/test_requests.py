"""What stands in the prompts of critics and editors."""

from __future__ import annotations

import pytest

from swarmmind.optimizers.requests import LEAST_SHOWN_CHARACTERS, MAX_SHOWN_CHARACTERS, shown
from swarmmind.optimizers.study import Case, Scored, Step


@pytest.mark.parametrize(("count", "each"), [(2, MAX_SHOWN_CHARACTERS), (100, 600), (300, LEAST_SHOWN_CHARACTERS)])
def test_of_a_large_team_each_answer_is_shown_in_part(count: int, each: int) -> None:
    steps = tuple(Step(f"a-{at}", "a", "?", "x" * 9000) for at in range(count))
    text = shown(Case("train-0", Scored(0.0, "!", steps=steps)))
    assert text.count("x") == count * each
    assert text.count("characters left out") == count
