"""Everybody answers and judges pairs of the others' answers; reputations weigh the verdicts (Fortytwo, 2510.24801)."""

from __future__ import annotations

from swarmmind.topologies.peer_ranking.ballots import Ballot, Duel, Verdict, draw
from swarmmind.topologies.peer_ranking.program import peer_ranking, peer_ranking_calls
from swarmmind.topologies.peer_ranking.reputation import Ranking, Reputation, Rule, recount
from swarmmind.topologies.society import Topology

__all__ = [
    "TOPOLOGY",
    "Ballot",
    "Duel",
    "Ranking",
    "Reputation",
    "Rule",
    "Verdict",
    "draw",
    "peer_ranking",
    "peer_ranking_calls",
    "recount",
]

TOPOLOGY = Topology(peer_ranking, peer_ranking_calls, whole=True, memory=False)
