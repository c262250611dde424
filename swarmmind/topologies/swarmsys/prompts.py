"""What explorers, workers and validators are told, and what they answer with (arXiv 2510.10047, prompt content).

Everything an agent wrote, an event's own text included, is quoted line by line under its author's name and cut to a
bound, so that no answer can change what the next agent is asked, nor crowd out what it has to know. These are prompts
without the task, which stands at the head of each of them, the same for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Json
from swarmmind.topologies.swarmsys.events import Board, Event, Refusal, Result

MAX_ANSWER = 4000
MAX_JUSTIFICATION = 1500
MAX_REASON = 400
MAX_BLOCK = 24_000
"""Characters of quotations of one sort in a prompt, before line heads."""

_NAMED = 200  # closed events, by their ids alone
_LISTED = 40  # events of one sort, and workers, that an explorer is shown


def _object(name: str, **properties: Any) -> Json:
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return Json(name, schema)


_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1}
_EVENT = _object(
    "event",
    id=_NAME,
    task=_NAME,
    requires=_NAME,
    depends_on={"type": "array", "items": _NAME},
    priority={"type": "integer"},
).schema
PLAN = _object("events", events={"type": "array", "minItems": 1, "items": _EVENT})
"""What the first explorers answer with; at least one event."""
MORE = _object("events", events={"type": "array", "items": _EVENT})
"""What explorers answer with later."""
WORK = _object("contribution", justification=_TEXT, answer=_TEXT)
VERDICT = _object("verdict", reason=_TEXT, accept={"type": "boolean"})
END = _object("end", missing=_TEXT, end={"type": "boolean"})


class Answer(NamedTuple):
    """What a worker says of an event now: who, what it comes to, and why; within bounds."""

    by: str
    text: str
    justification: str


def cut(text: str, most: int) -> str:
    """The beginning of a text, and a sign that there was more."""
    return text if len(text) <= most else text[:most] + " [cut]"


def listed(head: str, blocks: Iterable[str], most: int = MAX_BLOCK) -> str:
    """Blocks below a head, as many as fit, and how many were left out; empty if there are none."""
    shown: list[str] = []
    left_out = size = 0
    for block in blocks:
        size += len(block)
        if shown and size > most:
            left_out += 1
        else:
            shown.append(block)
    rest = [f"(and {left_out} more)"] if left_out else []
    return "\n".join([head, *shown, *rest]) if shown else ""


def prompt(*parts: str) -> str:
    """Parts of a prompt with a blank line between; empty ones are left out."""
    return "\n\n".join(filter(None, parts))


# --- explorers --------------------------------------------------------------------------------------------------------

_EXPLORE = """\
Break the task into events: pieces of work that one worker can do and a validator can check. For each give a short id, \
its task in full, with every condition that bears on it, `requires`: the kind of competence it takes, in one or two \
words, the same words for the same kind, `depends_on`: the ids of the events whose results it needs, and a priority, \
higher is sooner. An event may only depend on events that are there, never in a circle."""
_EXPLORE_ON = """\
Propose the events that are still missing, and revise an open one by proposing it again under its id. Propose none if \
nothing is missing."""


def explore(
    board: Board, closed: Sequence[Event], loads: str, refusals: Sequence[Refusal], missing: Sequence[str]
) -> str:
    """An explorer's prompt: events open and closed with verdicts, load of the roster, what was refused."""
    told = [f"- {refusal.event}: {cut(refusal.reason, MAX_REASON)}" for refusal in refusals]
    refused = listed("Of your proposals these were refused:", told)
    if not board.events:
        return prompt(_EXPLORE, refused)
    earlier = [event.id for event in board.events.values() if event.status != "open" and event not in closed]
    waiting = [event for event, _ in zip(board.open(), range(_LISTED), strict=False)]
    return prompt(
        _EXPLORE,
        f"There are {len(board.events)} events, {board.closed} of them closed; at most {board.limit} may be.",
        f"Closed before: {', '.join(earlier[-_NAMED:])}" if earlier else "",
        listed("The latest that were closed:", (_told(event) for event in closed)),
        listed(f"Open, {len(waiting)} of {len(board.events) - board.closed}:", (_told(event) for event in waiting)),
        loads,
        refused,
        listed("Validators say that this is missing:", missing),
        _EXPLORE_ON,
    )


def loads(names: Sequence[str], values: Sequence[float]) -> str:
    """The load of the busiest workers."""
    busiest = sorted(zip(values, names, strict=True), key=lambda one: (-one[0], one[1]))[:_LISTED]
    return "Load of the busiest workers: " + ", ".join(f"{name} {value:.1f}" for value, name in busiest)


def _told(event: Event) -> str:
    facts = [f"event {event.id}", f"requires {event.requires}", f"priority {event.priority}", event.status]
    if event.depends_on:
        facts.append(f"needs {' '.join(event.depends_on)}")
    if event.attempts:
        facts.append(f"attempts {event.attempts}")
    said = [quoted(event.by, cut(event.task, 300), *facts)]
    if event.result is not None and event.status == "validated":
        said.append(quoted(event.result.lead, cut(event.result.answer, 200), "its result"))
    said += [quoted(by, cut(reason, MAX_REASON), "rejected because") for by, reason in event.reasons[-1:]]
    return "\n".join(said)


# --- workers ----------------------------------------------------------------------------------------------------------


def work(event: Event, needed: Sequence[Event], profile: str, own: Answer | None, others: Sequence[Answer]) -> str:
    """A worker's prompt.

    Args:
        event: the worker's part of the task.
        needed: the events it depends on, closed.
        profile: the worker's record.
        own: what it answered before the debate.
        others: what co-workers answer now; empty before the debate.
    """
    return prompt(
        _situation(event, needed),
        listed("It was done before and rejected:", [quoted(by, cut(why, MAX_REASON)) for by, why in event.reasons]),
        profile,
        listed("Your answer was:", [_contribution(*own)] if own else []),
        listed("Your co-workers on it answer:", [_contribution(*other) for other in others]),
        (
            "Check their answers and your own, keep what is right, and answer again."
            if others
            else "Do this event, and no other. Justify your answer briefly, then give it, as short as it can be."
        ),
    )


def observed(do: str, event: Event, needed: Sequence[Event]) -> dict[str, Any]:
    """An event as workers and validators that are programs see it: validated results of what it needs come by id."""
    results = {one.id: one.result.answer for one in needed if one.result and one.status == "validated"}
    return {"do": do, "event": event.id, "task": event.task, "requires": event.requires, "results": results}


def _situation(event: Event, needed: Sequence[Event]) -> str:
    facts = (f"event {event.id}", f"requires {event.requires}")
    return prompt(
        "One event of this task is:\n" + quoted(event.by, event.task, *facts),
        listed("It needs the results of:", [_result(one) for one in needed]),
    )


def _result(event: Event) -> str:
    if event.status != "validated" or event.result is None:
        return quoted(event.by, cut(event.task, 300), f"event {event.id}", "nobody could settle it")
    return quoted(event.result.lead, event.result.answer, f"result of event {event.id}")


def _contribution(by: str, answer: str, justification: str) -> str:
    return f"{quoted(by, answer, 'answer')}\n{quoted(by, justification, 'justification')}"


# --- validators -------------------------------------------------------------------------------------------------------


def judge(event: Event, needed: Sequence[Event], result: Result, others: Sequence[Answer]) -> str:
    """A validator's prompt: the event, what it needs, and all contributions with their justifications."""
    return prompt(
        _situation(event, needed),
        listed("The contribution to judge:", [_contribution(result.lead, result.answer, result.justification)]),
        listed("The rest of the team answered:", [_contribution(*other) for other in others]),
        "Is the contribution to judge right and complete? Give your reason, then accept it or not.",
    )


def end(board: Board, closed: Sequence[Event]) -> str:
    """A validator's prompt when nothing is left to do: does the run end here?"""
    failed = sum(event.status == "failed" for event in board.events.values())
    return prompt(
        f"All {len(board.events)} events are closed; nobody could settle {failed} of them. Explorers propose no more.",
        listed("The latest:", (_told(event) for event in closed)),
        "Is anything missing to answer the task? Say what, or nothing, and whether the work ends here.",
    )


def assemble(board: Board, ask_for: str) -> str:
    """The last prompt: the answer to the task, from what was validated; events that nothing builds on come first."""
    over = sorted(board.events.values(), key=lambda event: (board.dependents(event) > 0, event.number))
    validated = [event for event in over if event.status == "validated"]
    share = max(100, MAX_BLOCK // max(len(validated), 1))
    results = [
        quoted(event.by, cut(event.task, share // 3), f"event {event.id}")
        + "\n"
        + quoted(event.result.lead, cut(event.result.answer, share), f"result of event {event.id}")
        for event in validated
        if event.result is not None
    ]
    open_ = [quoted(event.by, cut(event.task, 200), f"event {event.id}") for event in over if event not in validated]
    return prompt(
        listed("What was found and validated:", results, 2 * MAX_BLOCK),
        listed("Nobody could settle these:", open_),
        "Answer the task from it.",
        ask_for,
    )
