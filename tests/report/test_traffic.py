"""Who heard whom: what the page draws is what can be counted in the prompts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Message
from swarmmind.memory import Window
from swarmmind.report import render
from swarmmind.report.contexts import read
from swarmmind.report.read import Source
from swarmmind.report.tally import Tally
from swarmmind.report.traffic import MAX_AGENTS, MAX_EDGES, Edge, Heard, Traffic
from swarmmind.runtime.journal import Journal
from tests.topologies.swarms import played, saying, society

from . import runs, talks
from .pages import Page

EVIL = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e{{7*7}}"
SAID = ["ANSWER: 1, as it must be", "ANSWER: 22", "I say\nANSWER: 3"]


def traffic_of(folder: Path) -> Traffic:
    """The graph of a run."""
    source = Source(folder)
    try:
        members, heard = Tally(source).members, Heard()
        shares = read(source, members, listener=heard)
        return Traffic(source, members, heard, shares.total.others)
    finally:
        source.close()


def counted(folder: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Characters and prompts by author and reader."""
    source = Source(folder)
    names, heard = Tally(source).members, Heard()
    read(source, names, listener=heard)
    source.close()
    who = list(names)
    rows = zip(*(column.tolist() for column in heard.columns), strict=True)
    return {(who[author], who[reader]): (size, prompts) for author, reader, size, prompts in rows}


def prompts(folder: Path, *asked: tuple[str, str], records: Sequence[Any] = ()) -> Path:
    """A run of single prompts, each to an agent of role solver, and of records of graphs."""

    def write(kept: Journal) -> Iterator[None]:
        for number, (name, content) in enumerate(asked):
            agent = Agent(name, "solver")
            runs.exchange(kept, f"run/{number}/{name}", agent, [Message("user", content)], runs.said("ok"))
        for number, record in enumerate(records):
            kept.record(f"run/x/{number}/graph", "graph", record)
        yield

    return runs.journal(folder, write)


def declared(folder: Path, asked: Sequence[tuple[str, str]], *records: Any) -> Traffic:
    """The graph of such a run."""
    return traffic_of(prompts(folder, *asked, records=records))


def drawn(page: Page) -> set[tuple[str, str]]:
    """Author and reader of every edge in the picture."""
    graph = page.index["graph"]
    return {(graph["nodes"][u][0], graph["nodes"][v][0]) for u, v, *_ in graph["edges"]}


@pytest.mark.parametrize("rounds", [2, 4])
def test_the_traffic_of_a_debate_is_what_its_prompts_quote(tmp_path: Path, rounds: int):
    played(tmp_path, "debate", society(3), saying(*SAID), rounds=rounds)
    expected = {
        (f"a{author}", f"a{reader}"): ((rounds - 1) * (len(quoted(f"a{author}", SAID[author])) + 1), rounds - 1)
        for author in range(3)
        for reader in range(3)
        if author != reader
    }
    assert counted(tmp_path) == expected
    assert drawn(Page(render(tmp_path))) == set(expected)


def test_what_a_history_repeats_is_sent_again_in_as_many_prompts(tmp_path: Path):
    played(tmp_path, "debate", society(3, memory=Window(20)), saying(*SAID), rounds=4)
    size = len(quoted("a1", SAID[1])) + 1
    assert counted(tmp_path)["a1", "a0"] == ((1 + 2 + 3) * size, 3)


def test_a_prompt_that_quotes_somebody_twice_is_one_prompt(tmp_path: Path):
    history = [Message("user", f"{quoted('b', 'first')}\n\nand?"), Message("assistant", "ok"),
               Message("user", f"{quoted('b', 'second')}\n\nand now?"), Message("assistant", "ok"),
               Message("user", "nothing new"), Message("user", f"{quoted('c', 'third')}\n")]  # fmt: skip

    def write(kept: Journal) -> Iterator[None]:
        for number, part in enumerate((history[:1], history[:3], history[:5], history[5:], history[:1])):
            runs.exchange(kept, f"run/{number}/a", Agent("a", "w"), part, runs.said("ok"))
        for name in "bc":
            runs.exchange(kept, f"run/9/{name}", Agent(name, "w"), history[4:5], runs.said("ok"))
        yield

    found = counted(runs.journal(tmp_path, write))
    first, second = len("[b]\n> first\n"), len("[b]\n> second\n")
    assert found == {("b", "a"): (4 * first + 2 * second, 4), ("c", "a"): (len("[c]\n> third\n"), 1)}


def test_a_star_is_its_rays(tmp_path: Path):
    folder = talks.talk(tmp_path, talks.agents(7), talks.star(6), 2)
    page = Page(render(folder))
    assert drawn(page) == {("solver-0", f"solver-{leaf}") for leaf in range(1, 7)}
    hub = next(node for node in page.index["graph"]["nodes"] if node[0] == "solver-0")
    assert [hub[6][0], hub[7]] == [6, [0, 0, []]]
    assert "6 edges lead from an author to a reader" in page.text
    assert "1 of 7 agents" not in page.text


def test_nobody_hears_anybody_in_a_vote(tmp_path: Path):
    played(tmp_path, "vote", society(5), saying(*["ANSWER: 1"] * 5))
    page = Page(render(tmp_path))
    assert page.index["graph"] == {"nodes": []}
    assert "Who heard whom" not in page.text
    assert traffic_of(tmp_path).edges == 0


def test_names_that_are_no_agents_are_counted_not_drawn(tmp_path: Path):
    anonymous = "\n".join(quoted(f"answer {letter}", "x" * 40) for letter in "AB")
    folder = prompts(tmp_path, ("judge", f"{anonymous}\n\nWhich?"), ("b", f"{quoted('judge', 'A')}\n\nWell?"))
    found = traffic_of(folder)
    assert [(edge.author, edge.reader) for edge in found.strongest] == [("judge", "b")]
    assert (found.unknown, found.strange) == (2, round(2 * len(quoted("answer A", "x" * 40) + "\n") / 4))
    page = Page(render(folder))
    assert "under 2 names that are no agent's and not in the graph: answer A , answer B" in page.text
    assert {node[0] for node in page.index["graph"]["nodes"]} == {"judge", "b"}


def test_only_anonymous_words_are_a_section_without_a_picture(tmp_path: Path):
    page = Page(render(prompts(tmp_path, ("judge", f"{quoted('answer A', 'x')}\n\nWhich?"))))
    assert "No agent's words were quoted, under its name" in page.text
    assert page.index["graph"] == {"nodes": []}


def test_own_words_are_no_edge(tmp_path: Path):
    assert traffic_of(prompts(tmp_path, ("a", quoted("a", "mine")))).edges == 0


def test_every_name_of_a_long_message_is_counted(tmp_path: Path):
    found = traffic_of(talks.talk(tmp_path, talks.agents(90), talks.mesh(90), 2, words=3))
    assert (found.edges, found.unknown) == (90 * 89, 0)


def test_a_declared_graph_tells_traffic_beside_it(tmp_path: Path):
    asked = [("a", "?"), ("b", quoted("a", "along")), ("a", quoted("b", "against")), ("c", quoted("b", "beside"))]
    statistics = {"clustering": 0.25, "estimated": []}
    record = {"nodes": ["a", "b", "c", "d"], "edges": [[0, 1], [0, 2], [2, 3]], "statistics": statistics}
    found = declared(tmp_path, asked, record)
    assert (found.against, found.beside, found.unused) == (1, 1, 2)
    assert found.declared.statistics == [("clustering", "0.25")]
    page = Page(render(tmp_path))
    graph = page.index["graph"]
    names = [node[0] for node in graph["nodes"]]
    assert {(names[u], names[v]): kind for u, v, *_, kind in graph["edges"]} == {
        ("a", "b"): 1, ("b", "a"): 2, ("b", "c"): 3}  # fmt: skip
    assert {(names[u], names[v]) for u, v in graph["silent"]} == {("a", "c"), ("c", "d")}
    assert graph["nodes"][names.index("d")][2] == -1  # it was never asked
    assert graph["kind"] == "layered"
    assert "1 edge carries words where none was declared" in page.text
    assert "The declared graph clustering 0.25" in page.text
    assert "graph: 1 record" not in page.text


def test_an_agent_may_play_several_nodes(tmp_path: Path):
    record = {"nodes": ["a", "b", "a", "a"], "edges": [[0, 1], [1, 2], [2, 3]]}
    found = declared(tmp_path, [("a", quoted("b", "x")), ("b", quoted("a", "y"))], record)
    assert (len(found.declared.edges), found.unused, found.against, found.beside) == (2, 0, 0, 0)
    assert found.drawn == (2, 2)


def test_words_that_leave_a_graph_where_it_says_so_are_declared_and_no_edges_of_it(tmp_path: Path):
    asked = [("a", quoted("c", "x")), ("b", quoted("a", "y")), ("c", quoted("b", "z"))]
    record = {"nodes": ["a", "b", "c"], "edges": [[0, 1], [1, 2]], "drains": [[2, "a"]]}
    found = declared(tmp_path, asked, record)
    assert (len(found.declared.edges), found.unused, found.against, found.beside) == (2, 0, 0, 0)
    page = Page(render(tmp_path))
    assert page.index["graph"]["kind"] == "layered"  # what leads out of it closes no circle
    assert "words ran along all of them. 1 more leads out of it, to whoever concludes." in page.text
    assert "none was declared" not in page.text


def test_the_graphs_of_several_problems_are_one(tmp_path: Path):
    one = {"nodes": ["a", "b"], "edges": [[0, 1]], "statistics": {"sigma": 1.5, "kind": "ring", "none": None}}
    two = {"nodes": ["b", "a"], "edges": [[0, 1]], "statistics": {"sigma": 2, "kind": "ring", "none": None}}
    found = declared(tmp_path, [("a", "?"), ("b", "?")], one, two, one)
    assert (found.declared.graphs, len(found.declared.edges), found.unused) == (2, 2, 2)
    assert found.declared.statistics == [("sigma", "1.5 to 2"), ("kind", "ring"), ("none", "none")]


def test_edges_may_lead_both_ways_and_name_agents(tmp_path: Path):
    asked = [("a", quoted("b", "x")), ("b", quoted("a", "y"))]
    found = declared(tmp_path, asked, {"nodes": ["a", "b"], "edges": [["a", "b"]], "directed": False})
    assert (len(found.declared.edges), found.unused, found.against, found.beside) == (2, 0, 0, 0)


def test_beside_a_graph_that_is_known_in_part_nothing_can_be_told(tmp_path: Path):
    asked = [("a", "?"), ("b", quoted("a", "x")), ("c", quoted("b", "y"))]
    record = {"nodes": ["a", "b"], "edges": [[0, 1]], "left_out": {"nodes": 1, "edges": 7}}
    found = declared(tmp_path, asked, record)
    assert (found.declared.left_out, found.beside) == (7, 0)
    assert "7 declared edges more are not on record" in Page(render(tmp_path)).text


ODD: list[Any] = [
    None, 7, "x", [], {}, {"nodes": 3}, {"nodes": ["a"], "edges": [[0, 1]]}, {"nodes": ["a"], "edges": [[-1, 0]]},
    {"nodes": ["a", "b"], "edges": [[0, 1, 2]]}, {"nodes": ["a"], "drains": [[1, "a"]]},
    {"nodes": ["a"], "drains": [7]}, {"nodes": [None], "edges": []}, {"nodes": ["a"], "statistics": 4},
]  # fmt: skip


def test_records_of_another_shape_are_said_to_be_unread(tmp_path: Path):
    found = declared(tmp_path, [("a", "?"), ("b", quoted("a", "x"))], *ODD)
    assert (found.declared.graphs, found.declared.unread, found.edges) == (0, len(ODD), 1)
    assert f"{len(ODD)} records of graphs cannot be read" in Page(render(tmp_path)).text


def test_hostile_names_are_text(tmp_path: Path):
    asked = [(EVIL, "?"), ("b", quoted(EVIL, EVIL))]
    record = {"nodes": [EVIL, "b", EVIL * 2], "edges": [[0, 1], [1, 2]], "statistics": {EVIL: EVIL, "b": [EVIL]}}
    assert declared(tmp_path, asked, record).edges == 1
    page = Page(render(tmp_path))
    assert page.tags["img"] == 0
    assert page.tags["script"] == len(page.letters) + 2
    assert [node[0] for node in page.index["graph"]["nodes"]] == [EVIL, "b", EVIL * 2]
    assert page.index["graph"]["nodes"][0][5] != EVIL  # how a prompt shows it
    assert "{{7*7}}" in page.text


def test_a_large_swarm_is_drawn_in_part_and_counted_in_full(tmp_path: Path):
    people = talks.agents(1200, lambda place: "scout" if place % 4 == 0 else "worker")
    edges = talks.small_world(1200, 6)
    folder = talks.talk(tmp_path, people, edges, 2, words=4)
    found = traffic_of(folder)
    assert found.edges == len(edges)
    assert found.drawn[0] == MAX_AGENTS
    assert found.drawn[1] <= MAX_EDGES
    assert found.drawn[1] + sum(count for _, _, count, _ in found.rest) == len(edges)
    assert {(author, reader) for author, reader, *_ in found.rest} == {
        (one, two) for one in ("scout", "worker") for two in ("scout", "worker")
    }
    page = Page(render(folder))
    assert len(json.dumps(page.index["graph"])) < 100_000
    assert f"it shows 150 agents, from the busiest one outward along the strongest edges, and the {found.drawn[1]}" in (
        page.text
    )


def test_a_dense_swarm_has_its_strongest_edges(tmp_path: Path):
    found = traffic_of(talks.talk(tmp_path, talks.agents(60), talks.mesh(60), 2, words=3))
    data = found.data()
    assert (found.drawn, len(data["edges"]), found.edges) == ((60, MAX_EDGES), MAX_EDGES, 60 * 59)
    left = sum(tokens for *_, tokens in found.rest)
    assert min(tokens for _, _, tokens, *_ in data["edges"]) >= left / sum(count for _, _, count, _ in found.rest)


def test_partners_are_the_strongest(tmp_path: Path):
    texts = {f"b{number}": "x" * (40 * number) for number in range(1, 13)}
    asked = [(name, "?") for name in texts] + [("a", "\n".join(quoted(name, text) for name, text in texts.items()))]
    data = traffic_of(prompts(tmp_path, *asked)).data()
    count, tokens, listed = next(node for node in data["nodes"] if node[0] == "a")[7]
    assert (count, len(listed)) == (12, 8)
    assert [place for place, *_ in listed] == [12, 11, 10, 9, 8, 7, 6, 5]  # places among agents: a is the first
    assert tokens > sum(size for _, size, _ in listed)


def test_the_table_can_be_read_without_a_script(tmp_path: Path):
    folder = prompts(tmp_path, ("a", "?"), ("b", quoted("a", "x" * 391)))
    assert traffic_of(folder).strongest == [Edge("a", "b", round((4 + 2 + 391) / 4), 1)]
    page = Page(render(folder))
    assert "All edges as a table author reader tokens prompts a b 99 1" in page.text
    assert Counter(name for tag, name, _ in page.attributes if tag == "details")["open"] >= 1


def test_a_page_is_the_same_bytes_whenever_it_is_made(tmp_path: Path):
    edges = [*talks.small_world(90, 3), (0, 50), (50, 0)]
    record = {"nodes": [agent.id for agent in talks.agents(90)], "edges": edges[:200], "statistics": {"sigma": 1.25}}
    folder = talks.talk(tmp_path, talks.agents(90), edges, 2, record=record)
    pages = {render(folder).read_bytes()}
    code = "import pathlib, sys; from swarmmind.report import render; render(pathlib.Path(sys.argv[1]))"
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(folder)], check=True, env=env)
        pages.add((folder / "report.html").read_bytes())
    assert len(pages) == 1
