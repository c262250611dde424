"""What a swarm did on one example, seen from outside: every answer, whom it heard, what it took.

Any program can be watched: what it asks, and what swarms within it ask, passes through unchanged. Whom a prompt heard
is read from its quotations (`agents.prompts`), so no topology need declare it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from swarmmind.agents.prompts import quoted, speakers
from swarmmind.effects import AnyOf, Ask, Delivery, Nested, Now, Program, Quorum, Reply, Usage
from swarmmind.errors import Stop
from swarmmind.optimizers.study import Step
from swarmmind.ports import Context

_COMPARED = 200  # characters by which a quotation is known again


class Exchange(NamedTuple):
    """An ask with its reply."""

    ask: Ask
    reply: Reply


def watched(program: Program, seen: list[Exchange]) -> Program:
    """The same program; what it asks is added to `seen` as replies arrive, nested programs included."""
    results: Any = None
    stop: Stop | None = None
    while True:
        try:
            wanted = program.send(results) if stop is None else program.throw(stop)
        except StopIteration as end:
            return end.value
        effects = list(wanted.effects if isinstance(wanted, (AnyOf, Now, Quorum)) else wanted)
        inside = [_watched(effect, seen) if isinstance(effect, Nested) else effect for effect in effects]
        outside = {id(inner): effect for inner, effect in zip(inside, effects, strict=True)}
        stop = None
        try:
            results = yield _with(wanted, inside)
        except Stop as caught:
            stop, results = caught, caught.results
        except GeneratorExit:
            program.close()
            raise
        results = [_back(one, outside) for one in results]
        _note(effects, results, seen)
        if stop is not None:
            stop = Stop(stop.limit, results)


def _watched(nested: Nested, seen: list[Exchange]) -> Nested:
    def program(ctx: Context) -> Program:
        return watched(nested.program(ctx), seen)

    return msgspec.structs.replace(nested, program=program)


def _with(wanted: Any, effects: Sequence[Any]) -> Any:
    return msgspec.structs.replace(wanted, effects=effects) if isinstance(wanted, msgspec.Struct) else effects


def _back(result: Any, outside: dict[int, Any]) -> Any:
    """A delivery names the very effect that was yielded."""
    if isinstance(result, Delivery):
        return Delivery(outside.get(id(result.effect), result.effect), result.result)
    return result


def _note(effects: Sequence[Any], results: Sequence[Any], seen: list[Exchange]) -> None:
    if results and isinstance(results[0], Delivery):
        pairs: Iterator[tuple[Any, Any]] = ((one.effect, one.result) for one in results)
    else:
        pairs = zip(effects, results, strict=False)
    seen.extend(Exchange(effect, reply) for effect, reply in pairs if isinstance(effect, Ask) and reply is not None)


def steps(seen: Sequence[Exchange]) -> tuple[Step, ...]:
    """The answers as steps, in an order that does not depend on who was faster: everybody comes after whom it heard."""
    turns: dict[str, list[int]] = {}
    heard: list[tuple[int, ...]] = []
    depths: list[int] = []
    for at, (ask, _) in enumerate(seen):
        own = turns.setdefault(ask.agent.id, [])
        heard.append(_heard(ask, seen, turns))
        depths.append(1 + max((depths[one] for one in (*heard[at], *own[-1:])), default=0))
        own.append(at)
    made = [_step(exchange) for exchange in seen]
    order = sorted(range(len(seen)), key=lambda at: (depths[at], made[at].agent, made[at].prompt))
    place = {at: number for number, at in enumerate(order)}
    return tuple(made[at]._replace(heard=tuple(sorted(place[one] for one in heard[at]))) for at in order)


def _heard(ask: Ask, seen: Sequence[Exchange], turns: dict[str, list[int]]) -> tuple[int, ...]:
    """The earlier answers that a prompt quotes; of an author whose words are not found as they were, the last one."""
    content = "\n".join(message.content for message in ask.messages if message.role != "system")
    found: list[int] = []
    for author in speakers(content):
        earlier = [at for at in turns.get(author, ()) if author != ask.agent.id and seen[at].reply.text]
        if earlier:
            told = [at for at in earlier if _body(seen[at].reply.text or "") in content]
            found += told or earlier[-1:]
    return tuple(found)


def _body(text: str) -> str:
    """How the beginning of a text looks when it is quoted."""
    return quoted("", text).partition("\n")[2][:_COMPARED]


def _step(exchange: Exchange) -> Step:
    ask, reply = exchange
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
    return sum((reply.usage for _, reply in seen), Usage())
