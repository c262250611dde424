"""Drives any environment in rounds: every agent decides on the same state, all at once, then the world moves."""

from __future__ import annotations

from swarmmind.effects import Agent, Ask, Message, Program, Record
from swarmmind.errors import Stop, UserError
from swarmmind.ports import Context, Environment, Turn
from swarmmind.topologies.society import Society


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
    try:
        while not environment.done:
            turns = environment.turns()
            replies = yield [_ask(society, players[name], turn) for name, turn in turns.items()]
            if society.policy.kind != "skip":
                society.policy.check(replies)
            for (name, turn), reply in zip(turns.items(), replies, strict=True):
                if reply.ok:
                    society.memory.deposit(players[name].id, turn.messages[-1])
                    society.memory.deposit(players[name].id, Message("assistant", reply.text or ""))
            environment.step(dict(zip(turns, replies, strict=True)))
            society.memory.tick()
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


def _ask(society: Society, agent: Agent, turn: Turn) -> Ask:
    remembered = society.memory.sense(agent.id)
    if remembered:
        messages = (*society.system(agent), *turn.messages[:-1], *remembered, turn.messages[-1])
    else:
        messages = (*society.system(agent), *turn.messages)
    return Ask(agent, messages, turn.output, observation=turn.observation)
