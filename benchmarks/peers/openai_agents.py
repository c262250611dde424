"""The OpenAI Agents SDK: an `Agent` each, run by `Runner`, without tracing."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from openai import AsyncOpenAI

from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A model and its client that all share."""
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0)
    model = OpenAIChatCompletionsModel(model=MODEL, openai_client=client)

    def make(name: str) -> Say:
        settings = ModelSettings(temperature=1.0)
        agent = Agent(name=name, instructions=INSTRUCTIONS, model=model, model_settings=settings)

        async def say(prompt: str) -> str:
            return (await Runner.run(agent, prompt)).final_output

        return say

    return make


if __name__ == "__main__":
    main(agents, "openai-agents", "openai")
