"""Agno: an `Agent` each, on one model, without telemetry."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from agno.agent import Agent
from agno.models.openai import OpenAIChat

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A model and its client that all share."""
    model = OpenAIChat(id=MODEL, base_url=base_url, api_key=KEY, temperature=1.0, max_retries=0)

    def make(name: str) -> Say:
        agent = Agent(name=name, model=model, instructions=INSTRUCTIONS, telemetry=False)

        async def say(prompt: str) -> str:
            return (await agent.arun(prompt)).content

        return say

    return make


if __name__ == "__main__":
    main(agents, "agno", "openai")
