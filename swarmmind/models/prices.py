"""What tokens cost. An unknown price makes money unknown, never zero."""

from __future__ import annotations

import msgspec

from swarmmind.effects import Usage

_MILLION = 1_000_000


class Price(msgspec.Struct, frozen=True):
    """US dollars per million tokens.

    Attributes:
        input_usd: per million prompt tokens.
        output_usd: per million completion tokens, reasoning included.
        cached_input_usd: per million prompt tokens that were in the prefix cache; `None`: no discount.
    """

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None

    def cost_usd(self, usage: Usage) -> float | None:
        """The cost of a request; `None` if its prompt or completion tokens are unknown.

        Unknown cached tokens count as none: the price that is never too low.
        """
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
        cached_usd = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        fresh = (usage.prompt_tokens - cached) * self.input_usd
        return (fresh + cached * cached_usd + usage.completion_tokens * self.output_usd) / _MILLION


FREE = Price(0.0, 0.0)


def priced(usage: Usage, price: Price | None) -> Usage:
    """`usage` with its cost: `None` if there is no price or the tokens are unknown; nothing sent costs nothing."""
    cost_usd = None if price is None else price.cost_usd(usage)
    if cost_usd is None and not usage.prompt_tokens and not usage.completion_tokens and _known(usage):
        cost_usd = 0.0
    return Usage(usage.calls, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, cost_usd)


def _known(usage: Usage) -> bool:
    return usage.prompt_tokens is not None and usage.completion_tokens is not None
