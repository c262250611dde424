"""httpx by hand."""

from __future__ import annotations

import httpx

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A client that all share, with a pool as large as it is used."""
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    client = httpx.AsyncClient(base_url=base_url, limits=limits, headers={"Authorization": f"Bearer {KEY}"})

    def make(name: str) -> Say:
        system = {"role": "system", "content": INSTRUCTIONS}

        async def say(prompt: str) -> str:
            body = {"model": MODEL, "messages": [system, {"role": "user", "content": prompt}], "temperature": 1.0}
            response = await client.post("/chat/completions", json=body)
            return response.json()["choices"][0]["message"]["content"]

        return say

    return make


if __name__ == "__main__":
    main(agents, "httpx")
