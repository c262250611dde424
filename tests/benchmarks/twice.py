"""A driver of somebody who asks twice and tells of one call."""

from __future__ import annotations

from benchmarks.peers.aiohttp import agents
from benchmarks.peers.driver import Make, Say, main


def hasty(base_url: str) -> Make:
    """Raw aiohttp, twice."""
    make = agents(base_url)

    def twice(name: str) -> Say:
        ask = make(name)

        async def say(prompt: str) -> str:
            await ask(prompt)
            return await ask(prompt)

        return say

    return twice


if __name__ == "__main__":
    main(hasty, "aiohttp")
