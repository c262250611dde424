"""Every part in the box loads, is said to be what it is, and every example runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import anyio
import pytest

import swarmmind
from swarmmind.agents.population import populate
from swarmmind.effects import Agent
from swarmmind.evals import environments
from swarmmind.evals.environments import ENVIRONMENTS, POLICIES
from swarmmind.evals.notes import notes
from swarmmind.evals.sandbox.handler import trouble
from swarmmind.evals.scorers import SCORERS, choice
from swarmmind.evals.swarmbench.policies import POLICIES as SWARMBENCH_POLICIES
from swarmmind.evals.swarmbench.tasks import TASKS
from swarmmind.memory import MEMORIES, memory
from swarmmind.rng import Streams
from swarmmind.runs.plan import make_plan
from swarmmind.spec import library, load_task, load_task_data
from swarmmind.spec.cards import load_card
from swarmmind.spec.library import KINDS
from swarmmind.spec.parts import load_part
from swarmmind.topologies import TOPOLOGIES

ROOT = Path(__file__).parents[1]
CARDS = library.names("agents")
EXAMPLES = sorted((ROOT / "examples").glob("*/*.yaml"))


@pytest.mark.parametrize("name", CARDS)
def test_a_card_makes_agents_with_a_prompt(name: str, work: Path) -> None:
    card = load_card(name)
    assert card.description.endswith(".")
    data = {"problem": "?", "model": "scripted", "swarm": {"agents": {name: 2}, "topology": "solo"}}
    loaded = load_task_data(data, work)
    agents = populate(loaded.task, loaded.swarm, Streams(0))
    assert [agent.id for agent in agents] == [f"{name}-0", f"{name}-1"]
    assert all(len(agent.instructions) > 40 and "{{" not in agent.instructions for agent in agents)


def test_a_topology_part_stands_for_every_topology_and_the_other_way_round(work: Path) -> None:
    names = library.names("topologies")
    assert {load_part("topologies", name).use for name in names} == set(TOPOLOGIES)
    for name in TOPOLOGIES:
        part = load_part("topologies", name)
        assert (part.use, part.is_code) == (name, False)
    for name in set(names) - {"world"}:
        data = {"problem": "?", "model": "scripted", "swarm": {"agents": {"solver": 3}, "topology": name}}
        plan = make_plan(load_task_data(data, work))
        assert plan.calls is None or plan.calls >= 1


def test_a_memory_part_stands_for_every_memory_and_the_other_way_round() -> None:
    assert set(library.names("memory")) == set(MEMORIES)
    for name in MEMORIES:
        part = load_part("memory", name)
        assert memory(part.use)(**part.parameters).sense("nobody") == ()


def test_every_world_in_the_table_is_there_and_resets() -> None:
    assert {name.removeprefix("swarmbench/") for name in ENVIRONMENTS if name.startswith("swarmbench/")} == set(TASKS)
    for name in ENVIRONMENTS:
        world = environments.environment(name)(**({"size": 8} if name.startswith("swarmbench/") else {}))
        world.reset(3)
        assert not world.done
        assert list(world.turns())
        assert environments.summary(name)
    with pytest.raises(KeyError):
        environments.environment("swarmbench/nothing")


def test_every_policy_in_the_table_is_there_and_says_what_it_does() -> None:
    swarmbench = {name for name, module in POLICIES.items() if module.endswith("swarmbench")}
    assert swarmbench == set(SWARMBENCH_POLICIES)
    for name, make in environments.policies().items():
        assert callable(make(Agent("a-0", "forager")))
        assert environments.summary(name)


def test_every_scorer_says_what_it_does() -> None:
    for name, make in SCORERS.items():
        assert (make.__doc__ or "").partition("\n")[0].endswith(".")
        if name == "tests" and trouble("strong"):
            continue
        scoring = choice(["a", "b"]) if name == "choice" else make()
        assert scoring.grade is not None or scoring.score(None, "a") == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_each_folder_of_parts_holds_data_and_a_readme(kind: str) -> None:
    folder = library.shipped() / kind
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "README.md" in files
    assert {path.suffix for path in files} <= {".md", ".yaml", ".json", ".jsonl"}
    for path in files:
        if path.suffix == ".jsonl":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            assert all({"problem", "target"} <= set(row) for row in rows)
            assert len({row["problem"] for row in rows}) == len(rows)


def test_the_sums_in_the_box_are_right() -> None:
    for line in (library.shipped() / "evals" / "arithmetic.jsonl").read_text().splitlines():
        row = json.loads(line)
        question = row["problem"].split("?")[0].removeprefix("What is ")
        if question.startswith("the remainder of "):
            product, divisor = question.removeprefix("the remainder of ").split(" divided by ")
            left, right = map(int, product.split(" * "))
            assert int(row["target"]) == left * right % int(divisor)
        else:
            words = question.split()
            total = int(words[0])
            for sign, number in zip(words[1::2], map(int, words[2::2]), strict=True):
                total = {"+": total + number, "-": total - number, "*": total * number}[sign]
            assert int(row["target"]) == total


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=[f"{path.parent.name}/{path.stem}" for path in EXAMPLES])
def test_an_example_runs_as_it_stands(path: Path, work: Path) -> None:
    shutil.copytree(path.parent, work / "example", ignore=shutil.ignore_patterns("runs", ".swarmmind"))
    task = work / "example" / path.name
    loaded = load_task(task, env={}, allow_code=True)
    rounds = ["problem.rounds=10"] if "rounds" in str(loaded.task.problem) else []
    result = swarmmind.run_sync(task, overrides=rounds, env={}, allow_code=bool(loaded.code))
    assert result.status == "finished"
    assert result.score is not None or (result.eval is not None and result.eval.failed == 0)
    assert result.coverage.failed == result.coverage.cancelled == 0


@pytest.mark.parametrize("name", ["optimize", "from-scratch"])
def test_an_example_improves_itself_and_what_it_writes_runs(name: str, work: Path) -> None:
    shutil.copytree(ROOT / "examples" / name, work / name)

    async def improved() -> swarmmind.Result:
        return await swarmmind.optimize(work / name / "task.yaml", env={}, runs=work / "runs")

    result = anyio.run(improved)
    assert result.study is not None
    assert result.study.held_out is not None
    gain, winner = result.study.held_out.gain, result.study.held_out.best
    assert gain is not None
    assert winner is not None
    assert gain.n == 100
    assert gain.low is not None
    assert gain.low > 0.3
    assert (result.path / "optimize-report.html").is_file()
    best = swarmmind.run_sync(result.path / "best" / "task.yaml", env={}, runs=work / "runs")
    assert best.score == pytest.approx(winner.mean, abs=0.12)


def test_the_notes_in_the_examples_are_those_of_the_house() -> None:
    for name in ("optimize", "from-scratch"):
        lines = (ROOT / "examples" / name / "notes.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == notes(190, 7)
