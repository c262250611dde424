"""MAP-Elites (Mouret and Clune, arXiv 1504.04909): the best candidate of each kind of behavior, not one best of all.

Kinds are cells of a grid over what is measured of runs (`archives.grid`). Each round some elites become parents, their
children are made by chance or by an editor (`variation`) and evaluated at once, and each challenges whoever holds the
cell that its own runs came to; what an editor aimed at or claims counts for nothing.
"""

from __future__ import annotations

from swarmmind.optimizers.map_elites.program import OPTIMIZER, map_elites, map_elites_most

__all__ = ["OPTIMIZER", "map_elites", "map_elites_most"]
