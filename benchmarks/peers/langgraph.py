"""LangGraph: an agent is a compiled graph whose one node calls the model."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from typing import Any

from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph

from benchmarks.peers.driver import INSTRUCTIONS, KEY, MODEL, Make, Say, main


def agents(base_url: str) -> Make:
    """A chat model that all share."""
    model = ChatOpenAI(model=MODEL, base_url=base_url, api_key=KEY, temperature=1.0, max_retries=0)
    system = {"role": "system", "content": INSTRUCTIONS}

    async def answer(state: Any) -> dict[str, Any]:
        return {"messages": [await model.ainvoke([system, *state["messages"]])]}

    def make(name: str) -> Say:
        graph = StateGraph(MessagesState)
        graph.add_node("answer", answer)
        graph.add_edge(START, "answer")
        graph.add_edge("answer", END)
        agent = graph.compile(name=name)

        async def say(prompt: str) -> str:
            state = await agent.ainvoke({"messages": [{"role": "user", "content": prompt}]})
            return state["messages"][-1].content

        return say

    return make


if __name__ == "__main__":
    main(agents, "langgraph", "langchain-openai", "openai")
