"""Every command and program of the README is executed; the make targets it names exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from swarmmind.evals.datasets import DATASETS
from swarmmind.evals.scorers import SCORERS
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.runs.evals.plan import make_eval
from swarmmind.runs.plan import make_plan
from swarmmind.runs.studies.plan import make_study
from swarmmind.spec import load_task_data
from tests.acceptance.stagehands import SWARMMIND, endpoint

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands(kind: str) -> list[str]:
    return [line[2:] for block in blocks(kind) for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the examples, in which one command finds what the one before it left."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("runs", ".swarmmind"))
    return tmp_path


def execute(folder: Path, command: str, **env: str) -> None:
    words = shlex.split(command)
    assert words[0] == "swarmmind"
    run = subprocess.run(
        [*SWARMMIND, *words[1:]], cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, (command, run.stdout[-500:], run.stderr[-1500:])
    assert run.stdout.strip(), command


def test_commands_in_order(desk: Path) -> None:
    found = commands("console")
    assert len(found) >= 10
    for command in found:
        execute(desk, command)


def test_commands_that_need_a_server(desk: Path) -> None:
    found = commands("console server")
    assert len(found) >= 2
    (desk / "my-server").mkdir()
    with endpoint(desk / "my-server") as server:
        execute(desk, "swarmmind init my-swarm")
        for command in found:
            execute(desk, command, VLLM_BASE_URL=server.base_url)


def test_the_program(desk: Path) -> None:
    [program] = [block for block in blocks("python") if "run_sync" in block]
    run = subprocess.run([sys.executable, "-c", program], cwd=desk, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "115" in run.stdout


def test_the_topology_is_one_that_a_task_can_use(desk: Path) -> None:
    [relay] = [block for block in blocks("python") if "def relay" in block]
    (desk / "relay.py").write_text(relay)
    swarm = "{agents: {solver: 3}, topology: {use: ./relay.py:relay, laps: 2}}"
    (desk / "relay.yaml").write_text(f"problem: What is 2+2?\nmodel: scripted\nswarm: {swarm}\n")
    execute(desk, "swarmmind run relay.yaml --allow-code --json")
    check = "import relay, swarmmind.testing as t; t.check_topology(relay.relay)"
    run = subprocess.run([sys.executable, "-c", check], cwd=desk, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_the_task_file_loads() -> None:
    [block] = blocks("yaml")
    plan = make_plan(load_task_data(yaml.safe_load(block), ROOT))
    assert plan.calls == 15


def test_the_study_loads() -> None:
    [block] = blocks("yaml optimize")
    task = yaml.safe_load((ROOT / "examples" / "optimize" / "task.yaml").read_text())
    study = make_study(load_task_data({**task, **yaml.safe_load(block)}, ROOT / "examples" / "optimize"))
    assert (study.stops.examples, study.stops.patience, len(study.examples.test.ids)) == (5000, 20, 100)


def test_every_optimizer_is_named() -> None:
    rows = re.findall(r"^\| (`.*?) \|", README.split("| optimizer |")[1].split("\n\n")[0], re.MULTILINE)
    assert {name for row in rows for name in re.findall("`([a-z-]+)`", row)} == set(OPTIMIZERS)


def test_the_optimizer_is_one_that_a_task_can_use(desk: Path) -> None:
    [climb] = [block for block in blocks("python") if "def climb" in block]
    (desk / "mine.py").write_text(climb)
    shutil.copy(desk / "examples" / "optimize" / "notes.jsonl", desk)
    temperature = "{path: sampling.temperature, low: 0, high: 1.5}"
    optimize = f"{{use: ./mine.py:climb, parameters: [{temperature}], train: 2, validate: 5, test: 5, tries: 3}}"
    head = (
        "problem: {dataset: notes.jsonl}\nmodel: scripted\nswarm: {agents: {solver: 1}, topology: solo}\nscore: exact\n"
    )
    (desk / "mine.yaml").write_text(f"{head}optimize: {optimize}\n")
    execute(desk, "swarmmind optimize mine.yaml --allow-code --json")
    check = (
        "import mine, swarmmind.testing as t; from swarmmind.optimizers.study import Most, Optimizer;"
        "most = lambda study, tries=10: Most(11 * 4);"
        "t.check_optimizer(Optimizer(mine.climb, most, frozenset({'float'}), asks=False))"
    )
    run = subprocess.run([sys.executable, "-c", check], cwd=desk, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_make_targets_exist() -> None:
    named = set(re.findall(r"make ([a-z]+)", README))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_linked_files_exist() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_eval_loads() -> None:
    [block] = blocks("yaml eval")
    task = yaml.safe_load((ROOT / "examples" / "eval" / "task.yaml").read_text())
    evaluation = make_eval(load_task_data({**task, **yaml.safe_load(block)}, ROOT / "examples" / "eval"))
    assert [arm.kind for arm in evaluation.manifest.arms].count("arm") == 4
    assert len(evaluation.manifest.seeds) == 5


def test_every_scorer_and_data_set_is_named() -> None:
    told = README.split("**Data sets**")[1].split("\n\n")[0]
    named = set(re.findall("`([a-z0-9/-]+)`", told))
    assert named >= {*SCORERS, "judge"}
    assert named >= {name.rstrip("/") for name in DATASETS}
