"""Where two runs part: the first difference, what it is, and where in the text."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from swarmmind.effects import Agent, Ask, Message, Program
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.runs.divergence import Divergence, Stretch, divergence
from swarmmind.testing.play import MODEL, play


def chain(*words: str, last: str = "end") -> Callable[[Context], Program]:
    """Asks one after the other; the text of the second prompt ends in `last`."""

    def program(ctx: Context) -> Program:
        for at, word in enumerate(words):
            told = Message("user", f"{word} {last}" if at == 1 else word)
            yield [Ask(Agent(f"a{at}", "worker", model=MODEL), (told,))]

    return program


def journaled(folder: Path, program: Callable[[Context], Program], says: str = "yes") -> Stretch:
    folder.mkdir()

    def reply(request: Request, rng: random.Random) -> str:
        return says if request.agent.id == "a2" else "yes"

    play(program, folder / "journal.sqlite", model=ScriptedFunction(reply))
    return Stretch(folder)


@pytest.mark.parametrize(
    ("other", "says", "wanted"),
    [
        (chain("x", "y", "z"), "yes", None),
        (chain("x", "y", "z"), "no", Divergence("run/3/a2", "a2", "answered", "yes", "no", 2)),
        (
            chain("x", "y", "z", last="other"),
            "no",
            Divergence("run/2/a1", "a1", "asked", "user: y end", "user: y other", 1),
        ),
        (chain("x", "y"), "yes", Divergence("run/3/a2", "a2", "missing", "yes", "", 2)),
        (chain("x", "y", "z", "w"), "yes", Divergence("run/4/a3", "a3", "missing", "", "yes", 3)),
    ],
)
def test_the_first_difference(
    other: Callable[[Context], Program], says: str, wanted: Divergence | None, tmp_path: Path
) -> None:
    one = journaled(tmp_path / "one", chain("x", "y", "z"))
    assert divergence(one, journaled(tmp_path / "other", other, says)) == wanted


def test_of_long_texts_only_what_stands_around_the_place_is_shown(tmp_path: Path) -> None:
    texts = [f"{'a' * 1000}{mark}{'b' * 1000}" for mark in "XY"]
    one, other = (journaled(tmp_path / text[1000], chain("x", text)) for text in texts)
    found = divergence(one, other)
    assert found is not None
    assert found.what == "asked"
    assert found.first == f"...{'a' * 80}X{'b' * 79}"
    assert found.second == f"...{'a' * 80}Y{'b' * 79}"
