"""A team's work as data: steps that read each other, which optimizers rewrite (SwarmAgentic, arXiv 2506.15672)."""

from swarmmind.topologies.workflow.steps import GATES, Step, Workflow, gates, workflow

__all__ = ["GATES", "Step", "Workflow", "gates", "workflow"]
