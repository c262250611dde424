"""Who plays which module of a planner, and how a step of theirs is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from swarmmind.effects import Agent, Ask, Reply
from swarmmind.errors import UserError
from swarmmind.topologies.planner.prompts import Told
from swarmmind.topologies.planner.states import Said
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Society

MODULES = ("decomposer", "actor", "monitor", "predictor", "evaluator", "coordinator")


class Crew:
    """The agents of a planner by the module they play.

    Agents whose role is the name of a module play it; where nobody is an actor, those do who play no other module.

    Args:
        society: its agents and its policy.
        without: modules that take no part although somebody could play them.

    Attributes:
        replies: to the actors so far.

    Raises:
        UserError: nobody can propose a move.
    """

    def __init__(self, society: Society, without: Sequence[str] = ()) -> None:
        self._society = society
        self._cast = {module: [] if module in without else society.members(module) for module in MODULES}
        self._cast["actor"] = self._cast["actor"] or [a for a in society.agents if a.role not in MODULES]
        if not self._cast["actor"]:
            raise UserError("swarm.agents: 'planner' needs at least one 'actor', who proposes the moves; got none")
        self._turns: Counter[str] = Counter()
        self.replies: list[Reply] = []

    def has(self, *modules: str) -> bool:
        """Whether all of these modules are there."""
        return all(self._cast[module] for module in modules)

    def ask(self, module: str, told: Sequence[Told]) -> Steps[list[tuple[Agent, Reply]]]:
        """Put questions to a module, all at once: those who play it take them in turn.

        Returns:
            Who was asked and what came back, in the order of the questions; nothing if nobody plays the module.

        Raises:
            Failed: somebody failed and the policy bears no failures, or not so many.
            Stop: the budget is spent.
        """
        cast = self._cast[module]
        if not cast or not told:
            return []
        agents = [cast[(self._turns[module] + at) % len(cast)] for at in range(len(told))]
        self._turns[module] += len(told)
        replies: list[Reply] = yield [
            Ask(agent, (*self._society.system(agent), each.prompt), each.output, observation=each.observation)
            for agent, each in zip(agents, told, strict=True)
        ]
        if module == "actor":
            self.replies += replies
        if self._society.policy.kind != "skip":
            self._society.policy.check(replies)
        return list(zip(agents, replies, strict=True))

    def texts(self, module: str, told: Sequence[Told], key: str) -> Steps[list[Said | None]]:
        """The texts that a module writes under a key; `None` for a failure or an empty one.

        Raises:
            Failed, Stop: as in `ask`.
        """
        answers = yield from self.ask(module, told)
        said = [Said(reply.value[key], agent.id) if reply.ok else None for agent, reply in answers]
        return [each if each and each.words else None for each in said] or [None] * len(told)
