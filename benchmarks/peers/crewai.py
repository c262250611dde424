"""CrewAI: an `Agent` each, kicked off by itself."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from crewai import LLM, Agent
from crewai.events.event_listener import EventListener

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A model that all share; nothing is drawn on a terminal."""
    EventListener().formatter.verbose = False
    model = LLM(model=f"openai/{MODEL}", base_url=base_url, api_key=KEY, temperature=1.0)

    def make(name: str) -> Say:
        agent = Agent(role=name, goal="Solve the problem", backstory=INSTRUCTIONS, llm=model, verbose=False)

        async def say(prompt: str) -> str:
            return (await agent.akickoff(prompt)).raw

        return say

    return make


if __name__ == "__main__":
    main(agents, "crewai", "openai")
