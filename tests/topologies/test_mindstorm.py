from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarmmind.agents.prompts import speakers
from swarmmind.effects import TEXT, Agent, Ask, Choice, Json, Limits, Output, Reply
from swarmmind.errors import Stop, UserError
from swarmmind.memory import Window
from swarmmind.runtime.journal import content
from swarmmind.topologies import Policy, Question, Society
from swarmmind.traces import Embed, Embedding

from .swarms import FAIL, SKIP, Said, calls, played, program

DOWN = OSError("down")
_NO_PLACE: Any = None  # a mindstorm asks nothing of its context
MARK = re.compile(r"<<(\w+) (\d)>>")


def group(
    *roles: str, output: Output = TEXT, policy: Policy = SKIP, weights: Sequence[Any] = (), **more: Any
) -> Society:
    """Agents named after the first letter of their roles and their place: o0, l1, s2, ..."""
    given = {at: {"weight": weight} for at, weight in enumerate(weights)}
    agents = [
        Agent(f"{role[0]}{at}", role, model="m", parameters=given.get(at, {}), index=at)
        for at, role in enumerate(roles)
    ]
    return Society(agents, Window(0), Question("How many?", output), policy=policy, **more)


COURT = ("organizer", "leader", "solver", "solver", "solver")


def court(*members: str | Sequence[str | Exception], leader: str | Exception = "ANSWER: 9", asks: Any = "Why?") -> Said:
    """What o0, l1, s2, s3, ... say; a text is said always."""
    scripts = {"o0": asks, "l1": leader, **{f"s{at}": said for at, said in enumerate(members, 2)}}
    return Said({name: [said] if isinstance(said, str | Exception) else said for name, said in scripts.items()})


def marked(rounds: int) -> Said:
    """Everybody's every word can be told apart; no two members ever agree."""
    scripts = {f"s{at}": [f"<<s{at} {number}>> ANSWER: {at}" for number in range(1, rounds + 2)] for at in range(2, 5)}
    asks = [f"<<o0 {number}>> why?" for number in range(1, rounds + 1)] or ["never"]
    return Said({"o0": asks, "l1": ["<<l1 1>> ANSWER: 9"], **scripts})


def words(said: Said, name: str) -> list[set[tuple[str, str]]]:
    """Whose words, of which of their turns, stood in each of an agent's prompts."""
    return [set(MARK.findall(messages[-1].content)) for messages in said.heard[name]]


def last(said: Said, name: str) -> str:
    return said.heard[name][-1][-1].content


def number_of(value: dict[str, int]) -> int:
    return value["n"]


def votes(folder: Path) -> list[dict[str, Any]]:
    rows = [row for row in content(folder / "journal.sqlite") if row[0] == "record" and row[2] == "votes"]
    return [json.loads(row[3]) for row in sorted(rows, key=lambda row: int(row[1].split("/")[1]))]


@pytest.mark.parametrize("rounds", [0, 1, 3])
@pytest.mark.parametrize("rule", ["monarchy", "advised-monarchy", "democracy", "weighted"])
def test_who_reads_whom_and_how_many_calls_it_takes(tmp_path: Path, rounds: int, rule: str) -> None:
    members, model = group(*COURT), marked(rounds)
    seen = played(tmp_path, "mindstorm", members, model, rounds=rounds, rule=rule)
    answers = [{(f"s{at}", str(number)) for at in range(2, 5)} for number in range(1, rounds + 1)]
    before = [set[tuple[str, str]](), *answers]
    assert words(model, "o0") == before[:rounds]
    questions = [{("o0", str(number))} for number in range(1, rounds + 1)]
    for name in ("s2", "s3", "s4"):
        assert words(model, name) == [*(a | b for a, b in zip(before, questions, strict=False)), before[rounds]]
    opinions = {(f"s{at}", str(rounds + 1)) for at in range(2, 5)}
    decides = {"monarchy": [set[tuple[str, str]]()], "advised-monarchy": [opinions]}
    assert words(model, "l1") == decides.get(rule, [])
    assert seen.outcome.value == ("<<l1 1>> ANSWER: 9" if rule in decides else f"<<s2 {rounds + 1}>> ANSWER: 2")
    expected = rounds * (1 + 3) + 3 + (rule in decides)
    assert calls("mindstorm", members, rounds=rounds, rule=rule) == seen.meter.usage.calls == expected


def test_words_stand_under_the_names_of_those_who_said_them(tmp_path: Path) -> None:
    model = court("ANSWER: 1", "ANSWER: 2", "ANSWER: 3")
    played(tmp_path, "mindstorm", group(*COURT), model, rounds=1)
    assert set(speakers(model.heard["s2"][0][-1].content)) == {"o0"}
    assert set(speakers(last(model, "l1"))) == {"s2", "s3", "s4"}
    for prompt in (last(model, "s2"), last(model, "l1")):
        assert prompt.startswith("How many?\n\n")
        assert prompt.endswith("with nothing after it.")


def test_all_members_are_told_the_same_words_so_that_servers_cache_them(tmp_path: Path) -> None:
    model = court("ANSWER: 1", "ANSWER: 2", "ANSWER: 3")
    played(tmp_path, "mindstorm", group(*COURT), model, rounds=2)
    assert model.heard["s2"] == model.heard["s3"] == model.heard["s4"]


def test_the_makespan_is_a_question_and_the_slowest_answer_per_round_then_opinion_and_decision(tmp_path: Path) -> None:
    scripts = {"o0": ["Why?"], "l1": ["ANSWER: 1"], **{f"s{at}": [f"ANSWER: {at}"] for at in range(2, 5)}}
    model = Said(scripts, {"o0": 1.0, "l1": 2.0, "s2": 3.0, "s3": 10.0, "s4": 3.0})
    assert played(tmp_path, "mindstorm", group(*COURT), model, rounds=2).seconds == 2 * (1 + 10) + 10 + 2


def test_without_the_roles_the_first_agent_asks_answers_and_decides(tmp_path: Path) -> None:
    members = group("solver", "solver", "solver")
    model = Said({"s0": ["Why?", "ANSWER: 1", "ANSWER: 1", "ANSWER: 7"], "s1": ["ANSWER: 2"], "s2": ["ANSWER: 2"]})
    seen = played(tmp_path, "mindstorm", members, model, rounds=1)
    assert seen.outcome.value == "ANSWER: 7"
    assert set(speakers(last(model, "s0"))) == {"s0", "s1", "s2"}
    assert calls("mindstorm", members, rounds=1) == seen.meter.usage.calls == 1 + 3 + 3 + 1


def test_an_organizer_decides_where_nobody_leads_and_several_each_ask(tmp_path: Path) -> None:
    members = group("solver", "organizer", "organizer")
    model = Said({"s0": ["ANSWER: 1"], "o1": ["Why?", "ANSWER: 2"], "o2": ["What for?"]})
    seen = played(tmp_path, "mindstorm", members, model, rounds=1, stop_on_agreement=False)
    assert seen.outcome.value == "ANSWER: 2"
    assert {"o1", "o2"} <= set(speakers(model.heard["s0"][0][-1].content))
    assert calls("mindstorm", members, rounds=1) == seen.meter.usage.calls == 2 + 1 + 1 + 1


@pytest.mark.parametrize(
    ("rule", "weights", "wanted"),
    [
        ("democracy", (), "I say: ANSWER: b"),
        ("weighted", (), "I say: ANSWER: b"),
        ("weighted", (1, 1, 3, 1, 1), "ANSWER: a"),
        ("weighted", (1, 1, 2, 1, 1), "ANSWER: a"),  # a tie: the one stated first
        ("weighted", (1, 1, -1, -0.5, -1), "ANSWER: a"),  # -1 against -1.5
        ("weighted", (1, 1, 0.5, 0.2, 0.2), "ANSWER: a"),
        ("advised-monarchy", (), "ANSWER: 9"),
        ("monarchy", (), "ANSWER: 9"),
    ],
)
def test_the_rule_decides(tmp_path: Path, rule: str, weights: Sequence[float], wanted: str) -> None:
    model = court("ANSWER: a", "I say: ANSWER: b", "ANSWER: B.")
    seen = played(tmp_path, "mindstorm", group(*COURT, weights=weights), model, rounds=0, rule=rule)
    assert seen.outcome.value == wanted


def test_votes_are_on_record_round_by_round_and_weighted_at_the_end(tmp_path: Path) -> None:
    model = court("ANSWER: a", ["ANSWER: b", "ANSWER: a"], "ANSWER: b")
    members = group(*COURT, weights=(1, 1, 1, 0.5, 4))
    assert played(tmp_path, "mindstorm", members, model, rounds=1, rule="weighted").outcome.value == "ANSWER: b"
    assert votes(tmp_path) == [{"round": 1, "a": 1, "b": 2}, {"a": 1.5, "b": 4}]


@pytest.mark.parametrize("weight", ["2", True, None, float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_the_users_mistake(tmp_path: Path, weight: Any) -> None:
    members = group(*COURT, weights=(1, 1, 1, weight))
    with pytest.raises(UserError, match=r"swarm\.agents: s3: weight: must be a finite number"):
        calls("mindstorm", members, rule="weighted")
    assert calls("mindstorm", members, rounds=0, rule="democracy") == 3


@pytest.mark.parametrize("roles", [("organizer", "leader"), ("leader", "leader", "solver")])
def test_a_society_that_cannot_storm_is_the_users_mistake(roles: Sequence[str]) -> None:
    with pytest.raises(UserError, match="a member beside organizers, and one leader at most"):
        calls("mindstorm", group(*roles))


def test_agreement_in_a_round_saves_the_rounds_that_are_left_and_then_the_leader(tmp_path: Path) -> None:
    model = court("ANSWER: 1", ["ANSWER: 2", "I see. ANSWER: 1"], "ANSWER: 1")
    seen = played(tmp_path, "mindstorm", group(*COURT), model, rounds=5)
    assert seen.outcome.value == "ANSWER: 1"
    assert [len(model.heard[name]) for name in ("o0", "l1", "s2")] == [2, 0, 3]
    assert seen.meter.usage.calls == 2 * 4 + 3


def test_a_monarch_is_asked_whatever_the_others_agree_on(tmp_path: Path) -> None:
    model = court("ANSWER: 1", "ANSWER: 1", "ANSWER: 1")
    assert played(tmp_path, "mindstorm", group(*COURT), model, rule="monarchy").outcome.value == "ANSWER: 9"
    assert len(model.heard["o0"]) == 1


def test_it_goes_on_to_the_end_if_agreement_is_not_to_stop_it(tmp_path: Path) -> None:
    members, model = group(*COURT), court("ANSWER: 1", "ANSWER: 1", "ANSWER: 1")
    seen = played(tmp_path, "mindstorm", members, model, rounds=3, stop_on_agreement=False)
    assert seen.outcome.value == "ANSWER: 9"
    assert calls("mindstorm", members, rounds=3, stop_on_agreement=False) == seen.meter.usage.calls == 3 * 4 + 3 + 1


@pytest.mark.parametrize("odd", [DOWN, " "])
def test_silence_is_no_agreement(tmp_path: Path, odd: str | Exception) -> None:
    model = court("ANSWER: 1", [odd], "ANSWER: 1")
    seen = played(tmp_path, "mindstorm", group(*COURT), model, rounds=2)
    assert seen.outcome.value == "ANSWER: 9"
    assert len(model.heard["o0"]) == 2


def test_nobody_agrees_by_saying_nothing_that_can_be_read(tmp_path: Path) -> None:
    model = court(" ", " ", " ")
    assert played(tmp_path, "mindstorm", group(*COURT), model, rounds=2).meter.usage.calls == 2 * 4 + 3 + 1


def test_what_fades_fades_round_by_round(tmp_path: Path) -> None:
    class Counted(Window):
        ticks = 0

        def tick(self) -> None:
            self.ticks += 1

    memory = Counted(4)
    played(tmp_path, "mindstorm", group(*COURT)._replace(memory=memory), marked(3), rounds=3)
    assert memory.ticks == 3


def test_of_choices_the_stance_is_read_in_what_is_said_and_the_opinion_is_an_option(tmp_path: Path) -> None:
    output = Choice(("north", "south"))
    model = court(["Cold. ANSWER: North", "north"], ["ANSWER: 'north'", "north"], ["Up.\nANSWER: north.", "north"])
    seen = played(tmp_path, "mindstorm", group(*COURT, output=output), model, rounds=4)
    assert (seen.outcome.value, len(model.heard["o0"])) == ("north", 1)
    unsure = court(["ANSWER: north", "north"], ["ANSWER: who knows", "north"], ["ANSWER: north", "north"])
    (tmp_path / "unsure").mkdir()
    played(tmp_path / "unsure", "mindstorm", group(*COURT, output=output), unsure, rounds=1)
    assert votes(tmp_path / "unsure") == [{"round": 1, "north": 2}, {"north": 3}]


@pytest.mark.parametrize("affordable", [None, 5])
def test_of_choices_the_value_is_an_option_even_where_it_was_given_in_a_round(
    tmp_path: Path, affordable: int | None
) -> None:
    members = group(*COURT, output=Choice(("north", "south")))
    model = court(["Up! ANSWER: North", DOWN], ["ANSWER: north", "north"], ["ANSWER: south", "south"])
    limits = Limits(calls=affordable)
    seen = played(tmp_path, "mindstorm", members, model, limits=limits, rounds=1, rule="democracy")
    assert seen.outcome.value == "north"


def test_what_the_leader_decided_counts_even_if_it_cannot_be_remembered_any_more() -> None:
    class Vectors(Window):
        @property
        def embeds(self) -> bool:
            return True

    members = group("leader", "solver", "solver")._replace(memory=Vectors(4))
    storm = program("mindstorm", members, rounds=0)(_NO_PLACE)
    said = {"l0": "ANSWER: 9", "s1": "ANSWER: 1", "s2": "ANSWER: 2"}
    assert _stopped_as_the_leader_remembers(storm, said) == "ANSWER: 9"


def _stopped_as_the_leader_remembers(storm: Any, said: dict[str, str]) -> Any:
    results: Any = None
    led = False
    while True:
        try:
            effects = storm.send(results)
            if led and isinstance(effects[0], Embed):
                storm.throw(Stop("tokens", []))
        except StopIteration as end:
            return end.value
        led = led or (isinstance(effects[0], Ask) and effects[0].agent.id == "l0")
        results = [_result(effect, said) for effect in effects]


def _result(effect: Any, said: dict[str, str]) -> Any:
    if isinstance(effect, Ask):
        return Reply(said[effect.agent.id], said[effect.agent.id])
    vectors = np.ones(len(effect.texts), "<f4").tobytes() if isinstance(effect, Embed) else b""
    return Embedding(1, vectors) if vectors else None


def test_documents_are_decided_on_too_and_no_stance_is_read_before(tmp_path: Path) -> None:
    output = Json("it", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    members = group(*COURT, output=output)
    members = members._replace(question=members.question._replace(read=number_of))
    model = court(["so so", '{"n": 1}'], ["ANSWER: 2", '{"n": 2}'], ["ANSWER: 2", '{"n": 2}'])
    seen = played(tmp_path, "mindstorm", members, model, rounds=1, rule="democracy")
    assert seen.outcome.value == {"n": 2}
    assert votes(tmp_path) == [{"round": 1}, {"1": 1, "2": 2}]


def test_an_organizer_who_fails_leaves_a_round_without_a_question(tmp_path: Path) -> None:
    model = court("ANSWER: 1", "ANSWER: 2", "ANSWER: 3", asks=[DOWN, "And why?"])
    assert played(tmp_path, "mindstorm", group(*COURT), model, rounds=2).outcome.value == "ANSWER: 9"
    first, second, _ = (messages[-1].content for messages in model.heard["s2"])
    assert not speakers(first)
    assert "> And why?" in second


def test_a_leader_who_fails_leaves_it_to_the_votes(tmp_path: Path) -> None:
    for rule in ("monarchy", "advised-monarchy"):
        folder = tmp_path / rule
        folder.mkdir()
        model = court("ANSWER: 1", "ANSWER: 2", "So be it. ANSWER: 2", leader=DOWN)
        assert played(folder, "mindstorm", group(*COURT), model, rule=rule).outcome.value == "ANSWER: 2"


def test_members_who_fail_are_not_quoted_and_have_no_vote(tmp_path: Path) -> None:
    model = court(["ANSWER: 1", DOWN], ["ANSWER: 1", DOWN], ["ANSWER: 2"])
    seen = played(tmp_path, "mindstorm", group(*COURT), model, rounds=2)
    assert set(speakers(last(model, "l1"))) == {"s4"}
    assert votes(tmp_path)[-1] == {"2": 1}
    total = seen.meter.total()
    assert (total.planned, total.failed, total.finished) == (12, 4, 8)


def test_what_a_member_said_two_rounds_ago_is_not_shown_as_of_the_last_round(tmp_path: Path) -> None:
    model = court(["<<s2 1>>", DOWN, "<<s2 3>>"], ["<<s3 1>>", "<<s3 2>>"], ["<<s4 1>>", "<<s4 2>>"])
    played(tmp_path, "mindstorm", group(*COURT), model, rounds=3)
    assert words(model, "s3")[2] == words(model, "s2")[2] == {("s3", "2"), ("s4", "2")}


def test_what_was_said_in_rounds_counts_where_nobody_states_an_opinion(tmp_path: Path) -> None:
    model = court(["ANSWER: 1", DOWN], ["ANSWER: 2", DOWN], ["yes: ANSWER: 2", DOWN], leader=DOWN)
    assert played(tmp_path, "mindstorm", group(*COURT), model, rounds=1).outcome.value == "ANSWER: 2"


def test_it_fails_under_skip_only_if_nobody_ever_said_anything(tmp_path: Path) -> None:
    model = court([DOWN], [DOWN], [DOWN], leader=DOWN)
    seen = played(tmp_path, "mindstorm", group(*COURT), model, rounds=1)
    assert seen.outcome.failure is not None
    assert "0 of 3 agents answered" in seen.outcome.failure.message
    (tmp_path / "led").mkdir()
    alone = court([DOWN], [DOWN], [DOWN])
    assert played(tmp_path / "led", "mindstorm", group(*COURT), alone, rounds=1).outcome.value == "ANSWER: 9"
    assert not speakers(last(alone, "l1"))


@pytest.mark.parametrize(("policy", "calls_made"), [(FAIL, 4), (Policy("quorum", 0.9), 4), (Policy("quorum", 0.6), 8)])
def test_a_stricter_policy_ends_it_in_the_step_of_the_failure(tmp_path: Path, policy: Policy, calls_made: int) -> None:
    model = court("ANSWER: 1", [DOWN], "ANSWER: 3")
    seen = played(tmp_path, "mindstorm", group(*COURT, policy=policy), model, rounds=1)
    assert seen.meter.usage.calls == calls_made
    assert seen.outcome.ok is (calls_made == 8)


@pytest.mark.parametrize(
    ("affordable", "wanted"),
    [
        (0, None),
        (1, None),  # a question, no answer
        (2, "one. ANSWER: 1"),
        (4, "two. ANSWER: 2"),
        (5, "two. ANSWER: 2"),
        (6, "two. ANSWER: 2"),  # s2 now says 5; the others stand by what they said
        (7, "now. ANSWER: 5"),
        (8, "now. ANSWER: 5"),
        (11, "now. ANSWER: 5"),
    ],
)
def test_a_spent_budget_leaves_it_to_everybodys_last_words(tmp_path: Path, affordable: int, wanted: str | None) -> None:
    model = court(
        ["one. ANSWER: 1", "now. ANSWER: 5"],
        ["two. ANSWER: 2", "and now. ANSWER: 5"],
        ["three. ANSWER: 2", "no. ANSWER: 2"],
    )
    seen = played(tmp_path, "mindstorm", group(*COURT), model, Limits(calls=affordable), rounds=2)
    assert (seen.outcome.value, seen.outcome.stopped) == (wanted, "calls")
    assert seen.meter.usage.calls == affordable


def test_with_a_memory_everybody_recalls_its_own_turns(tmp_path: Path) -> None:
    model = court("ANSWER: 1", "ANSWER: 2", "ANSWER: 3")
    members = group(*COURT)._replace(memory=Window(20))
    played(tmp_path, "mindstorm", members, model, rounds=2)
    first, second, third = model.heard["s2"]
    assert (second[: len(first)], third[: len(second)]) == (first, second)  # append-only: prefixes are cached
    assert second[len(first)].content == "ANSWER: 1"


def test_equal_runs_have_equal_journals(tmp_path: Path) -> None:
    found: list[list[tuple[str, ...]]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        played(tmp_path / name, "mindstorm", group(*COURT), marked(2), rounds=2)
        found.append(list(content(tmp_path / name / "journal.sqlite")))
    assert found[0] == found[1]
