from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import msgspec
import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.agents.outputs import read
from swarmmind.effects import Agent, Failure, Reply
from swarmmind.errors import UserError
from swarmmind.evals.musicswarm import POLICIES, Bar, MusicSwarm, Observation, coherence, entropy, sigma
from swarmmind.evals.musicswarm.bars import FIELDS, PITCHES, RHYTHMS, SECTIONS, frequencies, welcome
from swarmmind.evals.musicswarm.prompt import ANSWER
from swarmmind.evals.musicswarm.smallworld import likeness

BARS = st.lists(
    st.builds(Bar, st.integers(0, 11), st.integers(0, 3), st.integers(0, 3)),
    min_size=1,
    max_size=20,
)


def said(**document: Any) -> Reply:
    text = json.dumps({"keep": False, "root": "C", "rhythm": "half notes", "section": "theme", **document})
    return Reply(text, read(ANSWER, text))


KEEP = said(keep=True)


def sheet(world: MusicSwarm) -> list[dict[str, str]]:
    return world.frame()["bars"]


def observed(world: MusicSwarm) -> dict[str, Observation]:
    return {name: turn.observation for name, turn in world.turns().items()}


def play(world: MusicSwarm, rounds: int, seed: int) -> MusicSwarm:
    """Play with the rule in the box."""
    world.reset(seed)
    agents = {name: (POLICIES["musicswarm"](Agent(name, "composer")), random.Random(name)) for name in world.agents}
    for _ in range(rounds):
        if world.done:
            break
        replies: dict[str, Reply] = {}
        for name, turn in world.turns().items():
            policy, rng = agents[name]
            text = policy(turn.observation, rng)
            replies[name] = Reply(text, read(turn.output, text))
        world.step(replies)
    return world


# --- what a bar hears -------------------------------------------------------------------------------------------------


def test_cues_are_left_at_home_by_half_and_next_door_in_full_and_fade() -> None:
    world = MusicSwarm(5, asked=1.0, opening="C")
    world.reset(3)
    deposits = [welcome(bar)["harmony"] for bar in world.bars]
    expected = [0.4 * (0.5 * deposits[2][at] + deposits[1][at] + deposits[3][at]) for at in range(12)]
    assert observed(world)["bar-3"].sensed["harmony"] == pytest.approx(expected, rel=1e-5)
    world.step(dict.fromkeys(world.agents, KEEP))
    assert observed(world)["bar-3"].sensed["harmony"] == pytest.approx([1.6 * was for was in expected], rel=1e-5)


def test_a_composer_hears_its_own_place_and_two_bars_back_and_nothing_else() -> None:
    world = MusicSwarm(9, asked=1.0)
    world.reset(1)
    before = observed(world)
    assert [len(seen.before) for seen in before.values()] == [0, 1, 2, 2, 2, 2, 2, 2, 2]
    changed = said(root="C" if world.bars[4].root else "F#", notes="up and down", cues={"rhythm": ["whole notes"]})
    world.step({name: changed if name == "bar-5" else KEEP for name in world.agents})
    other = MusicSwarm(9, asked=1.0)
    other.reset(1)
    other.step(dict.fromkeys(other.agents, KEEP))
    told, untold = world.turns(), other.turns()
    heard = {name for name in told if told[name].messages != untold[name].messages}
    assert heard == {"bar-4", "bar-5", "bar-6", "bar-7"}
    assert told["bar-4"].observation.said == told["bar-6"].observation.said == ((4, "up and down"),)
    assert "> up and down" in told["bar-6"].messages[-1].content
    assert told["bar-7"].observation.said == ()
    assert told["bar-1"].messages[0] == told["bar-9"].messages[0]


def test_without_a_field_nothing_is_sensed_and_with_a_critic_all_are_told_the_same() -> None:
    world = MusicSwarm(6, asked=1.0, field=False, critic=True)
    world.reset(2)
    seen = list(observed(world).values())
    assert all(not one.sensed and not one.feedback for one in seen)
    assert all(one.critic == frequencies(world.bars) for one in seen)
    assert not any("Cues here" in turn.messages[-1].content for turn in world.turns().values())
    assert all("A critic of the whole piece" in turn.messages[-1].content for turn in world.turns().values())


def test_who_rests_depends_on_the_seed_alone() -> None:
    kept, changed = MusicSwarm(12), MusicSwarm(12)
    asked: list[int] = []
    for number in range(8):
        assert list(kept.turns()) == list(changed.turns())
        asked.append(len(kept.turns()))
        kept.step(dict.fromkeys(kept.turns(), KEEP))
        changed.step(dict.fromkeys(changed.turns(), said(root=PITCHES[number])))
    assert 12 > sum(asked) / len(asked) > 6
    assert len(set(asked)) > 1


# --- what is written --------------------------------------------------------------------------------------------------


def test_answers_are_applied_at_once_and_failures_and_rests_leave_a_bar_as_it_is() -> None:
    world = MusicSwarm(4, asked=1.0)
    world.reset(5)
    was = sheet(world)
    failed = Reply(failure=Failure("timeout", "late"))
    new = said(root="G#", rhythm="whole notes", section="return")
    world.step({"bar-1": new, "bar-2": failed, "bar-3": None})
    assert sheet(world) == [{"harmony": "G#", "rhythm": "whole notes", "section": "return"}, *was[1:]]
    assert world.frame()["kept"] == pytest.approx(0.25)  # the one that rested


def test_keep_wins_over_the_bar_beside_it_and_a_bar_rewritten_as_it_was_is_kept() -> None:
    world = MusicSwarm(2, asked=1.0)
    world.reset(5)
    was = sheet(world)
    again = said(root=was[1]["harmony"], rhythm=was[1]["rhythm"], section=was[1]["section"])
    world.step({"bar-1": said(keep=True, root=PITCHES[world.bars[0].root - 1]), "bar-2": again})
    assert (sheet(world), world.frame()["kept"]) == (was, 1.0)
    assert observed(world)["bar-1"].attempts == ((world.bars[0].classes, True),)


def test_it_ends_by_consensus_after_round_three_or_at_the_last_round() -> None:
    world = MusicSwarm(10, rounds=20)
    for number in range(1, 5):
        assert not world.done
        world.step(dict.fromkeys(world.turns(), KEEP))
        assert world.done == (number == 4)
    assert world.metrics()["stopped"] == 1.0
    silent = MusicSwarm(10, rounds=6)
    while not silent.done:
        silent.step(dict.fromkeys(silent.turns()))
    assert (silent.frame()["round"], silent.metrics()["stopped"]) == (6, 0.0)  # silence is no consensus


def test_the_sheet_has_a_mark_per_bar_and_rows_of_one_length() -> None:
    world = MusicSwarm(7)
    frame = json.loads(msgspec.json.encode(world.frame()))
    rows = frame["grid"]
    assert len({len(row) for row in rows}) == 1
    marked = {column: row[:2].strip() for row in rows[:12] for column, symbol in enumerate(row[3:]) if symbol == "o"}
    assert [marked[at] for at in range(7)] == [bar["harmony"] for bar in frame["bars"]]


@pytest.mark.parametrize(
    "wrong",
    [{"agents": 0}, {"rounds": 0}, {"asked": 0.0}, {"retention": 1.5}, {"attempts": -1}, {"opening": "H"}],
)
def test_a_wrong_parameter_is_named(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        MusicSwarm(**wrong)


def test_a_stranger_cannot_write() -> None:
    with pytest.raises(UserError, match="no bar 'bar-9'"):
        MusicSwarm(3).step({"bar-9": KEEP})


# --- the rule in the box ----------------------------------------------------------------------------------------------


def test_the_rule_finds_a_coherent_and_varied_piece_with_the_field_alone() -> None:
    seeds = range(6)
    pieces = [play(MusicSwarm(16), 30, seed).metrics() for seed in seeds]
    blind = [play(MusicSwarm(16, field=False), 30, seed).metrics() for seed in seeds]
    assert sum(piece["coherence"] for piece in pieces) / 6 > 0.8 > 0.6 > sum(one["coherence"] for one in blind) / 6
    assert all(piece["entropy"] > 0.5 and piece["stopped"] for piece in pieces)
    assert not any(one["stopped"] for one in blind)


def test_a_difference_travels_at_most_two_bars_a_round() -> None:
    for rounds in range(1, 6):
        one, other = (play(MusicSwarm(16, consensus=2.0, opening=root), rounds, 4) for root in ("C", "F#"))
        assert one.bars[2 * rounds + 1 :] == other.bars[2 * rounds + 1 :]


def test_the_rule_draws_as_many_numbers_whatever_it_sees() -> None:
    states: list[Any] = []
    for seen in (Observation(0, 0, (0, 0, 0)), *observed(play(MusicSwarm(8, asked=1.0, critic=True), 2, 1)).values()):
        rng = random.Random(1)
        POLICIES["musicswarm"](Agent("a", "composer"))(seen, rng)
        states.append(rng.getstate())
    assert all(state == states[0] for state in states)


# --- measures ---------------------------------------------------------------------------------------------------------


@given(BARS)
def test_measures_stay_in_their_bounds(bars: list[Bar]) -> None:
    assert 0 <= coherence(bars) <= 1
    assert 0 <= entropy(bars) <= 1
    assert all(0 <= strength <= 1 for cues in welcome(bars[0]).values() for strength in cues)
    assert {kind: len(cues) for kind, cues in welcome(bars[0]).items()} == {k: len(v) for k, v in FIELDS.items()}


def test_measures_of_known_pieces() -> None:
    fifths = [Bar(at * 7 % 12, 0, 0) for at in range(12)]
    assert (coherence(fifths), entropy(fifths)) == (1.0, pytest.approx(1.0))
    same = [Bar(5, 1, 1)] * 8
    assert (coherence(same), entropy(same)) == (pytest.approx(0.4), 0.0)
    assert coherence([Bar(0, 0, 0), Bar(6, 0, 0)]) == 0.0


def test_sigma_is_that_of_the_likeness_graph_and_none_where_it_is_not_defined() -> None:
    assert sigma([Bar(5, 1, 1)] * 8) == pytest.approx(1.0)  # all alike: as clustered and as short as any such graph
    assert sigma([Bar(at, at % 4, at // 4) for at in range(4)]) is None
    rng = random.Random(3)
    bars = [Bar(rng.randrange(12), rng.randrange(4), at // 6) for at in range(24)]
    graph = likeness(bars)
    assert all(
        graph.has_edge(a, b) == (sum(x == y for x, y in zip(bars[a].classes, bars[b].classes, strict=True)) >= 2)
        for a in range(24)
        for b in range(a + 1, 24)
    )
    found = sigma(bars)
    assert found is not None
    assert found == sigma(bars)
    reordered = rng.sample(bars, 24)
    assert nx.average_clustering(likeness(reordered)) == pytest.approx(nx.average_clustering(graph))
    rebuilt = [
        Bar(rng.randrange(len(PITCHES)), rng.randrange(len(RHYTHMS)), rng.randrange(len(SECTIONS))) for _ in bars
    ]
    assert sigma(rebuilt) != found
