"""Who hears whom and when: one short generator per file, and the number of calls it will make."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from swarmmind.effects import Program
from swarmmind.topologies.debate import debate, debate_calls
from swarmmind.topologies.omne import omne
from swarmmind.topologies.sapo import sapo, sapo_calls
from swarmmind.topologies.society import Lesson, Policy, Question, Society
from swarmmind.topologies.solo import solo, solo_calls
from swarmmind.topologies.swarmsys import swarmsys
from swarmmind.topologies.vote import vote, vote_calls
from swarmmind.topologies.world import world, world_calls


class Topology(NamedTuple):
    """A coordination with its price.

    Attributes:
        program: `(ctx, society, **parameters)` to the generator.
        calls: `(society, **parameters)` to the number of calls of a run without failures; `None` if nobody knows.
        whole: whether it takes a data set whole (`society.lessons`) and returns an output per problem, rather than
            being run once per problem.
    """

    program: Callable[..., Program]
    calls: Callable[..., int] | None = None
    whole: bool = False


TOPOLOGIES: dict[str, Topology] = {
    "debate": Topology(debate, debate_calls),
    "omne": Topology(omne, whole=True),
    "sapo": Topology(sapo, sapo_calls, whole=True),
    "solo": Topology(solo, solo_calls),
    "swarmsys": Topology(swarmsys),
    "vote": Topology(vote, vote_calls),
    "world": Topology(world, world_calls),
}
"""The short names that a topology part's `use:` may give."""

__all__ = ["TOPOLOGIES", "Lesson", "Policy", "Question", "Society", "Topology"]
