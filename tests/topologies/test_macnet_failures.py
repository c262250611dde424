from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.agents.prompts import speakers
from swarmmind.effects import Limits
from swarmmind.ports import Request
from swarmmind.topologies import Policy
from swarmmind.topologies.graphs import Graph

from .macnet_cast import KINDS, Cast, dead, played, society
from .swarms import FAIL, calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failing", [{"a1", "a4", "a7"}, {"a0", "a5", "a13"}])
def test_a_fifth_of_the_agents_fails_and_the_result_is_what_another_said(
    tmp_path: Path, kind: str, failing: set[str]
) -> None:
    cast = Cast(dead(failing))
    seen = played(tmp_path, society(15), cast, kind)
    said = {told.said: told.agent for told in cast.told if told.said is not None}
    assert said[seen.outcome.value] not in failing
    total = seen.meter.total()
    assert (total.planned, total.failed) == (len(cast.told), sum(told.said is None for told in cast.told))
    assert total.planned == total.finished + total.failed + total.cancelled
    assert total.failed > 0
    for told in cast.told:
        assert not failing & set(speakers(told.prompt))  # nothing is attributed to who said nothing
        for line in told.prompt.split("\n"):
            assert not line.startswith("> ") or line[2:] in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("salt", range(3))
def test_a_fifth_of_the_calls_fails_and_the_result_is_something_that_was_said(
    tmp_path: Path, kind: str, salt: int
) -> None:
    cast = Cast(lambda agent, do, number: (number + salt) % 5 == 0)
    seen = played(tmp_path, society(12), cast, kind)
    assert seen.outcome.value in {told.said for told in cast.told if told.do != "criticize"}
    total = seen.meter.total()
    assert total.planned == total.finished + total.failed == len(cast.told)


def test_a_failed_critic_leaves_the_artifact_unrevised(tmp_path: Path) -> None:
    cast = Cast(lambda agent, do, number: (agent, do) == ("a1", "criticize"))
    played(tmp_path, society(3), cast, "chain")
    assert [(told.agent, told.do) for told in cast.told[:3]] == [
        ("a0", "draft"),
        ("a1", "criticize"),
        ("a2", "criticize"),
    ]
    assert "[a0, artifact]\n> a0 draft 0\n" in cast.told[2].prompt  # still its author's


def test_a_failed_actor_leaves_the_artifact_unrevised(tmp_path: Path) -> None:
    cast = Cast(lambda agent, do, number: (agent, do) == ("a1", "revise"))
    played(tmp_path, society(3), cast, "chain")
    assert cast.told[3].seen["artifact"] == "a0 draft 0"


def test_an_actor_that_says_nothing_leaves_the_artifact_unrevised(tmp_path: Path) -> None:
    def says(request: Request) -> str | None:
        return " \n" if (request.agent.id, request.observation["do"]) == ("a1", "revise") else None

    cast = Cast(says=says)
    seen = played(tmp_path, society(3), cast, "chain")
    assert cast.told[3].seen["artifact"] == "a0 draft 0"
    assert seen.meter.total().failed == 0


def test_where_a_source_has_nothing_its_successors_draft(tmp_path: Path) -> None:
    cast = Cast(lambda agent, do, number: number == 0)
    seen = played(tmp_path, society(4), cast, "star")
    assert sorted((told.agent, told.do) for told in cast.told[:4]) == [(f"a{at}", "draft") for at in range(4)]
    assert seen.outcome.value == cast.told[-1].said


def test_a_draft_that_fails_is_no_candidate(tmp_path: Path) -> None:
    cast = Cast(dead({"a0", "a1"}))
    seen = played(tmp_path, society(4), cast, {"kind": "star", "nodes": 4})
    assert [told.do for told in cast.told if told.said] == ["draft", "draft"]  # by 2 and 3; the sink is a0's, and fails
    assert seen.outcome.value in {told.said for told in cast.told}


def test_a_failed_merge_falls_back_to_the_first_of_its_group(tmp_path: Path) -> None:
    cast = Cast(lambda agent, do, number: do == "merge")
    seen = played(tmp_path, society(6), cast, "star")
    first, *_ = cast.did("revise", "a0")
    assert seen.outcome.value == first.said
    assert [told.seen["artifacts"][0] for told in cast.did("merge")].count(first.said) == 3


def test_where_merges_fail_the_value_is_still_that_of_the_sink_not_the_work_most_steps_lie_behind(
    tmp_path: Path,
) -> None:
    """A mesh of 3: the candidate that came by way of node 1 has as many steps as the result, and was there before."""
    cast = Cast(lambda agent, do, number: do == "merge")
    seen = played(tmp_path, society(3), cast, "mesh")
    assert (cast.told[-1].agent, cast.told[-1].do) == ("a0", "revise")
    assert seen.outcome.value == cast.told[-1].said


def test_nobody_answers(tmp_path: Path) -> None:
    seen = played(tmp_path, society(3), Cast(lambda agent, do, number: True), "chain")
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.message.startswith("0 of 4 agents answered")
    (tmp_path / "empty").mkdir()
    silent = played(tmp_path / "empty", society(3), Cast(says=lambda _: ""), "chain")
    assert (silent.outcome.ok, silent.outcome.value) == (True, None)


def test_the_policy_fail_ends_it_at_the_first_failure(tmp_path: Path) -> None:
    cast = Cast(lambda agent, do, number: number == 3)
    seen = played(tmp_path, society(8, policy=FAIL), cast, "chain")
    assert seen.outcome.failure is not None
    assert "the policy 'fail'" in seen.outcome.failure.message
    assert len(cast.told) == 4


@pytest.mark.parametrize(("share", "ok"), [(0.8, True), (0.95, False)])
def test_a_quorum_is_judged_over_all_asks_at_the_end(tmp_path: Path, share: float, ok: bool) -> None:
    cast = Cast(lambda agent, do, number: number in (1, 6))
    members = society(8, policy=Policy("quorum", share))
    seen = played(tmp_path, members, cast, "chain")
    assert len(cast.told) == calls("macnet", members, graph=Graph(kind="chain")) - 2  # after a failed critic, no actor
    assert seen.outcome.ok is ok
    if seen.outcome.failure is not None:
        assert seen.outcome.failure.message.startswith("13 of 15 agents answered")


def steps(cast: Cast, calls: int) -> dict[str | None, int]:
    """How many drafts, revisions and merges lie behind each text that was written in the first calls."""
    behind: dict[str | None, int] = {}
    for told in cast.told[:calls]:
        if told.do != "criticize":
            given = told.seen.get("artifacts") or [told.seen.get("artifact")]
            behind[told.said] = 1 + max(behind.get(text, 0) for text in given)
    return behind


@pytest.mark.parametrize("kind", ["chain", "star", "mesh", "layered"])
def test_a_budget_that_ends_it_keeps_what_came_furthest(tmp_path: Path, kind: str) -> None:
    """Never the one revision of the first draft by the last node of a mesh, which is there at once."""
    members = society(7)
    (tmp_path / "whole").mkdir()
    whole = played(tmp_path / "whole", members, Cast(), kind)
    for affordable in range(1, len(whole.asked)):
        folder = tmp_path / str(affordable)
        folder.mkdir()
        cast = Cast()
        seen = played(folder, members, cast, kind, Limits(calls=affordable))
        assert (seen.outcome.stopped, len(seen.asked)) == ("calls", affordable)
        behind = steps(cast, affordable)
        assert behind[seen.outcome.value] == max(behind.values())


@pytest.mark.parametrize(
    ("affordable", "do", "place"), [(26, "merge", 0), (27, "merge", 0), (28, "merge", 0), (29, "merge", 3)]
)
def test_of_what_came_equally_deep_the_budget_keeps_what_was_merged_most(
    tmp_path: Path, affordable: int, do: str, place: int
) -> None:
    """A draft, six edges, six edges into the sink, whose six candidates are merged by three, one and one merges."""
    cast = Cast()
    seen = played(tmp_path, society(7), cast, "star", Limits(calls=affordable))
    assert seen.outcome.value == cast.did(do, "a0")[place].said


def test_a_budget_for_nothing_comes_to_nothing(tmp_path: Path) -> None:
    seen = played(tmp_path, society(3), Cast(), "chain", Limits(tokens=1))
    assert (seen.outcome.value, seen.outcome.stopped) == (None, "tokens")


def test_a_stopped_run_goes_on_to_what_it_would_have_come_to(tmp_path: Path) -> None:
    def say(request: Request) -> str:
        seen = request.observation
        return f"{request.agent.id}({seen.get('comment', '')}{seen.get('artifacts', seen.get('artifact', ''))})"[:200]

    (tmp_path / "whole").mkdir()
    whole = played(tmp_path / "whole", society(6), Cast(says=say), "layered")
    for calls_made in (1, 5, 9, 20):
        folder = tmp_path / str(calls_made)
        folder.mkdir()
        played(folder, society(6), Cast(says=say), "layered", Limits(calls=calls_made))
        again = played(folder, society(6), Cast(says=say), "layered")
        assert again.outcome == whole.outcome
        assert len(again.asked) == len(whole.asked) - calls_made
