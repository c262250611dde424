"""A team's work as data: steps that read each other, which optimizers rewrite (SwarmAgentic, arXiv 2506.15672)."""

from swarmmind.topologies.society import Topology
from swarmmind.topologies.workflow.program import work, work_calls
from swarmmind.topologies.workflow.steps import GATES, Step, Workflow, gates, workflow

__all__ = ["GATES", "TOPOLOGY", "Step", "Workflow", "gates", "work", "work_calls", "workflow"]

TOPOLOGY = Topology(work, work_calls)
