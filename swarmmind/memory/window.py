"""The last n entries, per scope: the plainest memory, and never unbounded."""

from __future__ import annotations

import random
from collections import deque

from swarmmind.effects import Message
from swarmmind.errors import UserError


class Window:
    """Remembers the last `messages` entries of each scope, and no more than `tokens` tokens of them.

    Args:
        messages: how many entries are kept; 0 keeps none.
        tokens: cut from the oldest until at most so many are left, counted as characters / 4 (an estimate: a server's
            tokenizer is not asked); `None` is no such limit.

    Raises:
        UserError: a value is negative.
    """

    def __init__(self, messages: int = 20, tokens: int | None = None) -> None:
        if messages < 0 or (tokens is not None and tokens < 0):
            raise UserError(f"window: messages and tokens must not be negative, got {messages} and {tokens}")
        self.messages, self.tokens = messages, tokens
        self._scopes: dict[str, deque[Message]] = {}

    def deposit(self, scope: str, entry: Message) -> None:
        """Add an entry; the oldest one makes room."""
        entries = self._scopes.get(scope)
        if entries is None:
            entries = self._scopes[scope] = deque(maxlen=self.messages)
        entries.append(entry)

    def sense(self, scope: str, query: str = "", rng: random.Random | None = None) -> tuple[Message, ...]:
        """The window of a scope, oldest first, whatever the query."""
        entries = tuple(self._scopes.get(scope, ()))
        if self.tokens is None:
            return entries
        left = self.tokens
        for at in range(len(entries) - 1, -1, -1):
            left -= -(-len(entries[at].content) // 4)
            if left < 0:
                return entries[at + 1 :]
        return entries

    def tick(self) -> None:
        """Nothing fades by time."""

    def fork(self) -> Window:
        """An independent copy."""
        copy = Window(self.messages, self.tokens)
        copy._scopes = {scope: entries.copy() for scope, entries in self._scopes.items()}
        return copy


def nothing() -> Window:
    """Remembers nothing."""
    return Window(messages=0)
