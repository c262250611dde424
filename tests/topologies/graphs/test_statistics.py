from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import fmean
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import Agent
from swarmmind.runtime.journal import characters
from swarmmind.topologies.graphs import Graph, drawn, kinds
from swarmmind.topologies.graphs.statistics import statistics


@st.composite
def graphs(draw: Callable[..., Any]) -> Any:
    n = draw(st.integers(1, 14))
    pairs = [(u, v) for u in range(n) for v in range(u + 1, n)]
    return kinds.joined(n, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else [])


@given(graphs())
def test_they_are_networkxs(graph: Any) -> None:
    found, n = statistics(graph), len(graph)
    assert (found["nodes"], found["edges"]) == (n, graph.number_of_edges())
    assert found["components"] == nx.number_connected_components(graph)
    assert found["clustering"] == pytest.approx(nx.average_clustering(graph), abs=1e-6)
    assert found["density"] == (pytest.approx(nx.density(graph), abs=1e-6) if n > 1 else None)
    distances = [far for _, to in nx.all_pairs_shortest_path_length(graph) for far in to.values() if far]
    assert found["path_length"] == (pytest.approx(fmean(distances), abs=1e-6) if distances else None)
    assert found["diameter"] == (nx.diameter(graph) if nx.is_connected(graph) else None)
    assert found["estimated"] == []


@given(graphs())
def test_of_directed_graphs_they_say_where_work_begins_and_ends_and_how_long_it_takes(graph: Any) -> None:
    directed: Any = nx.DiGraph()
    directed.add_nodes_from(graph)
    directed.add_edges_from((min(pair), max(pair)) for pair in graph.edges)
    found = statistics(directed)
    assert found["critical_path"] == nx.dag_longest_path_length(directed)
    assert found["sources"] == sum(directed.in_degree(node) == 0 for node in directed)
    assert found["sinks"] == sum(directed.out_degree(node) == 0 for node in directed)
    assert found["clustering"] == statistics(graph)["clustering"]


@pytest.mark.parametrize(
    ("n", "k", "p", "clustering", "length", "sigma"),
    [(64, 6, 0.2, 0.33, 2.78, 3.2), (32, 4, 0.2, None, None, 1.92), (64, 6, 1.0, None, None, 0.92)],
)
def test_small_worlds_are_as_small_as_watts_and_strogatz_are(
    n: int, k: int, p: float, clustering: float | None, length: float | None, sigma: float
) -> None:
    found = [statistics(kinds.small_world(n, seed, k, p)) for seed in range(20)]
    means = {name: fmean(each[name] for each in found) for name in ("clustering", "path_length", "sigma")}
    assert clustering is None or means["clustering"] == pytest.approx(clustering, abs=0.02)
    assert length is None or means["path_length"] == pytest.approx(length, abs=0.05)
    assert means["sigma"] == pytest.approx(sigma, rel=0.1)


def test_a_mesh_is_its_own_random_graph() -> None:
    assert statistics(kinds.mesh(12))["sigma"] == 1


@pytest.mark.parametrize("graph", [kinds.chain(10_000), kinds.small_world(10_000, 1), kinds.scale_free(10_000, 1)])
def test_large_graphs_are_estimated_and_it_says_so(graph: Any) -> None:
    found = statistics(graph)
    assert found["estimated"] == ["path_length"]
    assert found["diameter"] is None
    sources = random.Random(1).sample(range(len(graph)), 40)
    lengths = [far for one in sources for far in nx.single_source_shortest_path_length(graph, one).values() if far]
    assert found["path_length"] == pytest.approx(fmean(lengths), rel=0.2)
    assert statistics(graph) == found


def test_a_graph_of_a_clique_and_a_tail_is_bounded_too() -> None:
    found = statistics(nx.lollipop_graph(500, 500))
    assert set(found["estimated"]) == {"clustering", "path_length"}
    assert math.isfinite(found["path_length"])


def test_beyond_half_a_million_edges_there_are_only_counts() -> None:
    found = statistics(kinds.mesh(1100))
    assert (found["nodes"], found["edges"]) == (1100, 604_450)
    assert found["path_length"] is found["clustering"] is found["sigma"] is None


def test_a_record_holds_what_a_report_draws() -> None:
    agents = [Agent(name, "solver") for name in "abc"]
    record = drawn(Graph(kind="chain").directed(agents, 0), agents)
    assert (record.name, record.data["nodes"], record.data["edges"]) == ("graph", ["a", "b", "c"], [[0, 1], [1, 2]])
    assert record.data["directed"] is True
    assert record.data["statistics"]["critical_path"] == 2
    assert record.data["left_out"] == {"nodes": 0, "edges": 0}


def test_a_record_says_where_words_leave_a_graph() -> None:
    agents = [Agent(f"a{at}", "solver") for at in range(2_100)]
    star = Graph(kind="star").directed(agents, 0)
    record = drawn(star, agents, [(at, agents[0]) for at in range(1, len(agents))])
    assert record.data["drains"] == [[at, "a0"] for at in range(1, 2_000)]
    assert record.data["left_out"] == {"nodes": 100, "edges": 200}


def test_a_record_of_a_large_graph_is_bounded_and_says_what_it_left_out() -> None:
    agents = [Agent(f"a{at}", "solver") for at in range(10_000)]
    record = drawn(Graph(kind="star").undirected(agents, 0), agents)
    assert len(record.data["nodes"]) == 2000
    assert record.data["left_out"] == {"nodes": 8000, "edges": 8000}
    assert record.data["statistics"]["nodes"] == 10_000
    dense = drawn(Graph(kind="mesh", nodes=200).undirected(agents, 0), agents[:200])
    assert (len(dense.data["edges"]), dense.data["left_out"]["edges"]) == (10_000, 9_900)
    assert len(characters(str(record.data))) < 200_000
