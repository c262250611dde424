"""The stage for programs that `swarmmind.testing` ships, and short words for what is played on it."""

from __future__ import annotations

from typing import Any

from swarmmind.effects import Agent, Ask, Message
from swarmmind.testing.play import MODEL, Played, echo, play

__all__ = ["Played", "agent", "ask", "echo", "play"]


def agent(name: str, role: str = "worker") -> Agent:
    return Agent(name, role, model=MODEL)


def ask(name: str, text: str = "?", **more: Any) -> Ask:
    return Ask(agent(name), (Message("user", text),), **more)
