from __future__ import annotations

import pytest

from swarmmind.effects import Usage
from swarmmind.models.prices import FREE, Price, priced

PRICE = Price(input_usd=3.0, output_usd=15.0, cached_input_usd=0.3)


@pytest.mark.parametrize(
    ("usage", "price", "cost_usd"),
    [
        (Usage(1, 1_000_000, 0, 0), PRICE, 3.0),
        (Usage(1, 1_000_000, 1_000_000, 0), PRICE, 0.3),
        (Usage(1, 1_000_000, None, 100_000), PRICE, 4.5),
        (Usage(1, 1_000_000, 500_000, 0), Price(3.0, 15.0), 3.0),
        (Usage(1, None, None, 5), PRICE, None),
        (Usage(1, 5, 0, 5), None, None),
        (Usage(1, 5, 0, 5), FREE, 0.0),
        (Usage(1, 0, 0, 0), None, 0.0),
        (Usage(1, None, None, None), None, None),
    ],
)
def test_what_tokens_cost(usage: Usage, price: Price | None, cost_usd: float | None) -> None:
    assert priced(usage, price).cost_usd == (None if cost_usd is None else pytest.approx(cost_usd))
    assert priced(usage, price).prompt_tokens == usage.prompt_tokens
