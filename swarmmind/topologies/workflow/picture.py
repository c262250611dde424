"""Who hears whom in a workflow if everybody answers, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise, product

from swarmmind.effects import Agent, Record
from swarmmind.topologies.graphs.drawing import MAX_EDGES, MAX_NODES
from swarmmind.topologies.workflow.steps import Step


def picture(steps: Sequence[Step], workers: Mapping[str, Sequence[Agent]]) -> Record:
    """The record `graph`: agents, and edges from those whose answers go on to those who read them.

    Args:
        steps: all of them.
        workers: who works in each, by its name.
    """
    agents = dict.fromkeys(agent.id for step in steps for agent in workers[step.name])
    nodes = dict.fromkeys(islice(agents, MAX_NODES))
    edges, missing = dict[tuple[str, str], None](), 0
    for u, v in _pairs(steps, workers):
        if len(edges) < MAX_EDGES and u in nodes and v in nodes:
            edges[u, v] = None
        else:
            missing += (u, v) not in edges
    left_out = {"nodes": len(agents) - len(nodes), "edges": missing}
    return Record("graph", {"nodes": list(nodes), "edges": list(edges), "left_out": left_out})


def _pairs(steps: Sequence[Step], workers: Mapping[str, Sequence[Agent]]) -> Iterator[tuple[str, str]]:
    """Who is heard by whom, by id; the same pair perhaps in several steps, but nobody by itself."""
    ids = {step.name: [agent.id for agent in workers[step.name]] for step in steps}
    heard = {step.name: ids[step.name][-1:] if step.aggregate == "refine" else ids[step.name] for step in steps}
    for step in steps:
        before = chain.from_iterable(heard[name] for name in step.reads)
        within = pairwise(ids[step.name]) if step.aggregate == "refine" else ()
        yield from ((u, v) for u, v in chain(product(before, ids[step.name]), within) if u != v)
