"""AutoGen: an `AssistantAgent` each, with a context of one message."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from autogen_agentchat.agents import AssistantAgent
from autogen_core.model_context import BufferedChatCompletionContext
from autogen_core.models import ModelFamily, ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A model client that all share."""
    info = ModelInfo(
        vision=False, function_calling=False, json_output=False, structured_output=False, family=ModelFamily.UNKNOWN
    )
    client = OpenAIChatCompletionClient(
        model=MODEL, base_url=base_url, api_key=KEY, model_info=info, temperature=1.0, max_retries=0
    )

    def make(name: str) -> Say:
        context = BufferedChatCompletionContext(buffer_size=1)
        agent = AssistantAgent(name, client, system_message=INSTRUCTIONS, model_context=context)

        async def say(prompt: str) -> str:
            return (await agent.run(task=prompt)).messages[-1].content

        return say

    return make


if __name__ == "__main__":
    main(agents, "autogen-agentchat", "autogen-ext", "openai")
