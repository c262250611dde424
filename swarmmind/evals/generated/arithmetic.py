"""The arithmetic of multi-agent debate (Du et al. 2023, arXiv 2305.14325): `What is 3+14*7+20-9*11?`."""

from __future__ import annotations

from swarmmind.evals.datasets import Dataset, Item
from swarmmind.evals.generated.sizes import drawing
from swarmmind.evals.scorers import number

LARGEST = 29


def arithmetic(size: int = 100, seed: int = 0) -> Dataset:
    """Expressions a+b*c+d-e*f of whole numbers from 0 to 29, as in multi-agent debate; exactly scored.

    The paper draws 100. Its repository gives no number of what models come to.

    Args:
        size: how many.
        seed: of their numbers; a larger `size` begins with the same.

    Raises:
        UserError: the size is below 1.
    """
    rng = drawing("arithmetic", size, seed)
    items: list[Item] = []
    for _ in range(size):
        a, b, c, d, e, f = (rng.randint(0, LARGEST) for _ in range(6))
        items.append(Item(f"What is {a}+{b}*{c}+{d}-{e}*{f}?", str(a + b * c + d - e * f)))
    return Dataset(items, number())
