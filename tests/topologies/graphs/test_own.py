from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from swarmmind.effects import Agent
from swarmmind.errors import SpecError, UserError
from swarmmind.topologies.graphs import Graph, graphml, own


def agents(*names: str) -> list[Agent]:
    return [Agent(name, "solver") for name in names]


def read(folder: Path, **told: Any) -> Graph:
    return TypeAdapter(Graph).validate_python(told, context={"folder": folder})


def written(folder: Path, name: str, text: str) -> Graph:
    (folder / name).write_text(text)
    return read(folder, file=name)


def refused(folder: Path, name: str, text: str | bytes) -> str:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SpecError) as caught:
        read(folder, file=name)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message.removeprefix(f"{folder}/")


# --- who plays --------------------------------------------------------------------------------------------------------


def test_names_that_are_no_ids_are_assigned_in_order_of_appearance() -> None:
    graph = Graph.model_validate({"edges": [["late", "early"], ["early", "never"], ["late", 7]]})
    cast = agents("a", "b", "c")
    assert [agent.id for agent in graph.played(cast, 0)] == ["a", "b", "c", "a"]
    assert list(graph.directed(cast, 0).edges) == [(0, 1), (0, 3), (1, 2)]
    assert list(graph.undirected(cast, 0)[0]) == [1, 3]


def test_names_that_are_ids_are_those_agents() -> None:
    graph = Graph.model_validate({"edges": [["w-2", "w-1"]], "reverse": True})
    cast = agents("w-1", "w-2", "w-3")
    assert [agent.id for agent in graph.played(cast, 0)] == ["w-2", "w-1"]
    assert list(graph.directed(cast, 0).edges) == [(1, 0)]


def test_in_a_swarm_that_stands_for_an_agent_agents_have_the_names_that_the_task_gives_them() -> None:
    graph = Graph.model_validate({"edges": [["w-2", "w-1"]]})
    cast = agents("panel-3.team-1.w-1", "panel-3.team-1.w-2")
    assert [agent.id for agent in graph.played(cast, 0)] == ["panel-3.team-1.w-2", "panel-3.team-1.w-1"]


def test_some_names_that_are_ids_and_others_that_are_not_are_a_mistake() -> None:
    graph = Graph.model_validate({"edges": [["w-1", "w-2"], ["w-2", "wr-3"]]})
    with pytest.raises(UserError, match=r"graph: .* no agent is called wr-3; did you mean 'w-3'"):
        graph.played(agents("w-1", "w-2", "w-3"), 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_circle_is_named_where_direction_matters_and_fine_where_not(reverse: bool) -> None:
    edges = [["s", "a"], ["a", "b"], ["b", "c"], ["c", "a"]]
    graph = Graph.model_validate({"edges": edges, "reverse": reverse})
    circle = "a -> c -> b -> a" if reverse else "a -> b -> c -> a"
    with pytest.raises(UserError, match=f"graph: its edges lead in a circle: {circle}; take one of them out"):
        graph.directed(agents("x"), 0)
    assert nx.cycle_basis(graph.undirected(agents("x"), 0)) != []


def test_a_long_circle_is_named_in_part() -> None:
    edges = [[f"n{at}", f"n{(at + 1) % 5000}"] for at in range(5000)]
    with pytest.raises(UserError, match=r"n0 -> n1 .* -> \.\.\. -> n4999 -> n0") as caught:
        Graph.model_validate({"edges": edges}).directed(agents("x"), 0)
    assert len(str(caught.value)) < 200


def test_two_edges_there_and_back_are_a_circle_and_one_tie() -> None:
    graph = Graph.model_validate({"edges": [["a", "b"], ["b", "a"]]})
    with pytest.raises(UserError, match="a -> b -> a"):
        graph.directed(agents("x"), 0)
    assert list(graph.undirected(agents("x"), 0).edges) == [(0, 1)]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edges", "nodes", "where", "message"),
    [
        ([["a", "b"], ["b", "b"]], None, "edges.1", "leads from b to itself"),
        ([["a", "b"], ["a", "b"]], None, "edges.1", "a to b occurs twice"),
        ([["a", "b", "c"]], None, "edges.0", "must be a pair of names, got a list"),
        (["ab"], None, "edges.0", "must be a pair of names, got 'ab'"),
        ([["a", True]], None, "edges.0.1", "must be a name of at most 100 characters, got true"),
        ([["a", 1.5]], None, "edges.0.1", "must be a name of at most 100 characters, got 1.5"),
        ([["a", ""]], None, "edges.0.1", "must be a name"),
        ([["a", "b\n"]], None, "edges.0.1", "must be a name"),
        ([["a", "x" * 101]], None, "edges.0.1", "must be a name"),
        ([["a", "b"]], ["a", "c"], "edges.0.1", "'b' is not among 'nodes'; known: a, c"),
        ([["a", "b"]], ["a", "b", "a"], "nodes.2", "a occurs twice"),
        ([["a", "b"]], "ab", "nodes", "must be a list of names, got 'ab'"),
        ([], None, "edges", "must not be empty"),
    ],
)
def test_edges_that_make_no_graph_are_refused_in_the_task_and_in_a_file(
    edges: Any, nodes: Any, where: str, message: str, tmp_path: Path
) -> None:
    told = {"edges": edges} if nodes is None else {"edges": edges, "nodes": nodes}
    with pytest.raises(ValidationError) as caught:
        Graph.model_validate(told)
    assert f"Value error, {where}: {message}" in str(caught.value)
    text = "".join(f"{key}: {value!r}\n" for key, value in told.items()).replace("True", "true")
    if "\\n" not in text:
        assert f"{where}: {message}" in refused(tmp_path, "team.yaml", text)


def test_more_nodes_than_there_may_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="more than 100,000 nodes"):
        Graph.model_validate({"edges": [[2 * at, 2 * at + 1] for at in range(own.MAX_NODES // 2 + 1)]})
    with pytest.raises(ValidationError, match="nodes: must be at most 100,000, got 100,001"):
        Graph.model_validate({"edges": [[0, 1]], "nodes": list(range(100_001))})


# --- files ------------------------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=8)


def test_yaml_holds_edges_and_perhaps_nodes(tmp_path: Path) -> None:
    graph = written(tmp_path, "team.yaml", "nodes: [z, b, a]\nedges:\n  - [a, b]\n  - [b, z]\n")
    assert (graph.kind, graph.nodes, graph.edges) == ("own", ("z", "b", "a"), (("a", "b"), ("b", "z")))
    assert list(graph.directed(agents("x", "y", "w"), 0).edges) == [(1, 0), (2, 1)]


@given(st.data(), st.booleans())
def test_graphml_as_networkx_writes_it(tmp_path_factory: Any, data: st.DataObject, directed: bool) -> None:
    folder = tmp_path_factory.mktemp("graphml")
    names = data.draw(st.lists(NAMES, min_size=2, max_size=8, unique=True))
    pairs = [(u, v) for u in names for v in names if u != v]
    graph: Any = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(names, weight=1)
    graph.add_edges_from(data.draw(st.lists(st.sampled_from(pairs), min_size=1)), weight=2.5)
    nx.write_graphml(graph, folder / "team.graphml")
    found = read(folder, file="team.graphml")
    assert found.nodes == tuple(names)
    assert isinstance(found.edges, tuple)
    if directed:
        assert set(found.edges) == set(graph.edges)
    else:
        order = {name: at for at, name in enumerate(names)}
        assert {frozenset(edge) for edge in found.edges} == {frozenset(edge) for edge in graph.edges}
        assert all(order[u] < order[v] for u, v in found.edges)  # so that it leads in no circle
        found.directed(agents("x"), 0)


def test_the_same_graph_in_yaml_graphml_and_the_task_is_the_same(tmp_path: Path) -> None:
    here = Graph.model_validate({"edges": [["a", "b"], ["c", "b"]], "nodes": ["a", "b", "c"]})
    yaml = written(tmp_path, "team.yaml", "nodes: [a, b, c]\nedges: [[a, b], [c, b]]")
    xml = '<graphml><graph edgedefault="directed"><node id="a"/><node id="b"/><node id="c"/>{}</graph></graphml>'
    edges = '<edge source="a" target="b"/><edge source="c" target="b"/>'
    ml = written(tmp_path, "team.graphml", xml.format(edges))
    assert len({(graph.nodes, graph.edges) for graph in (here, yaml, ml)}) == 1


def ml(body: str, kind: str = "directed") -> str:
    return f'<graphml>\n<graph edgedefault="{kind}">\n{body}\n</graph>\n</graphml>'


A, B = '<node id="a"/>', '<node id="b"/>'
BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + at)} "{f"&{chr(97 + at)};" * 10}">' for at in range(9))
    + "]><graphml><graph>&j;</graph></graphml>"
)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.graphml", ml(A + B + '<edge source="a" target="c"/>'), "g.graphml:3:29: an edge names 'c', which is no"),
        ("g.graphml", ml(A + A), "g.graphml:3:15: the node a occurs twice"),
        ("g.graphml", ml(A + '<edge source="a" target="a"/>'), "g.graphml:3:15: an edge leads from a to itself"),
        ("g.graphml", ml(A + B + '<edge source="a" target="b"/>' * 2), "g.graphml:3:58: the edge a to b occurs twice"),
        (
            "g.graphml",
            ml(A + B + '<edge source="a" target="b"/><edge source="b" target="a"/>', "undirected"),
            "the edge a to b occurs twice",
        ),
        ("g.graphml", ml("<node/>"), "g.graphml:3:1: a node's id must be a name of at most 100 characters, got ''"),
        ("g.graphml", ml(A + "<hyperedge/>"), "g.graphml:3:15: holds a <hyperedge>"),
        ("g.graphml", ml(A + "<graph/>"), "g.graphml:3:15: holds a second <graph>"),
        ("g.graphml", BOMB, "holds a document type (<!DOCTYPE ...>)"),
        ("g.graphml", '<!DOCTYPE g SYSTEM "file:///etc/passwd"><graphml/>', "holds a document type (<!DOCTYPE ...>)"),
        ("g.graphml", "<a>" * 100_000, "g.graphml:1:193: nested deeper than 64 levels"),
        ("g.graphml", ml(A).replace("</graph>", ""), "g.graphml:5:3: not valid XML: mismatched tag"),
        ("g.graphml", "", "g.graphml:1:1: not valid XML: no element found"),
        ("g.graphml", b"\x00\xff\x01", "g.graphml:1:1: not valid XML: "),
        (
            "g.graphml",
            b'<?xml version="1.0" encoding="shift-weird"?><graphml/>',
            "cannot be read; use UTF-8",
        ),
        ("g.graphml", b'<?xml version="1.0" encoding="utf-7"?><graphml/>', "encoding"),
        (
            "g.graphml",
            '<graphml><graph edgedefault="directd"><node id="a"/></graph></graphml>',
            "g.graphml:1:10: edgedefault must be 'directed' or 'undirected', got 'directd'",
        ),
        (
            "g.graphml",
            ml(A + B + '<edge source="a" target="b" directed="yes"/>'),
            "g.graphml:3:29: directed must be 'true' or '1' or 'false' or '0', got 'yes'",
        ),
        (
            "g.xml",
            '<gexf><graph defaultedgetype="undirected"><node id="a"/><node id="b"/></graph></gexf>',
            "g.xml:1:1: holds no GraphML <graph> with a <node>",
        ),
        ("g.graphml", "<svg/>", "g.graphml:1:1: holds no GraphML <graph> with a <node>"),
        ("g.yaml", "", "g.yaml: must be a mapping with 'edges', a list of pairs of names; got nothing"),
        ("g.yaml", "- [a, b]", "g.yaml:1:1: must be a mapping with 'edges'"),
        ("g.yaml", "edges: [[a, b]]\nnode: [a]", "g.yaml:2:1: node: unknown key"),
        ("g.yaml", "edges:\n - [a, b]\n - [b, b]", "g.yaml:3:4: edges.1: leads from b to itself"),
        ("g.yaml", "edges:\n - [a, b]\n - [b, b", "not valid YAML"),
        ("g.yaml", "edges: " + "[" * 200, "nested deeper than 64 levels"),
        ("g.yaml", "a: &a [x, x]\nb: &b [*a, *a]\nedges: [" + "*b, " * 60_000 + "]", "more than 100,000 values"),
        ("g.yaml", "edges: !!python/object:os.system []", "tags"),
        ("g.yaml", b"edges: [[\xff, b]]", "g.yaml:1:10: is not UTF-8 text"),
        ("g.yaml", "#" * (1 << 21), "g.yaml: is larger than 1,024 KiB"),
    ],
)
def test_a_file_that_is_no_graph_ends_in_one_line(name: str, text: str | bytes, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, name, text)


@pytest.mark.parametrize(("directed", "edge"), [("true", ("b", "a")), ("1", ("b", "a")), ("0", ("a", "b"))])
def test_graphml_says_of_each_edge_whether_it_is_directed(directed: str, edge: tuple[str, str], tmp_path: Path) -> None:
    kind = "directed" if directed == "0" else "undirected"
    (tmp_path / "g.graphml").write_text(ml(A + B + f'<edge source="b" target="a" directed="{directed}"/>', kind))
    assert read(tmp_path, file="g.graphml").edges == (edge,)


@pytest.mark.parametrize("name", ["big.graphml", "big.yaml"])
def test_a_huge_file_is_not_read_whole(name: str, tmp_path: Path) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(1 << 40)  # a hole: 1 TiB that takes no room
    with pytest.raises(SpecError, match=r"not valid XML|is larger than"):
        read(tmp_path, file=name)


def test_a_large_graphml_file_is_cut_off_at_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "g.graphml"
    path.write_text(ml("".join(f'<node id="n{at}"/>' for at in range(12)) + '<edge source="n0" target="n1"/>' * 3))
    with pytest.raises(SpecError, match="more than 11 nodes"):
        graphml.read_graphml(path, 11, 10)
    with pytest.raises(SpecError, match="more than 2 edges"):
        graphml.read_graphml(path, 12, 2)


@pytest.mark.parametrize("name", ["../g.yaml", "/etc/hosts", "gone.yaml", "link.yaml", "~/g.yaml", "g\0.yaml", ""])
def test_only_a_file_in_the_tasks_folder_is_read(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    (tmp_path / "g.yaml").write_text("edges: [[a, b]]")
    (folder / "link.yaml").symlink_to(tmp_path / "g.yaml")
    with pytest.raises(ValidationError, match=r"file: (must|no such file|is not a usable path)"):
        read(folder, file=name)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_the_bytes_they_are_a_graph_or_the_users_mistake(tmp_path_factory: Any, noise: bytes) -> None:
    folder: Path = tmp_path_factory.mktemp("noise")
    wrapped = b'<graphml><graph><node id="a"/>' + noise + b"</graph></graphml>"
    for name, text in (("g.yaml", noise), ("g.graphml", noise), ("h.graphml", wrapped)):
        (folder / name).write_bytes(text)
        with suppress(SpecError):
            read(folder, file=name)
