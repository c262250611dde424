"""The openai SDK by hand."""

from __future__ import annotations

from openai import AsyncOpenAI

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A client that all share."""
    return shared(AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0))


def shared(client: AsyncOpenAI) -> Make:
    """Agents that ask through this client."""

    def make(name: str) -> Say:
        async def say(prompt: str) -> str:
            completion = await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": prompt}],
                temperature=1.0,
            )
            return completion.choices[0].message.content or ""

        return say

    return make


if __name__ == "__main__":
    main(agents, "openai")
