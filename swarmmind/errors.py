"""Everything that can go wrong, as one tree.

    SwarmMindError
    ├── UserError              the user's mistake: one line, exit code 2, never a traceback
    │   ├── SpecError          a task file, card or part is wrong; carries file:line:column
    │   ├── MissingExtra       an optional package is not installed; names the extra
    │   └── RunError           a run's folder cannot be used (unknown, locked, damaged, changed)
    ├── Diverged               a replayed program asked something else than the journal holds
    ├── ServerLost             a server that was started for a run does not come up, or crashes again and again
    ├── JournalError           the journal could not be written (disk full, file gone)
    ├── Spent                  raised to whoever wants to send when a purse cannot pay for it
    ├── Failed                 raised BY a program whose failure policy says so; a value to its parent
    └── Stop                   thrown INTO a program when its budget is a wall it has reached

A model that fails is not here: a failure of an agent is a value (`effects.Failure`), never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal


class SwarmMindError(Exception):
    """The root of all errors raised on purpose."""


class UserError(SwarmMindError):
    """The user's mistake: the message is one line that says what was expected, what was found and what to do."""


class SpecError(UserError):
    """A task file, role card or part is wrong at a place.

    The message reads `file:line:column: path: what was expected, what was found`. Line and column count from 1.
    """

    def __init__(self, message: str, *, file: str = "", line: int = 0, column: int = 0) -> None:
        self.file, self.line, self.column = file, line, column
        place = f"{file}:{line}:{column}: " if file and line else f"{file}: " if file else ""
        super().__init__(place + message)


class MissingExtra(UserError):
    """A feature needs an optional package.

    `MissingExtra("the httpx transport", "httpx")` reads: the httpx transport needs an extra: pip install
    'swarmmind[httpx]'.
    """

    def __init__(self, feature: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{feature} needs an optional package: pip install 'swarmmind[{extra}]'")


class RunError(UserError):
    """A run's folder cannot be used: it does not exist, is running elsewhere, is damaged, or its task changed."""


class Diverged(SwarmMindError):
    """A replayed program asked something else, under the same key, than the journal holds.

    Cause: the task, its code or a library changed since the run was started, or a coordination is not a function
    of its seed and its replies (it reads a clock, global chance or the order of a set).
    """


class ServerLost(SwarmMindError):
    """A server that was started for a run does not come up, or crashes again and again; the run can be resumed."""


class JournalError(SwarmMindError):
    """The journal could not be written; the run stops rather than go on unrecorded."""


class Spent(SwarmMindError):
    """A purse cannot pay for a call. `limit` says which of `calls`, `tokens`, `usd` or `seconds` is out."""

    def __init__(self, limit: str) -> None:
        self.limit = limit
        super().__init__(f"budget: no {limit} left")


class Failed(SwarmMindError):
    """Raised by a program that cannot give a value, e.g. because an agent failed under the policy `fail`.

    A parent program receives it as an `Outcome` with a failure of this kind; at the root the run is `failed`.
    Any other exception of a program is a bug and keeps its traceback.

    Attributes:
        kind: `program`, or `memory` if an embedder or a store failed. That is not journaled, so a swarm that stands
            for an agent is then no answer that its program could go on with: that program fails as well.
    """

    def __init__(self, message: str, kind: Literal["program", "memory"] = "program") -> None:
        self.kind: Literal["program", "memory"] = kind
        super().__init__(message)


class Stop(SwarmMindError):
    """Thrown into a program at its `yield` when its budget is spent.

    Attributes:
        limit: which limit was reached: `calls`, `tokens`, `usd` or `seconds`.
        results: what the yield would have returned; asks that were not made hold a `Reply` whose failure has kind
            `budget`.

    A program may catch it and return the best it has; what it yields afterwards is refused in the same way.
    """

    def __init__(self, limit: str, results: Sequence[Any] = ()) -> None:
        self.limit, self.results = limit, results
        super().__init__(f"budget: no {limit} left")


def near(word: str, known: Sequence[str]) -> str:
    """A hint for an unknown name: `; did you mean 'debate'?`, or the known names if none is near."""
    close = get_close_matches(word, known, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; known: {', '.join(sorted(known))}" if known else ""
