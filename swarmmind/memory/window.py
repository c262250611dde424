"""The last n turns, per scope: the plainest memory, and never unbounded."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from swarmmind.errors import UserError
from swarmmind.ports import Memory
from swarmmind.traces import ANYTHING, Query, Trace, Vector

_CHARS_PER_TOKEN = 4


class Window(Memory):
    """Remembers the last `messages` traces of each scope, turns and others, and shows no more than `tokens` tokens.

    Args:
        messages: how many traces are kept; 0 keeps none.
        tokens: cut from the oldest until at most so many are left, counted as characters / 4 (an estimate: a server's
            tokenizer is not asked), and never through a message; `None` is no such limit.

    Raises:
        UserError: a value is negative.
    """

    def __init__(self, messages: int = 20, tokens: int | None = 8000) -> None:
        for name, value in (("messages", messages), ("tokens", tokens)):
            if value is not None and value < 0:
                raise UserError(f"window: {name} must not be negative, got {value}")
        self.messages, self.tokens = messages, tokens
        self._scopes: dict[str, list[Trace]] = {}  # a deque of two takes 760 bytes

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        """Add a trace; the oldest one makes room."""
        if not self.messages:
            return
        traces = self._scopes.get(scope)
        if traces is None:
            self._scopes[scope] = [trace]
            return
        traces.append(trace)
        if len(traces) > self.messages:
            del traces[0]

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        """The window of a scope, oldest first, whatever the query."""
        traces = tuple(self._scopes.get(scope, ()))
        if self.tokens is None:
            return traces
        left = self.tokens
        for at in range(len(traces) - 1, -1, -1):
            left -= -(-len(traces[at].text) // _CHARS_PER_TOKEN)
            if left < 0:
                return traces[at + 1 :]
        return traces

    def snapshot(self) -> Any:
        """The traces of every scope, oldest first."""
        return {scope: msgspec.to_builtins(list(traces)) for scope, traces in sorted(self._scopes.items())}

    def fork(self) -> Window:
        """An independent copy."""
        copy = Window(self.messages, self.tokens)
        copy._scopes = {scope: traces.copy() for scope, traces in self._scopes.items()}
        return copy


def nothing() -> Window:
    """Remembers nothing."""
    return Window(messages=0)
