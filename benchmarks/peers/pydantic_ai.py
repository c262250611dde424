"""Pydantic AI: an `Agent` each, on one model."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A model and its client that all share."""
    client = AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0)
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client))

    def make(name: str) -> Say:
        agent = Agent(model, name=name, instructions=INSTRUCTIONS, model_settings={"temperature": 1.0})

        async def say(prompt: str) -> str:
            return (await agent.run(prompt)).output

        return say

    return make


if __name__ == "__main__":
    main(agents, "pydantic-ai-slim", "openai")
