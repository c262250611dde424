"""How what happens becomes rows of the journal: everything is encoded here, and gathered until it is handed over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from swarmmind.effects import Ask, Message, Reply
from swarmmind.runtime import tables

_MAX_CACHED_DIGESTS = 8192
_MAX_CACHED_CHARACTERS = 4_000_000
_MAX_WRITTEN = 65_536  # digests, 100 bytes each: 10,000 agents are told again and again who they are
_SETTLE_ROWS = 256  # rows collected before they are handed over in the middle of a turn


class Question(NamedTuple):
    """The digest of what an effect asks, and what it is made of: digests of messages, and the rest as JSON."""

    digest: bytes
    messages: Sequence[bytes]
    body: bytes


class Timing(NamedTuple):
    """Seconds on the run's clock: from launch to reply, and of these in a queue."""

    seconds: float
    queued_seconds: float


class Pen:
    """Writes rows, by table; whoever has it takes them."""

    def __init__(self) -> None:
        self._digests: dict[Message, bytes] = {}
        self._cached_characters = 0  # of those messages
        self._written: set[bytes] = set()
        self._rows: dict[str, list[Sequence[Any]]] = {}
        self._count = 0

    def digest(self, effect: Any) -> Question:
        """What an effect asks, by content; nothing is written. One that is kept asks what its label says."""
        if not isinstance(effect, Ask):
            what = effect.label().encode() if getattr(type(effect), "kept", False) else msgspec.json.encode(effect)
            return Question(blake2b(what, digest_size=16).digest(), (), b"")
        digests = [self._digest(message) for message in effect.messages]
        agent = effect.agent
        body = msgspec.json.encode((agent.model, effect.output, effect.sampling or agent.sampling))
        return Question(blake2b(b"".join(digests) + body, digest_size=16).digest(), digests, body)

    def _digest(self, message: Message) -> bytes:
        digest = self._digests.get(message)
        if digest is None:
            raw = f"{message.role}\0{message.content}".encode("utf-8", "surrogatepass")
            digest = blake2b(raw, digest_size=16).digest()
            self._cached_characters += len(message.content)
            if len(self._digests) >= _MAX_CACHED_DIGESTS or self._cached_characters > _MAX_CACHED_CHARACTERS:
                self._digests.clear()
                self._cached_characters = len(message.content)
            self._digests[message] = digest
        return digest

    def question(self, effect: Any, question: Question) -> None:
        """Keep what an effect asks, each message once by content."""
        if not isinstance(effect, Ask):
            return
        if len(self._written) >= _MAX_WRITTEN:
            self._written.clear()
        for message, digest in zip(effect.messages, question.messages, strict=True):
            if digest not in self._written:
                self._written.add(digest)
                self._add("messages", (digest, message.role, characters(message.content)))
        if question.digest not in self._written:
            self._written.add(question.digest)
            self._add("requests", (question.digest, b"".join(question.messages), question.body.decode()))

    def result(self, key: str, effect: Any, request: bytes, value: Any, timing: Timing) -> None:
        """Keep an effect's result."""
        agent = effect.agent if isinstance(effect, Ask) else None
        encoded = msgspec.json.encode(value).decode()
        names = (agent.id, agent.role) if agent else ("", "")
        row = (key, type(effect).__name__, *names, request, encoded, *timing, time.time())
        self._add("results", row)

    def attempt(self, key: str, number: int, reply: Reply) -> None:
        """Keep a paid reply that did not settle its ask."""
        self._add("attempts", (key, number, msgspec.json.encode(reply).decode()))

    def delivery(self, program: str, step: int, keys: list[str]) -> None:
        """Keep what a yield was answered with."""
        self._add("deliveries", (program, step, msgspec.json.encode(keys).decode()))

    def record(self, key: str, name: str, data: Any, *, final: bool = True) -> None:
        """Keep a fact for people; one that is not final stands until a resume, which may go another way."""
        if not final:
            self.note(tables.DETOUR, True)
        self._add("records", (key, name, msgspec.json.encode(data).decode()))

    def note(self, name: str, value: Any) -> None:
        """Keep a fact about the run, in place of the last one of that name."""
        self._add("meta", (name, msgspec.json.encode(value).decode()))

    def take_in(self, rows: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        """Keep rows that another process has made, by table."""
        for table, made in rows.items():
            self._rows.setdefault(table, []).extend(made)
            self._count += len(made)

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        rows = self._rows.get(table)
        if rows is None:
            self._rows[table] = [row]
        else:
            rows.append(row)
        self._count += 1

    def full(self) -> bool:
        """Whether so much was collected that it should be handed over in the middle of a turn."""
        return self._count >= _SETTLE_ROWS

    def _take(self) -> dict[str, list[Sequence[Any]]]:
        rows, self._rows, self._count = self._rows, {}, 0
        return rows


def characters(text: str) -> str:
    """A text without halves of surrogate pairs: they are no characters, and no file can hold them."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
