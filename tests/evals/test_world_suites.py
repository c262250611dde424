"""The suites that play worlds: what they plan, and a short play of each through the front door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

import swarmmind
from swarmmind.evals.published import published
from swarmmind.evals.record import Recorded, read
from swarmmind.evals.swarmbench.leaderboard import COLUMNS, as_markdown, leaderboard
from swarmmind.evals.table import Table
from swarmmind.runs.evals.plan import EvalPlan, make_eval
from swarmmind.runs.evals.suites import load_suite

TASKS = {"pursuit", "synchronization", "foraging", "flocking", "transport"}
SWARMBENCH = ("swarmbench", "swarmbench-noise", "swarmbench-scalability", "swarmbench-sensitivity")


def planned(suite: str, *overrides: str) -> EvalPlan:
    return make_eval(load_suite(suite, overrides=overrides, env={}))


def played(suite: str, folder: Path, *overrides: str) -> tuple[Table, Recorded]:
    async def main() -> swarmmind.Result:
        return await swarmmind.evaluate(suite, overrides=overrides, runs=folder, env={})

    result = anyio.run(main)
    assert result.status == "finished"
    assert isinstance(result.eval, Table)
    return result.eval, read(Path(result.folder))


def scores(recorded: Recorded, arm: str) -> list[float | None]:
    return [row.played.score if row.played else None for row in recorded.rows() if row.arm.name == arm]


def metric(recorded: Recorded, arm: str, name: str) -> list[float]:
    return [row.played.metrics[name] for row in recorded.rows() if row.arm.name == arm and row.played]


@pytest.mark.parametrize(
    ("suite", "settings", "seeds", "calls"),
    [
        ("swarmbench", 1, 5, 75 * 1200),
        ("swarmbench-noise", 1, 5, 100 * 1200),
        ("swarmbench-scalability", 4, 3, 180 * 2500),
        ("swarmbench-sensitivity", 9, 3, 405 * 1200),
    ],
)
def test_a_swarmbench_suite_plays_all_tasks_with_floors_and_a_baseline(
    suite: str, settings: int, seeds: int, calls: int
) -> None:
    plan = planned(suite)
    manifest = plan.manifest
    assert sorted({case.column for case in manifest.cases}) == sorted(f"swarmbench/{task}" for task in TASKS)
    assert len(manifest.cases) == len(manifest.instances) == 5 * settings
    assert len(manifest.seeds) == seeds
    assert [arm.kind for arm in manifest.arms] == ["arm", "baseline", "floor", "floor"]
    assert set(manifest.units) == (set() if suite == "swarmbench-scalability" else {"swarmbench/flocking"})
    worlds = {id(crew.plan): crew.plan for crew in plan.crews.values()}.values()
    assert {crew.society.environment.rounds for crew in worlds if crew.society.environment} == {100}
    assert sum(plan.crews[episode.play].plan.calls or 0 for episode in plan.episodes()) == calls
    if manifest.published:
        assert {column for row in published(manifest.published) for column in row.columns} == set(COLUMNS)


def test_the_rules_of_the_box_and_the_baseline_are_played_once_and_a_model_beside_it() -> None:
    both = planned("swarmbench")
    assert len(both.episodes()) == 75  # 4 rows, of which two are the same
    other = planned("swarmbench", "model=scripted")
    assert len(other.episodes()) == 100


def test_swarmbench_in_the_papers_units_beside_the_papers_rows(tmp_path: Path) -> None:
    table, recorded = played("swarmbench", tmp_path, "problem.rounds=8", "eval.seeds=2")
    assert set(table.columns) == set(COLUMNS)
    assert (table.planned, table.finished) == (30, 30)  # rules and baseline are the same
    [rules] = [line for line in table.lines if line.arm.kind == "arm"]
    flocking = [row for row in recorded.rows() if row.arm == rules.arm and row.case.column == "swarmbench/flocking"]
    raw = [row.played.score for row in flocking if row.played and row.played.score is not None]
    found = rules.columns["swarmbench/flocking"].score
    assert found is not None
    assert found.mean == pytest.approx(sum(raw) / len(raw) / 2)
    assert rules.total.score is not None
    means = [cell.score.mean for cell in rules.columns.values() if cell.score]
    assert rules.total.score.mean == pytest.approx(sum(means))  # the paper's Total
    assert metric(recorded, rules.arm.name, "information_homogeneity")
    rows = leaderboard(table)
    assert {row.name for row in rows} >= {"builtin/swarmbench", "random", "still", "o4-mini", "human players"}
    assert "| gpt-4o | 3.40 ± 1.50 | 1.80 ± 1.33 | 1.60 ± 1.85 | 5.00 ± 3.18 | 0.00 ± 0.00 | 11.80 |" in as_markdown(
        rows
    )


def test_noise_changes_what_rules_that_talk_do_and_what_the_silent_do_not(tmp_path: Path) -> None:
    short = ("problem.rounds=30", "eval.seeds=2", 'eval.only."problem.environment"=["*/foraging", "*/flocking"]')
    _, recorded = played("swarmbench-noise", tmp_path, *short)
    noisy, clean = (metric(recorded, arm, "distance_travelled") for arm in ("builtin/swarmbench", "clean"))
    assert noisy[:2] != clean[:2]  # carriers tell each other where food is
    assert noisy[2:] == clean[2:]  # those who flock are silent


def test_a_setting_of_scalability_is_as_large_as_it_says(tmp_path: Path) -> None:
    plan = planned("swarmbench-scalability")
    made = {
        (case.axes["problem.size"], case.axes["swarm.agents.robot"], len(world.frame()["grid"]), len(world.agents))
        for case in plan.manifest.cases
        if (world := plan.crews[plan.manifest.plays[f"a1 {case.id}"]].plan.society.environment) is not None
    }
    assert made == {(size, agents, size, agents) for size in (15, 20) for agents in (20, 30)}


def ways(recorded: Recorded, arms: Sequence[str]) -> list[list[float]]:
    return [metric(recorded, arm, "trail") for arm in arms]


def test_traces_that_nobody_reads_change_no_step_at_any_density(tmp_path: Path) -> None:
    short = ("problem.rounds=60", "eval.seeds=2", 'eval.only."swarm.agents.forager"=["7", "58"]')
    table, recorded = played("collective-memory", tmp_path, *short)
    assert table.columns == ["7", "58"]
    none, traces, *others = ways(recorded, ["none", "traces", "memory", "reactive", "builtin/collective-memory"])
    assert len(none) == 4
    assert traces == none
    assert scores(recorded, "traces") == scores(recorded, "none")
    assert min(metric(recorded, "traces", "readable_traces")) > 0  # there was something to read
    assert all(one != other for walks in others for one, other in zip(walks, none, strict=True))
    lines = {line.arm.name: line for line in table.lines}
    assert lines["none"].total.score == lines["traces"].total.score
    assert [point.at for point in lines["none"].curve] == [7, 58]
