from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarmmind.effects import Limits, Message
from swarmmind.errors import UserError
from swarmmind.memory import Window
from swarmmind.ports import Turn
from swarmmind.runtime.journal import content
from swarmmind.topologies import Policy

from .swarms import FAIL, Counter, calls, played, saying, society


def test_every_agent_acts_in_every_round_and_the_world_moves_once_a_round(tmp_path: Path) -> None:
    world = Counter(3, rounds=4)
    members = society(3, environment=world, seed=11)
    seen = played(tmp_path, "world", members, saying("1", "2", "1"))
    assert seen.outcome.value == {"round": 4, "score": 16.0}
    assert world.seed == 11
    assert world.rounds_seen == [{"player-0": "1", "player-1": "2", "player-2": "1"}] * 4
    assert calls("world", members) == seen.meter.usage.calls == 12


def test_all_decide_on_the_same_state_and_each_is_told_its_own(tmp_path: Path) -> None:
    model = saying("1", "1", "1")
    played(tmp_path, "world", society(3, environment=Counter(3, rounds=2)), model)
    for at in range(3):
        assert [messages[-1].content for messages in model.heard[f"a{at}"]] == [
            f"round 0 score 0 for player-{at}",
            f"round 1 score 3 for player-{at}",
        ]
        assert model.heard[f"a{at}"][0][:2] == (Message("system", "You solve."), Message("user", "the rules"))


def test_what_is_remembered_stands_between_the_rules_and_the_turn(tmp_path: Path) -> None:
    model = saying("1")
    played(tmp_path, "world", society(1, environment=Counter(1, rounds=2), memory=Window(2)), model)
    assert [message.content for message in model.heard["a0"][1]] == [
        "You solve.",
        "the rules",
        "round 0 score 0 for player-0",
        "1",
        "round 1 score 1 for player-0",
    ]


def test_each_round_is_recorded_from_the_beginning(tmp_path: Path) -> None:
    played(tmp_path, "world", society(2, environment=Counter(2, rounds=3)), saying("1", "2"))
    frames = [json.loads(row[3]) for row in content(tmp_path / "journal.sqlite") if row[0] == "record"]
    assert sorted(frame["round"] for frame in frames) == [0, 1, 2, 3]
    assert max(frame["score"] for frame in frames) == 9


def test_who_has_left_is_not_asked(tmp_path: Path) -> None:
    world = Counter(3, rounds=4, leaving={2: "player-1"})
    seen = played(tmp_path, "world", society(3, environment=world), saying("1", "1", "1"))
    assert seen.meter.usage.calls == 10
    assert list(world.rounds_seen[3]) == ["player-0", "player-2"]


def test_a_failed_or_unreadable_answer_is_no_action(tmp_path: Path) -> None:
    world = Counter(3, rounds=2)
    seen = played(tmp_path, "world", society(3, environment=world), saying("1", OSError("down"), "seven"))
    assert world.rounds_seen == [{"player-0": "1", "player-1": None, "player-2": None}] * 2
    assert seen.outcome.value["score"] == 2
    assert seen.meter.total().failed == 4


def test_even_when_nobody_can_speak_the_world_goes_on_by_default(tmp_path: Path) -> None:
    seen = played(tmp_path, "world", society(2, environment=Counter(2, 3)), saying(OSError("x"), OSError("x")))
    assert seen.outcome.value == {"round": 3, "score": 0.0}


@pytest.mark.parametrize("policy", [FAIL, Policy("quorum", 1.0)])
def test_a_stricter_policy_ends_it(tmp_path: Path, policy: Policy) -> None:
    world = Counter(2, rounds=3)
    model = saying("1", ["1", OSError("down")])
    seen = played(tmp_path, "world", society(2, environment=world, policy=policy), model)
    assert seen.outcome.failure is not None
    assert "1 of 2 agents answered" in seen.outcome.failure.message
    assert len(world.rounds_seen) == 1


def test_a_budget_ends_it_after_the_last_whole_round_and_the_score_stands(tmp_path: Path) -> None:
    world = Counter(3, rounds=9)
    seen = played(tmp_path, "world", society(3, environment=world), saying("1", "1", "1"), Limits(calls=8))
    assert (seen.outcome.value, seen.outcome.stopped) == ({"round": 2, "score": 6.0}, "calls")
    assert seen.meter.usage.calls == 8
    more = Counter(3, rounds=9)
    resumed = played(tmp_path, "world", society(3, environment=more), saying("1", "1", "1"), Limits(calls=100))
    assert resumed.outcome.value == {"round": 9, "score": 27.0}
    assert len(resumed.asked) == 27 - 8


def test_a_population_that_does_not_fit_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this world has 3 places, the population 2 agents"):
        played(tmp_path, "world", society(2, environment=Counter(3)), saying("1", "1"))
    with pytest.raises(UserError, match="'world' plays an environment"):
        played(tmp_path, "world", society(2), saying("1", "1"))


def test_a_card_and_a_worlds_own_instructions_are_one_system_message(tmp_path: Path) -> None:
    class Instructing(Counter):
        def turns(self) -> dict[str, Turn]:
            own = Message("system", "You are in a world.")
            return {name: turn._replace(messages=(own, *turn.messages)) for name, turn in super().turns().items()}

    model = saying("1")
    played(tmp_path, "world", society(1, environment=Instructing(1, rounds=1)), model)
    assert model.heard["a0"][0][:2] == (
        Message("system", "You solve.\n\nYou are in a world."),
        Message("user", "the rules"),
    )
