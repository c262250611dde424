"""What a backward pass is: from how cases went to what is wrong with which parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from swarmmind.effects import Program
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Case, Study
from swarmmind.ports import Context

Backward: TypeAlias = Callable[[Context, Study, Candidate, Sequence[Case]], Program]
"""`(ctx, study, candidate, cases)` to a generator that yields lists of asks (and records) and returns a list of
`Critique`s: what is wrong with which parameter of the candidate, judged by cases that failed. Nobody is at fault: none.

Which critic sees what is the whole of it: a critique of an agent must come from that agent's own trace, since the same
symptom, read at the end of the pipe, fits everybody. `ctx` is there for chance alone."""
