"""Aggregates of a run, made in two passes over its results; memory is some bytes per ask, never its texts."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from swarmmind.effects import Usage
from swarmmind.report.read import Broke, Cost, Source, cost, natural, said, step_of

MAX_BINS = 200
MATRIX_AGENTS, MATRIX_CELLS, MATRIX_CHARACTERS = 24, 2400, 60
_EXAMPLES, _EXAMPLE_CHARACTERS, _NAMED_AGENTS = 3, 500, 20
_DECADE = 5  # bars of the latency histogram per decade
_USAGE = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_usd")


@dataclass
class Member:
    """An agent as the report sees it: where its exchanges are, and what they came to."""

    id: str
    role: str
    ids: array[int] = field(default_factory=lambda: array("q"))
    failures: int = 0
    tokens: int | None = 0  # unknown if one reply did not say


@dataclass
class Bill:
    """Sums over replies. A sum holds what is known; `unknown` counts, by name, the replies that did not say."""

    exchanges: int = 0
    failures: int = 0
    repeated: int = 0
    sums: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(_USAGE, 0))
    unknown: Counter[str] = field(default_factory=Counter[str])
    seconds: array[float] = field(default_factory=lambda: array("d"))
    queued_seconds: float = 0.0

    def add(self, found: Cost, seconds: float, queued_seconds: float) -> None:
        """Count one exchange in."""
        self.exchanges += 1
        self.failures += found.failure is not None
        self.queued_seconds += queued_seconds
        self.seconds.append(seconds)
        for name in _USAGE:
            value = getattr(found.usage, name)
            if value is None:
                self.unknown[name] += 1
            else:
                self.sums[name] += value

    def mean_queued(self) -> float | None:
        """Mean seconds in a queue; `None` if there was no exchange."""
        return self.queued_seconds / self.exchanges if self.exchanges else None

    def quantiles(self) -> list[float]:
        """Median, 90th and 99th percentile of latency in seconds; empty if there was no exchange."""
        ordered = sorted(self.seconds)
        return [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.9, 0.99) if ordered]


@dataclass
class Fault:
    """All failures of a kind: how many, whose, and some (place, message, number of the agent, of its exchange)."""

    count: int = 0
    agents: Counter[str] = field(default_factory=Counter[str])
    examples: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def named(self) -> str:
        """The agents concerned, the most frequent first."""
        names = [f"{name} ({count})" if count > 1 else name for name, count in self.agents.most_common(_NAMED_AGENTS)]
        left = len(self.agents) - len(names)
        return ", ".join(names) + (f" and {left:,} more" if left > 0 else "")


class Tally:
    """Everything of a run that is counted: members, steps, bills by role, faults, activity, the matrix of replies."""

    def __init__(self, source: Source) -> None:
        self.members: dict[str, Member] = {}
        steps: set[str] = set()
        for row_id, key, agent, role in source.asks():
            member = self.members.get(agent)
            if member is None:
                member = self.members[agent] = Member(agent, role)
            member.ids.append(row_id)
            steps.add(step_of(key))
        by_place = sorted(self.members.values(), key=lambda member: (natural(member.role), natural(member.id)))
        self.members = {member.id: member for member in by_place}
        self.steps = sorted(steps, key=natural)
        self._row = {name: place for place, name in enumerate(self.members)}
        self._column = {name: place for place, name in enumerate(self.steps)}
        self.activity = Activity(len(self.members), len(self.steps))
        small = len(self.members) <= MATRIX_AGENTS and len(self.members) * len(self.steps) <= MATRIX_CELLS
        self.matrix: list[list[Any]] | None = [] if small else None
        self.bills: dict[str, Bill] = {role: Bill() for role in sorted({member.role for member in by_place})}
        self.faults: dict[str, Fault] = {}
        self._read(source)
        for agent, count in source.repeated().items():
            if agent in self.members:
                self.bills[self.members[agent].role].repeated += count

    def _read(self, source: Source) -> None:
        seen: Counter[str] = Counter()
        for key, agent, role, value, seconds, queued in source.replies():
            self._ask((key, agent, role, value), (seconds, queued), seen[agent])
            seen[agent] += 1

    def _ask(self, row: tuple[str, str, str, str], timing: tuple[float, float], place: int) -> None:
        key, agent, role, value = row
        found, member = cost(value), self.members[agent]
        self.bills.setdefault(role, Bill()).add(found, *timing)
        tokens = plus(found.usage.prompt_tokens, found.usage.completion_tokens)
        member.tokens = plus(member.tokens, tokens)
        at = self._row[agent], self._column[step_of(key)]
        self.activity.add(at, found.failure is not None, tokens, timing[0])
        if found.failure:
            member.failures += 1
            self._fault(found.failure, key, agent, place)
        if self.matrix is not None:
            word, failed = short(value)
            self.matrix.append([*at, place, word, failed])

    def _fault(self, failure: Broke, key: str, agent: str, place: int) -> None:
        fault, message = self.faults.setdefault(failure.kind, Fault()), failure.message
        fault.count += 1
        fault.agents[agent] += 1
        if len(fault.examples) < _EXAMPLES:
            text = message[:_EXAMPLE_CHARACTERS] + (" ..." if len(message) > _EXAMPLE_CHARACTERS else "")
            fault.examples.append({"key": key, "message": text, "row": self._row[agent], "place": place})

    def usage(self) -> Usage:
        """The sum over all replies; unknown if one of them is."""
        bills = self.bills.values()
        sums: dict[str, Any] = {name: sum(bill.sums[name] for bill in bills) for name in _USAGE}
        sums.update({name: None for bill in bills for name in bill.unknown})
        return Usage(**sums)

    def latency(self) -> dict[str, Any]:
        """The histogram of latency: `edges` in seconds (one more than bars), `bars` by role, and their `total`."""
        counts = {role: Counter(map(_bin, bill.seconds)) for role, bill in self.bills.items()}
        used = set[int]().union(*counts.values())
        span = range(min(used), max(used) + 1) if used else range(0)
        bars = {role: [count[place] for place in span] for role, count in counts.items()}
        return {
            "edges": [10 ** (place / _DECADE) if place > _bin(0) else 0 for place in (*span, span.stop)],
            "bars": bars,
            "total": [sum(column) for column in zip(*bars.values(), strict=True)],
        }


class Activity:
    """Exchanges, failures, tokens and seconds by agent and step, in at most `MAX_BINS` bins each way.

    The cells are flat lists, agent by agent.
    """

    def __init__(self, agents: int, steps: int) -> None:
        self.agents, self.steps = agents, steps
        self.rows, self.columns = min(agents, MAX_BINS), min(steps, MAX_BINS)
        cells = self.rows * self.columns
        self.exchanges, self.failures = [0] * cells, [0] * cells
        self.tokens: list[int | None] = [0] * cells
        self.seconds = [0.0] * cells

    def add(self, at: tuple[int, int], failed: bool, tokens: int | None, seconds: float) -> None:
        """Count one exchange of the agent and step at these places."""
        row, column = at[0] * self.rows // self.agents, at[1] * self.columns // self.steps
        cell = row * self.columns + column
        self.exchanges[cell] += 1
        self.failures[cell] += failed
        self.tokens[cell] = plus(self.tokens[cell], tokens)
        self.seconds[cell] += seconds

    def data(self) -> dict[str, Any]:
        """The map as JSON data."""
        return {
            "agents": self.agents,
            "steps": self.steps,
            "rows": self.rows,
            "columns": self.columns,
            "exchanges": self.exchanges,
            "failures": self.failures,
            "tokens": self.tokens,
            "seconds": [float(f"{value:.4g}") for value in self.seconds],
        }


def plus(one: int | None, other: int | None) -> int | None:
    """The sum; unknown plus anything is unknown."""
    return None if one is None or other is None else one + other


def short(value: str) -> tuple[str, bool]:
    """A reply's value in some words, and whether it is a failure."""
    reply = said(value)
    if reply.failure:
        return reply.failure.kind, True
    text = " ".join(_words(reply.value)[: 4 * MATRIX_CHARACTERS].split())
    return text[:MATRIX_CHARACTERS] + ("..." if len(text) > MATRIX_CHARACTERS else ""), False


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return " \u00b7 ".join(_words(part) for part in cast("dict[str, Any]", value).values())
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _bin(seconds: float) -> int:
    return math.floor(math.log10(min(max(seconds, 1e-4), 1e5)) * _DECADE)
