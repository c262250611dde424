"""What a swarm did on one example, seen from outside: every answer, whom it heard, what it took.

Any program can be watched: what it asks, and what swarms within it ask, passes through unchanged. Whom a prompt heard
is read from its quotations (`agents.prompts`), so no topology need declare it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from swarmmind.effects import PAUSE, AnyOf, Ask, Delivery, Nested, Now, Program, Quorum, Reply, Usage
from swarmmind.errors import Stop
from swarmmind.optimizers.hearing import Past
from swarmmind.optimizers.study import Step
from swarmmind.ports import Context


class Exchange(NamedTuple):
    """An ask with its reply.

    Attributes:
        ask: who was asked what.
        reply: what came of it.
        there: how many exchanges there were when it was asked: no later one can have been heard.
        strand: which part of the program asked, of those that do not wait for each other (see `AnyOf.places`).
    """

    ask: Ask
    reply: Reply
    there: int
    strand: str = ""


def watched(program: Program, seen: list[Exchange], strand: str = "") -> Program:
    """The same program; what it asks is added to `seen` as replies arrive, nested programs included."""
    watch = _Watch(seen, strand)
    results: Any = None
    stop: Stop | None = None
    while True:
        try:
            wanted = program.send(results) if stop is None else program.throw(stop)
        except StopIteration as end:
            return end.value
        if wanted is PAUSE:
            stop, results = None, (yield wanted)
            continue
        effects, inside = watch.begin(wanted)
        stop = None
        try:
            results = yield _with(wanted, inside)
        except Stop as caught:
            stop, results = caught, caught.results
        except GeneratorExit:
            program.close()
            raise
        results = watch.end(effects, results)
        if stop is not None:
            stop = Stop(stop.limit, results)


class _Watch:
    """What one program waits for: what it began may be delivered many yields later."""

    def __init__(self, seen: list[Exchange], strand: str) -> None:
        self._seen, self._strand = seen, strand
        self._asked: dict[int, list[tuple[Ask, int, str]]] = {}  # by the identity of the effect
        self._nested: dict[int, tuple[Nested, Nested]] = {}  # by that of the first, which runs in place of the second

    def begin(self, wanted: Any) -> tuple[list[Any], list[Any]]:
        """The effects of a yield, and what is yielded in their place."""
        effects = list(wanted.effects if isinstance(wanted, (AnyOf, Now, Quorum)) else wanted)
        places = (isinstance(wanted, AnyOf) and wanted.places) or [""] * len(effects)
        inside: list[Any] = []
        for effect, place in zip(effects, places, strict=True):
            strand = f"{self._strand}/{place.rpartition('/')[0]}" if place else self._strand
            if isinstance(effect, Ask):
                self._asked.setdefault(id(effect), []).append((effect, len(self._seen), strand))
            inside.append(self._watched(effect, strand) if isinstance(effect, Nested) else effect)
        return effects, inside

    def _watched(self, nested: Nested, strand: str) -> Nested:
        def program(ctx: Context) -> Program:
            return watched(nested.program(ctx), self._seen, f"{strand}/{nested.name}")

        made = msgspec.structs.replace(nested, program=program)
        self._nested[id(made)] = (made, nested)
        return made

    def end(self, effects: Sequence[Any], results: Sequence[Any]) -> list[Any]:
        """Note what was answered; returns the results as the program should get them."""
        if not results or not isinstance(results[0], Delivery):
            self._note(zip(effects, results, strict=False))
            return list(results)
        own = [Delivery(self._nested.get(id(one.effect), (None, one.effect))[1], one.result) for one in results]
        self._note((one.effect, one.result) for one in own)
        return own

    def _note(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        for effect, reply in pairs:
            if isinstance(effect, Ask) and reply is not None:
                asked = self._asked[id(effect)]
                ask, there, strand = asked.pop(0)
                self._seen.append(Exchange(ask, reply, there, strand))
                if not asked:
                    del self._asked[id(effect)]


def _with(wanted: Any, effects: Sequence[Any]) -> Any:
    return msgspec.structs.replace(wanted, effects=effects) if isinstance(wanted, msgspec.Struct) else effects


def steps(seen: Sequence[Exchange]) -> tuple[Step, ...]:
    """The answers as steps, in an order that does not depend on who was faster: everybody comes after whom it heard."""
    past = Past()
    heard: list[tuple[int, ...]] = []
    depths: list[int] = []
    turns: dict[tuple[str, str], list[int]] = {}
    for at, one in enumerate(seen):
        heard.append(past.heard(one.ask, one.there))
        own = turns.setdefault((one.ask.agent.id, one.strand), [])
        before = own[: bisect_left(own, one.there)][-1:]
        depths.append(1 + max((depths[other] for other in (*heard[at], *before)), default=0))
        own.append(at)
        past.add(at, one.ask.agent.id, one.reply)
    made = [_step(exchange) for exchange in seen]
    order = sorted(range(len(seen)), key=lambda at: (depths[at], made[at].agent, made[at].prompt, seen[at].strand))
    place = {at: number for number, at in enumerate(order)}
    return tuple(made[at]._replace(heard=tuple(sorted(place[one] for one in heard[at]))) for at in order)


def _step(exchange: Exchange) -> Step:
    ask, reply = exchange.ask, exchange.reply
    prompt = "\n\n".join(message.content for message in ask.messages if message.role == "user")
    return Step(ask.agent.id, ask.agent.role, prompt, reply.text if reply.ok else None)


def measures(made: Sequence[Step], usage: Usage) -> dict[str, float]:
    """Of a swarm's behavior on one example, for archives that keep different ones apart.

    `calls`; `agents` that were asked; `messages` that somebody heard; `depth`, the longest chain of answers of which
    each heard the one before; `density`, the share of ordered pairs of agents of which one heard the other; `tokens`,
    if they are known.
    """
    agents = sorted({step.agent for step in made})
    pairs = {(made[one].agent, step.agent) for step in made for one in step.heard}
    chain: list[int] = []
    for step in made:
        chain.append(1 + max((chain[one] for one in step.heard), default=0))
    found: dict[str, float] = {
        "calls": usage.calls,
        "agents": len(agents),
        "messages": sum(len(step.heard) for step in made),
        "depth": max(chain, default=0),
        "density": len(pairs) / (len(agents) * (len(agents) - 1)) if len(agents) > 1 else 0.0,
    }
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        found["tokens"] = usage.prompt_tokens + usage.completion_tokens
    return found


def spent(seen: Sequence[Exchange]) -> Usage:
    """What the answers cost together."""
    return sum((one.reply.usage for one in seen), Usage())
