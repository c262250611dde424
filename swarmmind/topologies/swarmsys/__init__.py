"""SwarmSys: explorers, workers and validators whose allocation learns from verdicts (arXiv 2510.10047)."""

from swarmmind.topologies.society import Topology
from swarmmind.topologies.swarmsys.loop import swarmsys
from swarmmind.topologies.swarmsys.profiles import Learning, Profiles

__all__ = ["TOPOLOGY", "Learning", "Profiles", "swarmsys"]

TOPOLOGY = Topology(swarmsys)
