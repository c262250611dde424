from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarmmind.effects import Agent, Choice
from swarmmind.errors import UserError
from swarmmind.memory import Window
from swarmmind.models.embed_hashing import Hashing
from swarmmind.topologies import Policy
from swarmmind.topologies.swarmsys import Learning
from swarmmind.topologies.swarmsys.events import Event, Result
from swarmmind.topologies.swarmsys.explore import MAX_PROPOSED
from swarmmind.topologies.swarmsys.judge import impartial
from swarmmind.topologies.swarmsys.loop import Given
from swarmmind.topologies.swarmsys.profiles import Draw
from swarmmind.topologies.swarmsys.prompts import Answer
from swarmmind.topologies.swarmsys.work import Team, settled

from .swarmsys_cast import Cast, accept, answer, event, plan, played, records, society


def rejecting(*events: str, times: int = 1) -> Any:
    """Validators that all reject the first contributions to some events."""
    seen: dict[tuple[str, str], int] = {}

    def judge(name: str, observed: Any) -> str:
        key = (name, observed["event"])
        seen[key] = seen.get(key, 0) + 1
        refuses = observed["event"] in events and seen[key] <= times
        return json.dumps({"reason": f"{name} finds a <<flaw>>", "accept": False}) if refuses else accept(*key)

    return judge


@pytest.mark.parametrize(("counts", "role"), [((0, 1, 1), "explorer"), ((1, 0, 1), "worker"), ((1, 1, 0), "validator")])
def test_each_role_is_needed_and_the_missing_one_is_named(tmp_path: Path, counts: Any, role: str) -> None:
    with pytest.raises(UserError, match=f"at least one '{role}'"):
        played(tmp_path, Cast(plan()), society(*counts))


def test_a_quorum_larger_than_the_validators_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="quorum: must be at most the number of validators, 3, got 4"):
        played(tmp_path, Cast(plan()), quorum=4)


def test_events_are_worked_on_when_what_they_need_is_closed_and_its_result_is_told(tmp_path: Path) -> None:
    cast = Cast(plan([event("c", "a", "b"), event("a"), event("b")]))
    seen = played(tmp_path, cast)
    assert seen.outcome.value == "all in all\nANSWER: 42"
    assert [(v["round"], v["event"], v["accepted"]) for v in records(tmp_path, "verdict")] == [
        (1, "a", True), (1, "b", True), (2, "c", True),
    ]  # fmt: skip
    last = cast.told("work")[-1]
    assert "result of event a]\n> a is done" in last
    assert "result of event b]\n> b is done" in last
    assert "> c is done" in cast.told("assemble")[0]
    assert [row["event"] for row in records(tmp_path, "event")] == ["c", "a", "b"]


def test_everybody_is_told_the_task_first_and_their_own_part_after_it(tmp_path: Path) -> None:
    cast = Cast(plan([event("a"), event("b", "a")]))
    played(tmp_path, cast, society(memory=Window(9)))
    assert {messages[0].content for _, _, messages in cast.heard} == {
        "You are a explorer.", "You are a worker.", "You are a validator.",
    }  # fmt: skip
    assert all(messages[-1].content.startswith("What is it?\n\n") for _, _, messages in cast.heard)


def test_what_explorers_are_refused_they_are_told_in_their_next_turn_and_nobody_else(tmp_path: Path) -> None:
    cast = Cast(plan([event("a"), event("b", "nobody")], [event("b", "a")]))
    played(tmp_path, cast)
    assert records(tmp_path, "refusal") == [
        {"by": "explorer-0", "event": "b", "reason": "it depends on 'nobody', which is not there"}
    ]
    assert "- b: it depends on 'nobody', which is not there" in cast.told("explore", "explorer-0")[1]
    assert "not there" not in "".join([*cast.told("explore", "explorer-1"), *cast.told("explore", "explorer-0")[2:]])
    assert [v["event"] for v in records(tmp_path, "verdict")] == ["a", "b"]


def test_if_all_that_was_proposed_first_is_refused_explorers_are_told_why_and_asked_again(tmp_path: Path) -> None:
    cast = Cast(plan([event("a", "b"), event("b", "a")], [event("a"), event("b", "a")]))
    assert played(tmp_path, cast).outcome.ok
    assert "- b: it would wait for itself: b needs a needs b" in cast.told("explore", "explorer-0")[1]
    assert [v["event"] for v in records(tmp_path, "verdict")] == ["a", "b"]


def test_explorers_who_cannot_answer_once_are_asked_again(tmp_path: Path) -> None:
    down = iter([OSError("down")] * 2)
    proposing = plan([event("a")])
    cast = Cast(lambda name, seen: next(down, None) or proposing(name, seen))
    played(tmp_path, cast)
    assert [v["event"] for v in records(tmp_path, "verdict")] == ["a"]


def test_nobody_answers_for_a_swarm_that_had_nothing_to_do(tmp_path: Path) -> None:
    cast = Cast(plan(*[[event("a", "a")]] * 9))
    failure = played(tmp_path, cast).outcome.failure
    assert failure is not None
    assert "none of 0 events was validated" in failure.message
    assert [what for what, _, _ in cast.heard] == ["explore"] * 6


def test_one_answer_brings_no_more_events_than_can_be_read(tmp_path: Path) -> None:
    cast = Cast(plan([event(f"n{at}") for at in range(MAX_PROPOSED + 300)]))
    played(tmp_path, cast, society(1, 1, 1), team=1, max_events=5000, explore_every=0)
    assert len(records(tmp_path, "event")) == MAX_PROPOSED
    assert [(one["by"], one["event"]) for one in records(tmp_path, "refusal")] == [("explorer-0", f"n{MAX_PROPOSED}")]
    assert f"at most {MAX_PROPOSED} events" in cast.told("explore")[1]


def test_explorers_see_verdicts_open_events_and_load(tmp_path: Path) -> None:
    cast = Cast(plan([event("a"), event("b", "a")]), judge=rejecting("a"))
    played(tmp_path, cast, attempts=2)
    second, third = cast.told("explore", "explorer-1")[1:3]
    assert "event a, requires sums, priority 0, open, attempts 1]" in second
    assert "[validator-2, rejected because]\n> validator-2 finds a <<flaw>>" in second
    assert "Load of the busiest workers: worker-" in second
    assert "event a, requires sums, priority 0, validated, attempts 2]" in third


def test_draws_are_recorded_with_chances_that_equal_the_closed_form(tmp_path: Path) -> None:
    """Everything is computed again, from the verdicts and draws alone."""
    kinds = {"a": "sums", "b": "dates", "c": "sums", "d": "poems"}
    events = [event(name, requires=kind) for name, kind in kinds.items()]
    learning = Learning(evaporation=0.3, pull=0.5, temperature=0.2, exploration=0.25, load=0.1)
    played(tmp_path, Cast(plan(events), judge=rejecting("b", "c")), team=2, batch=2, learning=learning)
    texts = ["You are a worker.", *(f"{one['requires']}: {one['task']}" for one in events)]
    ability, *places = Hashing().embed(texts, None).vectors().astype(float)  # type: ignore[arg-type]
    vectors = dict(zip(kinds, places, strict=True))
    competence, trails, load = np.tile(ability, (4, 1)), np.zeros((4, len(ability))), np.zeros(4)
    draws, verdicts = records(tmp_path, "draw"), records(tmp_path, "verdict")
    assert [one["event"] for one in draws] == [one["event"] for one in verdicts]
    assert len(draws) == 6
    for number in sorted({one["round"] for one in draws}):
        for draw in (one for one in draws if one["round"] == number):
            weights = np.exp((competence @ vectors[draw["event"]] - 0.1 * load) / 0.2)
            wanted = 0.75 * weights / weights.sum() + 0.25 / 4
            np.testing.assert_allclose(list(draw["probabilities"].values()), wanted, rtol=1e-6)
            load *= 0.8
            load[[int(name[-1]) for name in draw["drawn"]]] += 1
        for verdict in (one for one in verdicts if one["round"] == number):
            trails *= 0.7
            for name in verdict["authors"] if verdict["accepted"] else []:
                trails[int(name[-1])] += vectors[verdict["event"]]
            pulled = 0.5 * competence + 0.5 * trails / (1 + np.linalg.norm(trails, axis=1, keepdims=True))
            competence = pulled / np.linalg.norm(pulled, axis=1, keepdims=True)


def test_a_rejected_event_is_reopened_and_the_next_team_reads_why(tmp_path: Path) -> None:
    cast = Cast(plan([event("a")]), judge=rejecting("a"))
    played(tmp_path, cast, team=1)
    first, second = cast.told("work")
    assert "<<flaw>>" not in first
    assert "[validator-1]\n> validator-1 finds a <<flaw>>" in second
    assert [(v["attempt"], v["accepted"]) for v in records(tmp_path, "verdict")] == [(1, False), (2, True)]
    assert records(tmp_path, "metrics")[0]["reopened"] == 1


def test_after_so_many_attempts_an_event_has_failed_and_others_go_on_without_it(tmp_path: Path) -> None:
    cast = Cast(plan([event("a"), event("b", "a")]), judge=rejecting("a", times=9))
    played(tmp_path, cast, attempts=3)
    assert [(v["event"], v["status"]) for v in records(tmp_path, "verdict")] == [
        ("a", "open"), ("a", "open"), ("a", "failed"), ("b", "validated"),
    ]  # fmt: skip
    assert "nobody could settle it]" in cast.told("work")[-1]
    assert "Nobody could settle these:\n[explorer-0, event a]" in cast.told("assemble")[0]
    assert "validated:\n[explorer-0, event b]\n> Find out about b." in cast.told("assemble")[0]
    metrics = records(tmp_path, "metrics")[0]
    assert (metrics["events"], metrics["validated"], metrics["failed"]) == (2, 1, 1)


def test_the_quorum_decides(tmp_path: Path) -> None:
    def one_agrees(name: str, seen: Any) -> str:
        return json.dumps({"reason": "hm", "accept": name == "validator-0"})

    accepted = {}
    for quorum in (1, 2, None):
        folder = tmp_path / str(quorum)
        folder.mkdir()
        played(folder, Cast(plan([event("a")]), judge=one_agrees), quorum=quorum, attempts=1)
        accepted[quorum] = records(folder, "verdict")[0]["accepted"]
    assert accepted == {1: True, 2: False, None: False}


def test_nobody_judges_their_own_work() -> None:
    agents = [Agent(name, "validator") for name in "abc"]
    assert [judge.id for judge in impartial(agents, [Agent("b", "worker"), Agent("x", "worker")])] == ["a", "c"]


def test_validators_read_every_contribution_with_its_justification(tmp_path: Path) -> None:
    def work(name: str, seen: Any) -> str:
        return json.dumps({"justification": f"{name} looked it up", "answer": f"{name} says so"})

    cast = Cast(plan([event("a")]), work=work)
    played(tmp_path, cast, team=3)
    drawn = records(tmp_path, "draw")[0]["drawn"]
    for prompt in cast.told("judge"):
        assert all(f"> {name} says so" in prompt and f"> {name} looked it up" in prompt for name in drawn)
    assert {name for what, name, _ in cast.heard if what == "judge"} == {"validator-0", "validator-1", "validator-2"}


def test_in_a_debate_everybody_reads_the_answers_of_the_round_before(tmp_path: Path) -> None:
    asked: dict[str, int] = {}

    def work(name: str, seen: Any) -> str:
        asked[name] = asked.get(name, 0) + 1
        return json.dumps({"justification": "", "answer": f"<<{name} in {asked[name]}>>"})

    cast = Cast(plan([event("a")]), work=work)
    played(tmp_path, cast, team=3, debate_rounds=2)
    drawn = records(tmp_path, "draw")[0]["drawn"]
    for name in drawn:
        prompts = cast.told("work", name)
        for number, prompt in enumerate(prompts):
            there = {f"<<{who} in {n}>>" for who in drawn for n in (1, 2, 3) if f"<<{who} in {n}>>" in prompt}
            assert there == ({f"<<{who} in {number}>>" for who in drawn} if number else set())
        assert len(prompts) == 3


def test_nobody_debates_alone(tmp_path: Path) -> None:
    cast = Cast(plan([event("a")]))
    played(tmp_path, cast, team=1, debate_rounds=5)
    assert len(cast.told("work")) == 1


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (["7", "8"], Result("8", "w1 knows", "w1", ("w1",))),  # no agreement: the likeliest
        (["The answer is 7.", "8", "7"], Result("7", "w2 knows", "w2", ("w2", "w0"))),
        (["7", "8", "8", "7"], Result("8", "w1 knows", "w1", ("w1", "w2"))),  # half of it is no agreement
        ([], None),
    ],
)
def test_a_team_settles_on_what_most_of_it_says_else_on_its_likeliest(said: list[str], result: Result | None) -> None:
    chances = dict(zip(["w0", "w1", "w2", "w3"], [0.1, 0.4, 0.3, 0.2], strict=True))
    work = Event("a", "?", "x", (), 0, "e0")
    team = Team(work, Draw((), np.zeros(4), False), [], chances)
    answers = [Answer(f"w{at}", text, f"w{at} knows") for at, text in enumerate(said)]
    assert settled(team, answers) == result


def test_only_those_whose_answer_was_accepted_are_credited(tmp_path: Path) -> None:
    def work(name: str, seen: Any) -> str:
        return json.dumps({"justification": "", "answer": f"says {name}"})

    played(tmp_path, Cast(plan([event("a")]), work=work), team=2)
    [draw], [verdict] = records(tmp_path, "draw"), records(tmp_path, "verdict")
    likeliest = max(draw["drawn"], key=lambda name: draw["probabilities"][name])
    assert verdict["authors"] == [likeliest]
    [pheromone] = records(tmp_path, "pheromone")
    assert list(pheromone["levels"]) == [f"{likeliest} · sums"]


def test_what_validators_miss_is_told_to_explorers_who_may_add_to_it(tmp_path: Path) -> None:
    votes = iter([False] * 3 + [True] * 3)

    def end(name: str, seen: Any) -> str:
        return json.dumps({"missing": "the <<color>>", "end": next(votes)})

    cast = Cast(plan([event("a")], [], [event("color")]), end=end)
    played(tmp_path, cast)
    assert "[validator-2]\n> the <<color>>" in cast.told("explore", "explorer-1")[2]
    assert [v["event"] for v in records(tmp_path, "verdict")] == ["a", "color"]
    assert [all(one["votes"].values()) for one in records(tmp_path, "end")] == [False, True]


def test_validators_are_heard_as_long_as_explorers_find_what_they_miss(tmp_path: Path) -> None:
    turns = [[event("a")], [], [event("b")], [], [event("c")], [], [event("d")], []]
    votes = iter([False] * 3 + [True])
    cast = Cast(plan(*turns), end=lambda name, seen: json.dumps({"missing": "more", "end": next(votes)}))
    played(tmp_path, cast, society(1, 1, 1), team=1, explore_every=0)
    assert [v["event"] for v in records(tmp_path, "verdict")] == ["a", "b", "c", "d"]
    assert len(cast.told("end")) == 4


def test_it_ends_even_if_validators_never_end_it(tmp_path: Path) -> None:
    cast = Cast(plan([event("a")]), end=lambda name, seen: '{"missing": "more", "end": false}')
    assert played(tmp_path, cast).outcome.value == "all in all\nANSWER: 42"
    assert len(cast.told("end")) == 6


def test_the_answer_is_put_together_by_somebody_else_or_in_code_if_need_be(tmp_path: Path) -> None:
    down = OSError("down")
    values = []
    for number, failing in enumerate([["validator-0"], ["validator-0", "explorer-0"]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        cast = Cast(
            plan([event("b"), event("a"), event("c", "b")]),
            assemble=lambda name, seen, failing=failing: down if name in failing else f"ANSWER: by {name}",
        )
        values.append(played(folder, cast).outcome.value)
    assert values == ["ANSWER: by explorer-0", "a: a is done\nc: c is done\nANSWER: a is done; c is done"]


def test_in_code_only_an_option_is_chosen(tmp_path: Path) -> None:
    cast = Cast(
        plan([event("a")]),
        work=lambda name, seen: '{"justification": "", "answer": "Blue."}',
        assemble=lambda name, seen: OSError("down"),
    )
    assert played(tmp_path, cast, society(1, 1, 1, output=Choice(("red", "blue")))).outcome.value == "blue"


def test_who_cannot_answer_costs_an_attempt_and_teaches_nothing(tmp_path: Path) -> None:
    down = iter([OSError("down")] * 2)
    cast = Cast(plan([event("a")]), work=lambda name, seen: next(down, None) or answer(name, seen))
    played(tmp_path, cast, team=2)
    first, second = records(tmp_path, "verdict")
    assert (first["accepted"], first["votes"], first["reasons"]) == (False, {}, ["no worker answered"])
    assert second["accepted"]
    assert records(tmp_path, "metrics")[0]["allocation_early"] == 0.25  # still nothing to prefer anybody for


def test_if_nobody_ever_answers_it_fails(tmp_path: Path) -> None:
    down = OSError("down")

    def silent(name: str, seen: Any) -> Exception:
        return down

    cast = Cast(silent, silent, silent, silent, silent)
    failure = played(tmp_path, cast).outcome.failure
    assert failure is not None
    assert "nobody gave an answer, and none of 0 events was validated" in failure.message


def test_a_policy_that_wants_more_ends_it(tmp_path: Path) -> None:
    cast = Cast(plan([event("a")]), judge=lambda name, seen: OSError("down") if name[-1] == "1" else accept(name, seen))
    failure = played(tmp_path, cast, society(1, 1, 2, policy=Policy("fail"))).outcome.failure
    assert failure is not None
    assert "1 of 2 agents answered" in failure.message


def test_given_events_need_no_explorer_to_begin_with(tmp_path: Path) -> None:
    cast = Cast(plan())
    events = [Given(id="b", task="Then b.", depends_on=["a"]), Given(id="a", task="First a.", requires="care")]
    played(tmp_path, cast, events=events, explore_every=0)
    assert [(v["event"], v["requires"]) for v in records(tmp_path, "verdict")] == [("a", "care"), ("b", "anything")]
    assert [what for what, _, _ in cast.heard].index("work") == 0
    with pytest.raises(UserError, match="events: 'a': it depends on 'z', which is not there"):
        played(tmp_path / "..", Cast(plan()), events=[Given(id="a", task="?", depends_on=["z"])])


def test_explorers_are_asked_as_often_as_wanted(tmp_path: Path) -> None:
    chain = [event("a"), *(event(b, a) for a, b in zip("abcde", "bcdef", strict=True))]
    asked = {}
    for every in (0, 1, 3):
        folder = tmp_path / str(every)
        folder.mkdir()
        cast = Cast(plan(chain))
        played(folder, cast, society(1, 1, 1), team=1, explore_every=every)
        asked[every] = len(cast.told("explore"))
    assert asked == {0: 2, 1: 7, 3: 3}


def test_validated_work_is_remembered_and_shown_to_who_did_it(tmp_path: Path) -> None:
    cast = Cast(plan([event("a"), event("b", "a")]))
    played(tmp_path, cast, society(1, 1, 1, memory=Window(9)), team=1)
    first, second = cast.told("work")
    assert "strength" not in first
    assert "[explorer-0, event, strength 1.00]\n> Find out about a." in second  # each under its author's name
    assert "[worker-0, result, strength 1.00]\n> a is done" in second
    assert "[worker-0, your profile]\n> sums: 1 of 1 accepted" in second


class Noted(Window):
    """A window that writes down what it is told of verdicts and rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.verdicts: list[tuple[str, str, bool]] = []
        self.ticks = 0

    def reinforce(self, scope: str, key: str, factor: float) -> None:
        self.verdicts.append((scope, key, factor > 1))

    def tick(self) -> None:
        self.ticks += 1


def test_memory_hears_verdicts_and_rounds(tmp_path: Path) -> None:
    memory = Noted()
    played(tmp_path, Cast(plan([event("a")]), judge=rejecting("a")), society(1, 1, 1, memory=memory), team=1)
    assert memory.verdicts == [("worker-0", "sums", False), ("worker-0", "sums", True)]
    assert memory.ticks == 2
