"""Parameters that are structures: a whole team with its workflow, a graph, the probabilities of edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from swarmmind.agents.population import populate
from swarmmind.optimizers.parameters import EdgesParameter, GraphParameter, Parameter, WorkflowParameter
from swarmmind.rng import Streams
from swarmmind.runs.studies.draft import Draft
from swarmmind.spec import Card, LoadedTask, SamplingSpec
from swarmmind.spec.source import Place, Source
from swarmmind.spec.templates import template
from swarmmind.topologies.gptswarm.edges import logit, name, potential
from swarmmind.topologies.graphs import Graph
from swarmmind.topologies.workflow.steps import usual

_LEAST = 1e-6  # a probability of exactly 0 or 1 has no logit

Structure: TypeAlias = tuple[Parameter, Any, Callable[[Draft, Any], None]]
"""A parameter, the task's own value of it, and how a draft is given one."""


def workflow(loaded: LoadedTask, arguments: Mapping[str, Any]) -> Structure:
    """Roles and steps of a swarm whose topology is `workflow`, as one value.

    Raises:
        ValueError: it has another topology, or swarms that stand for agents.
    """
    if loaded.topology.use != "workflow":
        raise ValueError(f"needs the topology 'workflow', and the swarm has {loaded.topology.name!r}")
    if loaded.swarm.inner:
        raise ValueError("cannot rewrite a team in which swarms stand for agents")
    roles = [
        {"name": card.name, "responsibility": card.description, "policy": card.body.text.strip()}
        for card in loaded.cards.values()
    ]
    steps = arguments.get("steps")
    steps = usual(list(loaded.cards)).data() if steps is None else steps
    about = loaded.task.description or "the team: its roles, and the steps of its work"
    return WorkflowParameter("workflow", about), {"roles": roles, "steps": steps}, _put_workflow


def _put_workflow(draft: Draft, value: Any) -> None:
    names = [role["name"] for role in value["roles"]]
    swarm = draft.data["swarm"]
    agents = swarm["agents"]
    if isinstance(agents, dict):
        swarm["agents"] = {role: agents.get(role, 1) for role in names}
    else:
        kept = {role: [group for group in agents if group["card"] == role] for role in names}
        swarm["agents"] = [group for role in names for group in kept[role] or [{"card": role}]]
    draft.put(("swarm", "topology", "steps"), value["steps"])
    known = dict(draft.cards)
    draft.cards.clear()
    for role in value["roles"]:
        draft.cards[role["name"]] = _card(role, known.get(role["name"]))


def _card(role: Mapping[str, str], known: Card | None) -> Card:
    body = template(role["policy"].replace("\r\n", "\n").strip() + "\n", Place(f"{role['name']}.md", 1, 1))
    if known is not None:
        return known._replace(description=role["responsibility"], body=body)
    card = f"{role['name']}.md"
    return Card(role["name"], role["responsibility"], None, SamplingSpec(), (), {}, body, Path(card), Source(card))


def graph(loaded: LoadedTask, arguments: Mapping[str, Any]) -> Structure:
    """The graph of a topology, given by its edges.

    Raises:
        ValueError: its topology has none, or one of a family.
    """
    found = [(key, value) for key, value in arguments.items() if isinstance(value, Graph)]
    if not found:
        raise ValueError(
            f"needs a topology with a graph of its own: {{use: {loaded.topology.name}, graph: {{edges: ...}}}}"
        )
    key, value = found[0]
    if not isinstance(value.nodes, tuple) or not isinstance(value.edges, tuple):
        raise ValueError(f"needs a graph of its own edges ({key}: {{nodes, edges}}), and this one is {value.kind!r}")
    acyclic = loaded.topology.use == "macnet"
    about = "who hears whom: edges lead from who speaks to who hears"
    parameter = GraphParameter("graph", value.nodes, acyclic, about)
    start = {"nodes": list(value.nodes), "edges": [list(edge) for edge in value.edges]}
    return parameter, start, partial(_put_graph, key, {"reverse": True} if value.reverse else {})


def _put_graph(key: str, more: Mapping[str, Any], draft: Draft, value: Any) -> None:
    draft.put(("swarm", "topology", key), {**more, **value})


def edges(loaded: LoadedTask, arguments: Mapping[str, Any]) -> Structure:
    """The logits of potential edges of a swarm whose topology is `gptswarm`.

    Raises:
        ValueError: it has another topology.
    """
    if loaded.topology.use != "gptswarm":
        raise ValueError(f"needs the topology 'gptswarm', and the swarm has {loaded.topology.name!r}")
    agents = populate(loaded.task, loaded.swarm, Streams(loaded.task.seed))
    judged = arguments.get("decide") == "judge"
    pairs = potential([[agent.id] for agent in agents if not (judged and agent.role == "judge")])
    names = tuple(map(name, pairs))
    given = arguments.get("logits") or {}
    usual_logit = logit(min(max(arguments.get("probability", 0.5), _LEAST), 1 - _LEAST))
    start = {edge: float(given.get(edge, usual_logit)) for edge in names}
    return EdgesParameter("edges", names, "how likely each reads whose answer"), start, _put_edges


def _put_edges(draft: Draft, value: Any) -> None:
    draft.put(("swarm", "topology", "logits"), value)


STRUCTURES: Mapping[str, Callable[[LoadedTask, Mapping[str, Any]], Structure]] = {
    "workflow": workflow,
    "graph": graph,
    "edges": edges,
}
"""By the word that `optimize.parameters` has for them."""
