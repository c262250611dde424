"""Statistics of evals: means with intervals that cover, differences in pairs, what would show, verdicts, the table.

All of it is pure functions of numbers; scipy is imported when it is first used.
"""

from __future__ import annotations

from swarmmind.evals.statistics.differences import MARGIN, Side, difference, paired_difference
from swarmmind.evals.statistics.estimates import FEW_CLUSTERS, mean_interval
from swarmmind.evals.statistics.layout import Layout, Scores
from swarmmind.evals.statistics.layout import of as layout_of
from swarmmind.evals.statistics.moments import Clusters, Components, Moments, components, moments
from swarmmind.evals.statistics.power import detectable, seeds_needed
from swarmmind.evals.statistics.reliability import (
    design_effect,
    flip_rate,
    intraclass_correlation,
    pass_at,
    pass_at_k,
)
from swarmmind.evals.statistics.tabulate import tabulate
from swarmmind.evals.statistics.verdicts import Finding, verdict

__all__ = [
    "FEW_CLUSTERS",
    "MARGIN",
    "Clusters",
    "Components",
    "Finding",
    "Layout",
    "Moments",
    "Scores",
    "Side",
    "components",
    "design_effect",
    "detectable",
    "difference",
    "flip_rate",
    "intraclass_correlation",
    "layout_of",
    "mean_interval",
    "moments",
    "paired_difference",
    "pass_at",
    "pass_at_k",
    "seeds_needed",
    "tabulate",
    "verdict",
]
