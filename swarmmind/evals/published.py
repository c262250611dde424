"""Published results by the name a suite gives (`eval.published`); the module of each is imported when it is used."""

from __future__ import annotations

from importlib import import_module

from swarmmind.evals.table import PublishedRow

PUBLISHED: dict[str, str] = {
    "agentsnet": "swarmmind.evals.agentsnet.published",
    "swarmbench": "swarmmind.evals.swarmbench.published",
    "swarmbench-noise": "swarmmind.evals.swarmbench.published_noise",
    "swarmbench-scalability": "swarmmind.evals.swarmbench.published_scalability",
}
"""The module whose `PUBLISHED_ROWS` holds them."""

BOARDS: dict[str, str] = {"swarmbench": "swarmmind.evals.swarmbench.leaderboard"}
"""By the same names, the module that prints a table as its paper does: `COLUMNS`, `leaderboard`, `as_markdown`."""


def published(name: str) -> list[PublishedRow]:
    """The rows, best first; columns are called as in the suite.

    Raises:
        KeyError: there are none of that name.
    """
    return import_module(PUBLISHED[name]).PUBLISHED_ROWS
