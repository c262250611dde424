"""From a right task file to values: defaults, shorthands, overrides, the environment, and the text that a run keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.effects import Limits
from swarmmind.errors import SpecError
from swarmmind.spec import DatasetProblem, EnvironmentProblem, Group, QuorumPolicy, load_task, load_task_data

from .conftest import TASK, Load
from .projects import write

FULL = """# yaml-language-server: $schema=task.schema.json
schema: swarmmind/v1
name: digits
problem: What is the sum of the digits of 2**{{ power }}?
inputs: {power: 100}
model: {name: "vllm:Qwen/Qwen3-8B", base_url: "http://127.0.0.1:8000/v1/", api_key_env: VLLM_API_KEY}
models:
  rehearsal: {name: scripted, accuracy: 0.7, latency_seconds: {lognormal: [0, 0.5]}}
swarm:
  agents:
    - {card: worker, count: 8, parameters: {age: {integers: [20, 60]}, tone: dry}, sampling: {temperature: 0.2}}
    - {card: critic, id: doubter, model: rehearsal}
  topology: {use: debate, rounds: 5}
  memory: [window, {use: window, messages: 3}]
  on_failure: {quorum: 0.9}
score: {use: exact, target: "115"}
budget: {calls: 500, tokens: 1.5M, usd: 1, minutes: 20, seconds: 30}
prices: {vllm/Qwen/Qwen3-8B: {prompt_usd_per_million: 0.1, completion_usd_per_million: 0.4}}
seed: 7
"""


def test_the_smallest_task(load: Load) -> None:
    loaded = load()
    task = loaded.task
    assert (task.problem, task.model.name, task.model.provider) == ("What is 2 + 2?", "scripted", "scripted")
    assert task.swarm.groups == (Group(card="worker", count=3),)
    assert task.swarm.size == 3
    assert (task.seed, task.cache, task.score, task.swarm.on_failure) == (0, False, None, "skip")
    assert task.budget.limits() == Limits()
    assert (loaded.topology.use, loaded.topology.parameters) == ("vote", {"samples": 5})
    assert [part.use for part in loaded.memory] == ["none"]
    assert loaded.cards["worker"].render({}) == "You are a worker."
    assert loaded.code == []


def test_a_full_task(load: Load) -> None:
    loaded = load(FULL)
    task, swarm = loaded.task, loaded.task.swarm
    assert (task.model.name, task.model.model) == ("vllm/Qwen/Qwen3-8B", "Qwen/Qwen3-8B")
    assert task.model.base_url == "http://127.0.0.1:8000/v1"
    assert [group.count for group in swarm.groups] == [8, 1]
    assert task.model_named(swarm.groups[1].model).accuracy == 0.7
    assert task.model_named("openai/gpt-4o").provider == "openai"
    assert task.model_named(None) is task.model
    assert swarm.on_failure == QuorumPolicy(quorum=0.9)
    assert loaded.topology.parameters == {"rounds": 5}
    assert [part.parameters for part in loaded.memory] == [{"messages": 20}, {"messages": 3}]
    assert task.budget.limits() == Limits(500, 1_500_000, 1.0, 1230.0)
    assert loaded.question() == "What is the sum of the digits of 2**100?"
    assert loaded.question({"power": 7}) == "What is the sum of the digits of 2**7?"
    with pytest.raises(SpecError, match="unknown input 'powr'; did you mean 'power'"):
        loaded.question({"powr": 7})


def test_places_for_the_floors_above(load: Load, project: Path) -> None:
    loaded = load(FULL)
    assert loaded.place(("swarm", "topology", "rounds")) == f"{project}/task.yaml:13:35"
    assert loaded.place(("swarm", "topology", "rounds"), key=True) == f"{project}/task.yaml:13:27"
    assert loaded.place(("swarm", "topology", "gone", "deeper")) == f"{project}/task.yaml:13:13"
    assert str(loaded.error(("seed",), "is odd")) == f"{project}/task.yaml:19:7: seed: is odd"
    assert str(loaded.topology.error("rounds", "too many")) == f"{project}/task.yaml:13:35: rounds: too many"


def test_a_default_stands_in_the_parts_own_file(load: Load, box: Path) -> None:
    assert str(load().topology.error("samples", "too few")) == f"{box}/topologies/vote.yaml:3:10: samples: too few"


def test_the_resolved_text_loads_to_the_same_task(load: Load, project: Path, box: Path, tmp_path: Path) -> None:
    text = FULL.replace("dry}", '"${TONE} at $${NAME}, 1e5, yes, ${LATEX:-$}"}')
    loaded = load(text, overrides=["seed=9"], env={"TONE": "a ${b}"})
    assert loaded.task.swarm.groups[0].parameters["tone"] == "a ${b} at ${NAME}, 1e5, yes, $"
    stored = write(tmp_path / "run" / "task.yaml", loaded.text)
    again = load_task(stored, folder=project, env={}, box=box)
    assert again.task == loaded.task
    assert again.text == loaded.text
    assert again.task.seed == 9


def test_data_instead_of_a_file(project: Path, box: Path) -> None:
    data = {"problem": "${HOME}", "model": "scripted", "swarm": {"agents": {"worker": 2}, "topology": "solo"}}
    loaded = load_task_data(data, project, box=box)
    assert loaded.task.problem == "${HOME}"
    with pytest.raises(SpecError) as caught:
        load_task_data({**data, "swarm": {"agents": {"worker": 0}, "topology": "solo"}}, project, box=box)
    assert str(caught.value) == "task: swarm.agents.worker: must be at least 1, got 0"
    with pytest.raises(SpecError) as caught:
        load_task_data({**data, "seed": {1, 2}}, project, box=box)
    assert str(caught.value) == "task: seed: must be plain data (text, number, list, mapping), got set"
    with pytest.raises(SpecError) as caught:
        load_task_data({**data, "inputs": {1: 2}}, project, box=box)
    assert str(caught.value) == "task: inputs: a key must be text, got 1"


def test_data_that_holds_itself(project: Path, box: Path) -> None:
    data: dict[str, object] = {}
    data["inputs"] = data
    with pytest.raises(SpecError, match="nested deeper than 64 levels"):
        load_task_data(data, project, box=box)


def test_data_sets_and_environments(load: Load, project: Path) -> None:
    write(project / "data" / "sums.jsonl", "{}\n")
    loaded = load(TASK.replace("What is 2 + 2?", "{dataset: data/sums.jsonl, limit: 5}"))
    assert loaded.task.problem == DatasetProblem(dataset="data/sums.jsonl", limit=5)
    loaded = load(TASK.replace("What is 2 + 2?", "{environment: swarmbench/foraging, size: 10}"))
    assert isinstance(loaded.task.problem, EnvironmentProblem)
    assert loaded.task.problem.parameters == {"size": 10}
    with pytest.raises(SpecError, match="is a data set or an environment, not a text"):
        loaded.question()


def test_code_is_listed_and_never_run(load: Load, project: Path) -> None:
    text = TASK.replace("vote", "mine") + "score: {use: 'evil:score'}\n"
    loaded = load(text, allow_code=True)
    assert loaded.code == ["./evil.py:Topology", "evil:score"]
    assert loaded.topology.is_code
    assert not (project / "evil-ran").exists()


def test_the_users_own_part_wins(load: Load, project: Path) -> None:
    write(project / "topologies" / "vote.yaml", "description: Mine.\nuse: vote\nsamples: 99\n")
    assert load().topology.parameters == {"samples": 99}


def test_a_broken_card_is_told_at_its_own_place(load: Load, project: Path) -> None:
    card = write(project / "agents" / "worker.md", "---\nname: worker\ndescription: A.\n---\nYou are\n{{ mood }}.\n")
    with pytest.raises(SpecError) as caught:
        load()
    assert str(caught.value) == f"{card}:6:4: {{{{ mood }}}}: unknown name; known: id, index, role"
    assert load(TASK.replace("{worker: 3}", "[{card: worker, parameters: {mood: glad}}]")).task.swarm.size == 1


def test_a_cards_model_is_checked(load: Load, project: Path) -> None:
    card = write(project / "agents" / "worker.md", "---\nname: worker\ndescription: A.\nmodel: big\n---\nHello.\n")
    with pytest.raises(SpecError) as caught:
        load()
    message = "model: neither a name from 'models' nor provider/model: 'big'; 'models' is empty"
    assert str(caught.value) == f"{card}:4:8: {message}"
    assert load(TASK + "models: {big: scripted}\n").cards["worker"].model == "big"


def test_yaml_means_what_people_mean(load: Load) -> None:
    text = TASK + "inputs: {a: yes, b: on, c: 1:30, d: 2024-01-01, e: 1e3, f: 0x1F, g: ~x, h: 007}\n"
    inputs = load(text).task.inputs
    assert inputs == {"a": "yes", "b": "on", "c": "1:30", "d": "2024-01-01", "e": 1000.0, "f": 31, "g": "~x", "h": 7}
