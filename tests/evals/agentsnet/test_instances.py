from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from swarmmind.errors import UserError
from swarmmind.evals.agentsnet import FAMILIES, instance
from swarmmind.evals.agentsnet.instances import graph_seed, tied
from swarmmind.evals.agentsnet.names import NAMES
from swarmmind.evals.agentsnet.problems import PROBLEMS
from tests.evals.agentsnet.played import recorded

GRAPHS: list[dict[str, Any]] = recorded("networks.json.gz")["graphs"]


@pytest.mark.parametrize("known", GRAPHS, ids=lambda known: f"{known['generator']}_{known['n']}_{known['index']}")
def test_a_network_of_the_original_is_regenerated(known: dict[str, Any]) -> None:
    made = instance(known["generator"], known["n"], known["index"])
    assert list(made.names) == known["names"]
    assert [list(near) for near in made.neighbors] == known["neighbors"]  # in that order: prompts show it
    assert set(made.edges) == {(min(edge), max(edge)) for edge in known["edges"]}
    assert (len(made.edges), made.diameter, made.max_degree) == (
        known["num_edges"],
        known["diameter"],
        known["max_degree"],
    )
    assert graph_seed(known["index"]) == known["graph_seed"]
    rounds = {problem: PROBLEMS[problem].rounds(made) for problem in known["rounds"]}
    assert rounds == known["rounds"]
    assert PROBLEMS["consensus-bits"].rounds(made) == known["rounds"]["consensus"]


def test_the_main_benchmark_is_all_there() -> None:
    main = {(known["generator"], known["n"], known["index"]) for known in GRAPHS if known["n"] <= 16}
    assert main == {(family, size, index) for family in FAMILIES for size in (4, 8, 16) for index in range(3)}


def test_the_names_are_the_originals() -> None:
    assert list(NAMES) == recorded("parsing.json")["names"]
    assert len(set(NAMES)) == 200


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("agents", "index"), [(5, 0), (12, 1), (16, 3), (37, 0), (200, 7)])
def test_other_sizes_and_instances_are_networks_too(family: Any, agents: int, index: int) -> None:
    made = instance(family, agents, index)
    graph = nx.Graph(made.edges)
    assert sorted(graph) == list(range(agents))
    assert nx.is_connected(graph)
    assert len(set(made.names)) == agents
    assert made == instance.__wrapped__(family, agents, index)
    assert made.names != instance(family, agents, index + 1).names


@pytest.mark.parametrize(("size", "rounds"), [(4, 4), (5, 5), (8, 5), (9, 6), (16, 6)])
def test_small_networks_have_two_rounds_more_than_the_logarithm(size: int, rounds: int) -> None:
    assert instance("ba", size).local_rounds() == rounds


def test_graph_seeds_go_on_with_the_originals_stream() -> None:
    assert [graph_seed(index) for index in range(3)] == [1825, 410, 4507]
    assert len({graph_seed(index) for index in range(20)}) == 20


def test_facts_of_a_network_of_ones_own() -> None:
    path = tied(["Ann", "Bob", "Eve"], [(0, 1), (1, 2)])
    assert (path.edges, path.diameter, path.max_degree) == ([(0, 1), (1, 2)], 2, 2)
    assert path.names_near(1) == ("Ann", "Eve")


@pytest.mark.parametrize(
    ("family", "agents", "index", "message"),
    [
        ("er", 4, 0, "family: must be one of ws, ba, dt, got 'er'"),
        ("ws", 3, 0, "agents: must be from 4 to 200 .*, got 3"),
        ("ws", 201, 0, "agents: must be from 4 to 200 .*, got 201"),
        ("ws", 4, -1, "index: must be at least 0, got -1"),
    ],
)
def test_what_there_is_no_network_of_is_refused(family: Any, agents: int, index: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        instance(family, agents, index)
