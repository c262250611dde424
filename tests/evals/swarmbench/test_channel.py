from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import Agent, Reply
from swarmmind.errors import UserError
from swarmmind.evals.swarmbench import POLICIES, TASKS, SwarmBench
from swarmmind.evals.swarmbench.channel import Channel, garbled

ROUNDS = st.lists(st.lists(st.integers(0, 5), unique=True).map(sorted), max_size=20)
TEXT = "prey at (7, 8), all of you come here now"


def talking(world: SwarmBench, rounds: int) -> list[list[tuple[str, ...]]]:
    """What each agent hears in each round, if all stay and say their name and the round."""
    heard: list[list[tuple[str, ...]]] = []
    for number in range(rounds):
        world.step({name: Reply(text=f"ACTION: STAY\nMSG: {name} in {number}") for name in world.agents})
        heard.append([turn.observation.heard for turn in world.turns().values()])
    return heard


def test_an_ideal_channel_delivers_what_was_said_and_draws_nothing() -> None:
    said = [(0, "a"), (3, TEXT)]
    assert [Channel(seed=seed).carry(said) for seed in range(3)] == [said] * 3
    plain, ideal = SwarmBench("pursuit"), SwarmBench("pursuit", corruption=0.0, delay=0)
    assert talking(plain, 8) == talking(ideal, 8)
    assert plain.turns() == ideal.turns()


@given(ROUNDS, st.integers(1, 4), st.integers(0, 99))
def test_a_late_message_arrives_once_whole_and_within_its_time(rounds: list[list[int]], delay: int, seed: int) -> None:
    channel = Channel(delay=delay, seed=seed)
    arrived: list[tuple[int, int, int]] = []
    for now in range(len(rounds) + delay):
        said = [(speaker, str(now)) for speaker in rounds[now]] if now < len(rounds) else []
        found = [(speaker, int(text), now) for speaker, text in channel.carry(said)]
        assert found == sorted(found)  # in the speakers' order, of each the older first
        arrived += found
    assert all(0 <= came - sent <= delay for _, sent, came in arrived)
    sent_by = [(speaker, sent) for sent, speakers in enumerate(rounds) for speaker in speakers]
    assert sorted((speaker, sent) for speaker, sent, _ in arrived) == sorted(sent_by)


def test_every_lateness_is_as_likely() -> None:
    channel = Channel(delay=4, seed=1)
    late: Counter[int] = Counter()
    for now in range(1005):
        for _, text in channel.carry([(agent, str(now)) for agent in range(5)] if now < 1000 else []):
            late[now - int(text)] += 1
    assert set(late) == {0, 1, 2, 3, 4}
    assert all(abs(count - 1000) < 120 for count in late.values())  # four standard deviations


def test_a_share_of_the_messages_is_corrupted_and_half_of_their_characters() -> None:
    channel = Channel(corruption=0.2, seed=3)
    texts = [channel.carry([(0, TEXT)])[0][1] for _ in range(2000)]
    broken = [text for text in texts if text != TEXT]
    assert abs(len(broken) - 400) < 75
    changed = [sum(a != b for a, b in zip(text, TEXT, strict=True)) for text in broken]
    letters = sum(not character.isspace() for character in TEXT)
    assert sum(changed) / len(broken) == pytest.approx(0.5 * 35.5 / 36 * letters, rel=0.05)
    assert all([c.isspace() for c in text] == [c.isspace() for c in TEXT] for text in broken)


def test_garbling_keeps_a_message_one_line_of_its_length() -> None:
    said = "x" * 120 + "..."
    found = garbled(said, random.Random(0))
    assert len(found) == 123
    assert found.split() == [found]
    assert found != said


def test_corruption_and_delay_have_draws_of_their_own() -> None:
    both, late = Channel(0.5, 3, seed=9), Channel(0.0, 3, seed=9)
    for now in range(60):
        said = [(agent, f"{now} {TEXT}") for agent in range(4)]
        assert [speaker for speaker, _ in both.carry(said)] == [speaker for speaker, _ in late.carry(said)]


def test_noise_comes_from_the_seed_of_the_world_also_where_the_layout_does_not() -> None:
    def heard(seed: int) -> Any:
        world = SwarmBench("flocking", corruption=0.5, delay=2)
        world.reset(seed)
        return talking(world, 6)

    assert heard(1) == heard(1)
    assert heard(1) != heard(2)


def test_all_hear_the_same_damage_and_the_speaker_remembers_what_it_said() -> None:
    world = SwarmBench("synchronization", size=6, agents=8, corruption=1.0)
    world.reset(2)
    heard = talking(world, 1)[0]
    everything = Counter(text for texts in heard for text in texts)
    assert len(everything) == 8  # one damaged text for each speaker, whoever hears it
    assert max(everything.values()) > 1
    assert not any("Agent_" in text for text in everything)
    assert world.frame()["messages"] == {name: f"{name} in 0" for name in world.agents}
    for name, turn in world.turns().items():
        assert turn.observation.history == (("STAY", f"{name} in 0"),)
        assert all(f"- {text}" in turn.messages[-1].content for text in turn.observation.heard)


def test_a_late_message_is_heard_by_those_who_are_near_then() -> None:
    world = SwarmBench("synchronization", agents=2, size=12, delay=3)
    for seed in range(40):
        world.reset(seed)
        world.step({"Agent_0": Reply(text="MSG: hello")})
        while not world.world.arrived:
            world.step({})
        if world.frame()["round"] == 4:
            break
    assert world.frame()["round"] == 4
    places = list(world.frame()["agents"].values())
    near = max(abs(places[0][axis] - places[1][axis]) for axis in (0, 1)) <= 2
    assert [turn.observation.heard for turn in world.turns().values()] == [("hello",), ("hello",) if near else ()]
    world.step({})
    assert all(turn.observation.heard == () for turn in world.turns().values())


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_rules_bear_noise(task: str) -> None:
    world = SwarmBench(task, rounds=40, corruption=0.5, delay=4)
    world.reset(6)
    players = {name: POLICIES["swarmbench"](Agent(id=name, role="robot")) for name in world.agents}
    chance = random.Random(1)
    while not world.done:
        said = {name: players[name](turn.observation, chance) for name, turn in world.turns().items()}
        world.step({name: Reply(text=text) for name, text in said.items()})
    assert world.score >= 0


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"corruption": 1.5}, "corruption must be from 0 to 1, got 1.5"),
        ({"corruption": -0.1}, "corruption must be from 0 to 1"),
        ({"delay": -1}, "delay must be at least 0, got -1"),
        ({"dynamics": "some"}, "dynamics must be 'usual' or 'all', got 'some'"),
    ],
)
def test_a_noise_that_cannot_be_is_named(settings: dict[str, Any], hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        SwarmBench("pursuit", **settings)
