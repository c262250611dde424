from __future__ import annotations

from typing import Any

import pytest

from swarmmind.agents.population import populate
from swarmmind.effects import Agent, Sampling
from swarmmind.errors import SpecError
from swarmmind.rng import Streams
from swarmmind.spec import LoadedTask, load_task_data
from tests.spec.projects import write

WORKER = """---
name: worker
description: Works.
---
You work.
"""
CRITIC = """---
name: critic
description: Doubts.
model: scripted/critic
sampling: {temperature: 0.2, top_p: 0.9}
parameters: {severity: mild, patience: {integers: [1, 9]}}
---
{{ id }} ({{ index }}) is a {{ severity }} {{ role }}.
"""


@pytest.fixture
def load(tmp_path: Any) -> Any:
    write(tmp_path / "agents" / "worker.md", WORKER)
    write(tmp_path / "agents" / "critic.md", CRITIC)

    def load(agents: Any, **more: Any) -> LoadedTask:
        data = {"problem": "?", "model": "scripted", "swarm": {"agents": agents, "topology": "solo"}, **more}
        return load_task_data(data, tmp_path)

    return load


def made(loaded: LoadedTask, seed: int = 7, prefix: str = "") -> tuple[Agent, ...]:
    return populate(loaded.task, loaded.swarm, Streams(seed), prefix)


def test_ids_counts_and_places_follow_the_groups(load: Any) -> None:
    agents = made(load({"worker": 2, "critic": 1}))
    assert [(a.id, a.role, a.index) for a in agents] == [
        ("worker-0", "worker", 0),
        ("worker-1", "worker", 1),
        ("critic-0", "critic", 2),
    ]
    assert agents[0].instructions == agents[1].instructions == "You work."
    assert agents[2].instructions == "critic-0 (2) is a mild critic."


def test_a_prefix_keeps_two_societies_apart(load: Any) -> None:
    assert [a.id for a in made(load({"worker": 2}), prefix="left-")] == ["left-worker-0", "left-worker-1"]


def test_two_groups_of_one_card_need_names(load: Any) -> None:
    groups = [{"card": "worker", "count": 2}, {"card": "worker", "id": "helper"}]
    assert [a.id for a in made(load(groups))] == ["worker-0", "worker-1", "helper-0"]
    with pytest.raises(SpecError, match="two groups are called 'worker'"):
        load([{"card": "worker"}, {"card": "worker"}])


def drawn(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"card": "worker", "count": count, "parameters": {"speed": {"uniform": [0, 1]}, "zeal": 3}, **more}]


def test_parameters_are_drawn_per_agent_and_a_larger_population_begins_alike(load: Any) -> None:
    few, many = made(load(drawn(3))), made(load(drawn(50)))
    assert few == many[:3]
    assert len({a.parameters["speed"] for a in many}) == 50
    assert all(0 <= a.parameters["speed"] <= 1 and a.parameters["zeal"] == 3 for a in many)


def test_what_stands_before_a_group_does_not_change_its_draws(load: Any) -> None:
    alone = made(load(drawn(3)))
    after = made(load([{"card": "critic", "count": 4}, *drawn(3)]))
    assert [a.parameters for a in after[4:]] == [a.parameters for a in alone]


def test_the_seed_alone_decides_the_draws(load: Any) -> None:
    assert made(load(drawn(5)), seed=1) == made(load(drawn(5)), seed=1)
    assert made(load(drawn(5)), seed=1) != made(load(drawn(5)), seed=2)


def test_a_group_goes_before_its_card(load: Any) -> None:
    [mild] = made(load([{"card": "critic"}]))
    [harsh] = made(load([{"card": "critic", "parameters": {"severity": "harsh"}}]))
    assert mild.parameters["patience"] in range(1, 10)
    assert mild.parameters["patience"] == harsh.parameters["patience"]
    assert (mild.parameters["severity"], harsh.parameters["severity"]) == ("mild", "harsh")
    assert harsh.instructions == "critic-0 (0) is a harsh critic."


def test_the_priority_is_the_groups_or_the_cards(load: Any, tmp_path: Any) -> None:
    write(tmp_path / "agents" / "critic.md", CRITIC.replace("model: scripted/critic", "priority: -2"))
    agents = made(load([{"card": "critic"}, {"card": "critic", "id": "late", "priority": 5}, {"card": "worker"}]))
    assert [a.priority for a in agents] == [-2, 5, 0]


def test_sampling_is_group_over_card_over_task_over_default(load: Any) -> None:
    task = {"sampling": {"temperature": 0.5, "max_tokens": 77, "top_p": 0.8}}
    group = {"card": "critic", "sampling": {"temperature": 0.1}}
    worker, critic = made(load([{"card": "worker"}, group], **task))
    assert worker.sampling == Sampling(0.5, 0.8, 77)
    assert critic.sampling == Sampling(0.1, 0.9, 77)


def test_the_model_is_the_groups_or_the_cards_or_the_tasks(load: Any) -> None:
    groups = [{"card": "worker"}, {"card": "critic"}, {"card": "critic", "id": "other", "model": "scripted/x"}]
    assert [a.model for a in made(load(groups))] == ["scripted", "scripted/critic", "scripted/x"]


def test_agents_of_a_group_that_is_a_swarm_are_answered_for_by_it(load: Any) -> None:
    inner = {"agents": {"worker": 2}, "topology": "vote"}
    loaded = load([{"card": "worker"}, {"card": "critic", "id": "panel", "count": 2, "swarm": inner}])
    assert [agent.model for agent in made(loaded)] == ["scripted", *["swarm:swarm.agents.1.swarm"] * 2]
    assert [agent.id for agent in populate(loaded.task, loaded.swarm.inner[1], Streams(7), "panel-0.")] == [
        "panel-0.worker-0",
        "panel-0.worker-1",
    ]
