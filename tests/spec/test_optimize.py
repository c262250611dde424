"""What a task may say of its own improvement, and where it is told what is wrong with that."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from swarmmind.errors import SpecError
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.runs.studies.plan import make_study
from swarmmind.spec import load_task
from swarmmind.spec.optimize import Optimize, PathParameter

HEAD = """\
problem: {dataset: sums.jsonl}
model: scripted
swarm:
  agents: {solver: 2}
  topology: debate
score: number
optimize:
"""
RIGHT = "  use: pso\n  parameters: [{path: swarm.topology.rounds, low: 1, high: 3, integer: true}]\n  train: 2\n"


def task(folder: Path, optimize: str, head: str = HEAD) -> Path:
    (folder / "sums.jsonl").write_text('{"problem": "1 + 1", "target": "2"}\n' * 9)
    (folder / "notes.txt").write_text("x")
    path = folder / "task.yaml"
    path.write_text(head + optimize)
    return path


def test_what_is_right_is_loaded_with_its_defaults(work: Path) -> None:
    loaded = load_task(task(work, RIGHT + "  particles: 4\n"))
    optimize = loaded.task.optimize
    assert optimize is not None
    assert optimize.splits == {"train": 2, "validate": 0, "test": 0}
    assert optimize.settings == {"particles": 4}
    [parameter] = optimize.parameters
    assert isinstance(parameter, PathParameter)
    assert parameter.steps == ["swarm", "topology", "rounds"]
    assert loaded.optimize is not None
    assert (loaded.optimize.critic.name, loaded.optimize.editor.name) == ("reviewer", "editor")
    again = load_task(task(work, "", head=loaded.text))
    assert again.task == loaded.task


def test_somebodys_optimizer_is_code_that_must_be_allowed(work: Path) -> None:
    (work / "mine.py").write_text("open('ran', 'w')\n")
    path = task(work, RIGHT.replace("pso", "./mine.py:climb"))
    with pytest.raises(SpecError, match=r"task.yaml:8:8: optimize.use: would run code './mine.py:climb'"):
        load_task(path)
    assert load_task(path, allow_code=True).code == ["./mine.py:climb"]
    assert not (work / "ran").exists()


WRONG = {
    RIGHT.replace("train: 2", "train: 0"): "10:10: optimize.train: must be at least 1, got 0",
    RIGHT.replace("train: 2", "train: notes.txt"): "10:10: optimize.train: must be a number, or a .jsonl file",
    RIGHT.replace("train: 2", "train: gone.jsonl"): "10:10: optimize.train: no such file",
    RIGHT.replace("  train: 2\n", ""): "8:3: optimize.train: is required but missing",
    RIGHT + "  test: -1\n": "11:9: optimize.test: must be at least 0, got -1",
    RIGHT + "  validate: ../x.jsonl\n": "11:13: optimize.validate: must stay inside the task's folder",
    RIGHT + "  patience: 0\n": "11:13: optimize.patience: must be at least 1, got 0",
    RIGHT + "  model: gpt\n": "11:10: optimize.model: neither a name from 'models' nor provider/model: 'gpt'",
    RIGHT + "  editor: nobody\n": "11:11: optimize.editor: unknown role card 'nobody'",
    RIGHT + "  api_key: sk-0123456789abcdef\n": "11:3: optimize.api_key",
    RIGHT.replace(
        "swarm.topology.rounds", "problem.limit"
    ): "9:23: optimize.parameters.0.path: 'problem' may not change",
    RIGHT.replace(
        "swarm.topology.rounds", "budget.calls"
    ): "9:23: optimize.parameters.0.path: 'budget' may not change: it",
    RIGHT.replace("swarm.topology.rounds", "swarm"): "9:23: optimize.parameters.0.path: must lead below",
    RIGHT.replace("low: 1", "low: 3"): "9:16: optimize.parameters.0: 'low' must be less than 'high', got 3 and 3",
    RIGHT.replace(
        "low: 1", "low: 0.5"
    ): "9:16: optimize.parameters.0: 'low' and 'high' of a whole number must be whole",
    RIGHT.replace("low: 1", "lo: 1"): "9:46: optimize.parameters.0.lo: unknown key; did you mean 'low'?",
    RIGHT.replace("low: 1", "scale: log, low: 0"): "9:16: optimize.parameters.0: 'low' must be more than 0",
    RIGHT.replace(
        "low: 1, high: 3, integer: true", "options: [1, 1]"
    ): "9:16: optimize.parameters.0: 'options' must be",
    RIGHT.replace(
        "low: 1, high: 3, integer: true", "options: [1]"
    ): "9:55: optimize.parameters.0.options: must have at least 2 entries",
    RIGHT.replace("low: 1, ", "options: [1, 2], "): "9:16: optimize.parameters.0: has either 'options', or",
    "  use: pso\n  parameters: [prompt]\n  train: 2\n": "9:16: optimize.parameters.0: must be prompts, workflow",
    "  use: pso\n  parameters: []\n  train: 2\n": "9:15: optimize.parameters: must not be empty",
}
DEEPER = {
    RIGHT.replace("pso", "psoo"): "8:8: optimize.use: unknown optimizer 'psoo'; did you mean 'pso'",
    RIGHT + "  partcles: 4\n": "11:13: optimize.partcles: unknown parameter; did you mean 'particles'",
    RIGHT + "  particles: 1\n": "11:14: optimize.particles: must be greater than or equal to 2, got 1",
    RIGHT
    + "  test: 8\n": "10:10: optimize.train: train, validate, test need 2 + 0 + 8 = 10 different rows, and the data",
    RIGHT.replace(
        "low: 1", "low: 0"
    ): "9:16: optimize.parameters.0: with 0: rounds: must be greater than or equal to 1",
    RIGHT.replace(
        "high: 3", "high: 2"
    ): "9:16: optimize.parameters.0: the task's own value of swarm.topology.rounds: must",
    RIGHT.replace(
        "rounds", "round"
    ): "9:23: optimize.parameters.0.path: 'swarm.topology.round' has no value in the task",
    RIGHT.replace(
        "parameters: [", "parameters: [prompts, "
    ): "9:16: optimize.parameters.0: 'pso' cannot change 'prompts",
    RIGHT.replace(
        "parameters: [", "parameters: [prompts.critic, "
    ): "9:16: optimize.parameters.0: no agent of the swarm",
    RIGHT.replace(
        "low: 1, high: 3, integer: true", "options: [3, no]"
    ): "9:16: optimize.parameters.0: with 'no': rounds:",
    RIGHT.replace(
        "}]", "}, {path: swarm.topology.rounds, low: 2, high: 4}]"
    ): "9:79: optimize.parameters.1: 'swarm.topol",
    RIGHT.replace("}]", "}, {path: swarm.topology, options: [debate, x]}]"): "9:79: optimize.parameters.1: with 'x': ",
}


@pytest.mark.parametrize(("optimize", "message"), [*WRONG.items(), *DEEPER.items()])
def test_every_mistake_has_its_place(optimize: str, message: str, work: Path) -> None:
    path = task(work, optimize)
    with pytest.raises(SpecError) as caught:
        make_study(load_task(path))
    text = str(caught.value)
    assert text.startswith(f"{path}:{message}"), text
    assert len(text.splitlines()) == 1
    assert "0123456789" not in text


@pytest.mark.parametrize("optimize", list(WRONG))
def test_what_a_file_alone_can_tell_is_told_when_it_is_loaded(optimize: str, work: Path) -> None:
    with pytest.raises(SpecError):
        load_task(task(work, optimize))


def test_a_path_may_not_reach_into_swarms_that_stand_for_agents(work: Path) -> None:
    head = HEAD.replace("{solver: 2}", "[{card: solver, swarm: {agents: {worker: 2}, topology: vote}}]")
    optimize = RIGHT.replace("path: swarm.topology.rounds", "path: swarm.agents.0.swarm.topology.samples")
    with pytest.raises(SpecError, match=r"9:23: optimize.parameters.0.path: reaches swarms that stand for agents"):
        make_study(load_task(task(work, optimize, head)))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_parameter_of_an_optimizer_is_called_as_a_key_of_every_study(name: str) -> None:
    keys = {field.alias or name for name, field in Optimize.model_fields.items()} | set(Optimize.model_fields)
    assert keys.isdisjoint(list(inspect.signature(OPTIMIZERS[name].program).parameters)[2:])


def test_critic_and_editor_sample_as_the_study_says_before_their_cards(tmp_path: Path) -> None:
    said = "  use: textual-backprop\n  parameters: [prompts]\n  train: 2\n  validate: 2\n"
    study = make_study(load_task(task(tmp_path, said + "  sampling: {max_tokens: 300}\n"))).study
    assert (study.critic.sampling.max_tokens, study.editor.sampling.max_tokens) == (300, 300)
    usual = make_study(load_task(task(tmp_path, said))).study
    assert (usual.critic.sampling.max_tokens, usual.editor.sampling.max_tokens) == (2048, 4096)
