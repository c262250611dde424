"""Code is tried behind walls with tight limits."""

from __future__ import annotations

import pytest

from swarmmind.evals.sandbox.handler import run_tests, trouble
from swarmmind.evals.sandbox.tests import Bounds, Ran, RunTests

TIGHT = Bounds(seconds=1, wall_seconds=60, memory_mb=256)
needs_walls = pytest.mark.skipif(bool(trouble("strong")), reason=f"no strong sandbox here: {trouble('strong')}")


def tried(code: str, *tests: str, entry: str = "", bounds: Bounds = TIGHT, without: tuple[str, ...] = ()) -> Ran:
    """What came of tests of code."""
    return run_tests(RunTests(code, tests, entry, bounds), without=without)
