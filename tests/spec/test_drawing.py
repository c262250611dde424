"""The drawing of a part: text of a bounded size, and no parameter."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.errors import SpecError
from swarmmind.spec import load_part
from swarmmind.spec.parts import columns, read_part

from .projects import write

HEAD = "description: A.\nuse: vote\n"


def part(folder: Path, text: str) -> Path:
    return write(folder / "topologies" / "mine.yaml", HEAD + text)


def test_a_drawing_is_no_parameter(project: Path, box: Path) -> None:
    path = part(project, "drawing: |2\n     a ──╮\n  b ─┴──▶ c\n\nsamples: 3\n")
    assert load_part("topologies", "mine", project, box=box).parameters == {"samples": 3}
    assert read_part(path).drawing == "   a ──╮\nb ─┴──▶ c"


def test_a_part_does_without_one(project: Path) -> None:
    assert read_part(part(project, "")).drawing == ""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("drawing: 5\n", "3:10: drawing: must be text, got 5; put it in quotes"),
        ("drawing: [a, b]\n", "3:10: drawing: must be text, got a list"),
        ("drawing:\n", "3:9: drawing: must be text, got nothing"),
        ("drawing: |\n" + "  a\n" * 13, "3:10: drawing: must have at most 12 lines, got 13"),
        (f"drawing: |\n  a\n  {'b' * 73}\n", "3:10: drawing: must be at most 72 columns wide, got 73 in its line 2"),
        (f"drawing: {'─' * 73}\n", "3:10: drawing: must be at most 72 columns wide, got 73 in its line 1"),
        (f"drawing: {'群' * 37}\n", "3:10: drawing: must be at most 72 columns wide, got 74 in its line 1"),
        (f'drawing: "{chr(92)}t{"a" * 65}"\n', "3:10: drawing: must be at most 72 columns wide, got 73 in its line 1"),
        ("drawing: sk-0123456789abcdef\n", "3:10: drawing: holds what looks like a secret"),
    ],
)
def test_a_drawing_that_is_too_large_or_no_text_is_refused(text: str, wanted: str, project: Path, box: Path) -> None:
    path = part(project, text)
    for load in (lambda: read_part(path), lambda: load_part("topologies", "mine", project, box=box)):
        with pytest.raises(SpecError) as caught:
            load()
        assert str(caught.value).startswith(f"{path}:{wanted}")
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["群" * 36, "─" * 72, "e\u0301" * 72, ("a" * 72 + "\n") * 12])
def test_the_largest_drawings_are_accepted(text: str, project: Path) -> None:
    lines = "".join(f"  {line}\n" for line in text.split("\n"))
    assert read_part(part(project, f"drawing: |\n{lines}")).drawing == text.rstrip()


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_plain_text_is_as_wide_as_it_is_long(text: str) -> None:
    assert columns(text) == len(text)
