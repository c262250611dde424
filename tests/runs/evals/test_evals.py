"""Evals through the library's face: what is played, once, and what becomes of what is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

import swarmmind
from swarmmind import Result
from swarmmind.errors import RunError, SpecError
from swarmmind.evals.record import Played, Recorded, Row, read
from swarmmind.runtime.journal import Journal, content
from swarmmind.testing import FakeEndpoint
from tests.runs.projects import SUMS, asked, task, write_sums, write_task

MIXED = {"name": "scripted", "accuracy": 0.5}


def suite(work: Path, **changes: Any) -> Path:
    write_sums(work)
    base: dict[str, Any] = {"problem": {"dataset": "sums.jsonl"}, "model": MIXED, "score": {"use": "number"}}
    return write_task(work, **{**base, "eval": {"seeds": 2}, **changes})


def evaluate(suite: Any, overrides: Sequence[str] = (), **options: Any) -> Result:
    async def main() -> Result:
        return await swarmmind.evaluate(suite, overrides=overrides, env=options.pop("env", {}), **options)

    return anyio.run(main)


def resume(run: str | Path, *overrides: str) -> Result:
    async def main() -> Result:
        return await swarmmind.resume(run, overrides=overrides, env={})

    return anyio.run(main)


def rows(result: Result) -> list[Row]:
    return list(read(result.path).rows())


def played(result: Result) -> list[Played]:
    found = [row.played for row in rows(result)]
    assert all(one is not None for one in found)
    return [one for one in found if one is not None]


def scores(recorded: Recorded) -> dict[tuple[str, str, int], Any]:
    return {
        (row.arm.name, row.instance.id, row.seed): row.played and (row.played.score, row.played.output)
        for row in recorded.rows()
    }


def test_every_arm_meets_every_problem_with_every_seed(work: Path) -> None:
    result = evaluate(suite(work, grid={"swarm.topology": ["solo", "debate"]}))
    table = result.eval
    assert table is not None
    assert (result.status, table.planned, table.finished, table.failed, table.cancelled) == ("finished", 12, 12, 0, 0)
    assert [(row.arm.name, row.seed) for row in rows(result)] == [
        (arm, seed) for arm in ("solo", "debate") for _ in SUMS for seed in (7, 8)
    ]
    coverage = result.coverage
    assert coverage.planned == coverage.finished == len(asked(result.folder)) - table.planned
    assert result.usage.calls == sum(one.usage.calls for one in played(result)) == coverage.planned


def test_arms_share_their_chance_and_equal_arms_their_episodes(work: Path) -> None:
    floors = {"same": {"swarm.topology.samples": 3}, "other": {"swarm.topology.samples": 5}}
    result = evaluate(suite(work, eval={"seeds": 4, "floors": floors}))
    by_arm: dict[str, list[Any]] = {}
    for row in rows(result):
        by_arm.setdefault(row.arm.name, []).append((row.label, row.played and row.played.output))
    assert by_arm["scripted"] == by_arm["same"]
    assert by_arm["scripted"] != by_arm["other"]
    assert result.coverage.planned == 3 * 4 * (3 + 5)


def test_the_first_answers_of_two_arms_are_the_same_random_numbers(work: Path) -> None:
    result = evaluate(suite(work, eval={"seeds": 5}, grid={"swarm.topology.samples": [3, 4]}))
    said: dict[str, list[str]] = {}
    for kind, key, *_, value in content(result.path / "journal.sqlite"):
        if kind == "result" and key.endswith("/solver-1"):
            said.setdefault(key.split("/")[2].partition(".")[0], []).append(json.loads(value)["text"])
    first, second = said.values()
    assert sorted(first) == sorted(second)
    assert len(set(first)) > 3


def test_a_seed_more_or_an_arm_more_plays_only_what_is_new(work: Path) -> None:
    path = suite(work)
    first = evaluate(path)
    before = set(content(first.path / "journal.sqlite"))
    more = resume(first.folder, "eval.seeds=3")
    assert more.path == first.path
    after = set(content(first.path / "journal.sqlite"))
    assert before <= after
    assert len(asked(first.folder)) == 3 * 3 * (3 + 1)
    wider = evaluate(path, ["eval.seeds=3", "grid={swarm.topology: [vote, solo]}"], into=first.folder)
    whole = evaluate(path, ["eval.seeds=3", "grid={swarm.topology: [vote, solo]}"])
    assert after <= set(content(first.path / "journal.sqlite"))
    assert scores(read(wider.path)) == scores(read(whole.path))
    assert wider.eval is not None
    assert wider.eval == whole.eval
    assert resume(first.folder).eval == whole.eval


def test_nothing_is_asked_twice_of_a_server(work: Path) -> None:
    async def main() -> tuple[int, int, int]:
        async with FakeEndpoint() as server:
            model = {"name": "vllm/fake", "base_url": server.base_url}
            path = suite(work, model=model)
            first = await swarmmind.evaluate(path, env={})
            one = server.received
            await swarmmind.resume(first.folder, env={})
            two = server.received
            await swarmmind.resume(first.folder, overrides=["eval.seeds=3"], env={})
            return one, two, server.received

    assert anyio.run(main) == (18, 18, 27)


def test_the_budget_of_an_eval_is_a_wall_and_the_rest_comes_with_a_larger_one(work: Path) -> None:
    path = suite(work, eval={"seeds": 6}, compare=["vote"])
    whole = evaluate(path)
    short = evaluate(path, ["budget.calls=40"])
    table = short.eval
    assert table is not None
    assert (short.status, short.stopped) == ("stopped", "calls")
    assert short.charged.calls <= 40
    assert short.usage.calls == short.charged.calls
    assert table.planned == table.finished + table.failed + table.cancelled == 36
    assert 0 < table.finished < 18
    assert short.undone == f"{table.cancelled} of 36 episodes were not played"
    rest = resume(short.folder, "budget.calls=1000")
    assert (rest.status, rest.eval) == ("finished", whole.eval)
    ends = [{row for row in content(run.path / "journal.sqlite") if row[0] == "record"} for run in (rest, whole)]
    assert ends[0] == ends[1] != set()


def test_controls_spend_what_their_arm_has_spent(work: Path) -> None:
    result = evaluate(suite(work, eval={"seeds": 30}, compare=["solo", "vote"]))
    spent: dict[str, int] = {}
    for row in rows(result):
        assert row.played is not None
        usage = row.played.usage
        spent[row.arm.id] = spent.get(row.arm.id, 0) + (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
    assert spent["a1-solo"] == pytest.approx(spent["a1"], rel=0.03)
    assert spent["a1-vote"] == pytest.approx(spent["a1"], rel=0.03)


def test_an_arm_whose_server_fails_is_missing_and_not_0(work: Path) -> None:
    dead = {"name": "vllm/dead", "base_url": "http://127.0.0.1:9/v1", "attempts": 1}
    result = evaluate(suite(work, grid={"model": [MIXED, dead]}))
    assert [one.score is None for one in played(result)] == [False] * 6 + [True] * 6
    assert "connection" in played(result)[-1].error
    assert result.eval is not None
    assert (result.eval.finished, result.eval.failed) == (6, 6)


def test_a_users_scorer_that_raises_costs_one_score(work: Path) -> None:
    (work / "mine.py").write_text(
        "def score(output, target):\n    if target == '5':\n        raise ZeroDivisionError('oh')\n    return 1.0\n"
    )
    result = evaluate(suite(work, score={"use": "./mine.py:score"}), allow_code=True)
    assert [one.score for one in played(result)] == [1.0, 1.0, None, None, 1.0, 1.0]
    assert "ZeroDivisionError: oh" in played(result)[2].error


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ("True", 1.0),
        ("numpy.float64(0.5)", 0.5),
        ("numpy.bool_(True)", 1.0),
        ("float('nan')", None),
        ("float('inf')", None),
        ("1e200", None),
        ("None", None),
        ("'0.5'", None),
        ("1j", None),
        ("int('\\ud800')", None),
    ],
)
def test_a_users_scorer_may_give_anything(said: str, score: float | None, work: Path) -> None:
    (work / "mine.py").write_text(f"import numpy\n\n\ndef score(output, target):\n    return {said}\n")
    task = suite(work, score={"use": "./mine.py:score"})
    result = evaluate(task, allow_code=True)
    assert [one.score for one in played(result)] == [score] * 6
    assert result.eval is not None
    assert result.eval.failed == (0 if score is not None else 6)
    assert all(one.error for one in played(result) if score is None)


def test_worlds_are_cases_and_sizes_are_rows(work: Path) -> None:
    world = {"environment": "swarmbench/pursuit", "rounds": 5}
    swarm = {"agents": {"worker": 4}, "topology": "world"}
    grid = {"swarm.agents.worker": [4, 6], "problem.environment": ["swarmbench/pursuit", "swarmbench/transport"]}
    told = {"seeds": 2, "columns": "problem.environment", "floors": {"random": {"model": "builtin/random"}}}
    data = task(problem=world, swarm=swarm, grid=grid, score=None, model="builtin/swarmbench", compare=["solo"])
    result = evaluate({**data, "eval": told})
    table = result.eval
    assert table is not None
    assert table.columns == ["swarmbench/pursuit", "swarmbench/transport"]
    assert [line.arm.name for line in table.lines] == ["4", "6", "random"]
    assert [one.usage.calls for one in played(result)] == [20] * 4 + [30] * 4 + [20] * 4
    assert any("no controls" in warning for warning in table.warnings)


def test_a_world_is_the_one_of_its_seed_whoever_plays(work: Path) -> None:
    data = task(
        problem={"environment": "swarmbench/foraging", "rounds": 1},
        swarm={"agents": {"worker": 4}, "topology": "world"},
        score=None,
        grid={"model": ["builtin/swarmbench", "builtin/random"]},
    )
    result = evaluate({**data, "eval": {"seeds": [3, 5]}})
    frames: dict[str, list[str]] = {}
    for kind, key, name, value in (row for row in content(result.path / "journal.sqlite") if row[0] == "record"):
        if name == "round" and json.loads(value)["round"] == 0:
            frames.setdefault(key.split("/")[2].rpartition(".")[2], []).append(value)
        assert kind == "record"
    assert {seed: len(set(found)) for seed, found in frames.items()} == {"3": 1, "5": 1}
    assert frames["3"][0] != frames["5"][0]


def test_limit_and_only_leave_the_rest_out(work: Path) -> None:
    path = suite(work, grid={"swarm.topology": ["solo", "vote", "debate"]})
    some = evaluate(path, ["eval.limit=2", 'eval.only."swarm.topology"=["*o*e"]', "eval.seeds=1"])
    assert [(row.arm.name, row.instance.target) for row in rows(some)] == [("vote", "2"), ("vote", "5")]


def test_a_task_with_a_grid_is_an_eval_wherever_it_is_run(work: Path) -> None:
    result = swarmmind.run_sync(suite(work, grid={"swarm.topology": ["solo", "vote"]}), env={})
    assert result.eval is not None
    assert [line.arm.name for line in result.eval.lines] == ["solo", "vote"]


def test_rows_without_an_own_score_are_told_where_the_threshold_is_missed(work: Path) -> None:
    result = evaluate(
        suite(work, grid={"model": [{"name": "scripted", "accuracy": a} for a in (0.0, 1.0)]}, eval={"threshold": 0.9})
    )
    assert result.eval is not None
    assert result.eval.below == ["a1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"grid": {"swam.topology": ["solo"]}},
            r"grid: 'swam\.topology' leads nowhere in a task; did you mean 'swarm'\?",
        ),
        ({"grid": {"budget.calls": [1, 2]}}, r"grid: 'budget\.calls' is the same for the whole eval"),
        ({"grid": {"swarm.topology": "solo"}}, r"grid: swarm\.topology: must be a list of values, got 'solo'"),
        ({"grid": {"swarm.topology": ["solo", "solo"]}}, r"grid: swarm\.topology: holds 'solo' twice"),
        ({"grid": {"swarm.topology": ["solo", "nobody"]}}, r"unknown topology 'nobody'"),
        ({"eval": {"columns": "problem.size"}}, r"eval\.columns: 'problem\.size' is no axis"),
        ({"eval": {"only": {"model": ["a"]}}}, r"eval\.only\.model: is no axis"),
        (
            {"grid": {"swarm.topology": ["solo", "vote"]}, "eval": {"only": {"swarm.topology": ["debate"]}}},
            r"eval\.only: leaves no row of the table to play",
        ),
        ({"grid": {"seed": [1, "x"]}}, r"grid: seed: must hold whole numbers, got 'x'"),
        ({"compare": ["solo", "solo"]}, r"compare: holds a control twice"),
        ({"eval": {"bounds": [1, 0]}}, r"eval\.bounds: must be the lower bound and then the upper one"),
        ({"eval": {"published": "nobody"}}, r"eval\.published: unknown results"),
        ({"eval": {"seeds": 0}}, r"eval\.seeds: must be at least one seed"),
        ({"eval": {"floors": {"scripted": {}}}}, r"two rows are called 'scripted'"),
        ({"score": None}, r"has no 'score'"),
        (
            {
                "swarm": {
                    "agents": {"solver": 1},
                    "topology": "solo",
                    "memory": {"use": "longterm", "store": "x.sqlite"},
                }
            },
            "outlives the run",
        ),
    ],
)
def test_one_clear_line(changes: dict[str, Any], message: str, work: Path) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        evaluate(suite(work, **changes))
    assert "\n" not in str(caught.value)
    assert not (work / "runs").exists()


def test_an_eval_goes_on_in_evals_only(work: Path) -> None:
    run = swarmmind.run_sync(task(), env={})
    with pytest.raises(RunError, match="is no eval"):
        evaluate(suite(work), into=run.folder)


def test_parameters_that_are_drawn_are_drawn_anew_for_each_seed(work: Path) -> None:
    agents = [{"card": "solver", "parameters": {"accuracy": {"choice": [0.0, 1.0]}}}]
    result = evaluate(suite(work, swarm={"agents": agents, "topology": "solo"}, eval={"seeds": 20}))
    by_seed: dict[int, set[Any]] = {}
    for row in rows(result):
        by_seed.setdefault(row.seed, set()).add(row.played and row.played.score)
    assert all(len(found) == 1 for found in by_seed.values())
    assert {0.0, 1.0} == {score for found in by_seed.values() for score in found}


def test_a_topology_that_takes_the_data_set_whole_is_one_instance(work: Path) -> None:
    swarm = {"agents": {"solver": 4}, "topology": {"use": "sapo", "rounds": 1}}
    result = evaluate(suite(work, swarm=swarm, model={"name": "scripted", "accuracy": 1.0}))
    assert [(row.instance.text, row.played and row.played.score) for row in rows(result)] == [("", 1.0), ("", 1.0)]


def test_what_a_judge_takes_is_billed_and_is_no_arms(work: Path) -> None:
    score = {"use": "judge", "model": "judge"}
    models = {"judge": {"name": "scripted", "accuracy": 1.0}}
    result = evaluate(suite(work, score=score, models=models, compare=["vote"], eval={"seeds": 1}))
    for one in played(result):
        assert one.judging.calls > 0
        assert one.usage.calls == one.calls + one.judging.calls
        assert one.tokens is not None
        assert one.tokens < (one.usage.prompt_tokens or 0)
    arm, control = played(result)[0], played(result)[len(SUMS)]
    assert control.calls == arm.calls == 3
    assert result.usage.calls == sum(one.usage.calls for one in played(result))


def test_more_problems_leave_controls_as_they_were_played(work: Path) -> None:
    path = suite(work, compare=["solo", "vote"])
    first = evaluate(path, ["eval.limit=1"])
    before = set(content(first.path / "journal.sqlite"))
    more = resume(first.folder, "eval.limit=3")
    assert (more.status, more.eval) == ("finished", evaluate(path, ["eval.limit=3"]).eval)
    assert before <= set(content(first.path / "journal.sqlite"))


def test_problems_put_before_others_leave_controls_as_they_were_played(work: Path) -> None:
    first = evaluate(suite(work, compare=["vote"], eval={"seeds": 1}))
    data = work / "sums.jsonl"
    data.write_text('{"problem": "What is 8 + 9?", "target": "17"}\n' + data.read_text(encoding="utf-8"))
    more = resume(first.folder)
    assert (more.status, len(played(more))) == ("finished", 2 * (len(SUMS) + 1))


def test_a_mistake_in_what_an_eval_goes_on_with_costs_nothing_of_it(work: Path) -> None:
    path = suite(work)
    first = evaluate(path)
    late = "def late(ctx, society):\n    raise UserError('needs more agents')\n    yield\n"
    (work / "mine.py").write_text(f"from swarmmind.errors import UserError\n\n\n{late}")
    with pytest.raises(SpecError, match="needs more agents"):
        evaluate(path, ["swarm.topology={use: './mine.py:late'}"], into=first.folder, allow_code=True)
    assert evaluate(path, into=first.folder).eval == first.eval


def test_who_cannot_have_the_folder_leaves_what_it_says_of_the_eval(work: Path) -> None:
    path = suite(work)
    first = evaluate(path)
    before = {file.name: file.read_bytes() for file in first.path.iterdir() if file.suffix in (".json", ".yaml")}
    journal = Journal(first.path / "journal.sqlite")
    with pytest.raises(RunError, match="going on in another process"):
        evaluate(path, ["swarm.topology=solo"], into=first.folder)
    journal.close()
    assert {name: (first.path / name).read_bytes() for name in before} == before


def test_a_swarm_without_controls_is_told_of_them(work: Path) -> None:
    told = [evaluate(suite(work, **changes)).eval for changes in ({}, {"compare": ["vote"]})]
    alone = evaluate(suite(work, swarm={"agents": {"solver": 1}, "topology": "solo"})).eval
    assert [any("no controls" in note for note in table.warnings) for table in (*told, alone) if table] == [
        True,
        False,
        False,
    ]
