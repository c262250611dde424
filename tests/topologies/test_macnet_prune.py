from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.ports import Request
from swarmmind.topologies.macnet.score import MAX_SCORED_CHARACTERS, code_score, merges, survivors

from .macnet_cast import Cast, played, society

WHOLE = "def f(x):\n    return x + 1\n"
BARE = "x = 1\n"
ONE_LEFT = "def f(x):\n    '''Later.'''\n\ndef g(x):\n    return 2\n"
TWO_LEFT = "def f(x):\n    pass\n\nasync def g(x):\n    raise NotImplementedError('g')\n\ndef h():\n    return 1\n"
BROKEN = "def f(x:\n"


def test_whole_code_is_better_than_code_with_gaps_than_what_does_not_parse() -> None:
    assert code_score(WHOLE) > code_score(BARE) > code_score(ONE_LEFT) > code_score(TWO_LEFT) > code_score(BROKEN)
    assert (code_score(WHOLE), code_score(TWO_LEFT), code_score(BROKEN)) == (110_000, 99_998, 0)


def test_code_in_fences_is_what_counts() -> None:
    assert code_score(f"Here it is:\n\n```python\n{WHOLE}```\n\nand so on, isn't it") == code_score(WHOLE)
    assert code_score(f"```python\n{WHOLE}```\n") > code_score(f"```\n{BROKEN}```\n")
    assert code_score("This is prose, and no code.") == 0


def test_code_is_never_executed(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    assert code_score(f"open({str(trap)!r}, 'w').write('x')\n@print\ndef f(a=exit()):\n    return 1") == 110_000
    assert not trap.exists()


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000, "-" * 90_000 + "1", "a" + ".b" * 40_000, "[" * 50_000 + "]" * 50_000, "1" * 9000, "\0", "\ud800",
        "x = '\\d'\n" * 5000, "1+" * 40_000 + "1", "```\n" * 20_000,
        "if x:\n" + "\n".join(" " * n + "if x:" for n in range(1, 400)),
        "lambda:" * 14_000, "f" + "(" * 150 + ")" * 150, "not " * 20_000 + "x", "x = " * 20_000 + "1", "`" * 99_999,
    ],
)  # fmt: skip
def test_hostile_text_scores_and_neither_raises_nor_takes_long(text: str) -> None:
    began = time.process_time()
    assert 0 <= code_score(text) <= 110_000
    assert time.process_time() - began < 5


def test_what_is_too_long_is_not_parsed() -> None:
    assert code_score("#" * (MAX_SCORED_CHARACTERS - len(WHOLE) - 1) + "\n" + WHOLE) == 110_000
    assert code_score("#" * MAX_SCORED_CHARACTERS + "\n" + WHOLE) == 0


@given(st.text())
def test_any_text_has_a_score(text: str) -> None:
    assert code_score(text) <= 110_000


def test_the_worse_half_of_more_than_four_goes_and_the_others_keep_their_order() -> None:
    texts = [BROKEN, WHOLE, TWO_LEFT, WHOLE, ONE_LEFT]
    assert survivors(texts, "code") == [1, 3, 4]
    assert survivors(texts, "none") == [0, 1, 2, 3, 4]
    assert survivors(texts[:4], "code") == [0, 1, 2, 3]
    assert survivors(["same"] * 6, "code") == [0, 1, 2]


@given(st.integers(1, 300), st.integers(2, 9))
def test_merges_lead_to_one(inputs: int, unit: int) -> None:
    assert merges(inputs, 2, "none") == inputs - 1
    assert merges(inputs, unit, "none") >= (inputs - 1) / (unit - 1)
    assert merges(inputs, unit, "code") == merges(inputs if inputs <= 4 else (inputs + 1) // 2, unit, "none")


@pytest.mark.parametrize(("prune", "merged"), [("code", 3), ("none", 7)])
def test_pruned_candidates_reach_no_merge(tmp_path: Path, prune: str, merged: int) -> None:
    """Eight leaves revise one draft; those with odd numbers break it, and the sink leaves their work as it is."""

    def says(request: Request) -> str | None:
        leaf = int(request.agent.id[1:])
        if request.observation["do"] != "revise":
            return None
        return (BROKEN if leaf % 2 else WHOLE) if leaf else request.observation["artifact"]

    cast = Cast(says=says)
    played(tmp_path, society(9), cast, "star", prune=prune)
    assert len(cast.did("merge")) == merged
    given = [text for told in cast.did("merge") for text in told.seen["artifacts"]]
    assert (given.count(WHOLE), given.count(BROKEN)) == (4, 0 if prune == "code" else 4)
