"""A run's details in compressed chunks: what is too much for a page at once is decoded when somebody looks at it.

A chunk is JSON, deflated (zlib), in base64: letters that mean nothing to an HTML parser. An agent's exchanges lie next
to each other; a message lies once in a chunk, and one that several agents were sent lies once in the page. Memory is
one chunk, 16 MiB of marks, and some bytes for each message that is shared.
"""

from __future__ import annotations

import zlib
from array import array
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import msgspec

from swarmmind.report.read import Source, common, digests, said
from swarmmind.report.tally import Member

CHUNK_CHARACTERS = 200_000
TEXT_CHARACTERS = 100_000
_MARKS = 1 << 22
_SEVERAL = -2


class Packer:
    """Numbers chunks and counts what they weigh in the page, in bytes."""

    def __init__(self) -> None:
        self.count = 0
        self.weight_bytes = 0

    def pack(self, raw: bytes) -> tuple[str, str]:
        """A chunk's id and its letters."""
        letters = b64encode(zlib.compress(raw, 4)).decode("ascii")
        self.count += 1
        self.weight_bytes += len(letters)
        return f"c{self.count - 1}", letters


class Marks:
    """By hash of a message, which agent it was sent to; `_SEVERAL` if to several (or, rarely, by collision)."""

    def __init__(self) -> None:
        self._slots = array("i", [-1]) * _MARKS

    def see(self, place: int, joined: bytes, kept: int) -> None:
        """A request to the agent at this place: its digests, and how many of them it shares with the one before."""
        slots = self._slots
        for digest in digests(joined, kept):
            slot = int.from_bytes(digest[:4], "big") % _MARKS
            if slots[slot] != place:
                slots[slot] = place if slots[slot] == -1 else _SEVERAL

    def several(self, digest: bytes) -> bool:
        """Whether several agents were sent this message."""
        return self._slots[int.from_bytes(digest[:4], "big") % _MARKS] == _SEVERAL


class Transcripts:
    """The exchanges of every agent, up to a weight.

    Args:
        source: the run.
        members: its agents.
        marks: has seen every request.
        packer: numbers the chunks.
        limit_bytes: how much of the page is enough.

    Attributes:
        places: by agent, `[chunk, first exchange in it, exchanges]` in order of completion.
        shared: `[chunk, number of its first message]` of the messages that several agents were sent.
        left_out: exchanges that found no place in the page.
        clipped: texts that are not in the page in full.
    """

    def __init__(
        self, source: Source, members: dict[str, Member], marks: Marks, packer: Packer, limit_bytes: int
    ) -> None:
        self.places: dict[str, list[list[int]]] = {}
        self.shared: list[list[int]] = []
        self.left_out = 0
        self.clipped = 0
        self._source, self._packer, self._limit_bytes = source, packer, limit_bytes
        self._members, self._marks = list(members.values()), marks
        self._numbers: dict[bytes, int] = {}
        self._pool: list[tuple[str, str]] = []
        self._pool_size = 0

    def chunks(self) -> Iterator[tuple[str, str]]:
        """Id and letters of chunk after chunk; the attributes are whole when this has ended."""
        chunk = _Chunk()
        for member in _fair(self._members):
            if self._packer.weight_bytes >= self._limit_bytes:
                self.left_out += len(member.ids)
                continue
            before, start, places = b"", len(chunk.exchanges), self.places.setdefault(member.id, [])
            for done, row_id in enumerate(member.ids, 1):
                before = self._exchange(chunk, row_id, before)
                if chunk.size < CHUNK_CHARACTERS and self._pool_size < CHUNK_CHARACTERS:
                    continue
                places.append([self._packer.count, start, len(chunk.exchanges) - start])
                yield self._packer.pack(chunk.data())
                yield from self._flush()
                chunk, before, start = _Chunk(), b"", 0
                if self._packer.weight_bytes >= self._limit_bytes:
                    self.left_out += len(member.ids) - done
                    break
            if len(chunk.exchanges) > start:
                places.append([self._packer.count, start, len(chunk.exchanges) - start])
        if chunk.exchanges:
            yield self._packer.pack(chunk.data())
        yield from self._flush()

    def _exchange(self, chunk: _Chunk, row_id: int, before: bytes) -> bytes:
        key, value, seconds, queued, joined, body = self._source.exchange(row_id)
        kept = common(before, joined)
        sent: list[int] = []
        for digest in digests(joined, kept):
            if self._marks.several(digest):
                sent.append(-1 - self._share(digest))
            else:
                sent.append(chunk.message(digest, self))
        attempts = [self._said(attempt) for attempt in self._source.attempts(key)]
        chunk.add([key, seconds, queued, kept, sent, chunk.body(body), self._said(value), attempts])
        return joined

    def _share(self, digest: bytes) -> int:
        number = self._numbers.get(digest)
        if number is None:
            number = self._numbers[digest] = len(self._numbers)
            role, content = self.read(digest)
            self._pool.append((role, content))
            self._pool_size += len(content)
        return number

    def _flush(self) -> Iterator[tuple[str, str]]:
        if self._pool:
            self.shared.append([self._packer.count, len(self._numbers) - len(self._pool)])
            yield self._packer.pack(msgspec.json.encode(self._pool))
            self._pool, self._pool_size = [], 0

    def read(self, digest: bytes) -> tuple[str, str]:
        """A message's role and content, the content no longer than `TEXT_CHARACTERS` and a remark."""
        role, content = self._source.message(digest)
        return role, self._clip(content)

    def _clip(self, text: str) -> str:
        if len(text) <= TEXT_CHARACTERS:
            return text
        self.clipped += 1
        left = len(text) - TEXT_CHARACTERS
        return f"{text[:TEXT_CHARACTERS]}\n\n[{left:,} characters more are not in this page but in journal.sqlite]"

    def _said(self, value: str) -> dict[str, Any]:
        reply = said(value)
        found: dict[str, Any] = {"usage": msgspec.structs.astuple(reply.usage)}
        if reply.text is not None:
            found["text"] = self._clip(reply.text)
        if reply.value is not None and reply.value != reply.text and not _is_json_of(reply.text, reply.value):
            found["value"] = self._clip(msgspec.json.encode(reply.value).decode())
        if reply.failure:
            found["failure"] = [reply.failure.kind, self._clip(reply.failure.message)]
        if reply.finish:
            found["finish"] = reply.finish
        return found


def _is_json_of(text: str | None, value: Any) -> bool:
    try:
        return text is not None and msgspec.json.decode(text) == value
    except msgspec.MsgspecError:
        return False


class _Chunk:
    """Exchanges, and the messages and request bodies that only they need."""

    def __init__(self) -> None:
        self.exchanges: list[Any] = []
        self.size = 0
        self._messages: list[tuple[str, str]] = []
        self._numbers: dict[bytes, int] = {}
        self._bodies: dict[str, int] = {}

    def message(self, digest: bytes, texts: Transcripts) -> int:
        number = self._numbers.get(digest)
        if number is None:
            number = self._numbers[digest] = len(self._messages)
            self._messages.append(texts.read(digest))
            self.size += len(self._messages[-1][1])
        return number

    def body(self, body: str) -> int:
        if body not in self._bodies:
            self.size += len(body)
        return self._bodies.setdefault(body, len(self._bodies))

    def add(self, exchange: list[Any]) -> None:
        self.exchanges.append(msgspec.Raw(msgspec.json.encode(exchange)))
        self.size += len(self.exchanges[-1])

    def data(self) -> bytes:
        return msgspec.json.encode(
            {"messages": self._messages, "bodies": list(self._bodies), "exchanges": self.exchanges}
        )


def _fair(members: list[Member]) -> list[Member]:
    """The order in which agents find a place: of every role in turn, those that failed most first."""
    roles: dict[str, int] = {}
    ranked: list[tuple[int, Member]] = []
    for member in sorted(members, key=lambda member: -member.failures):
        roles[member.role] = roles.get(member.role, -1) + 1
        ranked.append((roles[member.role], member))
    return [member for _, member in sorted(ranked, key=lambda pair: pair[0])]
