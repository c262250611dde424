"""Tables from recorded episodes: what counts where, what is missing, what is compared with what."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from scipy import stats

from swarmmind.effects import Usage
from swarmmind.evals.record import Arm, Case, Episode, Instance, Manifest, Played, Recorded
from swarmmind.evals.statistics import layout_of, mean_interval, paired_difference, tabulate
from swarmmind.evals.table import Difference, Line, Table

Score = Callable[[str, str, int], float | None]
SWARM, SOLO = Arm("swarm", "debate"), Arm("swarm-solo", "debate · solo", "control", of="swarm")
RIVAL, RULES, RANDOM = Arm("rival", "vote"), Arm("rules", "rules", "baseline"), Arm("random", "random", "floor")


def nothing(*_: object) -> dict[str, Any]:
    return {}


def recorded(
    score: Score,
    arms: Sequence[Arm] = (SWARM,),
    columns: Sequence[str] = ("a", "b"),
    instances: int = 6,
    seeds: int = 3,
    played: Callable[[str, str, int], dict[str, Any]] = nothing,
    **more: Any,
) -> Recorded:
    """Every arm on every instance; an episode whose score is `None` was played without one."""
    cases = [Case(f"case-{name}", {"world": name}, name) for name in columns]
    problems = [Instance(f"{name}{at}", f"case-{name}") for name in columns for at in range(instances)]
    plays = {f"{arm.id} {case.id}": f"{arm.id}/{case.id}" for arm in arms for case in cases}
    named: dict[str, Any] = {"columns": "world", **more}
    manifest = Manifest("sample", list(arms), cases, problems, list(range(seeds)), plays, **named)
    usual: dict[str, Any] = {"usage": Usage(2, 100, 0, 20, 0.5)}
    episodes = {
        Episode(f"{arm.id}/{one.case}", one.id, seed).label(): Played(
            score(arm.id, one.id, seed), **{**usual, **played(arm.id, one.id, seed)}
        )
        for arm in arms
        for one in problems
        for seed in range(seeds)
    }
    return Recorded(manifest, episodes)


def luck(arm: str, instance: str, seed: int) -> float:
    return random.Random(f"{arm} {instance} {seed}").random()


def line(table: Table, arm: Arm) -> Line:
    return next(one for one in table.lines if one.arm.id == arm.id)


def between(table: Table, first: Arm, second: Arm) -> Difference:
    return next(one for one in table.differences if (one.first, one.second) == (first.id, second.id))


def test_a_column_is_the_mean_of_its_episodes_clustered_by_instance() -> None:
    table = tabulate(recorded(luck, bounds=(0, 1)))
    cell = line(table, SWARM).columns["a"]
    wanted = mean_interval([[luck("swarm", f"a{at}", seed) for seed in range(3)] for at in range(6)], (0, 1))
    assert cell.score == wanted
    assert (cell.planned, cell.missing, wanted.n, wanted.clusters) == (18, 0, 18, 6)
    assert (table.columns, table.seeds, table.instances, table.planned) == (["a", "b"], 3, 12, 36)


@pytest.mark.parametrize("headline", ["mean", "sum"])
def test_the_total_of_columns_is_as_sure_as_they_are(headline: str) -> None:
    """Of worlds whose seeds are the clusters: Welch's interval, for a sum of means as for a difference."""
    found = recorded(lambda arm, one, seed: 50 * (one == "b0") + luck(arm, one, seed), instances=1, seeds=6,
                     headline=headline)  # fmt: skip
    score = line(tabulate(found), SWARM).total.score
    assert score is not None
    first, second = [[luck("swarm", one, seed) for seed in range(6)] for one in ("a0", "b0")]
    welch = stats.ttest_ind(first, [-value for value in second], equal_var=False)
    share = 1 if headline == "sum" else 0.5
    assert score.mean == pytest.approx(share * (50 + (sum(first) + sum(second)) / 6))
    assert score.low is not None
    assert score.high is not None
    assert score.clusters == 12
    wanted = welch.confidence_interval()
    assert score.high - score.low == pytest.approx(share * (wanted.high - wanted.low), rel=0.05)


def test_cases_of_a_column_are_chosen_and_do_not_make_it_less_sure() -> None:
    """Three sizes of one world differ by far; its seeds do not."""
    sizes = [Case(f"s{size}", {"size": size}, "a") for size in (10, 20, 30)]
    problems = [Instance(case.id, case.id) for case in sizes]
    manifest = Manifest("sizes", [SWARM], sizes, problems, list(range(5)), {f"swarm {c.id}": c.id for c in sizes},
                        columns="world", curve="size")  # fmt: skip
    episodes = {
        Episode(case.id, case.id, seed).label(): Played(case.axes["size"] + luck("", case.id, seed))
        for case in sizes
        for seed in range(5)
    }
    found = line(tabulate(Recorded(manifest, episodes)), SWARM)
    score = found.columns["a"].score
    assert score is not None
    assert score.low is not None
    assert score.high is not None
    assert score.high - score.low < 1
    assert score.clusters == 15
    assert score.sd > 5
    assert [point.at for point in found.curve] == [10, 20, 30]
    assert all(point.at < point.score.mean < point.at + 1 and point.score.clusters == 5 for point in found.curve)


def test_cases_whose_seeds_never_differ_are_clusters_themselves() -> None:
    cases = [Case(f"c{at}", {}, "") for at in range(8)]
    problems = [Instance(case.id, case.id) for case in cases]
    manifest = Manifest("graphs", [SWARM], cases, problems, [0, 1], {f"swarm {one.id}": one.id for one in cases})
    score = {case.id: luck("", case.id, 0) for case in cases}
    episodes = {Episode(one, one, seed).label(): Played(score[one]) for one in score for seed in (0, 1)}
    found = line(tabulate(Recorded(manifest, episodes)), SWARM).total.score
    assert found is not None
    assert found == mean_interval([[value] * 2 for value in score.values()])
    assert found.clusters == 8


def test_units_apply_to_columns_totals_and_differences() -> None:
    plain = tabulate(recorded(luck, [SWARM, RIVAL], headline="sum"))
    halved = tabulate(recorded(luck, [SWARM, RIVAL], headline="sum", units={"b": 0.5}))
    ours, theirs = line(plain, SWARM), line(halved, SWARM)
    a, b, half = ours.columns["a"].score, ours.columns["b"].score, theirs.columns["b"].score
    assert a is not None
    assert b is not None
    assert half is not None
    assert theirs.columns["a"] == ours.columns["a"]
    assert (half.mean, half.low, half.sd) == pytest.approx((b.mean / 2, (b.low or 0) / 2, b.sd / 2))
    total = theirs.total.score
    assert total is not None
    assert total.mean == pytest.approx(a.mean + b.mean / 2)
    rival = line(halved, RIVAL).total.score
    assert rival is not None
    assert between(halved, RIVAL, SWARM).mean == pytest.approx(rival.mean - total.mean)


def test_what_is_missing_is_counted_and_never_a_zero() -> None:
    found = recorded(lambda arm, one, seed: None if one == "a0" else 1.0, bounds=(0, 1))
    unplayed = Episode("swarm/case-b", "b0", 0).label()
    table = tabulate(found._replace(played={key: one for key, one in found.played.items() if key != unplayed}))
    assert (table.planned, table.finished, table.failed, table.cancelled) == (36, 32, 3, 1)
    total = line(table, SWARM).total
    assert (total.missing, total.planned) == (4, 36)
    assert total.score is not None
    assert total.score.mean == 1
    assert total.score.low is not None
    assert total.score.low < 1
    assert any("4 of 36 episodes have no score" in one for one in table.warnings)


def test_a_sum_without_one_of_its_parts_is_none_and_a_mean_says_so() -> None:
    def half(arm: str, instance: str, seed: int) -> float | None:
        return None if instance[0] == "b" else luck(arm, instance, seed)

    assert line(tabulate(recorded(half, headline="sum", threshold=0.0)), SWARM).total.score is None
    assert tabulate(recorded(half, headline="sum", threshold=0.0)).below == ["swarm"]
    table = tabulate(recorded(half))
    mean = line(table, SWARM)
    assert mean.total.score is not None
    assert mean.columns["a"].score is not None
    assert mean.total.score.mean == pytest.approx(mean.columns["a"].score.mean)
    assert any("no score at all in b" in one for one in table.warnings)


def test_controls_stand_below_their_arm_and_floors_last() -> None:
    table = tabulate(recorded(luck, [RANDOM, SOLO, RULES, SWARM, RIVAL]))
    assert [one.arm.id for one in table.lines] == ["swarm", "swarm-solo", "rival", "rules", "random"]
    assert [(one.first, one.second, one.why) for one in table.differences] == [
        ("swarm", "swarm-solo", "control"), ("swarm", "rules", "baseline"), ("swarm", "random", "floor"),
        ("rival", "rules", "baseline"), ("rival", "random", "floor"), ("rival", "swarm", "arm"),
    ]  # fmt: skip


def test_differences_are_paired_and_say_how_many_tokens() -> None:
    found = recorded(
        lambda arm, one, seed: luck("", one, seed) / 2 + 0.1 * (arm == "swarm") + luck(arm, one, seed) / 100,
        [SWARM, SOLO], columns=["a"], instances=20, bounds=(0, 1),
        played=lambda arm, one, seed: {"usage": Usage(2, 300 if arm == "swarm" else 100, 0, 0)},
    )  # fmt: skip
    found_difference = between(tabulate(found), SWARM, SOLO)
    assert (found_difference.verdict, found_difference.tokens) == ("better", 3)
    assert "3 times the tokens (20 problems x 3 seeds): it helps" in found_difference.words
    scores = [
        {(row.instance.id, row.seed): row.played.score for row in found.rows() if row.arm is arm and row.played}
        for arm in found.manifest.arms
    ]
    first, second = [{key: value for key, value in one.items() if value is not None} for one in scores]
    alone = paired_difference(first, second, layout=layout_of(found.manifest))
    assert (alone.mean, alone.low, alone.high) == (found_difference.mean, found_difference.low, found_difference.high)


def test_episodes_that_arms_share_are_planned_once() -> None:
    found = recorded(luck, [SWARM])
    twice = Arm("again", "again")
    plays = {**found.manifest.plays, **{f"again case-{one}": f"swarm/case-{one}" for one in "ab"}}
    manifest = Manifest("shared", [SWARM, twice], found.manifest.cases, found.manifest.instances, [0, 1, 2], plays,
                        columns="world", bounds=(0, 1))  # fmt: skip
    table = tabulate(Recorded(manifest, found.played))
    assert table.planned == table.finished == 36
    assert line(table, twice).total == line(table, SWARM).total
    assert between(table, twice, SWARM).verdict == "cannot tell"


def test_costs_are_per_episode_and_unknown_if_any_is() -> None:
    cell = line(tabulate(recorded(luck)), SWARM).total
    assert (cell.calls, cell.tokens, cell.usd) == (2, 120, 0.5)

    def silent(_: str, instance: str, seed: int) -> dict[str, Any]:
        return {"usage": Usage(2, None, None, None, None)} if (instance, seed) == ("a0", 0) else {}

    table = tabulate(recorded(luck, [SWARM, SOLO], played=silent))
    assert (line(table, SWARM).total.tokens, line(table, SWARM).total.usd) == (None, None)
    assert line(table, SWARM).columns["b"].tokens == 120
    assert between(table, SWARM, SOLO).tokens is None
    assert any("did not say what it spent" in one for one in table.warnings)


def test_pass_at_k_and_flips_of_scores_between_0_and_1() -> None:
    def some(arm: str, instance: str, seed: int) -> float:
        return float(instance in ("a0", "a1") or (instance == "a2" and seed == 0))

    cell = line(tabulate(recorded(some, columns=["a"], bounds=(0, 1))), SWARM).total
    assert cell.flip_rate == pytest.approx(1 / 6)
    assert cell.pass_at == pytest.approx({"1": (2 + 1 / 3) / 6, "2": (2 + 2 / 3) / 6, "3": 0.5})
    assert line(tabulate(recorded(some, columns=["a"])), SWARM).total.pass_at == {}


def test_metrics_stand_beside_without_units() -> None:
    cell = line(
        tabulate(recorded(luck, also=["rounds", "unknown"], units={"a": 7.0}, headline="sum",
                          played=lambda arm, one, seed: {"metrics": {"rounds": 10.0 + (one[0] == "b")}})),
        SWARM,
    ).total  # fmt: skip
    assert list(cell.also) == ["rounds"]
    assert cell.also["rounds"].mean == pytest.approx(10.5)


def test_kinds_of_problems_make_columns() -> None:
    found = recorded(luck, columns=["x"], instances=6)
    kinds = ["easy", "easy", "easy", "hard", "hard", ""]
    instances = [
        Instance(one.id, one.case, kind=kind) for one, kind in zip(found.manifest.instances, kinds, strict=True)
    ]
    manifest = Manifest(
        "kinds", [SWARM], found.manifest.cases, instances, [0, 1, 2], found.manifest.plays, columns="kind"
    )
    table = tabulate(Recorded(manifest, found.played))
    assert table.columns == ["easy", "hard", "other"]
    assert [cell.score.clusters for cell in line(table, SWARM).columns.values() if cell.score] == [3, 2, 1]


def test_a_curve_over_an_axis_of_the_arms_has_a_point_in_each() -> None:
    arms = [Arm(f"n{count}", f"{count} agents", axes={"swarm.agents.worker": count}) for count in (8, 4)]
    table = tabulate(recorded(luck, arms, curve="swarm.agents.worker"))
    assert [[point.at for point in one.curve] for one in table.lines] == [[8], [4]]
    assert table.lines[0].curve[0].score == table.lines[0].total.score


def test_a_threshold_is_for_arms_alone() -> None:
    table = tabulate(recorded(lambda arm, one, seed: float(arm == "swarm"), [SWARM, RIVAL, RANDOM], threshold=0.5))
    assert (table.threshold, table.below) == (0.5, ["rival"])


def test_warnings() -> None:
    table = tabulate(
        recorded(lambda arm, one, seed: 0.5, [SWARM, RANDOM], instances=1, seeds=1, notes=["from the suite"])
    )
    said = "\n".join(table.warnings)
    assert table.warnings[0] == "from the suite"
    assert "one seed" in said
    assert "as few as 1 independent" in said
    assert "debate is not shown to be better than the floor random" in said
    fine = tabulate(recorded(lambda arm, one, seed: luck(arm, one, seed) / 9 + (arm == "swarm"), [SWARM, RANDOM]))
    assert fine.warnings == []


def test_an_eval_that_has_not_begun_has_a_table() -> None:
    table = tabulate(recorded(luck, [SWARM, SOLO])._replace(played={}))
    assert (table.planned, table.cancelled, table.differences) == (72, 72, [])
    assert line(table, SWARM).total.score is None


def test_ten_thousand_episodes_take_about_a_second() -> None:
    arms = [Arm(f"a{at}", f"arm {at}") for at in range(8)] + [Arm("c", "c", "control", of="a0"), RANDOM]
    found = recorded(luck, arms, columns="abcde", instances=40, seeds=5, bounds=(0, 1), curve="world")
    assert len(found.played) == 10_000
    began = time.process_time()
    tabulate(found)
    assert time.process_time() - began < 3
