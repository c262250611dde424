from __future__ import annotations

import json
import random

import pytest

from swarmmind.topologies.peer_ranking import Ballot, Ranking, Reputation, Rule, Verdict, recount

NODES = [f"n{at}" for at in range(6)]
MARKS = {"n0": 1.0, "n1": 1.0, "n2": 0.0, "n3": 0.0, "n4": 0.0, "n5": 0.0}


def ballot(lesson: int, batch: int, prefers: dict[str, str], marks: dict[str, float] | None = None) -> Ballot:
    """Each judge prefers the answer of one author to all others."""
    verdicts = [
        Verdict(judge, loved, other, loved) for judge, loved in prefers.items() for other in NODES if other != loved
    ]
    return Ballot(lesson, batch, NODES, verdicts, marks)


def winners(ballots: list[Ballot], rule: Rule) -> list[str | None]:
    return [ranking.winner for rankings, _ in recount(ballots, rule) for ranking in rankings]


def test_as_long_as_nobody_was_tested_all_weigh_the_same() -> None:
    reputation = Reputation("calibration")
    assert {reputation.weight(node) for node in NODES} == {1.0}
    reputation.settle([ballot(0, 0, {"n3": "n0"})])
    assert {reputation.weight(node) for node in NODES} == {1.0}


def test_reputation_is_a_moving_average_of_accuracy_and_its_square_weighs() -> None:
    reputation = Reputation("calibration")
    reputation.settle([ballot(0, 0, {"x": "n0", "y": "n2"}, MARKS)])  # y is wrong about n0 and n1, x is always right
    assert reputation.of == pytest.approx({"x": 0.15, "y": 0.0})
    reputation.settle([ballot(1, 1, {"x": "n0", "z": "n1"}, MARKS)])
    assert reputation.of == pytest.approx({"x": 0.85 * 0.15 + 0.15, "y": 0.0, "z": 0.15})
    assert reputation.weight("x") == pytest.approx((0.85 * 0.15 + 0.15) ** 2)


def test_equal_answers_test_nobody() -> None:
    reputation = Reputation("calibration")
    reputation.settle([Ballot(0, 0, NODES, [Verdict("x", "n0", "n1", "n1")], MARKS)])
    assert reputation.of == {}


def test_a_tested_judge_outvotes_any_number_of_newcomers() -> None:
    crowd = {f"new-{at}": "n2" for at in range(50)}
    known = ballot(0, 0, {"x": "n0"}, MARKS)
    assert winners([known, ballot(1, 1, {"x": "n0", **crowd})], "calibration") == ["n0", "n0"]
    assert winners([known, ballot(1, 1, {"x": "n0", **crowd})], "none") == ["n0", "n2"]


@pytest.mark.parametrize("names", [1, 5, 100])
def test_a_sybil_that_splits_weighs_nothing_until_each_name_has_passed(names: int) -> None:
    reputation = Reputation("calibration")
    for lesson in range(30):
        reputation.settle([ballot(lesson, lesson, {"x": "n0", "sybil": "n1"}, MARKS)])
    before = reputation.weight("sybil")
    assert before > 0.9
    split = [f"sybil/{at}" for at in range(names)]
    assert sum(map(reputation.weight, split)) == 0
    reputation.settle([ballot(30, 30, {"x": "n0", "sybil/0": "n0"}, MARKS)])  # one of them passes
    assert sum(map(reputation.weight, split)) == reputation.weight("sybil/0") == pytest.approx(0.15**2)
    reputation.settle([ballot(31, 31, dict.fromkeys(split, "n2"), MARKS)])  # the others do not
    assert sum(map(reputation.weight, split)) <= 0.15**2


def test_a_problem_that_calibrates_is_counted_by_what_was_known_before_its_batch() -> None:
    crowd = {"x": "n0", "y": "n2", "z": "n2"}
    assert winners([ballot(0, 0, crowd, MARKS), ballot(1, 0, crowd)], "calibration") == ["n2", "n2"]
    assert winners([ballot(0, 0, crowd, MARKS), ballot(1, 1, crowd)], "calibration") == ["n2", "n0"]


def test_agreement_with_the_outcome_makes_the_strong_stronger() -> None:
    crowd = {"x": "n0", "y": "n2", "z": "n2"}
    ballots = [ballot(lesson, lesson, crowd, MARKS) for lesson in range(9)]
    assert set(winners(ballots, "agreement")) == {"n2"}
    *_, (_, reputation) = recount(ballots, "agreement")
    assert reputation["y"] == reputation["z"] > reputation["x"]


def test_who_is_worth_nothing_elects_nobody() -> None:
    fooled = [ballot(0, 0, {"x": "n0"}, MARKS), ballot(1, 1, {"y": "n2"})]
    assert winners(fooled, "calibration") == ["n0", None]
    assert Ranking(0, {}, {}).winner is None


def test_ballots_come_back_from_the_journal_and_count_the_same_in_any_order() -> None:
    rng = random.Random(3)
    judges = [f"j{at}" for at in range(5)]
    ballots = [
        ballot(at, at // 3, {judge: rng.choice(NODES) for judge in judges}, MARKS if at % 2 else None)
        for at in range(12)
    ]
    read = [Ballot.read(json.loads(json.dumps(each.record()))) for each in ballots]
    assert [each.record() for each in read] == [each.record() for each in ballots]
    rng.shuffle(read)
    for rule in ("none", "agreement", "calibration"):
        one, other = (list(recount(each, rule)) for each in (ballots, read))
        assert one[-1][1] == other[-1][1]
        by_lesson = [{each.lesson: each.winner for rankings, _ in found for each in rankings} for found in (one, other)]
        assert by_lesson[0] == by_lesson[1]
