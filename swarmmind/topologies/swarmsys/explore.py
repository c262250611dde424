"""Explorers: they find events, are told what was refused and what is missing, and so does the run come to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask
from swarmmind.topologies.recall import Steps, embedded
from swarmmind.topologies.swarmsys import prompts
from swarmmind.topologies.swarmsys.events import Refusal, identifier
from swarmmind.topologies.swarmsys.state import State

MAX_PROPOSED = 200
"""Of one answer, so many events are read."""

_ENDINGS = 2  # times in a row that there was nothing to do; after that nothing more can be hoped for


def explore(state: State) -> Steps[None]:
    """Ask all explorers for events, at once, and take what can be taken.

    Raises:
        Failed: too few of them answered (see `Policy`), or the embedder failed.
    """
    board = state.board
    if board.full and board.idle():
        return
    loads = prompts.loads(state.names, state.profiles.load.tolist())
    known = {event.id: event.status for event in (*state.closed, *board.open())}
    output = prompts.MORE if board.events else prompts.PLAN
    asks: list[Ask] = []
    for agent in state.explorers:
        told = state.refusals.pop(agent.id, [])
        text = prompts.explore(board, state.closed, loads, told, state.missing)
        observation = {"do": "explore", "task": state.task, "events": known, "refused": [one.event for one in told]}
        asks.append(state.ask(agent, text, output, observation))
    replies = yield from state.asked(asks)
    state.missing = []
    proposals: list[tuple[str, Mapping[str, Any]]] = []
    unread: list[Refusal] = []
    for agent, reply in zip(state.explorers, replies, strict=True):
        events = reply.value["events"] if reply.ok else []
        proposals += [(agent.id, event) for event in events[:MAX_PROPOSED]]
        if len(events) > MAX_PROPOSED:
            reason = f"an answer brings at most {MAX_PROPOSED} events: this one and all after it were not read"
            unread.append(Refusal(agent.id, identifier(events[MAX_PROPOSED]["id"]), reason))
    for refusal in (yield from add(state, proposals, unread)):
        state.refusals.setdefault(refusal.by, []).append(refusal)


def add(
    state: State, proposals: Sequence[tuple[str, Mapping[str, Any]]], unread: Sequence[Refusal] = ()
) -> Steps[list[Refusal]]:
    """Put proposed events on the board, with their vectors; what was refused, or not read, is recorded and returned.

    Raises:
        Failed: the embedder failed.
    """
    changed, refused = state.board.propose(proposals)
    refused += unread
    vectors = yield from embedded([event.text for event in changed])
    for event, vector in zip(changed, vectors, strict=True):
        event.vector = vector
        state.history.added(event)
        state.record("event", event.told())
    for refusal in refused:
        state.record("refusal", refusal._asdict())
    return refused


def ended(state: State) -> Steps[bool]:
    """Nothing is open and nothing was proposed: whether more than half of the validators end the run.

    If they do not, explorers are told what is missing, and asked once more; and so they are if there is nothing yet.

    Raises:
        Failed: too few of them answered (see `Policy`).
    """
    state.endings += 1
    if state.endings > _ENDINGS or not state.board.events:
        return state.endings > _ENDINGS
    text = prompts.end(state.board, state.closed)
    asks = [state.ask(agent, text, prompts.END, {"do": "end"}) for agent in state.validators]
    replies = yield from state.asked(asks)
    told = {agent.id: reply.value for agent, reply in zip(state.validators, replies, strict=True) if reply.ok}
    state.record("end", {"round": state.number, "votes": {who: value["end"] for who, value in told.items()}})
    state.missing = [
        quoted(who, prompts.cut(value["missing"], prompts.MAX_REASON))
        for who, value in told.items()
        if not value["end"]
    ]
    return 2 * len(state.missing) < len(told) or not told or state.board.full
