"""Graphs as a task names them: what is wrong is told with its place, before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind.errors import SpecError
from swarmmind.runs.plan import make_plan
from swarmmind.runtime.journal import content
from swarmmind.spec import load_task

TASK = """\
problem: What is 2 + 3?
model: scripted
swarm:
  agents: {{solver: 4}}
  topology:
    use: {use}
    graph: {graph}
"""
NESTED = """\
problem: What is 2 + 3?
model: scripted
swarm:
  agents:
    - card: solver
      swarm:
        agents: {{solver: 4}}
        topology:
          use: {use}
          graph: {graph}
  topology: vote
"""


def planned(folder: Path, text: str) -> Any:
    (folder / "task.yaml").write_text(text)
    return make_plan(load_task(folder / "task.yaml", env={}))


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SpecError) as caught:
        planned(folder, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder}/")


CIRCLE = "{edges: [[a, b], [b, c], [c, a]]}"


@pytest.mark.parametrize(
    ("use", "graph", "message"),
    [
        ("macnet", CIRCLE, "swarm.topology.graph: its edges lead in a circle: a -> b -> c -> a; take one of them out"),
        ("messages", "{kind: ring, nodes: 9}", "swarm.topology.graph: 9 nodes need as many agents, and there are 4"),
        ("gossip", "{kind: layered, layers: 5}", "swarm.topology.graph: 5 layers need at least as many nodes"),
        ("messages", "{edges: [[solver-1, solvr-2]]}", "swarm.topology.graph: other names are agents' ids, but no"),
        ("messages", "{kind: mesh, k: 4}", "graph: k: belongs to the kind 'small-world', not to 'mesh'"),
        ("messages", "{kind: small-world, k: 3}", "graph: k: must be a multiple of 2, got 3"),
        ("messages", "{kind: small-world, kk: 4}", "graph: kk: unknown parameter; did you mean 'k'?"),
        ("messages", "{edges: [[a, b], [b, b]]}", "graph: edges.1: leads from b to itself"),
        ("messages", "{kind: tere}", "graph: kind: must be 'chain', 'star'"),
        ("messages", "{file: ../team.yaml}", "graph: file: must stay inside the task's folder"),
    ],
)
def test_what_is_wrong_with_a_graph_has_its_place_in_the_task(
    use: str, graph: str, message: str, tmp_path: Path
) -> None:
    assert refused(tmp_path, TASK.format(use=use, graph=graph)).startswith(f"task.yaml:7:12: {message}")
    inner = message.replace("swarm.topology", "swarm.agents.0.swarm.topology")
    assert refused(tmp_path, NESTED.format(use=use, graph=graph)).startswith(f"task.yaml:10:18: {inner}")


OWN = """\
from swarmmind.effects import Ask, Message, Program, Record
from swarmmind.ports import Context
from swarmmind.topologies import Society
from swarmmind.topologies.graphs import Graph


def relay(ctx: Context, society: Society, graph: Graph) -> Program:
    yield [Record("began", 1)]
    net, players = graph.directed(society.agents, society.seed), graph.played(society.agents, society.seed)
    for node in net:
        [reply] = yield [Ask(players[node], (Message("user", "Go on."),))]
    return reply.value


number = 3
"""


def ran(folder: Path, text: str) -> str:
    """What a run of this task ends with, which nothing of is left behind."""
    (folder / "task.yaml").write_text(text)
    (folder / "relay.py").write_text(OWN)
    with pytest.raises(SpecError) as error:
        swarmmind.run_sync(folder / "task.yaml", runs=folder / "runs", allow_code=True)
    assert not (folder / "runs").exists()
    return str(error.value).removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        (
            "{use: ./relay.py:relay, graph: {edges: [[a, b], [b, a]]}}",
            "6:44: swarm.topology.graph: its edges lead in a",
        ),
        ("{use: ./relay.py:relay}", "6:13: swarm.topology: graph: is missing"),
        ("./relay.py:number", "6:13: swarm.topology: './relay.py:number' must be a generator function or a Topology"),
        ("./relay.py:nubmer", "6:13: swarm.topology: ./relay.py has no 'nubmer'; did you mean 'number'?"),
        (
            "{use: gptswarm, logits: {x > y: 1}}",
            "6:37: swarm.topology.logits: expected potential edges, 'a > b', found",
        ),
        (
            "{use: gptswarm, logits: {solver-0 > final: .nan}}",
            "6:37: logits: 'solver-0 > final': must be a finite number",
        ),
        ("{use: gptswarm, decide: judge}", "6:37: swarm.topology.decide: 'judge' needs an agent with the role judge"),
        ("swarmsys", "5:11: swarm.agents: 'swarmsys' needs at least one 'explorer', got none"),
        ("omne", "6:13: swarm.topology: 'omne' learns from judged attempts; the task needs a data set"),
        ("sapo", "6:13: swarm.topology: 'sapo' works on a data set"),
    ],
)
def test_what_a_topology_finds_wrong_when_it_begins_has_its_place_and_leaves_no_run_behind(
    topology: str, message: str, tmp_path: Path
) -> None:
    task = (
        f"# a task\nproblem: What is 2 + 3?\nmodel: scripted\nswarm:\n  agents: {{solver: 4}}\n  topology: {topology}\n"
    )
    assert ran(tmp_path, task).startswith(f"task.yaml:{message}")


def test_nor_does_a_swarm_that_stands_for_an_agent(tmp_path: Path) -> None:
    text = NESTED.format(use="gptswarm", graph="").replace("graph: ", "decide: judge")
    place = "task.yaml:10:19: swarm.agents.0.swarm.topology.decide"
    assert ran(tmp_path, text) == f"{place}: 'judge' needs an agent with the role judge, found none"


@pytest.mark.parametrize("topology", ["debate", "macnet", "omne", "peer-ranking", "gptswarm", "vote"])
def test_a_topology_that_works_on_a_question_is_given_no_world(topology: str, tmp_path: Path) -> None:
    text = (
        "problem: {environment: swarmbench/foraging}\nmodel: scripted\n"
        f"swarm:\n  agents: {{forager: 12}}\n  topology: {topology}\n"
    )
    message = f"{topology!r} works on a question, and the problem is an environment; use 'world'"
    assert ran(tmp_path, text) == f"task.yaml:5:13: swarm.topology: {message}"


def test_a_mistake_that_shows_after_somebody_was_asked_keeps_the_run(tmp_path: Path) -> None:
    text = TASK.format(use="./late.py:relay", graph="ring").replace("{solver: 4}", "{solver: 1}")
    (tmp_path / "late.py").write_text(
        OWN.replace("return reply.value", "Graph(kind='layered', layers=9).undirected(society.agents, 0)")
    )
    (tmp_path / "task.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"task\.yaml:7:12: swarm\.topology\.graph: 9 layers need"):
        swarmmind.run_sync(tmp_path / "task.yaml", runs=tmp_path / "runs", allow_code=True)
    [folder] = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "result.json").read_text())["coverage"]["finished"] == 1


def test_what_is_wrong_with_a_file_has_its_place_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text("edges:\n  - [a, b]\n  - [b, b]\n")
    assert refused(tmp_path, TASK.format(use="messages", graph="{file: team.yaml}")).startswith(
        "team.yaml:3:5: edges.1"
    )


def test_a_world_in_a_swarm_that_stands_for_an_agent_is_refused(tmp_path: Path) -> None:
    text = NESTED.format(use="world", graph="").replace("          graph: \n", "")
    place = "task.yaml:9:11: swarm.agents.0.swarm.topology"
    assert refused(tmp_path, text).startswith(f"{place}: 'world' plays an environment")


def test_a_population_that_is_not_as_large_as_the_world_is_refused_at_the_agents(tmp_path: Path) -> None:
    text = (
        "problem: {environment: swarmbench/foraging, agents: 5}\nmodel: builtin/swarmbench\n"
        "swarm:\n  agents: {solver: 3}\n  topology: world\n"
    )
    message = refused(tmp_path, text)
    assert message.startswith("task.yaml:4:11: swarm.agents: this world has 5 places, the population 3 agents")


def test_a_plan_that_holds_swarms_for_agents_has_no_count_but_one_that_does_not_has(tmp_path: Path) -> None:
    graph = "{kind: ring}"
    assert planned(tmp_path, TASK.format(use="messages", graph=graph)).calls == 20
    assert planned(tmp_path, NESTED.format(use="messages", graph=graph)).calls is None


@pytest.mark.parametrize("name", ["team.yaml", "team.graphml"])
def test_a_run_on_a_graph_in_a_file_records_it(name: str, tmp_path: Path) -> None:
    nodes = "".join(f'<node id="{node}"/>' for node in "abcd")
    edges = '<edge source="a" target="b"/><edge source="c" target="d"/>'
    (tmp_path / "team.graphml").write_text(f"<graphml><graph>{nodes}{edges}</graph></graphml>")
    (tmp_path / "team.yaml").write_text("edges: [[a, b], [c, d]]")
    (tmp_path / "task.yaml").write_text(TASK.format(use="messages", graph=f"{{file: {name}}}"))
    result = swarmmind.run_sync(tmp_path / "task.yaml", env={})
    assert result.status == "finished"
    kept = [row for row in content(Path(result.folder) / "journal.sqlite") if row[0] == "record" and row[2] == "graph"]
    [(*_, data)] = kept
    assert json.loads(data)["nodes"] == [f"solver-{at}" for at in range(4)]
    assert json.loads(data)["edges"] == [[0, 1], [2, 3]]
    (tmp_path / name).unlink()
    with pytest.raises(SpecError, match="no such file"):
        planned(tmp_path, TASK.format(use="messages", graph=f"{{file: {name}}}"))


def test_importing_the_library_does_not_import_what_triangulations_need() -> None:
    code = "import sys, swarmmind, swarmmind.cli; print([name for name in ('scipy.spatial',) if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
