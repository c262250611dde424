"""Rule-based agents for AgentsNet: exact distributed algorithms that send real messages, and floors.

The algorithms are textbook ones (spec section 6); each agent runs its own part and learns of others only what their
messages say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from swarmmind.effects import Agent
from swarmmind.evals.agentsnet.policies.coloring import FirstFit, Trial
from swarmmind.evals.agentsnet.policies.cover import Greedy, Luby
from swarmmind.evals.agentsnet.policies.floors import Chance, Silent
from swarmmind.evals.agentsnet.policies.matching import Pointing, Proposals
from swarmmind.evals.agentsnet.policies.order import by_hash, by_name
from swarmmind.evals.agentsnet.policies.player import Begun, Player
from swarmmind.evals.agentsnet.policies.spreading import Convention, Flood, Gather
from swarmmind.evals.agentsnet.problems import PROBLEMS
from swarmmind.ports import Policy


def _policy(name: str, summary: str, algorithms: Mapping[str, Begun]) -> Callable[[Agent], Policy]:
    def make(agent: Agent) -> Policy:
        return Player(name, algorithms, agent)

    make.__doc__ = summary
    return make


def _all(algorithm: Begun) -> dict[str, Begun]:
    return dict.fromkeys(PROBLEMS, algorithm)


_FIRST_FIT: dict[str, Begun] = {"coloring": lambda seen, salt: FirstFit(seen, by_name)}
_MIS: dict[str, Begun] = {"vertex_cover": lambda seen, salt: Greedy(seen, by_name)}
_MATCHING: dict[str, Begun] = {"matching": Pointing}
_FLOOD: dict[str, Begun] = {
    "leader_election": lambda seen, salt: Flood(seen),
    "consensus": lambda seen, salt: Convention(seen),
    "consensus-bits": lambda seen, salt: Flood(seen),
}
_HASHED: dict[str, Begun] = {
    "coloring": lambda seen, salt: FirstFit(seen, by_hash(salt)),
    "vertex_cover": lambda seen, salt: Greedy(seen, by_hash(salt)),
}

_TABLE: dict[str, tuple[str, Mapping[str, Begun]]] = {
    "agentsnet": (
        "AgentsNet by the best local algorithm of each problem: exact on all published graphs.",
        {**_FIRST_FIT, **_MIS, **_MATCHING, **_FLOOD},
    ),
    "agentsnet-gather": (
        "AgentsNet by telling everything to everybody: exact, with long messages.",
        _all(lambda seen, salt: Gather(seen)),
    ),
    "agentsnet-flood": ("AgentsNet's global problems by flooding the smallest name.", _FLOOD),
    "agentsnet-firstfit": ("AgentsNet's coloring by first-fit in the order of names.", _FIRST_FIT),
    "agentsnet-hashed": ("AgentsNet's coloring and cover in a hashed order of names.", _HASHED),
    "agentsnet-trial": ("AgentsNet's coloring by random trials.", {"coloring": lambda seen, salt: Trial(seen)}),
    "agentsnet-mis": ("AgentsNet's cover: all but a greedy independent set in the order of names.", _MIS),
    "agentsnet-luby": (
        "AgentsNet's cover: all but Luby's independent set.",
        {"vertex_cover": lambda seen, salt: Luby(seen)},
    ),
    "agentsnet-matching": ("AgentsNet's matching by mutual pointing in a hashed order of ties.", _MATCHING),
    "agentsnet-proposals": (
        "AgentsNet's matching by random proposals, which is slow.",
        {"matching": lambda seen, salt: Proposals(seen)},
    ),
    "agentsnet-random": ("AgentsNet's floor: says nothing and answers by lot.", _all(lambda seen, salt: Chance(seen))),
    "agentsnet-silent": (
        "AgentsNet's floor: says nothing and gives the first legal answer.",
        _all(lambda seen, salt: Silent(seen)),
    ),
}

POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType(
    {name: _policy(name, *about) for name, about in _TABLE.items()}
)
"""What a task's `model: builtin/...` may name."""
