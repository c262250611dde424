"""What an endpoint did for a run: for its result, its report and its warnings."""

from __future__ import annotations

import msgspec


class Served(msgspec.Struct, frozen=True):
    """One server, over one session of a run; `None` is unknown.

    Attributes:
        url: its base URL.
        answered: requests that it answered.
        rejections: how often it said 429 or 503.
        cuts: how often the limit was cut for it.
        limit: most requests in flight at the end.
        most_in_flight: the most that ever were.
        mean_in_flight: over the time in which there were any.
        queued_seconds: that requests waited on our side, all together.
        preemptions: how often the server threw a request out and began it anew.
        prompt_tokens: that its prompts had, by its own counters.
        cached_tokens: of these, what it had in its prefix cache.
        server: what it says of itself: version, flags, limits.
        warnings: what a person should know: a plateau, a restart, a cache that never hits.
    """

    url: str
    answered: int = 0
    rejections: int = 0
    cuts: int = 0
    limit: int = 0
    most_in_flight: int = 0
    mean_in_flight: float | None = None
    queued_seconds: float = 0.0
    preemptions: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    server: dict[str, str | int | float | None] = {}
    warnings: list[str] = []
