"""The seams of the house: what a part must promise so that the runtime can drive it. Prose is contract.

A part satisfies a Protocol; it inherits nothing and registers nowhere. `swarmmind.testing` holds a conformance check
for each port, and every part in the box passes it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from swarmmind.effects import Agent, Later, Message, Output, Reply, Sampling, Usage
from swarmmind.rng import Stage
from swarmmind.traces import ANYTHING, Change, Embedding, Item, Query, Trace, Vector


class Context(Protocol):
    """What a program is given: its place in the run, and chance. No clock, no I/O."""

    @property
    def path(self) -> str:
        """Its key, e.g. `run/7/debate`."""
        ...

    def rng(self, name: str) -> random.Random:
        """The start of the named random stream of this place; equal names give equal sequences."""
        ...


# --- models -----------------------------------------------------------------------------------------------------------


class Request(NamedTuple):
    """What a model is asked: everything that shapes the answer, and for programs the observation."""

    agent: Agent
    messages: tuple[Message, ...]
    output: Output
    sampling: Sampling
    seed: int
    observation: Any = None


class Call(Protocol):
    """One effect in flight, as a model sees it."""

    @property
    def key(self) -> str:
        """The effect's path in the program."""
        ...

    @property
    def stage(self) -> Stage:
        """What its chance belongs to, and what a model that remembers keeps of its agent: usually the whole run."""
        ...

    @property
    def deadline(self) -> float | None:
        """When it must be over, on the run's clock (seconds); `None` is never."""
        ...

    def rng(self, name: str = "") -> random.Random:
        """Chance that belongs to this effect alone."""
        ...

    def now(self) -> float:
        """The run's clock, in seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on the run's clock (backoff)."""
        ...

    def queued(self, seconds: float) -> None:
        """Add to the time that this effect spent waiting for a place at an endpoint."""
        ...

    def try_reserve(self, worst: Usage) -> bool:
        """Set the worst case of one request aside in the purse; every attempt reserves and settles for itself.

        Returns:
            Whether it was set aside; `False`: not beside what is in flight now, but perhaps when that is settled.

        Raises:
            Spent: the budget can never pay for it.
        """
        ...

    async def reserve(self, worst: Usage) -> None:
        """Like `try_reserve`, waiting for calls in flight to be settled where that may help.

        Raises:
            Spent: the budget can never pay for it.
        """
        ...

    def settle(self, worst: Usage, actual: Usage) -> None:
        """Give a reservation back and charge what the request cost; what `actual` does not know costs the worst."""
        ...

    def after_kept(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the loop once this effect's reply is durable, or the effect is over without one.

        A place at an endpoint is given back here, so that the calls a kill can lose never outnumber the places.
        """
        ...


class Model(Protocol):
    """Answers requests with text. What may happen to a call is a `Reply` with `failure` set, not an exception.

    A model fills `text`, `usage`, `finish` or `failure`; reading the text as the wanted output is done above it.
    """

    @property
    def stateful(self) -> bool:
        """Whether answers depend on earlier answers to the same agent.

        Such a model is asked again while a run is replayed, so that it remembers; it must be free and deterministic.
        """
        ...

    def answer(self, request: Request, call: Call) -> Reply | Later | Awaitable[Reply]:
        """The reply: at once, after a modelled latency, or after I/O.

        Raises:
            Spent: the budget cannot pay for the request; it was not sent.
        """
        ...

    async def close(self) -> None:
        """Give connections back; nothing is in flight any more."""
        ...


class Policy(Protocol):
    """A rule-based agent: one instance per agent, which may remember; the same observations give the same texts."""

    def __call__(self, observation: Any, rng: random.Random) -> str:
        """The text of the reply to an observation; `rng` is this agent's own stream."""
        ...


class HttpResponse(NamedTuple):
    """What came back over the wire, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportError(Exception):
    """No whole response came: `kind` is `timeout` or `connection`. The message holds no header and no key."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class Transport(Protocol):
    """Carries bytes to one endpoint over one pool of kept-alive connections; knows nothing of models or retries."""

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        """Post JSON to `path` below the base URL.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, or the connection failed.
        """
        ...

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        """Get what is beside the API: `path` below the server's root, e.g. `metrics` or `health`.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, or the connection failed.
        """
        ...

    async def close(self) -> None:
        """Close the pool; nothing is in flight any more."""
        ...


# --- worlds -----------------------------------------------------------------------------------------------------------


class Turn(NamedTuple):
    """What one agent is told in one round of an environment.

    Attributes:
        messages: the prompt: first what all agents share, byte for byte, last what is this agent's alone.
        observation: the structured value the prompt was rendered from, for policies.
        output: what the agent should answer with.
    """

    messages: tuple[Message, ...]
    observation: Any
    output: Output


class Environment(Protocol):
    """A world that agents act in, in rounds, all at once. Deterministic given its seed and the replies."""

    @property
    def agents(self) -> Sequence[str]:
        """Names of all agents in the world's own order; the i-th agent of the population plays the i-th name."""
        ...

    def reset(self, seed: int) -> None:
        """Begin anew; everything that follows depends on the seed and the replies alone."""
        ...

    def turns(self) -> dict[str, Turn]:
        """What each agent that still acts is told now, in the world's order; reading it changes nothing."""
        ...

    def step(self, replies: Mapping[str, Reply | None]) -> None:
        """Apply one reply per acting agent (`None` or a failed one is no action) and move on by one round."""
        ...

    @property
    def done(self) -> bool:
        """Whether no further round will be played."""
        ...

    @property
    def rounds(self) -> int:
        """How many rounds are played at most."""
        ...

    @property
    def score(self) -> float:
        """The score so far, in the world's own units; higher is better."""
        ...

    def frame(self) -> dict[str, Any]:
        """The state for people: JSON with at least `round` and `score`; `grid` (a list of strings) if there is one."""
        ...

    def metrics(self) -> dict[str, float]:
        """Named measurements over the rounds so far."""
        ...


# --- memory, scores ---------------------------------------------------------------------------------------------------


class Memory(Protocol):
    """State that agents read through a scope and that may fade. Pure: equal calls in equal order give equal states.

    A scope is an agent's id (private memory) or a name shared by several; a memory that is shared has one scope, which
    every name stands for. A memory keeps what it is for and ignores the rest: prompts (`kind == "user"`) are for
    windows alone. It is never unbounded, and no author can take up more of what is shared than the memory's cap.

    Only `deposit`, `sense` and `fork` must be written; whoever inherits gets the others.
    """

    @property
    def embeds(self) -> bool:
        """Whether deposits and queries should come with vectors; without one they are found by strength and age."""
        return False

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        """Leave a trace in a scope, with its vector if the memory embeds."""
        ...

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        """What the scope shows now, bounded in number and tokens; reading changes nothing.

        Turns come oldest first, everything else the most relevant first.

        Args:
            scope: where to look.
            query: what for.
            rng: chance, for memories that are read with noise; without it reading is exact.
        """
        ...

    def reinforce(self, scope: str, key: str, factor: float) -> None:
        """A verdict on everything about `key`: above 1 strengthens it, below 1 weakens it, within the bounds."""

    def tick(self) -> None:
        """One round has passed: let what fades, fade."""

    def levels(self) -> dict[str, float]:
        """For people: what is strongest now and how strong, at most 32; empty if nothing here fades."""
        return {}

    def snapshot(self) -> Any:
        """The whole state as JSON data, vectors aside: equal memories have equal snapshots."""
        return None

    def stores(self) -> Sequence[Durable]:
        """Those parts of it that outlive the run."""
        return ()

    def fork(self) -> Memory:
        """An independent copy; what is done to it never touches this one."""
        ...


class Durable(Protocol):
    """A memory that outlives the run: it is loaded before the run uses it, and its changes are taken and persisted."""

    @property
    def store(self) -> str:
        """The store's path, as the task says it."""
        ...

    @property
    def loaded(self) -> bool:
        """Whether it was given its items; a fork of one that was is loaded too, and is not loaded again."""
        ...

    def load(self, items: Sequence[Item]) -> None:
        """Begin with these items."""
        ...

    def changes(self) -> tuple[Change, ...]:
        """What changed since this was last asked, in order; each change is given once."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors of unit length. What may happen to a request is an `Embedding` with `failure` set."""

    @property
    def name(self) -> str:
        """Which vectors these are: equal names give equal vectors for equal texts."""
        ...

    def embed(self, texts: Sequence[str], call: Call) -> Embedding | Awaitable[Embedding]:
        """The vectors of the texts, in their order: at once, or after I/O.

        Raises:
            Spent: the budget cannot pay for it; nothing was sent.
        """
        ...

    async def close(self) -> None:
        """Give connections back; nothing is in flight any more."""
        ...


class Scorer(Protocol):
    """Output and target to a score in [0, 1]; higher is better; never by the author of the output."""

    def __call__(self, output: Any, target: Any) -> float:
        """The score; an output that cannot be read scores 0."""
        ...
