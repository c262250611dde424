"""MacNet (Qian et al. 2024, arXiv 2406.07155): work is revised along the edges of an acyclic graph, merged at nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from swarmmind.effects import Program
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.flow import Part, Signal, flow
from swarmmind.topologies.graphs import Graph
from swarmmind.topologies.macnet.artifacts import Artifact, Desk
from swarmmind.topologies.macnet.net import Net
from swarmmind.topologies.macnet.prompts import Seat
from swarmmind.topologies.macnet.score import Prune, merges
from swarmmind.topologies.society import Society

_LAYERED = Graph(kind="layered")


def macnet(
    ctx: Context,
    society: Society,
    graph: Graph = _LAYERED,
    unit: Annotated[int, Field(ge=2)] = 2,
    prune: Prune = "none",
    cooling: bool = True,
    skip_finished: bool = False,
) -> Program:
    """Let work flow through a graph; the result is what arrives at its sink.

    Sources draft. Along an edge, the agent of the node it leads to criticizes the artifact of the node it comes from,
    then revises it. A node merges what its edges bring as soon as all of them have; edges wait for their own source
    alone, so the makespan is that of the critical path. A virtual sink, played by the agent that would play one more
    node, drains the nodes that lead nowhere.

    Args:
        ctx: the program's place.
        society: its agents play the nodes.
        graph: its family or its edges.
        unit: how many candidates one merge takes, at least 2. What is left over when they are taken in their order
            makes a smaller group, or, if it is one alone, goes on to the next level as it is.
        prune: `code` drops the worse half of more than 4 candidates by how their Python parses; nothing is executed.
        cooling: the temperature is 1 - depth / depth of the graph: 1 at sources, 0 at the sink, whatever the agents'
            own is.
        skip_finished: actors are not asked to revise what their critic would not change; the number of calls is then
            an upper bound.

    Raises:
        Failed: an agent failed under the policy `fail`, or by the end too few answered (see `Policy`).
    """
    net = Net(society, graph)
    yield [net.record()]
    desk, result = Desk(society, unit, prune, skip_finished), Signal()
    try:
        yield from flow(_parts(net, desk, net.seats(cooling), result))
    except Stop:
        pass
    else:
        desk.furthest = result.value
    society.policy.check(desk.replies)
    return desk.furthest.text if desk.furthest else None


def macnet_calls(
    society: Society,
    graph: Graph = _LAYERED,
    unit: int = 2,
    prune: Prune = "none",
    cooling: bool = True,
    skip_finished: bool = False,
) -> int:
    """Calls of a run without failures: a draft for each source, two for each edge, and the merges."""
    net = Net(society, graph)
    inputs = Counter(v for _, v in net.edges)
    return len(net.players) - len(inputs) + 2 * len(net.edges) + sum(merges(n, unit, prune) for n in inputs.values())


def _parts(net: Net, desk: Desk, seats: Sequence[Seat], result: Signal) -> dict[str, Part]:
    """A part for every node and every edge; what an edge made is forgotten once its node has merged it."""
    ready = [*(Signal() for _ in seats[:-1]), result]
    inputs: list[list[Signal]] = [[] for _ in seats]
    parts: dict[str, Part] = {}
    for u, v in net.edges:
        inputs[v].append(made := Signal())
        parts[f"{u}-{v}"] = _edge(desk, seats[v], ready[u], made)
    for v, seat in enumerate(seats):
        parts[f"node-{v}"] = _node(desk, seat, inputs[v], ready[v])
    return parts


def _edge(desk: Desk, seat: Seat, source: Signal, made: Signal) -> Part:
    given = yield source
    made.set((yield from desk.revised(seat, given)))


def _node(desk: Desk, seat: Seat, inputs: Sequence[Signal], ready: Signal) -> Part:
    if not inputs:
        ready.set((yield from desk.draft(seat)))
        return
    candidates: list[Artifact] = []
    for made in inputs:
        candidate = yield made
        if candidate is not None:
            candidates.append(candidate)
    ready.set((yield from desk.merged(seat, candidates)))
