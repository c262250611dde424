"""The nouns that travel between a coordination and the runtime: values only, no I/O.

A coordination is a generator. It yields effects and is sent their results:

    replies = yield [Ask(a, messages) for a in agents]        # all: results in the order asked
    done = yield AnyOf([...])                                 # any: at least one, of these and of those still pending
    done = yield Now([...])                                   # now: start these, take whatever is done
    replies = yield Quorum([...], share=0.9)                  # quorum: a share, or until a deadline

`AnyOf` and `Now` are answered with a list of `Delivery(effect, result)`; a list and `Quorum` with a list of results in
the order asked, where a straggler of a quorum is `None`. The journal records what was delivered at which yield, so all
four replay exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import msgspec

Role: TypeAlias = Literal["system", "user", "assistant"]


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation; stored once per content in the journal."""

    role: Role
    content: str


# --- what an Ask wants back -------------------------------------------------------------------------------------------


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Any text; the reply's `value` is the text itself."""


class Choice(msgspec.Struct, frozen=True, tag="choice", omit_defaults=True):
    """One of `options` (at least two, distinct); the reply's `value` is the option, verbatim.

    Attributes:
        options: what may be answered.
        logprobs: whether the reply should say how probable each option was (see `Reply.probabilities`).
    """

    options: tuple[str, ...]
    logprobs: bool = False


class Json(msgspec.Struct, frozen=True, tag="json"):
    """A JSON document that satisfies a JSON Schema; the reply's `value` is the parsed document."""

    name: str
    schema: dict[str, Any]


Output: TypeAlias = Text | Choice | Json
TEXT = Text()


class Sampling(msgspec.Struct, frozen=True):
    """Sampling parameters; all of them are always sent, never left to a server's default."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()


# --- who is asked -----------------------------------------------------------------------------------------------------


class Agent(msgspec.Struct, frozen=True):
    """One member of a population.

    Attributes:
        id: unique in its run, e.g. `worker-3`.
        role: the name of its role card, e.g. `worker`; coverage is counted per role.
        prompt: what its instructions are: a text, or what writes them for each agent when they are wanted, so that
            10,000 agents need not hold as many texts.
        model: the name under which the run knows its model.
        sampling: how it samples unless an `Ask` says otherwise.
        parameters: its own values, drawn from the population's distributions.
        index: its place in the population, from 0.
        priority: who is served first where places at an endpoint are short; lower is earlier.
    """

    id: str
    role: str
    prompt: str | Callable[[Agent], str] = ""
    model: str = ""
    sampling: Sampling = Sampling()
    parameters: dict[str, Any] = {}
    index: int = 0
    priority: int = 0

    @property
    def instructions(self) -> str:
        """The card's body, rendered: the system prompt."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt(self)


# --- what comes back --------------------------------------------------------------------------------------------------


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a reply cost. `None` is unknown, 0 is zero.

    Attributes:
        calls: requests that were sent for it, failed ones included.
        prompt_tokens: tokens read, cached ones included.
        cached_tokens: those of `prompt_tokens` that the server had in its prefix cache.
        completion_tokens: tokens written, reasoning included.
        cost_usd: money, by the run's prices.
    """

    calls: int = 0
    prompt_tokens: int | None = 0
    cached_tokens: int | None = 0
    completion_tokens: int | None = 0
    cost_usd: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        """The sum; unknown plus anything is unknown."""
        return Usage(
            self.calls + other.calls,
            _plus(self.prompt_tokens, other.prompt_tokens),
            _plus(self.cached_tokens, other.cached_tokens),
            _plus(self.completion_tokens, other.completion_tokens),
            _plus(self.cost_usd, other.cost_usd),
        )


def _plus(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a + b


FailureKind: TypeAlias = Literal[
    "timeout",  # no answer within the deadline
    "connection",  # refused, reset, closed early, half a body
    "busy",  # 429 or 503: the server asked us to come later, and too often
    "server",  # another 5xx, or a body that is not what the protocol says
    "refused",  # another 4xx: the request itself is wrong; never retried
    "unparsed",  # the model spoke, but not in the wanted output, n times
    "exception",  # a user's function raised
    "program",  # a nested coordination raised or was stopped before it had a value
    "memory",  # a coordination did not get what its memory needs: vectors, a store; a resumed run tries again
    "budget",  # not asked: a budget is spent
    "cancelled",  # not answered: dropped by a quorum, or the run ended first
]


class Failure(msgspec.Struct, frozen=True):
    """Why there is no answer; a value like any other. Never holds a key or a header."""

    kind: FailureKind
    message: str


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to an `Ask`: a value, or a failure.

    Attributes:
        text: what was said, verbatim; `None` if nothing was.
        value: `text` read as the wanted output; `None` on failure.
        failure: why there is no value; `None` on success.
        usage: what it cost, over all attempts.
        finish: the server's finish reason, e.g. `stop` or `length`.
        probabilities: how probable each option of a `Choice` was that asked for it: by option, in its order, with the
            sum 1; `None` if nobody asked, or the server did not say.

    It holds no timings: a program that could read them would not replay. The journal keeps them beside it.
    """

    text: str | None = None
    value: Any = None
    failure: Failure | None = None
    usage: Usage = Usage()
    finish: str | None = None
    probabilities: dict[str, float] | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.failure is None


class Later(msgspec.Struct, frozen=True):
    """A reply that is known now and arrives after a modelled latency on the run's clock."""

    reply: Reply
    seconds: float


class Outcome(msgspec.Struct, frozen=True):
    """What a nested program came to.

    Attributes:
        value: what it returned; `None` if it did not.
        failure: why it did not; `None` if it did.
        stopped: the limit (`calls`, `tokens`, `usd`, `seconds`) that ended it early, or `None`.
    """

    value: Any = None
    failure: Failure | None = None
    stopped: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the program returned a value (possibly a partial one: see `stopped`)."""
        return self.failure is None


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """A budget: each is a wall, `None` is no wall. Tokens are prompt plus completion tokens."""

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None


# --- effects ----------------------------------------------------------------------------------------------------------


class Ask(msgspec.Struct, frozen=True):
    """Ask an agent for an answer; the result is a `Reply`.

    Attributes:
        agent: who is asked.
        messages: what it is told, shared prefix first, private tail last.
        output: what it should answer with.
        sampling: overrides the agent's own.
        deadline_seconds: how long the answer may take, retries and queueing included.
        observation: the structured value that `messages` were rendered from, for agents that are programs; a language
            model never sees it, and it is not part of the journaled request.
    """

    result: ClassVar[Any] = Reply

    agent: Agent
    messages: tuple[Message, ...]
    output: Output = TEXT
    sampling: Sampling | None = None
    deadline_seconds: float | None = None
    observation: Any = None

    def label(self) -> str:
        """The last element of its key: the agent's id."""
        return self.agent.id


class Sleep(msgspec.Struct, frozen=True):
    """Let time pass on the run's clock; the result is `None`."""

    result: ClassVar[Any] = None

    seconds: float

    def label(self) -> str:
        """The last element of its key."""
        return "sleep"


class Record(msgspec.Struct, frozen=True):
    """Keep a fact about the run (a round's score, a map) for people and reports; done at once, the result is `None`.

    Attributes:
        name: the series it belongs to, e.g. `round`.
        data: JSON data; never prompts (these are journaled anyway).
    """

    result: ClassVar[Any] = None

    name: str
    data: Any

    def label(self) -> str:
        """The last element of its key."""
        return self.name


class Nested(msgspec.Struct, frozen=True):
    """Run another program as a part of this one; the result is an `Outcome`.

    Attributes:
        program: a function of a context that returns a generator.
        name: the last element of its key, below which its own effects are keyed.
        limits: its own purse, within its parent's; `None` shares the parent's.
        chance: what stands for its key in the names of its random streams: programs that share it share their random
            numbers, the seeds that models get included (common random numbers). Empty: chance of its own.
    """

    result: ClassVar[Any] = Outcome

    program: Callable[..., Program]
    name: str
    limits: Limits | None = None
    chance: str = ""

    def label(self) -> str:
        """The last element of its key."""
        return self.name


# --- the four kinds of awaiting (a list or tuple of effects is the first) ---------------------------------------------


class AnyOf(msgspec.Struct, frozen=True):
    """Start these and wait until at least one of all pending effects of this program is done.

    Answered with a list of `Delivery`, in the order of arrival; empty only if nothing is pending.

    Attributes:
        effects: what to start.
        places: where in the program each of `effects` stands, in place of the number of this yield: its key, and with
            it its seed, then does not depend on who finished first; used again for an equal label, it gets a number.
            `None`: they stand at this yield.
    """

    effects: Sequence[Any] = ()
    places: Sequence[str] | None = None


class Now(msgspec.Struct, frozen=True):
    """Start these and take whatever of this program's pending effects is done, without waiting for any."""

    effects: Sequence[Any] = ()


class Quorum(msgspec.Struct, frozen=True):
    """Start these and wait for a share of them, or until a deadline.

    Answered with results in the order asked, `None` for stragglers.

    Attributes:
        effects: what to start.
        share: of `effects`, in (0, 1], rounded up; failures count as arrived.
        deadline_seconds: on the run's clock; at the deadline whatever is there is delivered.
        late: stragglers are cancelled (`drop`) or stay pending for a later `AnyOf` or `Now` (`keep`).
    """

    effects: Sequence[Any]
    share: float = 1.0
    deadline_seconds: float | None = None
    late: Literal["drop", "keep"] = "drop"


class Pause(tuple[Any, ...]):
    """Nothing is asked for: others have their turn, if it is time for that; answered with `[]`.

    A program that computes for long yields `PAUSE` now and then. It has no number, so keys are the same without it.
    """


PAUSE = Pause()


class Delivery(NamedTuple):
    """One arrival of an `AnyOf` or `Now`: the very effect that was yielded, and its result."""

    effect: Any
    result: Any


Awaiting: TypeAlias = Sequence[Any] | AnyOf | Now | Quorum
Program: TypeAlias = Generator[Awaiting, Any, Any]

__all__ = [
    "PAUSE",
    "TEXT",
    "Agent",
    "AnyOf",
    "Ask",
    "Awaiting",
    "Choice",
    "Delivery",
    "Failure",
    "FailureKind",
    "Json",
    "Later",
    "Limits",
    "Message",
    "Nested",
    "Now",
    "Outcome",
    "Output",
    "Pause",
    "Program",
    "Quorum",
    "Record",
    "Reply",
    "Role",
    "Sampling",
    "Sleep",
    "Text",
    "Usage",
]
