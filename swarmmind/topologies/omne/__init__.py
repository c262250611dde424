"""OMNE (arXiv 2410.15665): agents that get better while they work, through a long-term memory they share.

The paper says what is remembered and that it helps (interactions become records, records become abstractions); how
often, by whom and for what is this project's reading, in the docstring of each function.
"""

from swarmmind.topologies.omne.program import omne
from swarmmind.topologies.society import Topology

__all__ = ["TOPOLOGY", "omne"]

TOPOLOGY = Topology(omne, whole=True)
