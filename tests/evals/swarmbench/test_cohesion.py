"""Every measure against the slow and plain way to compute it."""

from __future__ import annotations

import math
import random
from itertools import combinations
from statistics import fmean
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import Reply
from swarmmind.evals.swarmbench import SwarmBench
from swarmmind.evals.swarmbench.cohesion import gini, homogeneity
from swarmmind.models.embed_hashing import Hashing

WORDS = ("prey", "left", "go 4,5", "who?", "push now", "food at 1,2")


def hashed(text: str) -> Any:
    vector = np.frombuffer(Hashing().vector(text), "<f4").astype(float)
    return vector / np.linalg.norm(vector)


class Recorder:
    """A random game, with what an onlooker could write down of each round."""

    def __init__(self, task: str, rounds: int, **settings: Any) -> None:
        self.world = SwarmBench(task, dynamics="all", **settings)
        self.world.reset(4)
        rng = random.Random(11)
        self.said: list[list[str]] = []
        self.places: list[list[tuple[int, int]]] = []
        self.actions: list[dict[str, str]] = []
        for _ in range(rounds):
            acts = {name: rng.choice(turn.observation.actions) for name, turn in self.world.turns().items()}
            talk = {name: rng.choice(WORDS) for name in acts if rng.random() < 0.5}
            self.world.step(
                {
                    name: Reply(text=f"ACTION: {act}" + (f"\nMSG: {talk[name]}" if name in talk else ""))
                    for name, act in acts.items()
                }
            )
            frame = self.world.frame()
            self.said.append(list(talk.values()))
            self.actions.append(acts)
            self.places.append([tuple(at) for name, at in frame["agents"].items() if name not in frame["gone"]])


def slow_homogeneity(said: list[str]) -> float:
    distinct = sorted(set(said))
    if len(said) < 2:
        return 0.0
    if len(distinct) == 1:
        return 1.0
    return fmean(float(hashed(a) @ hashed(b)) for a, b in combinations(distinct, 2))


def slow_norm(said: list[str]) -> float:
    return float(np.linalg.norm(np.mean([hashed(text) for text in set(said)], axis=0))) if said else 0.0


def near(one: tuple[int, int], other: tuple[int, int], reach: int) -> bool:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) <= reach


def slow_components(places: list[tuple[int, int]], reach: int) -> int:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(places)))
    graph.add_edges_from((a, b) for a, b in combinations(range(len(places)), 2) if near(places[a], places[b], reach))
    return nx.number_connected_components(graph)


def slow_force(places: list[tuple[int, int]], reach: int) -> float:
    lengths: list[float] = []
    for here in places:
        total = np.zeros(2)
        for there in places:
            if there != here and near(here, there, reach):
                away = np.array(here, float) - np.array(there, float)
                total += away / np.linalg.norm(away) / np.linalg.norm(away)
        lengths.append(float(np.linalg.norm(total)))
    return fmean(lengths) if lengths else 0.0


def slow_gini(counts: list[int]) -> float:
    differences = sum(abs(a - b) for a in counts for b in counts)
    return differences / (2 * len(counts) ** 2 * fmean(counts))


@pytest.mark.parametrize(("view", "agents"), [(5, 12), (4, 12), (1, 5), (7, 20)])
@pytest.mark.parametrize("task", ["pursuit", "synchronization", "transport"])
def test_each_measure_is_what_the_slow_way_finds(task: str, view: int, agents: int) -> None:
    game = Recorder(task, 15, agents=agents, view=view)
    found, reach = game.world.metrics(), view // 2
    alike = [slow_homogeneity(said) for said in game.said]
    assert found["information_homogeneity"] == pytest.approx(fmean(alike))
    assert found["mean_embedding_norm"] == pytest.approx(fmean(map(slow_norm, game.said)))
    assert found["homogeneity_growth"] == pytest.approx(fmean(alike[7:]) - fmean(alike[:7]))
    assert found["view_components"] == pytest.approx(fmean(slow_components(at, reach) for at in game.places))
    assert found["separation_force"] == pytest.approx(fmean(slow_force(at, reach) for at in game.places))
    counts = [
        [sum(acts.get(name) == way for acts in game.actions) for way in ("UP", "DOWN", "LEFT", "RIGHT")]
        for name in game.world.agents
    ]
    assert found["direction_gini"] == pytest.approx(fmean(slow_gini(ways) for ways in counts if any(ways)))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any))
def test_the_gini_coefficient_is_the_mean_difference(counts: list[int]) -> None:
    assert gini(counts) == pytest.approx(slow_gini(counts), abs=1e-12)


def test_rounds_with_less_than_two_messages_and_with_one_text_alone() -> None:
    assert [homogeneity(1.0, 1, said) for said in (0, 1, 2, 9)] == [0.0, 0.0, 1.0, 1.0]
    assert homogeneity(2.0, 2, 2) == 0.0  # two at a right angle
    assert homogeneity(0.0, 2, 5) == -1.0
    assert homogeneity(4.0 + 1e-12, 2, 2) == 1.0


def test_what_embeds_may_be_given_and_need_not_be_of_length_one() -> None:
    asked: list[str] = []

    def embed(text: str) -> list[float]:
        asked.append(text)
        return [3.0, 0.0] if text == "a" else [0.0, 0.5]

    world = SwarmBench("synchronization", agents=3, dynamics="all", embed=embed)
    for _ in range(2):
        world.step({name: Reply(text=f"MSG: {'ab'[at % 2]}") for at, name in enumerate(world.agents)})
    assert asked == ["a", "b"]  # once each, however often they are said
    assert world.metrics()["information_homogeneity"] == pytest.approx(0.0)
    assert world.metrics()["mean_embedding_norm"] == pytest.approx(math.sqrt(0.5))


def test_it_is_measured_on_demand_and_changes_no_game() -> None:
    usual, every = SwarmBench("foraging"), SwarmBench("foraging", dynamics="all")
    assert every.metrics() == {}
    for world in (usual, every):
        world.step({name: Reply(text="ACTION: LEFT\nMSG: hi") for name in world.agents})
    assert usual.frame() == every.frame()
    assert usual.turns() == every.turns()
    assert set(every.metrics()) - set(usual.metrics()) == {
        "information_homogeneity", "mean_embedding_norm", "homogeneity_growth", "view_components",
        "separation_force", "direction_gini",
    }  # fmt: skip
    assert {name: every.metrics()[name] for name in usual.metrics()} == usual.metrics()


def test_who_has_left_is_in_no_part_of_the_swarm() -> None:
    world = SwarmBench("transport", agents=1, dynamics="all")
    world.world.board.scene.at[1] = 0  # off the map
    world.step({})
    assert world.metrics()["view_components"] == 0
