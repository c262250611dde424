from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.agents.answers import final_number, final_text
from swarmmind.effects import Choice, Failure, Limits, Message, Nested, Program, Reply
from swarmmind.models.local import Scripted, ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.topologies import Policy, Question
from swarmmind.topologies.vote import elected, tally
from tests.runtime.stage import play

from .swarms import FAIL, Said, calls, played, program, saying, society

RIGHT = Choice(("right", "wrong"))


def test_solo_is_the_first_agents_answer_and_one_call(tmp_path: Path) -> None:
    members, model = society(3), saying("ANSWER: 4", "ANSWER: 5", "ANSWER: 6")
    seen = played(tmp_path, "solo", members, model)
    assert seen.outcome.value == "ANSWER: 4"
    assert [len(heard) for heard in model.heard.values()] == [1, 0, 0]
    assert calls("solo", members) == seen.meter.usage.calls == 1
    [system, question] = model.heard["a0"][0]
    assert system == Message("system", "You solve.")
    assert question.content.startswith("How many?\n")
    assert "ANSWER:" in question.content


def test_solo_without_an_answer_fails_with_the_reason(tmp_path: Path) -> None:
    seen = played(tmp_path, "solo", society(1), saying(ValueError("broken")))
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.kind == "program"
    assert "exception: ValueError: broken" in seen.outcome.failure.message


def test_a_choice_is_asked_for_without_a_marked_answer(tmp_path: Path) -> None:
    model = saying("right")
    seen = played(tmp_path, "solo", society(1, RIGHT), model)
    assert seen.outcome.value == "right"
    assert model.heard["a0"][0][-1] == Message("user", "How many?")


def test_the_most_frequent_answer_wins_however_it_is_written(tmp_path: Path) -> None:
    model = saying("ANSWER: Rome", "So I say.\nANSWER: Paris", "ANSWER: Oslo", "ANSWER: 'paris'.", "ANSWER: Rom")
    seen = played(tmp_path, "vote", society(5), model)
    assert seen.outcome.value == "So I say.\nANSWER: Paris"
    votes = [row for row in content(tmp_path / "journal.sqlite") if row[0] == "record"]
    assert votes == [("record", "run/2/votes", "votes", '{"rome":1,"paris":2,"oslo":1,"rom":1}')]


def test_of_equally_many_the_first_one_given_wins(tmp_path: Path) -> None:
    model = saying("ANSWER: 3", "ANSWER: 7", "ANSWER: 7", "ANSWER: 3")
    assert played(tmp_path, "vote", society(4), model).outcome.value == "ANSWER: 3"


def test_one_agent_is_asked_as_often_as_samples_says_and_each_time_in_the_same_words(tmp_path: Path) -> None:
    members = society(1)
    model = Said({"a0": ["ANSWER: 1", "ANSWER: 2", "ANSWER: 2"]})
    seen = played(tmp_path, "vote", members, model, samples=3)
    assert seen.outcome.value == "ANSWER: 2"
    assert len(set(model.heard["a0"])) == 1
    assert calls("vote", members, samples=3) == seen.meter.usage.calls == 3


@pytest.mark.parametrize(("agents", "samples", "each"), [(3, 5, [2, 2, 1]), (3, 2, [1, 1, 1]), (2, 2, [1, 1])])
def test_agents_are_asked_in_turn(tmp_path: Path, agents: int, samples: int, each: list[int]) -> None:
    members, model = society(agents), saying(*["ANSWER: 1"] * agents)
    played(tmp_path, "vote", members, model, samples=samples)
    assert [len(heard) for heard in model.heard.values()] == each
    assert calls("vote", members, samples=samples) == sum(each)


def test_who_fails_has_no_vote_and_the_others_go_on(tmp_path: Path) -> None:
    down = OSError("down")
    seen = played(tmp_path, "vote", society(5), saying(down, "ANSWER: 1", down, "ANSWER: 2", "ANSWER: 2"))
    assert seen.outcome.value == "ANSWER: 2"
    total = seen.meter.total()
    assert (total.planned, total.finished, total.failed, total.cancelled) == (5, 3, 2, 0)


@pytest.mark.parametrize(
    ("policy", "failing", "needed"),
    [
        (FAIL, 1, "1 of 2 agents answered and the policy 'fail' needs 2"),
        (Policy("quorum", 0.9), 2, "8 of 10 agents answered and the policy 'quorum' needs 9"),
        (Policy("quorum", 0.9), 1, None),
        (Policy("quorum", 0.3), 7, None),
        (Policy("quorum", 0.3), 8, "2 of 10 agents answered and the policy 'quorum' needs 3"),
        (Policy("skip"), 9, None),
        (Policy("skip"), 10, "0 of 10 agents answered and the policy 'skip' needs 1"),
    ],
)
def test_the_policy_decides_what_failures_mean(
    tmp_path: Path, policy: Policy, failing: int, needed: str | None
) -> None:
    count = 2 if policy is FAIL else 10
    said = [OSError("down")] * failing + ["ANSWER: 1"] * (count - failing)
    outcome = played(tmp_path, "vote", society(count, policy=policy), saying(*said), samples=1).outcome
    if needed is None:
        assert outcome.value == "ANSWER: 1"
    else:
        assert outcome.failure is not None
        assert outcome.failure.message.startswith(needed)
        assert outcome.failure.message.endswith("the first failure: exception: OSError: down")


def test_a_straggler_is_waited_for_and_the_rest_is_not_asked_one_after_another(tmp_path: Path) -> None:
    scripts: dict[str, list[str | Exception]] = {f"a{at}": ["ANSWER: 1"] for at in range(5)}
    model = Said(scripts, {"a0": 2.0, "a1": 2.0, "a4": 60.0})
    assert played(tmp_path, "vote", society(5), model).seconds == 60


def test_a_budget_that_ends_it_early_keeps_the_votes_there_are(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", "ANSWER: 2", "ANSWER: 2", "ANSWER: 1", "ANSWER: 1")
    seen = played(tmp_path, "vote", society(5), model, Limits(calls=3))
    assert (seen.outcome.value, seen.outcome.stopped) == ("ANSWER: 2", "calls")
    total = seen.meter.total()
    assert (total.planned, total.finished, total.cancelled) == (5, 3, 2)


def trials(count: int, name: str, members: Any, **parameters: Any) -> Any:
    def many(ctx: Context) -> Program:
        outcomes = yield [Nested(program(name, members, **parameters), f"trial-{at}") for at in range(count)]
        return sum(outcome.value == "right" for outcome in outcomes) / count

    return many


@pytest.mark.parametrize(
    ("name", "parameters", "count", "wanted"),
    [
        ("vote", {"samples": 1}, 1, 0.6),
        ("vote", {"samples": 5}, 1, 0.68256),  # sum of C(5, k) .6^k .4^(5 - k) for k > 2
        ("vote", {"samples": 5}, 5, 0.68256),
        ("debate", {"rounds": 1}, 5, 0.68256),
        ("debate", {"rounds": 3}, 5, 0.68256),  # nobody recognizes a right answer: no better than a vote
    ],
)
def test_majorities_are_as_often_right_as_the_binomial_says(
    tmp_path: Path, name: str, parameters: dict[str, int], count: int, wanted: float
) -> None:
    runs = 1200
    model = Scripted(accuracy=0.6, answers={"How many?": "right"})
    members = society(count, RIGHT)
    seen = play(trials(runs, name, members, **parameters), tmp_path / "journal.sqlite", model=model)
    assert seen.meter.usage.calls == runs * calls(name, members, **parameters)
    assert abs(seen.outcome.value - wanted) < 3 * sqrt(wanted * (1 - wanted) / runs)


answers = st.lists(st.none() | st.sampled_from(["1", "2", "1.0", "x"]), min_size=1, max_size=9)


@given(answers)
def test_the_elected_reply_holds_the_answer_with_most_votes(given_answers: list[str | None]) -> None:
    question = Question("?", read=final_number)
    replies = [
        Reply(failure=Failure("timeout", "")) if text is None else Reply(text, f"ANSWER: {text}")
        for text in given_answers
    ]
    answers = [question.answer(reply) for reply in replies]
    counts, winner = tally(answers), elected(answers, replies)
    assert sum(counts.values()) == sum(text in ("1", "2", "1.0") for text in given_answers)
    if counts:
        read = final_number(winner)
        assert counts[str(read)] == max(counts.values())
    else:
        assert winner == next((reply.value for reply in replies if reply.ok), None)


def test_a_vote_without_readable_answers_is_the_first_reply() -> None:
    question = Question("?", read=final_number)
    replies = [Reply("a", "no idea"), Reply("b", "none either")]
    assert elected([question.answer(reply) for reply in replies], replies) == "no idea"
    assert tally(map(question.answer, replies)) == {}
    assert tally(map(Question("?", read=final_text).answer, replies)) == {"no idea": 1, "none either": 1}


@pytest.mark.parametrize("name", ["solo", "vote", "debate"])
def test_agents_that_are_programs_are_told_the_question_as_a_value(tmp_path: Path, name: str) -> None:
    seen: list[Any] = []

    def say(request: Request, rng: Any) -> str:
        seen.append(request.observation)
        return "ANSWER: 1"

    played(tmp_path, name, society(2), ScriptedFunction(say))
    assert seen
    assert all(each["question"] == "How many?" for each in seen)
