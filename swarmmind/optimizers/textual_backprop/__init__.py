"""Textual backpropagation over layers of teams: Agentic Neural Networks, arXiv 2506.09046.

`program` is what a task may say, `descent` the loop, `layers` the backward pass, `momentum` and `editing` what becomes
of critiques, `aggregators` what learns which settings work. Other backward passes lie beside `layers`.
"""

from __future__ import annotations

from swarmmind.optimizers.study import Optimizer
from swarmmind.optimizers.textual_backprop.descent import KINDS
from swarmmind.optimizers.textual_backprop.program import textual_backprop, textual_backprop_most

OPTIMIZER = Optimizer(textual_backprop, textual_backprop_most, frozenset(KINDS))
