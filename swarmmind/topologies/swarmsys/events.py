"""The events of a task: pieces of work that wait for each other, and what became of them.

Deadlock, events that wait for each other, is the paper's most frequent failure (arXiv 2510.10047). It cannot happen
here: an event whose dependencies are unknown or would close a cycle is refused when it is proposed, with a reason, and
an event whose dependencies are closed can always be worked on, whether these were validated or given up.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import networkx as nx

MAX_TASK = 1500
MAX_KIND = 60
MAX_ID = 40
MAX_REASONS = 3
"""Of an event, so many latest reasons for rejecting it are kept."""

_NOT_ID = re.compile(r"[^\w.-]+")
_WORDS = re.compile(r"\w+|[^\w\s]")
_IGNORED = frozenset({"a", "an", "the", "please", ".", ",", ";", ":", "!", "?", '"', "'", "`"})


class Result(NamedTuple):
    """A contribution to an event.

    Attributes:
        answer: what it comes to.
        justification: why.
        lead: the id of the worker whose words these are.
        authors: all whose last answer it is, the lead included.
    """

    answer: str
    justification: str
    lead: str
    authors: tuple[str, ...]


@dataclass(eq=False, slots=True)
class Event:
    """A piece of work.

    Attributes:
        id: unique in its run; letters, digits, dots and dashes.
        task: what is to be done.
        requires: the kind of competence that it takes.
        depends_on: ids of the events whose results it needs.
        priority: higher is sooner.
        by: whose words `task` is: who proposed it, or revised it last.
        number: its place in the order of adding.
        vector: where `requires: task` lies; `None` until that is embedded.
        attempts: how often a team has worked on it.
        reasons: why the latest contributions were rejected, with who says so.
        status: `open`, `validated` or `failed`.
        result: what was validated, or if it failed what was rejected last.
        unmet: dependencies that are still open.
    """

    id: str
    task: str
    requires: str
    depends_on: tuple[str, ...]
    priority: int
    by: str
    number: int = 0
    vector: Any = None
    attempts: int = 0
    reasons: list[tuple[str, str]] = field(default_factory=list)
    status: str = "open"
    result: Result | None = None
    unmet: set[str] = field(default_factory=set)

    @property
    def text(self) -> str:
        """What is embedded."""
        return f"{self.requires}: {self.task}"

    def told(self) -> dict[str, Any]:
        """As JSON data, for people."""
        return {
            "event": self.id,
            "task": self.task,
            "requires": self.requires,
            "depends_on": list(self.depends_on),
            "priority": self.priority,
            "by": self.by,
            "status": self.status,
        }


class Refusal(NamedTuple):
    """A proposal that was not taken, and why."""

    by: str
    event: str
    reason: str


class Board:
    """All events of a task, and which of them can be worked on now.

    Args:
        limit: there are never more events than this.

    Attributes:
        events: by id, in the order of adding.
        closed: how many are validated or failed.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.events: dict[str, Event] = {}
        self.closed = 0
        self._needs = nx.DiGraph()  # from a dependency to what depends on it
        self._known: dict[str, str] = {}  # the id under which a text is known
        self._alias: dict[str, str] = {}  # the id under which an event is known that was proposed under this one
        self._ready: list[tuple[int, int, str]] = []

    @property
    def full(self) -> bool:
        """Whether no event can be added."""
        return len(self.events) >= self.limit

    def open(self) -> Iterator[Event]:
        """Events that are not closed, oldest first."""
        return (event for event in self.events.values() if event.status == "open")

    def idle(self) -> bool:
        """Whether every event is closed."""
        return self.closed == len(self.events)

    # --- proposals ---------------------------------------------------------------------------------------------------

    def propose(self, proposals: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[list[Event], list[Refusal]]:
        """Take what was proposed in one turn, by one or several explorers, all of it together.

        Proposals with the same words but for case, punctuation and articles are one event: the first. Under an id that
        another event of this turn has, a proposal is refused; of an open event of an earlier turn, it is a revision.

        Args:
            proposals: who proposes, and the event as a document.

        Returns:
            Events that were added or changed, their vectors still to come; and what was refused.
        """
        refused: list[Refusal] = []
        drafts = self._merged(proposals, refused)
        self._hang(drafts, refused)
        changed = [self._put(draft) for draft in drafts.values()]
        for event in changed:
            event.unmet = {need for need in event.depends_on if self.events[need].status == "open"}
            self._push(event)
        return changed, refused

    def _merged(self, proposals: Iterable[tuple[str, Mapping[str, Any]]], refused: list[Refusal]) -> dict[str, Event]:
        """Drafts by id, without duplicates; what is clearly impossible is refused."""
        drafts: dict[str, Event] = {}
        texts: dict[str, str] = {}
        for by, document in proposals:
            draft = _read(by, document)
            same = _same(draft.task)
            known = texts.get(same) or self._known.get(same) or draft.id
            if draft.id not in self.events and draft.id not in drafts:
                self._alias[draft.id] = known
            draft.id = known
            if known in drafts:
                if _same(drafts[known].task) != same:
                    refused.append(Refusal(by, known, f"this id was given to another event by {drafts[known].by}"))
                continue
            reason = self._impossible(draft, len(drafts))
            if reason:
                refused.append(Refusal(by, draft.id, reason))
            else:
                drafts[draft.id] = draft
                texts[same] = draft.id
        for draft in drafts.values():
            draft.depends_on = tuple(dict.fromkeys(self._alias.get(need, need) for need in draft.depends_on))
        return {id_: draft for id_, draft in drafts.items() if not self._says_nothing_new(draft)}

    def _impossible(self, draft: Event, more: int) -> str:
        known = self.events.get(draft.id)
        if not draft.task:
            return "it has no task"
        if known is not None:
            return "" if known.status == "open" or self._says_nothing_new(draft) else f"it is {known.status} already"
        return "" if len(self.events) + more < self.limit else f"there may be no more than {self.limit} events"

    def _says_nothing_new(self, draft: Event) -> bool:
        known = self.events.get(draft.id)
        return (
            known is not None
            and _same(known.task) == _same(draft.task)
            and (known.requires, known.depends_on, known.priority) == (draft.requires, draft.depends_on, draft.priority)
        )

    def _hang(self, drafts: dict[str, Event], refused: list[Refusal]) -> None:
        """Hang drafts in the graph one by one; those that cannot be are refused, and so is what needs them.

        New ones come first: what is there cannot need them, so refusing one never undoes a revision.
        """
        for draft in sorted(drafts.values(), key=lambda draft: draft.id in self.events):
            if draft.id not in drafts:
                continue
            reason = self._unknown(draft, drafts) or self._circle(draft)
            if not reason:
                self._attach(draft.id, draft.depends_on)
            elif draft.id in self.events:  # it stays as it was
                refused.append(Refusal(draft.by, drafts.pop(draft.id).id, reason))
            else:
                self._drop(draft, reason, drafts, refused)

    def _drop(self, draft: Event, reason: str, drafts: dict[str, Event], refused: list[Refusal]) -> None:
        """Refuse a new draft, and those that hang in the graph because of it."""
        lost = deque([(draft, reason)])
        while lost:
            draft, reason = lost.popleft()
            if drafts.pop(draft.id, None) is None:
                continue
            refused.append(Refusal(draft.by, draft.id, reason))
            if draft.id in self._needs:
                waiting = list(self._needs.successors(draft.id))
                self._needs.remove_node(draft.id)
                lost.extend((drafts[id_], _not_there(draft.id)) for id_ in waiting)

    def _unknown(self, draft: Event, drafts: Mapping[str, Event]) -> str:
        unknown = [need for need in draft.depends_on if need not in self.events and need not in drafts]
        return _not_there(unknown[0]) if unknown else ""

    def _circle(self, draft: Event) -> str:
        ways = (self._way(draft.id, need) for need in draft.depends_on)
        way = next(filter(None, ways), None)
        return f"it would wait for itself: {' needs '.join([draft.id, *reversed(way)])}" if way else ""

    def _way(self, start: str, end: str) -> list[str]:
        """From an event to one that waits for it, both included; empty if there is no such way."""
        if start == end:
            return [start]
        if start not in self._needs or end not in self._needs or not self._needs.out_degree(start):
            return []
        try:
            return nx.shortest_path(self._needs, start, end)
        except nx.NetworkXNoPath:
            return []

    def _attach(self, id_: str, needs: Sequence[str]) -> None:
        if id_ in self._needs:
            self._needs.remove_edges_from(list(self._needs.in_edges(id_)))
        self._needs.add_node(id_)
        self._needs.add_edges_from((need, id_) for need in needs)

    def _put(self, draft: Event) -> Event:
        known = self.events.get(draft.id)
        if known is None:
            draft.number = len(self.events)
            self.events[draft.id] = draft
        else:
            known.task, known.requires, known.depends_on = draft.task, draft.requires, draft.depends_on
            known.priority, known.by, known.vector = draft.priority, draft.by, None
        self._known.setdefault(_same(draft.task), draft.id)
        return self.events[draft.id]

    # --- work --------------------------------------------------------------------------------------------------------

    def take(self, most: int | None = None) -> list[Event]:
        """The events to work on now, at most so many: dependencies closed, higher priority first, then older first.

        Whoever takes an event closes it or reopens it.
        """
        taken: list[Event] = []
        while self._ready and (most is None or len(taken) < most):
            entry = heapq.heappop(self._ready)
            event = self.events[entry[2]]
            if event.status == "open" and not event.unmet and entry == _rank(event) and event not in taken[-1:]:
                taken.append(event)
        return taken

    def reopen(self, event: Event, reasons: Sequence[tuple[str, str]]) -> None:
        """Have an event worked on again by people who are told why it was rejected."""
        event.reasons = [*event.reasons, *reasons][-MAX_REASONS:]
        self._push(event)

    def close(self, event: Event, status: str, result: Result | None) -> None:
        """An event is over: `validated` or `failed`; what waited for it may go on."""
        event.status, event.result = status, result
        self.closed += 1
        for id_ in self._needs.successors(event.id):
            waiting = self.events[id_]
            waiting.unmet.discard(event.id)
            self._push(waiting)

    def dependents(self, event: Event) -> int:
        """How many events need this one."""
        return self._needs.out_degree(event.id)

    def _push(self, event: Event) -> None:
        if not event.unmet and event.status == "open":
            heapq.heappush(self._ready, _rank(event))


def _not_there(id_: str) -> str:
    return f"it depends on {id_!r}, which is not there"


def _rank(event: Event) -> tuple[int, int, str]:
    return (-event.priority, event.number, event.id)


def _read(by: str, document: Mapping[str, Any]) -> Event:
    """A proposal within bounds."""
    return Event(
        id=identifier(document["id"]),
        task=document["task"].strip()[:MAX_TASK],
        requires=_line(document["requires"])[:MAX_KIND] or "anything",
        depends_on=tuple(identifier(need) for need in document["depends_on"]),
        priority=int(max(-1000, min(1000, document["priority"]))),
        by=by,
    )


def identifier(text: str) -> str:
    """An id as the board knows it: letters, digits, dots and dashes."""
    return _NOT_ID.sub("-", text.strip())[:MAX_ID] or "-"


def _line(text: str) -> str:
    """A text on one line, without signs that are not seen."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 10 * MAX_KIND]).split())


def _same(task: str) -> str:
    """A form that texts share if they differ in case, punctuation and articles only; numbers and signs stay."""
    return " ".join(word for word in _WORDS.findall(task.casefold()) if word not in _IGNORED)
