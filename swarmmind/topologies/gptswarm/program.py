"""GPTSwarm (arXiv 2402.16823): who reads whose answer is drawn from learned probabilities, one for each potential edge.

Each agent is a node of a graph without cycles, and a last node decides. The draw is recorded with its log-probability:
a learner finds all that its gradient needs in the trace alone. A rehearsal with the same seed makes as many calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Literal, TypeAlias

import msgspec
from pydantic import Field

from swarmmind.effects import Agent, Program, Record, Reply
from swarmmind.errors import Stop, UserError
from swarmmind.ports import Context
from swarmmind.topologies.flow import Part, Signal, flow
from swarmmind.topologies.gptswarm.edges import FINAL, Edge, Edges, Realization, potential, reaching
from swarmmind.topologies.gptswarm.nodes import Said, answering, asked, reading, told
from swarmmind.topologies.recall import passed
from swarmmind.topologies.society import Society
from swarmmind.topologies.vote import elected, tally

Draw: TypeAlias = Literal["sampled", "most-probable", "full"]
_Logit: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
_JUDGE = "Decide which of these answers is right, and give it as yours."


def gptswarm(
    ctx: Context,
    society: Society,
    edges: Draw = "sampled",
    probability: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    logits: Mapping[str, _Logit] | None = None,
    ranks: Mapping[str, _Logit] | None = None,
    decide: Literal["majority", "random", "judge"] = "majority",
) -> Program:
    """Draw a graph, let each agent answer once its inputs are there, and decide over what reaches the final node.

    An agent from which no path leads to the final node is not asked. Where no edge to the final node was drawn, nobody
    is, and the value is `None`.

    Args:
        ctx: the program's place; the graph and ties are drawn there.
        society: its agents answer; with `decide: judge` the first judge decides and judges do not answer.
        edges: drawn, those above one half, or all of them; each without those that would close a cycle.
        probability: of an edge that has no logit.
        logits: by edge: `{"solver-0 > solver-1": 0.3, "solver-0 > final": 2.0}`.
        ranks: logits by agent, 0 by default, if the order of the agents is to be drawn too (see `Edges.ranks`).
        decide: the most frequent of the inputs (ties at random), one at random, or a judge who reads them.

    Raises:
        UserError: an edge or agent is unknown, or nobody is there to answer or to judge.
        Failed: too few agents answered (see `Policy`).
    """
    nodes, judge = _cast(society, decide == "judge")
    order = None if ranks is None else {**dict.fromkeys((agent.id for agent in nodes), 0.0), **ranks}
    chances = Edges.of(potential([[agent.id] for agent in nodes]), probability, logits, order)
    least = {"most-probable": 0.5, "full": 0.0}.get(edges)
    drawn = chances.realize(ctx.rng("edges")) if least is None else Realization(chances.above(least), "", 0.0)
    given = {"nodes": [a.id for a in nodes], "probability": probability, "logits": logits or {}, "ranks": order}
    yield [Record("realization", {**given, **msgspec.to_builtins(drawn)}), _graph(society, drawn.edges, judge)]
    said = {agent.id: Signal() for agent in (*nodes, *([judge] if judge else []))}
    with suppress(Stop):  # what was said until then is decided over
        judging = {FINAL: _judging(ctx, society, drawn.edges, said, judge)} if judge else {}
        yield from flow({**_parts(society, drawn.edges, said), **judging})
        yield from passed(society.memory, 1)
    society.policy.check(list(told(said).values()))
    there = {name: reply for name, reply in told(said).items() if reply.ok}
    inputs = _inputs(ctx, drawn.edges, there) or [there[a.id] for a in nodes if a.id in there]
    answers = [society.question.answer(reply) for reply in inputs]
    yield [Record("votes", tally(answers))]
    if judge and judge.id in there:
        return there[judge.id].value
    return inputs[0].value if inputs and decide == "random" else elected(answers, inputs)


def _cast(society: Society, judged: bool) -> tuple[list[Agent], Agent | None]:
    """Who answers, and who judges."""
    judges = society.members("judge") if judged else []
    nodes = [agent for agent in society.agents if agent not in judges]
    if judged and not judges:
        raise UserError("decide: 'judge' needs an agent with the role judge, found none")
    if not nodes:
        raise UserError("decide: with 'judge' somebody else must answer, found only judges")
    return nodes, judges[0] if judges else None


def _graph(society: Society, edges: Sequence[Edge], judge: Agent | None) -> Record:
    """Who reads whom, for people; the final node is there if it is an agent."""
    heard = [(u, judge.id if judge and v == FINAL else v) for u, v in edges if judge or v != FINAL]
    return Record("graph", {"nodes": [agent.id for agent in society.agents], "edges": heard})


def _inputs(ctx: Context, edges: Sequence[Edge], said: Mapping[str, Reply]) -> list[Reply]:
    """What reached the final node, in an order that chance decides, as it does over ties."""
    inputs = [said[u] for u, v in edges if v == FINAL and u in said]
    ctx.rng("final").shuffle(inputs)
    return inputs


def _parts(society: Society, edges: Sequence[Edge], said: Said) -> dict[str, Part]:
    """Every agent from which a path leads to the final node, as a part that waits for its inputs."""
    before = {node: {u: said[u] for u in inputs} for node, inputs in reaching(edges, FINAL).items()}
    agents = [agent for agent in society.agents if agent.id in before]
    return {agent.id: answering(society, agent, before[agent.id], said[agent.id]) for agent in agents}


def _judging(ctx: Context, society: Society, edges: Sequence[Edge], said: Mapping[str, Signal], judge: Agent) -> Part:
    for u, v in edges:
        if v == FINAL:
            yield said[u]
    inputs = _inputs(ctx, edges, {name: reply for name, reply in told(said).items() if reply.ok})
    if inputs:
        prompt = reading(society, [(f"answer {at}", reply) for at, reply in enumerate(inputs, 1)], _JUDGE)
        yield from asked(society, judge, prompt, "judge", said[judge.id])
