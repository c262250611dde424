"""Momentum of critiques: what comes back is acted upon, what was said once is not (arXiv 2506.09046, section 3.3).

The paper blends a critique with the ones before it in words. Here critiques are counted, which can be tested.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarmmind.errors import UserError
from swarmmind.optimizers.requests import Critique


class Momentum:
    """Weights of critiques by what they are about: `w <- a w + (1 - a) [it is said now]`.

    Args:
        share: `a`, what is kept of a weight in a step; 0 lets everything pass.
        persistence: `K`: a critique is acted upon once its weight is `K (1 - a)`, that is, once it has come back
            within a few steps; its weight is then 0 again.

    Raises:
        UserError: no critique could ever get there.
    """

    def __init__(self, share: float, persistence: float) -> None:
        if share and persistence * (1 - share) >= 1:
            most = f"{1 / (1 - share):.4g}"
            raise UserError(f"persistence: must be less than 1 / (1 - momentum) = {most}, got {persistence}")
        self._share, self._threshold = share, persistence * (1 - share)
        self._weights: dict[tuple[str, ...], float] = {}

    def filter(self, said: Sequence[Critique]) -> list[Critique]:
        """What is to be acted upon of what is said now: for each parameter its weightiest critique, if it has come
        back; all wordings of it.
        """
        if not self._share:
            return list(said)
        now = {_key(one): one.parameter for one in said}
        for key in {**self._weights, **now}:
            self._weights[key] = self._share * self._weights.get(key, 0.0) + (1 - self._share) * (key in now)
        top: dict[str, tuple[str, ...]] = {}
        for key, parameter in now.items():
            if parameter not in top or self._weights[key] > self._weights[top[parameter]]:
                top[parameter] = key
        ready = [key for key in top.values() if self._weights[key] >= self._threshold]
        self._weights.update(dict.fromkeys(ready, 0.0))
        return [one for one in said if _key(one) in ready]


def _key(critique: Critique) -> tuple[str, ...]:
    """What it is about; letters' case and blanks mean nothing."""
    return (critique.parameter, *(" ".join(part.casefold().split()) for part in critique.key[1:]))
