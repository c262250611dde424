"""Triangulations; a module of its own because scipy's geometry is slow to import."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay

from swarmmind.topologies.graphs.kinds import Undirected, joined, mesh


def delaunay(n: int, seed: int) -> Undirected:
    """The Delaunay triangulation of n points that are uniform in the unit square; a mesh below 4 points."""
    if n < 4:
        return mesh(n)
    triangles = Delaunay(np.random.RandomState(seed).rand(n, 2)).simplices.tolist()
    sides = ((a, b) for one, two, three in triangles for a, b in ((one, two), (two, three), (three, one)))
    return joined(n, joined(n, sides).edges)
