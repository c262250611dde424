"""Whether a child replaces its parent, decided on the examples that both have a score for: half of them, at least.

None is best: at 20 % good proposals the sign test holds what `strict` loses to noise, at 50 % `strict` wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import comb, fsum
from typing import Literal, TypeAlias

from swarmmind.optimizers.study import Evaluation

Rule: TypeAlias = Literal["always", "strict", "not-worse", "sign-test"]
Acceptance: TypeAlias = Callable[[Evaluation, Evaluation], bool]
"""Child and parent to whether the child replaces it."""

_ROUNDING = 1e-12


def acceptance(rule: Rule, alpha: float = 0.2) -> Acceptance:
    """The acceptance of this name; `alpha` is the level of the sign test."""
    if rule == "sign-test":
        return partial(paired_sign, alpha=alpha)
    return {"always": always, "strict": strict, "not-worse": not_worse}[rule]


def always(child: Evaluation, parent: Evaluation) -> bool:
    """Whatever was measured."""
    return True


def strict(child: Evaluation, parent: Evaluation) -> bool:
    """The child's sum is greater."""
    found = differences(child, parent)
    return _enough(found, child) and fsum(found) > _ROUNDING


def not_worse(child: Evaluation, parent: Evaluation) -> bool:
    """The child's sum is not smaller."""
    found = differences(child, parent)
    return _enough(found, child) and fsum(found) >= -_ROUNDING


def paired_sign(child: Evaluation, parent: Evaluation, alpha: float = 0.2) -> bool:
    """The child wins more examples than it loses, and so many would win by luck with probability `alpha` at most.

    One-sided sign test: ties say nothing.
    """
    found = differences(child, parent)
    wins, losses = sum(d > 0 for d in found), sum(d < 0 for d in found)
    n = wins + losses
    return _enough(found, child) and wins > losses and sum(comb(n, k) for k in range(wins, n + 1)) <= alpha * 2**n


def differences(child: Evaluation, parent: Evaluation) -> list[float]:
    """Child's score less parent's, on the examples that both have one for, in the child's order."""
    found: list[float] = []
    for example, score in child.scores.items():
        other = parent.scores.get(example)
        if score is not None and other is not None:
            found.append(score - other)
    return found


def _enough(found: Sequence[float], child: Evaluation) -> bool:
    """Whether they share half of the child's examples: where a server failed on most, the rest says too little."""
    return 2 * len(found) >= len(child.scores)
