"""Whose words fill whose context: for every agent, how much of what it was sent came from whom.

The words of a context are instructions (system turns), the agent's own (assistant turns, and itself quoted), other
people's as far as they are quoted (`agents.prompts.quoted`), and the task's: all the rest. They are counted once for
every exchange they were sent in, in characters; tokens are an estimate from these.

A message is noted when it enters an agent's context and counted when it leaves it, so that a growing history costs what
is new in it; it is read once, however often it was sent. Memory is some thousand messages' counts, a count for every
name that is quoted, the rows that are shown, and whatever `Listener` keeps of who heard whom.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from swarmmind.agents.prompts import CHARACTERS_PER_TOKEN, quoted, speakers
from swarmmind.report.read import Source, digests
from swarmmind.report.tally import Member

SHOWN_AGENTS = 24
_CACHED_MESSAGES, _CACHED_NAMES = 4096, 200_000
_STRANGERS, _STRANGERS_A_MESSAGE, _NAME_CHARACTERS = 4096, 64, 80
_QUOTES = "]\n>"
_REST = 0  # the number of all names that have none of their own
_KINDS = {"system": 0, "user": 1, "assistant": 2}
_TASK, _OWN = 1, 2


class Watcher(Protocol):
    """Sees every request of a run, all of an agent before the next one's."""

    def see(self, place: int, joined: bytes, kept: int) -> None:
        """A request to the agent at this place: its digests, and how many it shares with the one before."""
        ...


class Listener(Protocol):
    """Is told, reader after reader, whose words an agent was sent."""

    def heard(self, reader: int, words: Mapping[int, tuple[int, int]]) -> None:
        """The reader's place and, by the places of those that it heard, characters and prompts with words of theirs."""
        ...


class Part(NamedTuple):
    """What a message is made of: its kind, the characters of that kind, and others' by the numbers of their names."""

    kind: int
    characters: int
    quoted: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class _Heard:
    """What a reader was sent of a name: characters, prompts; how many messages hold words of it now, since when."""

    characters: int = 0
    prompts: int = 0
    messages: int = 0
    since: int = 0


@dataclass
class Share:
    """What somebody was sent, in characters: instructions, the task's words, own words, and others' by their name.

    Attributes:
        name: an agent's id, or a role.
        role: its role.
        agents: how many agents these are.
        exchanges: how many prompts these are.
        plain: instructions, task, own.
        others: by author, or by the author's role.
    """

    name: str
    role: str = ""
    agents: int = 1
    exchanges: int = 0
    plain: list[int] = field(default_factory=lambda: [0, 0, 0])
    others: Counter[str] = field(default_factory=Counter[str])

    @property
    def parts(self) -> list[int]:
        """Characters of instructions, the task, own words, others' words."""
        return [*self.plain, self.others.total()]

    @property
    def total(self) -> int:
        """All characters."""
        return sum(self.plain) + self.others.total()

    def tokens(self, characters: int | None = None) -> int:
        """About how many tokens these characters are; all of them if none are given."""
        return round((self.total if characters is None else characters) / CHARACTERS_PER_TOKEN)

    def percent(self, characters: float) -> float:
        """A part of what was sent, in percent."""
        return 100 * characters / self.total if self.total else 0.0

    def add(self, other: Share, others: Mapping[str, int]) -> None:
        """Count another one in, with others' words as given."""
        self.agents += other.agents
        self.exchanges += other.exchanges
        self.plain = [one + two for one, two in zip(self.plain, other.plain, strict=True)]
        self.others.update(others)


class Matrix(NamedTuple):
    """Who was sent whose words: rows are a reader, the characters of each author, and those of all others' names.

    `most` is the largest cell of a single reader, `more` whether there are other names at all.
    """

    authors: list[str]
    rows: list[tuple[Share, list[int], int]]
    most: int
    more: bool


class Contexts:
    """Whose words fill whose context, by agent and by role.

    Feed it with every request of one agent after the other (`see`), then `close` it.

    Attributes:
        total: everything that was sent; others' words by author.
        roles: by role of the reader; others' words by role of the author, `""` for names that are no agent's.
        readers: those that were sent most of others' words, in the order of members; others' words by author.
        rest: all other readers, summed.
    """

    def __init__(self, source: Source, members: Mapping[str, Member], listener: Listener | None = None) -> None:
        self.total = Share("all", agents=0)
        self.roles: dict[str, Share] = {}
        self.readers: list[Share] = []
        self.rest = Share("all others", agents=0)
        self._source, self._members, self._listener = source, list(members.values()), listener
        self._names: list[str] = ["(other names)"]
        self._numbers: dict[str, int] = {}
        self._own: list[int] = []  # of each member, the number of its name as prompts show it
        for member in self._members:
            self._own.append(self._numbers.setdefault(as_quoted(member.id), len(self._names)))
            self._names.append(member.id)
        self._known = len(self._names)
        self._cache: dict[bytes, Part] = {}
        self._cached_names = 0
        self._reader = -1
        self._stack: list[tuple[Part, int]] = []
        self._sums, self._exchanges = [0, 0, 0], 0
        self._row: dict[int, _Heard] = {}
        self._heap: list[tuple[int, int, Share]] = []

    def see(self, place: int, joined: bytes, kept: int) -> None:
        """A request to the agent at this place: its digests, and how many messages it shares with the one before."""
        if place != self._reader:
            self._finish()
            self._reader = place
        if len(self._stack) > kept:
            self._drop(kept)
        now = self._exchanges
        for digest in digests(joined, kept):
            part = self._cache.get(digest) or self._read(digest)
            self._stack.append((part, now))
            for number, _ in part.quoted:
                heard = self._row.get(number) or self._row.setdefault(number, _Heard())
                if not heard.messages:
                    heard.since = now
                heard.messages += 1
        self._exchanges = now + 1

    def close(self) -> None:
        """No more requests: the attributes are whole now."""
        self._finish()
        self.readers = [share for _, _, share in sorted(self._heap, key=lambda entry: -entry[1])]
        self.roles = dict(sorted(self.roles.items()))

    def speaking(self) -> list[str]:
        """The roles whose words were sent to anybody."""
        return sorted({role for share in self.roles.values() for role in share.others})

    def matrix(self) -> Matrix:
        """The readers that are shown and all others in one row, and the authors whose words these were sent most."""
        words: Counter[str] = Counter()
        for share in self.readers:
            words.update(share.others)
        place = {name: number for number, name in enumerate(self._names)}
        authors = sorted((name for name, _ in words.most_common(SHOWN_AGENTS)), key=lambda name: place[name])
        rows: list[tuple[Share, list[int], int]] = []
        for share in [*self.readers, self.rest] if self.rest.agents else self.readers:
            cells = [share.others[name] for name in authors]
            rows.append((share, cells, share.others.total() - sum(cells)))
        most = max((cell for share, cells, _ in rows if share is not self.rest for cell in cells), default=0)
        return Matrix(authors, rows, most or 1, any(left for _, _, left in rows))

    def _read(self, digest: bytes) -> Part:
        role, content = self._source.message(digest)
        kind = _KINDS.get(role, _TASK)
        part = Part(kind, len(content))
        if kind == _TASK and _QUOTES in content:
            part = self._with_quotes(content)
        if len(self._cache) >= _CACHED_MESSAGES or self._cached_names >= _CACHED_NAMES:
            self._cache.clear()
            self._cached_names = 0
        self._cache[digest] = part
        self._cached_names += len(part.quoted)
        return part

    def _with_quotes(self, content: str) -> Part:
        found: dict[int, int] = {}
        words = 0
        for name, characters in speakers(content).items():
            number = self._numbers.get(name) or self._number(name)
            found[number] = found.get(number, 0) + characters
            words += characters
        strangers = Counter({number: size for number, size in found.items() if number >= self._known})
        if len(strangers) > _STRANGERS_A_MESSAGE:
            for number, size in strangers.most_common()[_STRANGERS_A_MESSAGE:]:
                found[_REST] = found.get(_REST, 0) + size
                del found[number]
        return Part(_TASK, len(content) - words, tuple(found.items()))

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            if len(self._names) - self._known >= _STRANGERS or len(name) > _NAME_CHARACTERS:
                return _REST
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def _drop(self, kept: int) -> None:
        """Messages beyond the first `kept` leave the context: they count for every exchange that they were in."""
        sums, row, now = self._sums, self._row, self._exchanges
        for (kind, characters, others), since in self._stack[kept:]:
            sums[kind] += characters * (now - since)
            for number, size in others:
                heard = row[number]
                heard.characters += size * (now - since)
                heard.messages -= 1
                if not heard.messages:
                    heard.prompts += now - heard.since
        del self._stack[kept:]

    def _finish(self) -> None:
        self._drop(0)
        if self._reader < 0:
            return
        member, row = self._members[self._reader], self._row
        own = row.pop(self._own[self._reader], None)
        self._sums[_OWN] += own.characters if own else 0
        others, by_role = Counter[str](), Counter[str]()
        for number, heard in row.items():
            others[self._names[number]] += heard.characters
            by_role[self._members[number - 1].role if 0 < number < self._known else ""] += heard.characters
        share = Share(member.id, member.role, 1, self._exchanges, self._sums, others)
        self.total.add(share, others)
        self.roles.setdefault(member.role, Share(member.role, member.role, 0)).add(share, by_role)
        self._rank(share)
        if self._listener is not None:
            known = ((number - 1, heard) for number, heard in row.items() if 0 < number < self._known)
            self._listener.heard(self._reader, {place: (heard.characters, heard.prompts) for place, heard in known})
        self._sums, self._row, self._exchanges = [0, 0, 0], {}, 0

    def _rank(self, share: Share) -> None:
        """Keep the row of a reader if it is one of those with most words of others; of equals the first."""
        entry = (share.others.total(), -self._reader, share)
        left = heapq.heappushpop(self._heap, entry) if len(self._heap) >= SHOWN_AGENTS else None
        if left is None:
            heapq.heappush(self._heap, entry)
        else:
            self.rest.add(left[2], left[2].others)


def read(
    source: Source, members: Mapping[str, Member], *watchers: Watcher, listener: Listener | None = None
) -> Contexts:
    """Go through every request of a run, agent by agent; others may watch them, and be told who heard whom."""
    contexts = Contexts(source, members, listener)
    for place, member in enumerate(members.values()):
        for joined, kept in source.requests(member.ids):
            contexts.see(place, joined, kept)
            for watcher in watchers:
                watcher.see(place, joined, kept)
    contexts.close()
    return contexts


def line(contexts: Contexts) -> str:
    """`62 % task, 21 % own words, 17 % others' (worker-3 most)`; empty if nobody was quoted to anybody."""
    total = contexts.total
    if not total.others:
        return ""
    words = zip(("instructions", "task", "own words", "others'"), total.parts, strict=True)
    told = ", ".join(f"{total.percent(part):.0f} % {name}" for name, part in words if part)
    [(most, _)] = total.others.most_common(1)
    return f"{told} ({most} most)"


def as_quoted(name: str) -> str:
    """A name as quotations show it."""
    return next(iter(speakers(quoted(name, ""))))
