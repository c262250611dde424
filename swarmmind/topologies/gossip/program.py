"""Gossip: everybody tells its answer to its neighbors and revises at its own pace; nobody waits for the slowest."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from swarmmind.effects import Program, Record
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.gossip.rumors import Pace, Rumors
from swarmmind.topologies.graphs import Graph, drawn
from swarmmind.topologies.neighborhood import neighborhood
from swarmmind.topologies.society import Society
from swarmmind.topologies.vote import elected, tally

_SMALL_WORLD = Graph(kind="small-world")


def gossip(
    ctx: Context,
    society: Society,
    graph: Graph = _SMALL_WORLD,
    turns: Annotated[int, Field(ge=1)] = 3,
    share: Annotated[float, Field(gt=0, le=1)] = 0.5,
    deadline_seconds: Annotated[float, Field(gt=0)] | None = 60.0,
) -> Program:
    """Let everybody answer and tell its neighbors, and revise on what they tell; the most frequent last answer wins.

    An agent takes its next turn as soon as enough neighbors have told it something newer than what its last turn was
    about, or, with fewer, when it has waited long enough, or when nothing is under way any more. It takes none as long
    as all it has heard agrees with its own answer. What comes while it thinks is for its next turn.

    Args:
        ctx: the program's place.
        society: each node is an agent of its own; agents beyond the nodes take no part.
        graph: who tells whom; directions do not matter.
        turns: of each agent at most, its first answer included.
        share: of an agent's neighbors, in (0, 1]; rounded up.
        deadline_seconds: after its last turn, any news will do; `None`: it waits for its share.

    Raises:
        Failed: an agent failed under the policy `fail`, or by the end too few have answered (see `Policy`).
    """
    net = neighborhood(society, graph)
    yield [drawn(net.graph, net.players)]
    talk = Rumors(society, net, Pace(turns, share, deadline_seconds))
    try:
        yield from talk.run()
    except Stop:
        pass  # what was said stands
    else:
        society.policy.check([node.said or node.last for node in talk.nodes if node.last is not None])
    spoken = [node for node in talk.nodes if node.said is not None]
    answers = [node.answer for node in spoken]
    yield [
        Record("answers", {node.name: str(node.answer) for node in spoken if node.answer is not None}),
        Record("turns", {node.name: node.turns for node in talk.nodes}),
    ]
    yield [Record("votes", tally(answers))]
    return elected(answers, [node.said for node in spoken if node.said is not None])


def gossip_calls(
    society: Society,
    graph: Graph = _SMALL_WORLD,
    turns: int = 3,
    share: float = 0.5,
    deadline_seconds: float | None = 60.0,
) -> int:
    """Calls at most: those of agents that take equally long and never agree."""
    return sum(turns if near else 1 for near in neighborhood(society, graph).neighbors)
