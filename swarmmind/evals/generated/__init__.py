"""Data sets that are made here, exactly scored, each with a solver in its tests: no download, no judge."""

from __future__ import annotations
