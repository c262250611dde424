from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.agents.prompts import speakers
from swarmmind.effects import Agent, Limits
from swarmmind.errors import UserError
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from swarmmind.topologies import TOPOLOGIES, Policy, Question, Society
from swarmmind.topologies.drafts import panel
from swarmmind.topologies.duels import duels

from .swarms import FAIL, SKIP, calls, played

WORTH = {"a0": 3, "a1": 9, "a2": 1, "a3": 7, "a4": 5}
NAMES = sorted(WORTH, key=lambda name: -WORTH[name])


def panelists(authors: int, judges: int = 1, *, fuser: bool = False, policy: Policy = SKIP) -> Society:
    roles = [*[("a", "solver")] * authors, *[("j", "judge")] * judges, *[("f", "aggregator")] * fuser]
    agents: list[Agent] = []
    for letter, role in roles:
        agents.append(Agent(f"{letter}{sum(a.role == role for a in agents)}", role, "", "m", index=len(agents)))
    return Society(agents, Window(0), Question("How many?"), policy=policy)


class Cast:
    """Authors who say what they are worth, judges who read that without error, and a fuser.

    Attributes:
        asked: what was asked of whom, with its prompt.
    """

    def __init__(self, *failing: str, judge: str = "worth") -> None:
        self.asked: list[tuple[str, str, str]] = []
        self._failing, self._judge = failing, judge
        self.model = ScriptedFunction(self._say, 1.0)

    def prompts(self, do: str) -> list[tuple[str, str]]:
        return [(who, prompt) for what, who, prompt in self.asked if what == do]

    def _say(self, request: Request, rng: random.Random) -> str:
        do, name, prompt = request.observation["do"], request.agent.id, request.messages[-1].content
        self.asked.append((do, name, prompt))
        if name in self._failing or do in self._failing:
            raise OSError("down")
        if do == "draft":
            return f"ANSWER: {WORTH[name]}"
        if do == "fuse":
            return "fused\nANSWER: 42"
        worth = [int(value) for value in re.findall(r"> ANSWER: (\d+)", prompt)]
        if do == "score":
            return json.dumps({"score": worth[0] / 10 if self._judge == "worth" else 0.5})
        return "A" if self._judge == "first" or worth[0] > worth[1] else "B"


def ranking(folder: Path) -> Any:
    records = [row for row in content(folder / "journal.sqlite") if row[0] == "record" and row[2] == "ranking"]
    return msgspec.json.decode(records[0][3])["wins"]


@pytest.mark.parametrize("judges", [0, 1, 3])
@pytest.mark.parametrize(("mode", "compared", "seconds"), [("pairs", 10, 2), ("both-orders", 20, 2), ("bubble", 4, 5)])
def test_a_true_judge_finds_the_best_in_exactly_so_many_calls(
    tmp_path: Path, judges: int, mode: str, compared: int, seconds: int
) -> None:
    members, cast = panelists(5, judges), Cast()
    parameters: dict[str, Any] = {"candidates": 5, "mode": mode, "fuse": 0}
    seen = played(tmp_path, "rank-fuse", members, cast.model, **parameters)
    assert seen.outcome.value == "ANSWER: 9"
    assert len(cast.prompts("compare")) == compared
    assert seen.meter.usage.calls == calls("rank-fuse", members, **parameters) == 5 + compared
    assert seen.seconds == seconds
    order = [name for name, _ in ranking(tmp_path)]
    assert order[:1] == NAMES[:1]
    if mode != "bubble":
        assert order == NAMES
        assert [wins for _, wins in ranking(tmp_path)] == [each * compared // 10 for each in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("mode", ["pairs", "both-orders", "bubble"])
def test_nobody_compares_its_own_answer_or_learns_whose_they_are(tmp_path: Path, mode: str) -> None:
    cast = Cast()
    played(tmp_path, "rank-fuse", panelists(5, 0), cast.model, candidates=5, mode=mode, fuse=0)
    for judge, prompt in cast.prompts("compare"):
        assert list(speakers(prompt)) == ["answer A", "answer B"]
        assert f"> ANSWER: {WORTH[judge]}\n" not in prompt
        assert not any(name in prompt for name in WORTH)


def test_all_judges_take_their_turns_and_both_orders_of_a_pair_are_one_judges(tmp_path: Path) -> None:
    who = panel(panelists(4, 2))
    both = duels(who, who.authors, both_orders=True)
    assert [duel.judge.id for duel in both] == ["j0", "j0", "j1", "j1"] * 3
    assert all(one[:2] == other[1::-1] for one, other in zip(both[::2], both[1::2], strict=True))
    once = duels(who, who.authors)
    assert {frozenset(duel[:2]) for duel in once} == {frozenset(duel[:2]) for duel in both}
    first = [duel.first for duel in once]
    assert max(map(first.count, range(4))) - min(map(first.count, range(4))) <= 1


def test_a_judge_that_goes_by_place_ranks_nobody_in_both_orders(tmp_path: Path) -> None:
    cast = Cast(judge="first")
    seen = played(tmp_path, "rank-fuse", panelists(5), cast.model, candidates=5, mode="both-orders", fuse=0)
    assert {wins for _, wins in ranking(tmp_path)} == {4}
    assert seen.outcome.value == "ANSWER: 3"  # of equals the first


@pytest.mark.parametrize("fuser", [False, True])
def test_the_best_are_fused_in_one_call_that_sees_them_in_order(tmp_path: Path, fuser: bool) -> None:
    members, cast = panelists(5, fuser=fuser), Cast()
    seen = played(tmp_path, "rank-fuse", members, cast.model, candidates=5, fuse=3)
    assert seen.outcome.value == "fused\nANSWER: 42"
    [(who, prompt)] = cast.prompts("fuse")
    assert who == ("f0" if fuser else "a0")
    assert list(speakers(prompt)) == NAMES[:3]
    assert re.findall(r"\[(\w+), rank (\d)\]\n> ANSWER: (\d)", prompt) == [
        ("a1", "1", "9"), ("a3", "2", "7"), ("a4", "3", "5")
    ]  # fmt: skip
    assert seen.meter.usage.calls == calls("rank-fuse", members, candidates=5, fuse=3) == 5 + 10 + 1


def test_authors_write_in_turn_and_everybody_at_least_once() -> None:
    assert calls("rank-fuse", panelists(2), candidates=4, fuse=0) == 4 + 6
    assert calls("rank-fuse", panelists(6), candidates=4, fuse=0) == 6 + 15
    assert calls("rank-fuse", panelists(1), candidates=1, fuse=1) == 1 + 0 + 1


@pytest.mark.parametrize(
    ("members", "parameters", "wanted"),
    [
        (panelists(2, 0), {}, "needs a judge who is none of the authors a0, a1"),
        (panelists(4, 0), {"mode": "bubble", "fuse": 3}, "fuse: a bubble finds only the best answer"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_is_asked(
    members: Society, parameters: dict[str, Any], wanted: str
) -> None:
    with pytest.raises(UserError, match=wanted):
        calls("rank-fuse", members, **parameters)
    assert calls("rank-fuse", panelists(4, 0), mode="bubble", fuse=1) == 4 + 3 + 1


def test_who_fails_is_not_ranked(tmp_path: Path) -> None:
    cast = Cast("a1", "a4")
    seen = played(tmp_path, "rank-fuse", panelists(5), cast.model, candidates=5, fuse=2)
    assert ranking(tmp_path) == [["a3", 2], ["a0", 1], ["a2", 0]]
    assert list(speakers(cast.prompts("fuse")[0][1])) == ["a3", "a0"]
    assert seen.meter.total().failed == 2


@pytest.mark.parametrize(
    ("failing", "wanted"),
    [(("fuse",), "ANSWER: 9"), (("compare", "fuse"), "ANSWER: 3"), (("a0", "a1", "a2", "a3", "fuse"), "ANSWER: 5")],
)
def test_what_fails_on_the_way_leaves_the_best_there_is(tmp_path: Path, failing: tuple[str, ...], wanted: str) -> None:
    seen = played(tmp_path, "rank-fuse", panelists(5), Cast(*failing).model, candidates=5)
    assert seen.outcome.value == wanted


def test_in_a_bubble_the_best_so_far_stands_first_every_other_time(tmp_path: Path) -> None:
    cast = Cast(judge="first")
    played(tmp_path, "rank-fuse", panelists(5, 1), cast.model, candidates=5, mode="bubble", fuse=0)
    shown = [re.findall(r"> ANSWER: (\d+)", prompt) for _, prompt in cast.prompts("compare")]
    assert shown == [["3", "9"], ["1", "3"], ["1", "7"], ["5", "1"]]


def test_a_bubble_goes_on_past_a_comparison_that_failed(tmp_path: Path) -> None:
    cast = Cast("j0")  # every other judge
    seen = played(tmp_path, "rank-fuse", panelists(5, 2), cast.model, candidates=5, mode="bubble", fuse=0)
    assert len(cast.prompts("compare")) == 4
    assert seen.outcome.value in {f"ANSWER: {worth}" for worth in (9, 7)}


@pytest.mark.parametrize("topology", ["rank-fuse", "best-of"])
@pytest.mark.parametrize("failing", ["a1", "j0"])
def test_under_fail_any_failure_ends_it(tmp_path: Path, topology: str, failing: str) -> None:
    seen = played(tmp_path, topology, panelists(3, policy=FAIL), Cast(failing).model, candidates=3)
    assert seen.outcome.failure is not None
    assert "the policy 'fail'" in seen.outcome.failure.message


@pytest.mark.parametrize("mode", ["pairs", "bubble"])
@pytest.mark.parametrize("affordable", range(9))
def test_a_budget_that_ends_it_early_keeps_the_best_so_far(tmp_path: Path, mode: str, affordable: int) -> None:
    members, parameters = panelists(4), {"candidates": 4, "mode": mode, "fuse": 1}
    whole = calls("rank-fuse", members, **parameters)
    seen = played(tmp_path, "rank-fuse", members, Cast().model, Limits(calls=affordable), **parameters)
    assert seen.outcome.stopped == ("calls" if affordable < whole else None)
    assert seen.meter.usage.calls == min(affordable, whole)
    if affordable < 4:
        assert seen.outcome.value == (None if not affordable else "ANSWER: 3")
    elif affordable == 8 and mode == "bubble":
        assert seen.outcome.value == "fused\nANSWER: 42"
    else:  # after two or three pairs, all with the first candidate, nobody has won more than once
        equal = affordable == 4 or (mode == "pairs" and affordable in (6, 7))
        assert seen.outcome.value == ("ANSWER: 3" if equal else "ANSWER: 9")


@given(st.integers(1, 6), st.integers(0, 2), st.sampled_from(["pairs", "both-orders", "bubble"]), st.integers(1, 7))
def test_the_law_of_calls(authors: int, judges: int, mode: str, candidates: int) -> None:
    law = TOPOLOGIES["rank-fuse"].calls
    assert law is not None
    n = max(authors, candidates)
    compared = {"pairs": n * (n - 1) // 2, "both-orders": n * (n - 1), "bubble": n - 1}[mode]
    try:
        assert law(panelists(authors, judges), candidates=candidates, mode=mode, fuse=1) == n + compared + 1
    except UserError:
        assert not judges
        assert authors < 3


# --- best of k --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("judges", [0, 1, 2])
def test_the_best_scored_candidate_wins_and_each_costs_two_calls(tmp_path: Path, judges: int) -> None:
    members, cast = panelists(5, judges), Cast()
    seen = played(tmp_path, "best-of", members, cast.model, candidates=5)
    assert seen.outcome.value == "ANSWER: 9"
    assert seen.meter.usage.calls == calls("best-of", members, candidates=5) == 10
    assert seen.seconds == 2
    for judge, prompt in cast.prompts("score"):
        assert list(speakers(prompt)) == ["an answer"]
        assert not any(name in prompt for name in WORTH)
        assert f"> ANSWER: {WORTH.get(judge)}\n" not in prompt
    assert {judge for judge, _ in cast.prompts("score")} <= {f"{'j' if judges else 'a'}{at}" for at in range(5)}


def test_of_equal_scores_the_first_candidate_wins(tmp_path: Path) -> None:
    assert played(tmp_path, "best-of", panelists(3), Cast(judge="blind").model).outcome.value == "ANSWER: 3"


def test_a_candidate_without_a_score_ranks_behind_those_with_one(tmp_path: Path) -> None:
    seen = played(tmp_path, "best-of", panelists(5, 2), Cast("j1").model, candidates=5)
    assert seen.outcome.value == "ANSWER: 5"  # j1 judges the second and the fourth
    rows = [row[3] for row in content(tmp_path / "journal.sqlite") if row[2] == "scores"]
    assert [each["score"] for each in json.loads(rows[0])["candidates"]] == [0.3, None, 0.1, None, 0.5]


def test_without_any_score_the_first_candidate_is_left(tmp_path: Path) -> None:
    assert played(tmp_path, "best-of", panelists(3), Cast("a0", "score").model).outcome.value == "ANSWER: 9"


@pytest.mark.parametrize(
    ("affordable", "wanted"),
    [(0, None), (1, "ANSWER: 3"), (3, "ANSWER: 3"), (4, "ANSWER: 3"), (5, "ANSWER: 9"), (6, "ANSWER: 9")],
)
def test_a_budget_that_ends_a_best_of_keeps_the_best_scored_so_far(
    tmp_path: Path, affordable: int, wanted: str | None
) -> None:
    seen = played(tmp_path, "best-of", panelists(3), Cast().model, Limits(calls=affordable), candidates=3)
    assert seen.outcome.value == wanted
    assert seen.outcome.stopped == ("calls" if affordable < 6 else None)


def test_an_author_alone_cannot_be_judged() -> None:
    with pytest.raises(UserError, match="needs a judge who is none of the authors a0: add an agent"):
        calls("best-of", panelists(1, 0))
    assert calls("best-of", panelists(1, 1), candidates=4) == 8
