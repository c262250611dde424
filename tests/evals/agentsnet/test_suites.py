from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind import evaluate, run
from swarmmind.errors import SpecError
from swarmmind.evals.agentsnet.published import PUBLISHED_ROWS
from swarmmind.evals.published import published
from swarmmind.spec import library, load_task
from swarmmind.spec.evaluate import flat

TASK: dict[str, Any] = {
    "problem": {"environment": "agentsnet/coloring", "family": "dt", "index": 1},
    "model": "builtin/agentsnet",
    "swarm": {"agents": {"peer": 8}, "topology": "world"},
}


def test_the_main_suite_is_the_papers_135_runs() -> None:
    task = load_task(library.find("evals", "agentsnet")).task
    cases = flat(task.evaluate.cases)
    total = 1
    for values in cases.values():
        total *= len(values)
    assert total == 135
    assert cases["swarm.agents.peer"] == [4, 8, 16]
    assert task.evaluate.columns in cases
    assert "agentsnet/consensus-bits" not in cases["problem.environment"]


def test_published_numbers_stand_beside_in_the_columns_of_the_suite() -> None:
    rows = published("agentsnet")
    assert rows is PUBLISHED_ROWS
    totals = [row.total for row in rows if row.total is not None]
    assert totals == sorted(totals, reverse=True)
    columns = flat(load_task(library.find("evals", "agentsnet")).task.evaluate.cases)["problem.environment"]
    assert {column for row in rows for column in row.columns} <= set(columns)
    assert all(row.source for row in rows)


def test_a_network_is_as_large_as_the_population_and_plays_through_the_runtime(work: Path) -> None:
    result = anyio.run(lambda: run(TASK, runs=work / "runs"))
    assert result.score == 1.0
    assert result.usage.calls == (5 + 1) * 8
    assert result.metrics["solved"] == 1
    assert result.metrics["fallbacks"] == 0


def test_a_wrong_parameter_has_its_place(work: Path) -> None:
    wrong = {**TASK, "problem": {**TASK["problem"], "family": "er"}}
    with pytest.raises(SpecError, match="family"):
        anyio.run(lambda: run(wrong, runs=work / "runs"))


@pytest.mark.parametrize("suite", ["agentsnet", "agentsnet-scaling"])
def test_a_suite_plays_and_tells_exact_from_chance(suite: str, work: Path) -> None:
    sizes = {"agentsnet": [4, 8], "agentsnet-scaling": [20]}[suite]
    overrides = ["eval.seeds=1", f"eval.cases.swarm.agents.peer={sizes}", "eval.cases.problem.index=[0]"]
    result = anyio.run(lambda: evaluate(suite, overrides=overrides, runs=work / "runs"))
    assert result.eval is not None
    means = {line.arm.name: line.total.score.mean for line in result.eval.lines if line.total.score}
    assert means["exact"] == means["builtin/agentsnet"] == pytest.approx(1)
    assert means["random"] < 0.4
    assert 0 < means["silent"] < 0.5
