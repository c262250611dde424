"""One agent's side of the exchange: its whole conversation, what reached it, and what went wrong."""

from __future__ import annotations

from swarmmind.effects import Message


class Seat:
    """A place in the network.

    Attributes:
        conversation: everything it was told and said, its unreadable replies included: a prompt, a reply, a prompt, ...
            Only ever appended to, except that two prompts without a reply between them (the agent's server failed)
            become one.
        answer: its final one; `None` while there is none.
        fallbacks: how often it was asked again.
        failed_json: how often messages could not be read even so.
        failed_answers: whether its final answer could not be read even so, 0 or 1.
        unanswered: how often nothing came at all; such a reply is not asked for again.
    """

    def __init__(self) -> None:
        self.conversation: list[Message] = []
        self.answer: str | None = None
        self.fallbacks = self.failed_json = self.failed_answers = self.unanswered = 0

    def told(self, text: str) -> None:
        """Add a prompt."""
        if self.conversation and self.conversation[-1].role == "user":
            text = f"{self.conversation[-1].content}\n\n{text}"
            self.conversation[-1] = Message("user", text)
        else:
            self.conversation.append(Message("user", text))

    def said(self, text: str) -> None:
        """Add a reply."""
        self.conversation.append(Message("assistant", text))
