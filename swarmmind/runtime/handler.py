"""Who executes effects, and what is said of those that were not executed."""

from __future__ import annotations

from typing import Any, Protocol

from swarmmind.effects import Failure, Outcome, Reply
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.meter import Meter

CANCELLED = Reply(failure=Failure("cancelled", "not waited for"))


class Handler(Protocol):
    """Executes effects of one type. Knows nothing of programs, the journal or other effects.

    One with an attribute `at_once` has no more than so many of them under way; the others wait.
    """

    def __call__(self, effect: Any, flight: Flight, /) -> Any:
        """The result; or a `Later`; or an awaitable of the result; or a `Nested` whose outcome becomes the result.

        Raises:
            Spent: a budget cannot pay for it.
        """
        ...

    def replayed(self, effect: Any, flight: Flight, result: Any, /) -> None:
        """The result came from the journal: remember what a live execution would have left behind."""
        ...

    def read(self, effect: Any, outcome: Outcome, meter: Meter | None, /) -> Any:
        """The result of an effect that a nested program answered; `meter` is what that asked, of one that is kept."""
        ...


def is_kept(effect: Any) -> bool:
    """Whether an effect's result is journaled although a program makes it: a replay does not run that again."""
    return getattr(type(effect), "kept", False)


def timed_out(reply: Reply) -> Reply:
    """A reply that would have come after its deadline."""
    return Reply(failure=Failure("timeout", "no answer within the deadline"), usage=reply.usage)


def refusal(effect: Any, limit: str) -> Any:
    """The result of an effect that was not executed for lack of budget."""
    failure = Failure("budget", f"not asked: no {limit} left")
    kind = type(effect).result
    return Outcome(failure=failure, stopped=limit) if kind in (None, Outcome) else kind(failure=failure)


def is_refused(result: Any) -> bool:
    """Whether a result says that a budget ended it."""
    if isinstance(result, Outcome):
        return result.stopped is not None
    failure = getattr(result, "failure", None)
    return failure is not None and failure.kind == "budget"


def never_made(result: Any) -> bool:
    """Whether a result is not journaled, so that a resumed run tries again: an ask that was not made or not waited for,
    any failure of what memory needs, and what a program came to, for what it asked is journaled itself.
    """
    if isinstance(result, Outcome):
        return True
    failure = getattr(result, "failure", None)
    if failure is None:
        return False
    return not isinstance(result, Reply) or failure.kind in ("cancelled", "budget")
