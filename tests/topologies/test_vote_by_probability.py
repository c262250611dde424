from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarmmind.effects import TEXT, Choice, Failure, Limits, Reply
from swarmmind.errors import UserError
from swarmmind.models.local import Scripted
from swarmmind.ports import Call, Request
from swarmmind.runtime.journal import content
from swarmmind.topologies.vote import masses

from .swarms import FAIL, Said, calls, played, saying, society

WAYS = Choice(("north", "south", "east"))


class Weighing(Said):
    """Agents with a distribution each; `None` is an agent whose server gives none."""

    def __init__(self, says: Sequence[str | Exception], likely: Sequence[dict[str, float] | None]) -> None:
        super().__init__({f"a{at}": [said] for at, said in enumerate(says)})
        self.likely = {f"a{at}": each for at, each in enumerate(likely)}
        self.outputs: list[Any] = []

    def answer(self, request: Request, call: Call) -> Any:
        self.outputs.append(request.output)
        reply = super().answer(request, call)
        return msgspec.structs.replace(reply, probabilities=self.likely[request.agent.id]) if reply.ok else reply


def ways(north: float, south: float, east: float) -> dict[str, float]:
    return {"north": north, "south": south, "east": east}


def test_distributions_are_added_and_the_most_mass_wins(tmp_path: Path) -> None:
    model = Weighing(["north", "north", "south"], [ways(0.5, 0.4, 0.1), ways(0.5, 0.4, 0.1), ways(0.0, 1.0, 0.0)])
    seen = played(tmp_path, "vote", society(3, WAYS), model, logprobs=True)
    assert seen.outcome.value == "south"  # a count of what was said has north
    assert model.outputs == [Choice(WAYS.options, logprobs=True)] * 3
    votes = [row[3] for row in content(tmp_path / "journal.sqlite") if row[0] == "record"]
    assert votes == ['{"north":1.0,"south":1.8,"east":0.2}']


def test_an_option_may_win_that_nobody_said(tmp_path: Path) -> None:
    model = Weighing(["north", "east"], [ways(0.45, 0.55, 0.0), ways(0.0, 0.5, 0.5)])
    assert played(tmp_path, "vote", society(2, WAYS), model, logprobs=True).outcome.value == "south"


def test_of_equal_masses_the_option_that_was_given_first_wins(tmp_path: Path) -> None:
    model = Weighing(["north", "east"], [ways(0.2, 0.4, 0.4)] * 2)
    assert played(tmp_path, "vote", society(2, WAYS), model, logprobs=True).outcome.value == "east"


@pytest.mark.parametrize("samples", [1, 5, 12])
def test_everybody_is_asked_once_whatever_samples_says(tmp_path: Path, samples: int) -> None:
    members = society(3, WAYS)
    model = Weighing(["north"] * 3, [ways(1, 0, 0)] * 3)
    seen = played(tmp_path, "vote", members, model, samples=samples, logprobs=True)
    assert seen.meter.usage.calls == calls("vote", members, samples=samples, logprobs=True) == 3


def test_who_gives_no_distribution_casts_a_whole_vote(tmp_path: Path) -> None:
    model = Weighing(["north", "south", "south"], [ways(0.9, 0.1, 0), None, ways(0.0, 0.4, 0.6)])
    assert played(tmp_path, "vote", society(3, WAYS), model, logprobs=True).outcome.value == "south"
    assert masses([Reply("east", "east"), Reply("north", "north")]) == {"east": 1.0, "north": 1.0}


def test_who_fails_has_no_mass(tmp_path: Path) -> None:
    down = OSError("down")
    model = Weighing([down, "south", down], [ways(1, 0, 0), ways(0.2, 0.8, 0), None])
    seen = played(tmp_path, "vote", society(3, WAYS), model, logprobs=True)
    assert seen.outcome.value == "south"
    assert seen.meter.total().failed == 2
    (tmp_path / "strict").mkdir()
    outcome = played(tmp_path / "strict", "vote", society(3, WAYS, policy=FAIL), model, logprobs=True).outcome
    assert outcome.failure is not None
    assert outcome.failure.message.startswith("1 of 3 agents answered")
    assert masses([Reply(failure=Failure("timeout", ""))]) == {}


def test_of_equal_masses_the_first_given_wins() -> None:
    third = dict.fromkeys(WAYS.options, 1 / 3)
    votes = masses([Reply("east", "east", probabilities=third), Reply("north", "north", probabilities=third)])
    assert list(votes) == ["east", "north", "south"]
    assert len(set(votes.values())) == 1
    noisy = masses([Reply("b", "b", probabilities={"a": 0.1 + 0.2, "b": 0.3}), Reply("b", "b", probabilities={})])
    assert noisy["a"] == 0.3
    assert noisy["b"] == 1.3  # an empty distribution is none


def test_a_budget_that_ends_it_early_keeps_the_mass_there_is(tmp_path: Path) -> None:
    model = Weighing(["north"] * 3, [ways(0.4, 0.6, 0.0), ways(0.9, 0.1, 0.0), ways(1, 0, 0)])
    seen = played(tmp_path, "vote", society(3, WAYS), model, Limits(calls=1), logprobs=True)
    assert (seen.outcome.value, seen.outcome.stopped) == ("south", "calls")


def test_a_question_without_options_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(UserError, match=r"logprobs: needs a question with options \(score: \{use: choice"):
        calls("vote", society(3, TEXT), logprobs=True)
    assert calls("vote", society(3, TEXT), logprobs=False) == 5


def test_one_call_of_a_scripted_model_is_its_likeliest_answer(tmp_path: Path) -> None:
    """Where samples would be wrong every third time, the distribution never is."""
    members = society(1, WAYS)
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        model = Scripted(0.6, answers={"How many?": "south"})
        assert played(folder, "vote", members, model, logprobs=True).outcome.value == "south"


def test_a_plain_vote_is_what_it_was(tmp_path: Path) -> None:
    model = saying("north", "south", "south")
    played(tmp_path, "vote", society(3, WAYS), model, samples=3)
    rows = list(content(tmp_path / "journal.sqlite"))
    assert [row[3] for row in rows if row[0] == "record"] == ['{"north":1,"south":2}']
    assert not any("logprobs" in row[5] or "probabilities" in row[6] for row in rows if row[0] == "result")
