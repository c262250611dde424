from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarmmind.evals.swarmbench.reading import compatible, strict

FIXTURES = Path(__file__).parents[2] / "fixtures" / "swarmbench"
CASES: list[dict[str, Any]] = json.loads((FIXTURES / "parse_cases.json").read_text())
MOVES = ("UP", "DOWN", "LEFT", "RIGHT", "STAY")


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"][:30]))
def test_compatible_reads_as_the_original_read(case: dict[str, Any]) -> None:
    actions = (*MOVES, "SWITCH") if case["switch_allowed"] else MOVES
    assert compatible(case["text"], actions) == (case["move"], case["speak"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thinking\nACTION: UP\nMSG: hi", ("UP", "hi")),
        ("action: **up**.", ("UP", None)),
        ("**Action:** [Right]", ("RIGHT", None)),
        ("ACTION: UP\nno, better:\nACTION: LEFT", ("LEFT", None)),
        ("ACTION: UP or DOWN", (None, None)),
        ("ACTION: UPWARDS", (None, None)),
        ("ACTION: STAY MSG: going UP", (None, None)),
        ("I could do ACTION: UP", (None, None)),
        ("ACTION: SWITCH", (None, None)),
        ("- MSG: one\n- MSG:", (None, None)),
        ("MSG: " + "y" * 121, (None, "y" * 120 + "...")),
        ("", (None, None)),
    ],
)
def test_strict_wants_one_action_word_on_the_last_action_line(
    text: str, expected: tuple[str | None, str | None]
) -> None:
    assert strict(text, MOVES) == expected
