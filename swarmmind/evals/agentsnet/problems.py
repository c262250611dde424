"""The problems: what is told, what is asked at the end, what may be answered, and when it is solved.

The first five are the original's. `consensus-bits` is harder: consensus alone is solved without a word by all who agree
to answer 0. Here every agent has an input bit, and the common answer must be the input of somebody. With probability
2/3 all have the same bit; else each has one by chance. Who solves it without messages must, for the sake of equal
inputs, always answer its own bit, and then fails on mixed ones: no convention without messages solves more than 2/3.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

from swarmmind.evals.agentsnet import scoring
from swarmmind.evals.agentsnet.instances import Instance
from swarmmind.evals.agentsnet.scoring import NOBODY, Rating

_EQUAL_INPUTS = 2 / 3
_BITS = ("0", "1")


class Problem(NamedTuple):
    """A problem.

    Attributes:
        task: what has to be done, in words; `{groups}` stands for how many groups there are.
        question: what is asked at the end.
        legal: what an agent, by its node, may answer, in the order in which the original tries them.
        rating: how far answers solve it.
        local: whether it has the short budget of rounds of small graphs.
        inputs: whether every agent has an input bit.
    """

    task: str
    question: str
    legal: Callable[[Instance, int], tuple[str, ...]]
    rating: Rating
    local: bool = False
    inputs: bool = False

    def rounds(self, instance: Instance) -> int:
        """How often messages are delivered, by the original's rule."""
        return instance.local_rounds() if self.local else instance.global_rounds()


def bits(agents: int, rng: random.Random) -> tuple[str, ...]:
    """Input bits: with probability 2/3 equal for all, else each by chance and not all equal."""
    if rng.random() < _EQUAL_INPUTS:
        return (rng.choice(_BITS),) * agents
    drawn = [rng.choice(_BITS) for _ in range(agents)]
    if len(set(drawn)) == 1:
        at = rng.randrange(agents)
        drawn[at] = _BITS[drawn[at] == _BITS[0]]
    return tuple(drawn)


def _groups(instance: Instance, node: int) -> tuple[str, ...]:
    return scoring.groups(instance)


def _yes_no(instance: Instance, node: int) -> tuple[str, ...]:
    return ("Yes", "No")


def _zero_one(instance: Instance, node: int) -> tuple[str, ...]:
    return _BITS


def _partners(instance: Instance, node: int) -> tuple[str, ...]:
    return (*instance.names_near(node), NOBODY)


PROBLEMS: MappingProxyType[str, Problem] = MappingProxyType(
    {
        "coloring": Problem(
            task="Divide all agents into groups so that no two neighbors are in the same group. There are {groups} "
            "groups, Group 1 to Group {groups}; each agent picks one that none of its neighbors picks.",
            question="Which group are you in?",
            legal=_groups,
            rating=scoring.coloring,
            local=True,
        ),
        "vertex_cover": Problem(
            task="Choose coordinators so that of any two agents who can talk to each other at least one is a "
            "coordinator. Do without needless ones: every coordinator must have a neighbor who is none.",
            question="Are you a coordinator?",
            legal=_yes_no,
            rating=scoring.vertex_cover,
            local=True,
        ),
        "matching": Problem(
            task="Form pairs of agents who can talk to each other. Nobody is in two pairs, and both of a pair must "
            f"name each other. Say {NOBODY} only if every neighbor of yours is in a pair with somebody else.",
            question="Who is your partner?",
            legal=_partners,
            rating=scoring.matching,
            local=True,
        ),
        "leader_election": Problem(
            task="Elect one leader among all agents: in the end exactly one agent says Yes and all others say No.",
            question="Are you the leader?",
            legal=_yes_no,
            rating=scoring.leader_election,
        ),
        "consensus": Problem(
            task="Agree on a value: in the end all agents must decide on the same one, either 0 or 1.",
            question="Which value did you decide on?",
            legal=_zero_one,
            rating=scoring.consensus,
        ),
        "consensus-bits": Problem(
            task="Agree on a value: every agent has an input, 0 or 1, that only it knows. In the end all agents must "
            "decide on the same value, and that must be the input of at least one of them.",
            question="Which value did you decide on?",
            legal=_zero_one,
            rating=scoring.consensus_bits,
            inputs=True,
        ),
    }
)
