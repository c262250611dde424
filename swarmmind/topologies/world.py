"""Drives any environment in rounds: every agent decides on the same state, all at once, then the world moves."""

from __future__ import annotations

from functools import partial

from swarmmind.agents.prompts import remembered
from swarmmind.effects import Agent, Ask, Message, Program, Record, Reply
from swarmmind.errors import Stop, UserError
from swarmmind.ports import Context, Environment, Turn
from swarmmind.topologies.pace import each
from swarmmind.topologies.recall import exchange, passed, recall, remember
from swarmmind.topologies.society import Society, Topology
from swarmmind.traces import Trace


def world(ctx: Context, society: Society) -> Program:
    """Play an environment to its end, or until the budget is spent; the result is its last frame.

    The i-th agent of the population plays the i-th name of the world. A round whose asks were not all made, for lack
    of budget, is not played. Under the policy `skip` an agent without an answer does nothing in that round.

    Raises:
        UserError: there is no environment, or the population is not as large as the world.
        Failed: too few agents answered (see `Policy`).
    """
    environment = _checked(society)
    players = dict(zip(environment.agents, society.agents, strict=True))
    environment.reset(society.seed)
    yield [Record("round", environment.frame())]
    number = 0
    try:
        while not environment.done:
            turns = environment.turns()
            acting = [players[name] for name in turns]
            shown = yield from recall(society, acting, [turn.messages[-1].content for turn in turns.values()])
            replies = yield (yield from each(partial(_ask, society), acting, turns.values(), shown))
            if society.policy.kind != "skip":
                society.policy.check(replies)
            acts = yield from each(_exchange, acting, turns.values(), replies)
            environment.step(dict(zip(turns, replies, strict=True)))  # what was paid for counts, remembered or not
            number += 1
            yield from remember(society, [entry for act in acts for entry in act])
            yield from passed(society.memory, number)
            yield [Record("round", environment.frame())]
    except Stop:
        pass  # the score so far stands
    return environment.frame()


def world_calls(society: Society) -> int:
    """Calls if every agent acts to the last round."""
    return _checked(society).rounds * len(society.agents)


def _checked(society: Society) -> Environment:
    environment = society.environment
    if environment is None:
        raise UserError("swarm.topology: 'world' plays an environment; give the task `problem: {environment: ...}`")
    if len(environment.agents) != len(society.agents):
        places, agents = len(environment.agents), len(society.agents)
        raise UserError(f"swarm.agents: this world has {places} places, the population {agents} agents")
    return environment


def _ask(society: Society, agent: Agent, turn: Turn, shown: tuple[Trace, ...]) -> Ask:
    messages = (*society.system(agent), *turn.messages[:-1], *remembered(shown, turn.messages[-1]))
    return Ask(agent, _one_system(messages), turn.output, observation=turn.observation)


def _exchange(agent: Agent, turn: Turn, reply: Reply) -> list[tuple[str, Trace]]:
    return exchange(agent, turn.messages[-1], reply)


def _one_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """A card's instructions and a world's as one message: chat templates of some models take no second one."""
    if [message.role for message in messages[:2]] != ["system", "system"]:
        return messages
    first, second, *others = messages
    return (Message("system", f"{first.content}\n\n{second.content}"), *others)


TOPOLOGY = Topology(world, world_calls, world=True)
