"""Microsoft's Agent Framework: an `Agent` each, without a session."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from agent_framework import Agent
from agent_framework.openai import OpenAIChatCompletionClient

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A chat client that all share."""
    client = OpenAIChatCompletionClient(model=MODEL, base_url=base_url, api_key=KEY)

    def make(name: str) -> Say:
        agent = Agent(client=client, instructions=INSTRUCTIONS, name=name, default_options={"temperature": 1.0})

        async def say(prompt: str) -> str:
            return (await agent.run(prompt)).text

        return say

    return make


if __name__ == "__main__":
    main(agents, "agent-framework-core", "openai")
