"""The rules in the box against random agents and the paper's language models, on 20 seeds; random against itself."""

from __future__ import annotations

from statistics import mean

import anyio

import swarmmind

from .experiment import Experiment, interval


def run() -> Experiment:
    """Placeholder until the policies land."""
    raise NotImplementedError
