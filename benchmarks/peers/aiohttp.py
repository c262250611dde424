"""aiohttp by hand: what a call costs at least."""

from __future__ import annotations

import json

import aiohttp

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A session that all share."""
    headers = {"Authorization": f"Bearer {KEY}"}
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers)
    url = f"{base_url}/chat/completions"

    def make(name: str) -> Say:
        system = {"role": "system", "content": INSTRUCTIONS}

        async def say(prompt: str) -> str:
            body = {"model": MODEL, "messages": [system, {"role": "user", "content": prompt}], "temperature": 1.0}
            async with session.post(url, json=body) as response:
                return json.loads(await response.read())["choices"][0]["message"]["content"]

        return say

    return make


if __name__ == "__main__":
    main(agents, "aiohttp")
