"""The openai SDK by hand, on aiohttp instead of its own HTTP client."""

from __future__ import annotations

from openai import AsyncOpenAI, DefaultAioHttpClient

from benchmarks.peers.driver import KEY, Make, main
from benchmarks.peers.openai import shared


def agents(base_url: str) -> Make:
    """A client that all share."""
    return shared(AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0, http_client=DefaultAioHttpClient()))


if __name__ == "__main__":
    main(agents, "openai", "aiohttp")
