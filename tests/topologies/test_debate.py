from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.effects import Choice, Limits, Message
from swarmmind.memory import Window
from swarmmind.topologies import Policy, Society

from .swarms import FAIL, Said, calls, played, saying, society


def told(said: Said) -> dict[str, list[str]]:
    """The last message each agent got, round by round."""
    return {name: [messages[-1].content for messages in heard] for name, heard in said.heard.items()}


def marked(count: int, rounds: int) -> Said:
    """Agents whose every answer can be told apart."""
    return saying(*[[f"<<a{at} in {number}>> ANSWER: {at}" for number in range(1, rounds + 1)] for at in range(count)])


@pytest.mark.parametrize(("count", "rounds"), [(2, 2), (3, 3), (5, 4)])
def test_everybody_reads_everybody_elses_previous_answer_and_nothing_newer(
    tmp_path: Path, count: int, rounds: int
) -> None:
    members, model = society(count), marked(count, rounds)
    seen = played(tmp_path, "debate", members, model, rounds=rounds)
    for at in range(count):
        prompts = told(model)[f"a{at}"]
        assert len(prompts) == rounds
        assert "<<" not in prompts[0]
        for number in range(2, rounds + 1):
            there = {
                (other, earlier)
                for other in range(count)
                for earlier in range(1, rounds + 1)
                if f"<<a{other} in {earlier}>>" in prompts[number - 1]
            }
            assert there == {(other, number - 1) for other in range(count) if other != at}
    assert calls("debate", members, rounds=rounds) == seen.meter.usage.calls == count * rounds


def test_without_memory_an_agent_reads_the_question_and_its_own_last_answer(tmp_path: Path) -> None:
    model = marked(3, 3)
    played(tmp_path, "debate", society(3), model, rounds=3)
    first, _, last = model.heard["a1"]
    assert last[:-1] == (*first, Message("assistant", "<<a1 in 2>> ANSWER: 1"))


def test_with_memory_it_reads_all_that_was_said_to_it_and_by_it_once(tmp_path: Path) -> None:
    model = marked(3, 3)
    played(tmp_path, "debate", society(3, memory=Window(20)), model, rounds=3)
    first, second, last = model.heard["a1"]
    assert second[:-1] == (*first, Message("assistant", "<<a1 in 1>> ANSWER: 1"))
    assert last[:-1] == (*second, Message("assistant", "<<a1 in 2>> ANSWER: 1"))  # append-only: prefixes are cached


def test_everybody_waits_for_the_slowest_of_each_round(tmp_path: Path) -> None:
    slow = Said({f"a{at}": ["ANSWER: 1"] for at in range(3)}, {"a0": 1.0, "a1": 5.0, "a2": 2.0})
    assert played(tmp_path, "debate", society(3), slow, rounds=3).seconds == 15


def test_the_last_answers_are_counted_not_the_first(tmp_path: Path) -> None:
    model = saying(["ANSWER: 1", "ANSWER: 2"], ["ANSWER: 1", "ANSWER: 2"], ["ANSWER: 1", "ANSWER: 1"])
    assert played(tmp_path, "debate", society(3), model, rounds=2).outcome.value == "ANSWER: 2"


def test_one_round_is_a_vote(tmp_path: Path) -> None:
    said = ["ANSWER: 1", "ANSWER: 2", "ANSWER: 2"]
    assert played(tmp_path, "debate", society(3), saying(*said), rounds=1).outcome.value == "ANSWER: 2"


def test_one_agent_debates_with_itself(tmp_path: Path) -> None:
    model = saying(["ANSWER: 1", "ANSWER: 2"])
    seen = played(tmp_path, "debate", society(1), model, rounds=2)
    assert seen.outcome.value == "ANSWER: 2"
    assert "check it step by step" in told(model)["a0"][1]


def test_choices_are_debated_too(tmp_path: Path) -> None:
    model = saying(["A", "B"], ["B", "B"], ["A", "A"])
    seen = played(tmp_path, "debate", society(3, Choice(("A", "B"))), model, rounds=2)
    assert seen.outcome.value == "B"


def test_who_fails_in_a_round_stands_by_its_last_answer_and_is_still_read(tmp_path: Path) -> None:
    down = OSError("down")
    model = saying(["<<x>> ANSWER: 1", down, "ANSWER: 2"], ["ANSWER: 2"] * 3, ["ANSWER: 1", down, down])
    seen = played(tmp_path, "debate", society(3), model, rounds=3)
    assert seen.outcome.value == "ANSWER: 2"
    assert "<<x>> ANSWER: 1" in told(model)["a1"][2]
    assert seen.meter.total().failed == 3


def test_a_round_in_which_everybody_fails_loses_no_answer(tmp_path: Path) -> None:
    down = OSError("down")
    model = saying(["ANSWER: 1", down, down], ["ANSWER: 1", down, "ANSWER: 2"], ["ANSWER: 2", down, "ANSWER: 2"])
    assert played(tmp_path, "debate", society(3), model, rounds=3).outcome.value == "ANSWER: 2"
    (tmp_path / "alone").mkdir()
    alone = played(tmp_path / "alone", "debate", society(1), saying(["ANSWER: 1", down]), rounds=2)
    assert alone.outcome.value == "ANSWER: 1"


def test_who_never_answered_is_not_quoted(tmp_path: Path) -> None:
    model = saying("ANSWER: 1", OSError("down"), "ANSWER: 1")
    played(tmp_path, "debate", society(3), model, rounds=2)
    assert "a1" not in told(model)["a0"][1]
    assert "[a2]" in told(model)["a0"][1]


@pytest.mark.parametrize("policy", [FAIL, Policy("quorum", 0.9)])
def test_a_policy_that_wants_more_ends_it_in_the_round_of_the_failure(tmp_path: Path, policy: Policy) -> None:
    model = saying(["ANSWER: 1"], ["ANSWER: 1", OSError("down")], ["ANSWER: 1"])
    seen = played(tmp_path, "debate", society(3, policy=policy), model, rounds=5)
    assert seen.outcome.failure is not None
    assert seen.outcome.failure.message.startswith(f"2 of 3 agents answered and the policy {policy.kind!r} needs 3")
    assert seen.meter.usage.calls == 6


@pytest.mark.parametrize(
    ("affordable", "wanted"), [(2, "ANSWER: 1"), (3, "ANSWER: 1"), (4, "ANSWER: 1"), (5, "ANSWER: 2"), (6, "ANSWER: 2")]
)
def test_a_budget_that_ends_it_early_keeps_everybodys_latest_answer(
    tmp_path: Path, affordable: int, wanted: str
) -> None:
    members: Society = society(3)
    model = saying(["ANSWER: 1", "ANSWER: 2"], ["ANSWER: 1", "ANSWER: 2"], ["ANSWER: 1", "ANSWER: 1"])
    seen = played(tmp_path, "debate", members, model, Limits(calls=affordable), rounds=3)
    assert (seen.outcome.value, seen.outcome.stopped) == (wanted, "calls")
    assert seen.meter.usage.calls == affordable


def test_agreement_ends_it_only_if_that_is_wanted(tmp_path: Path) -> None:
    said = [["ANSWER: 1", "ANSWER: 2"], ["ANSWER: 2"], ["I say\nANSWER: 2."]]
    for early, calls_made in ((True, 6), (False, 15)):
        folder = tmp_path / str(early)
        folder.mkdir()
        members = society(3)
        seen = played(folder, "debate", members, saying(*said), rounds=5, stop_on_agreement=early)
        assert (seen.outcome.value, seen.meter.usage.calls) == ("ANSWER: 2", calls_made)
        assert calls("debate", members, rounds=5, stop_on_agreement=early) == 15


@pytest.mark.parametrize("odd", ["ANSWER: 2", OSError("down"), " "])
def test_dissent_and_silence_are_no_agreement(tmp_path: Path, odd: str | Exception) -> None:
    model = saying("ANSWER: 1", "ANSWER: 1", [odd])
    assert played(tmp_path, "debate", society(3), model, rounds=3, stop_on_agreement=True).meter.usage.calls == 9


def test_nobody_agrees_by_saying_nothing_that_can_be_read(tmp_path: Path) -> None:
    seen = played(tmp_path, "debate", society(2), saying(" ", " "), rounds=3, stop_on_agreement=True)
    assert seen.meter.usage.calls == 6


def test_who_fails_later_agrees_with_its_last_answer(tmp_path: Path) -> None:
    model = saying(["ANSWER: 1", OSError("down")], ["ANSWER: 2", "ANSWER: 1"])
    seen = played(tmp_path, "debate", society(2), model, rounds=4, stop_on_agreement=True)
    assert (seen.outcome.value, seen.meter.usage.calls) == ("ANSWER: 1", 4)
