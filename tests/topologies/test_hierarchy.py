from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmmind.agents.answers import plurality
from swarmmind.agents.prompts import speakers
from swarmmind.effects import Limits
from swarmmind.memory import memory
from swarmmind.models.local import ScriptedFunction
from swarmmind.runtime.journal import content
from swarmmind.topologies import Policy

from .swarms import FAIL, Said, calls, played, saying, society

DOWN = OSError("down")
QUOTED = re.compile(r"^\[([^\],]+)[^\]]*\]\n> (.*)$", re.MULTILINE)


def numbers(count: int, latency: Mapping[str, float] | None = None, failing: Sequence[int] = ()) -> Said:
    """Everybody says its own number, no two the same."""
    said = {f"a{at}": [DOWN if at in failing else f"<<a{at}>> ANSWER: {at}"] for at in range(count)}
    return Said(said, latency)


def heard(said: Said, name: str) -> dict[str, str]:
    """Who is quoted in the one prompt of an agent, and with which words."""
    [messages] = said.heard[name]
    return dict(QUOTED.findall(messages[-1].content))


def depth(count: int, branching: int) -> int:
    """Of the heap: how many speak one after the other."""
    at, found = count - 1, 1
    while at:
        at, found = (at - 1) // branching, found + 1
    return found


@pytest.mark.parametrize("rule", ["advised-monarchy", "democracy"])
@pytest.mark.parametrize(
    ("count", "branching"), [(1, 8), (2, 1), (5, 1), (7, 2), (129, 8), (129, 128), (130, 3), (1500, 8), (1023, 2)]
)
def test_everybody_speaks_once_and_it_takes_as_long_as_the_tree_is_deep(
    tmp_path: Path, count: int, branching: int, rule: str
) -> None:
    members, model = society(count), ScriptedFunction(lambda request, rng: "ANSWER: 1", 1.0)
    seen = played(tmp_path, "hierarchy", members, model, branching=branching, rule=rule)
    assert seen.outcome.value == "ANSWER: 1"
    assert sorted(line.split(":")[0] for line in seen.asked) == sorted(agent.id for agent in members.agents)
    assert calls("hierarchy", members, branching=branching, rule=rule) == seen.meter.usage.calls == count
    assert seen.seconds == depth(count, branching)


def test_129_members_in_groups_of_eight_are_four_deep() -> None:
    assert (depth(129, 8), depth(1500, 8), depth(129, 128)) == (4, 5, 2)


def test_a_leader_reads_its_own_group_and_nobody_else(tmp_path: Path) -> None:
    model = numbers(13)
    seen = played(tmp_path, "hierarchy", society(13), model, branching=3)
    for at in range(13):
        below = range(3 * at + 1, min(3 * at + 4, 13))
        assert heard(model, f"a{at}") == {f"a{child}": f"<<a{child}>> ANSWER: {child}" for child in below}
    assert seen.outcome.value == "<<a0>> ANSWER: 0"


def test_who_stands_for_a_group_is_said_with_its_size_and_a_leaf_is_asked_the_bare_question(tmp_path: Path) -> None:
    model = numbers(6)
    played(tmp_path, "hierarchy", society(6), model, branching=2)
    assert "[a1, for a group of 3]\n" in model.heard["a0"][0][-1].content
    assert "[a2, for a group of 2]\n" in model.heard["a0"][0][-1].content
    assert "[a5]\n" in model.heard["a2"][0][-1].content
    solo = saying("ANSWER: 1")
    played(tmp_path, "solo", society(1), solo)
    assert model.heard["a5"][0] == solo.heard["a0"][0]


def test_a_slow_branch_delays_its_ancestors_alone(tmp_path: Path) -> None:
    late = {f"a{at}": 1.0 for at in range(7)} | {"a3": 10.0, "a2": 10.0}
    seen = played(tmp_path, "hierarchy", society(7), numbers(7, late), branching=2)
    assert seen.seconds == 12  # 3 before 1 before 0, beside 6 before 2 before 0; level by level it would be 21


def test_in_a_democracy_the_group_is_counted_with_its_leader_last(tmp_path: Path) -> None:
    said = ["ANSWER: a", "ANSWER: b", "ANSWER: b", "No: ANSWER: a"]
    model = saying(*said)
    seen = played(tmp_path, "hierarchy", society(4), model, branching=3, rule="democracy")
    assert seen.outcome.value == "ANSWER: b"  # a tie: a1 came before a3 and before the leader
    (tmp_path / "led").mkdir()
    led = saying(*said)
    assert played(tmp_path / "led", "hierarchy", society(4), led, branching=3).outcome.value == "ANSWER: a"


def test_what_wins_goes_up_in_the_words_and_under_the_name_of_the_one_who_said_it_first(tmp_path: Path) -> None:
    model = saying("ANSWER: x", "ANSWER: 1", "ANSWER: x", "so: ANSWER: 2", "then: ANSWER: 2", "ANSWER: x", "ANSWER: x")
    played(tmp_path, "hierarchy", society(7), model, branching=2, rule="democracy")
    assert heard(model, "a0") == {"a3": "so: ANSWER: 2", "a5": "ANSWER: x"}


def test_a_leader_who_fails_is_passed_over_and_its_group_votes(tmp_path: Path) -> None:
    model = saying(
        "ANSWER: 0", DOWN, "ANSWER: 2", "ANSWER: 5", "yes: ANSWER: 6", "no: ANSWER: 6", "ANSWER: 7", "ANSWER: 8"
    )
    seen = played(tmp_path, "hierarchy", society(8), model, branching=3)
    assert heard(model, "a0") == {"a4": "yes: ANSWER: 6", "a2": "ANSWER: 2", "a3": "ANSWER: 5"}
    total = seen.meter.total()
    assert (total.planned, total.finished, total.failed) == (8, 7, 1)


def test_a_top_who_fails_leaves_it_to_the_reports(tmp_path: Path) -> None:
    model = saying(DOWN, "ANSWER: 1", "well, ANSWER: 2", "ANSWER: 2")
    assert played(tmp_path, "hierarchy", society(4), model, branching=3).outcome.value == "well, ANSWER: 2"


def test_a_group_in_which_nobody_answers_reports_nothing(tmp_path: Path) -> None:
    model = numbers(7, failing=(1, 3, 4))
    seen = played(tmp_path, "hierarchy", society(7), model, branching=2)
    assert heard(model, "a0") == {"a2": "<<a2>> ANSWER: 2"}
    assert seen.outcome.value == "<<a0>> ANSWER: 0"


def test_it_fails_if_nobody_answers(tmp_path: Path) -> None:
    seen = played(tmp_path, "hierarchy", society(3), numbers(3, failing=(0, 1, 2)))
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.message.startswith("0 of 3 agents answered")


@pytest.mark.parametrize("rule", ["advised-monarchy", "democracy"])
def test_with_a_fifth_of_129_failing_a_result_is_delivered_and_nobodys_words_are_invented(
    tmp_path: Path, rule: str
) -> None:
    failing = range(0, 129, 5)  # the top and leaders among them
    model = numbers(129, failing=failing)
    seen = played(tmp_path, "hierarchy", society(129), model, rule=rule)
    assert seen.outcome.value in {f"<<a{at}>> ANSWER: {at}" for at in range(129) if at not in failing}
    total = seen.meter.total()
    assert (total.planned, total.finished, total.failed) == (129, 129 - len(failing), len(failing))
    quotations = [pair for name in model.heard for pair in heard(model, name).items()]
    assert all(words.startswith(f"<<{author}>>") for author, words in quotations)
    assert len(quotations) >= 100


@pytest.mark.parametrize(
    ("policy", "failing", "holds"),
    [(FAIL, (5,), False), (Policy("quorum", 0.7), (5, 6), True), (Policy("quorum", 0.7), (4, 5, 6), False)],
)
def test_a_stricter_policy_looks_at_the_whole_tree(
    tmp_path: Path, policy: Policy, failing: Sequence[int], holds: bool
) -> None:
    model = numbers(7, failing=failing)
    seen = played(tmp_path, "hierarchy", society(7, policy=policy), model, branching=2)
    assert seen.outcome.ok is holds
    if not holds:  # no leader was asked any more
        assert seen.meter.usage.calls <= 5


@pytest.mark.parametrize(
    ("affordable", "wanted"),
    [(0, None), (1, "a3"), (3, "a3"), (4, "a3"), (5, "a1"), (6, "a1"), (7, "a0")],
)
def test_a_spent_budget_leaves_the_rest_to_the_votes_of_those_who_spoke(
    tmp_path: Path, affordable: int, wanted: str | None
) -> None:
    model = numbers(7, {f"a{at}": 1.0 for at in range(7)})
    seen = played(tmp_path, "hierarchy", society(7), model, Limits(calls=affordable), branching=2)
    assert (seen.outcome.value or "").partition(">>")[0].removeprefix("<<") == (wanted or "")
    assert seen.outcome.stopped == ("calls" if affordable < 7 else None)
    assert seen.meter.usage.calls == affordable


def test_the_answers_of_all_members_are_on_record(tmp_path: Path) -> None:
    played(tmp_path, "hierarchy", society(4), saying("ANSWER: 9", "ANSWER: 1", "ANSWER: 1", DOWN), branching=3)
    [votes] = [row for row in content(tmp_path / "journal.sqlite") if row[0] == "record"]
    assert json.loads(votes[3]) == {"9": 1, "1": 2}


@settings(max_examples=30)
@given(answers=st.lists(st.sampled_from("abc"), min_size=1, max_size=40), branching=st.integers(1, 9))
def test_a_democracy_is_the_plurality_of_pluralities(answers: list[str], branching: int) -> None:
    reported = list(answers)
    for at in range(len(answers) - 1, -1, -1):
        group = reported[branching * at + 1 : branching * at + 1 + branching]
        reported[at] = str(plurality([*group, answers[at]]))
    with tempfile.TemporaryDirectory() as folder:
        model = saying(*[f"ANSWER: {answer}" for answer in answers])
        members = society(len(answers))
        seen = played(Path(folder), "hierarchy", members, model, branching=branching, rule="democracy")
    assert seen.outcome.value == f"ANSWER: {reported[0]}"


def test_who_is_read_is_known_to_the_report(tmp_path: Path) -> None:
    model = numbers(4)
    played(tmp_path, "hierarchy", society(4), model, branching=3)
    assert set(speakers(model.heard["a0"][0][-1].content)) == {"a1", "a2", "a3"}


@pytest.mark.parametrize("affordable", [1, 4, 6])
def test_what_can_be_said_but_not_remembered_any_more_counts(tmp_path: Path, affordable: int) -> None:
    members = society(7, memory=memory("vectors")())
    cast = numbers(7, {f"a{at}": 1.0 + at for at in range(7)})
    seen = played(tmp_path, "hierarchy", members, cast, Limits(calls=affordable), branching=2)
    assert seen.outcome.stopped == "calls"
    [tally] = [json.loads(row[3]) for row in content(tmp_path / "journal.sqlite") if row[:1] == ("record",)]
    assert sum(tally.values()) == affordable
    assert seen.outcome.value is not None
