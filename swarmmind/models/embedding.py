"""How an `Embed` is executed: texts that are not known yet go to the task's embedder, in batches.

What is known is remembered by content, also what a replayed journal brings, so that a text is paid for once however
often it is left, looked for, or replayed. A batch that was paid for is kept at once: a run that is killed between two
batches of one effect does not pay for the first one again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Generator, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TypeAlias

import msgspec

from swarmmind.effects import Failure, Outcome, Reply, Usage
from swarmmind.ports import Embedder
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.journal import characters
from swarmmind.runtime.meter import Meter
from swarmmind.traces import Embed, Embedding

BATCH = 64
CACHED_BYTES = 64 * 2**20
_MAX_BATCH_BYTES = 2**18  # a text has no more tokens than bytes, and OpenAI reads at most 300,000 tokens at once
_NOTHING = "."  # stands for a text without characters: a server may refuse one, and it must lie somewhere

_Batch: TypeAlias = dict[bytes, str]


class _Kept(msgspec.Struct):
    """The vectors of a batch as the journal holds them until the whole effect is done."""

    keys: list[bytes]
    data: bytes


class Embeddings:
    """The runtime's handler of `Embed` (see `Handler`).

    Args:
        embedder: whom texts are given to.
        batch: most texts at a time.
        cached_bytes: how much of vectors is remembered; those not used for the longest are forgotten first.
    """

    def __init__(self, embedder: Embedder, batch: int = BATCH, cached_bytes: int = CACHED_BYTES) -> None:
        self.embedder, self._batch, self._free_bytes = embedder, batch, cached_bytes
        self._head = blake2b(embedder.name.encode("utf-8", "replace"), digest_size=16)
        self._rows: OrderedDict[bytes, bytes] = OrderedDict()
        self._row_bytes = 0

    def __call__(self, effect: Embed, flight: Flight) -> Embedding | Awaitable[Embedding]:
        """The vectors: at once if all are known or the embedder answers at once, else after I/O.

        Raises:
            Spent: the budget cannot pay for a batch; it was not sent.
        """
        dialogue = self._dialogue(effect, flight)
        found: Embedding | None = None
        while True:
            try:
                texts = next(dialogue) if found is None else dialogue.send(found)
            except StopIteration as end:
                return end.value
            answer = self.embedder.embed(texts, flight)
            if not isinstance(answer, Embedding):
                return self._talk(dialogue, answer, flight)
            found = answer

    def replayed(self, effect: Embed, flight: Flight, result: Embedding) -> None:
        """Remember vectors that came from the journal."""
        if result.failure is None and result.dimensions:
            self._learn([self._key(fit(text)) for text in effect.texts], result.data)

    def read(self, effect: Embed, outcome: Outcome, meter: Meter | None = None) -> Embedding:
        """What a program came to that answered in an embedder's place: none does, so that there are no vectors."""
        return Embedding(failure=outcome.failure or Failure("program", "a program cannot answer an Embed"))

    async def _talk(
        self, dialogue: Generator[Sequence[str], Embedding, Embedding], answer: Awaitable[Embedding], flight: Flight
    ) -> Embedding:
        found = await answer
        while True:
            try:
                texts = dialogue.send(found)
            except StopIteration as end:
                return end.value
            following = self.embedder.embed(texts, flight)
            found = following if isinstance(following, Embedding) else await following

    def _dialogue(self, effect: Embed, flight: Flight) -> Generator[Sequence[str], Embedding, Embedding]:
        """Yields the texts of a batch, is sent their vectors, and returns the vectors of all texts in order."""
        usage = self._recall(flight)
        texts = [fit(text) for text in effect.texts]
        keys = [self._key(text) for text in texts]
        rows = {key: row for key in keys if (row := self._known(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
        for number, batch in enumerate(_batches(missing, self._batch), len(flight.earlier) + 1):
            found = yield list(batch.values())
            usage += found.usage
            failure = found.failure or self._misfit(found, len(batch))
            if failure is not None:
                return Embedding(failure=failure, usage=usage)
            rows.update(self._learn(list(batch), found.data))
            if found.usage.calls and len(missing) > len(batch):
                _keep(flight, number, list(batch), found)
        return Embedding(self._row_bytes // 4 if keys else 0, b"".join([rows[key] for key in keys]), usage=usage)

    def _misfit(self, found: Embedding, count: int) -> Failure | None:
        """What is wrong with the vectors of a batch, if anything is."""
        size = found.dimensions * 4
        if not size or len(found.data) != count * size:
            return Failure("server", f"{self.embedder.name} gave no vector for each of {count} texts")
        if self._row_bytes not in (0, size):
            known = self._row_bytes // 4
            return Failure("server", f"{self.embedder.name} gave vectors of {found.dimensions} dimensions, not {known}")
        return None

    # --- what is known ------------------------------------------------------------------------------------------------

    def _key(self, text: str) -> bytes:
        digest = self._head.copy()
        digest.update(b"\0" + text.encode())
        return digest.digest()

    def _known(self, key: bytes) -> bytes | None:
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row

    def _learn(self, keys: Sequence[bytes], data: bytes) -> dict[bytes, bytes]:
        """Remember rows, and give them back by key."""
        size = self._row_bytes = len(data) // len(keys)
        rows = {key: data[at * size : (at + 1) * size] for at, key in enumerate(keys)}
        for key, row in rows.items():
            if key not in self._rows:
                self._rows[key] = row
                self._free_bytes -= size
        while self._free_bytes < 0:
            self._rows.popitem(last=False)
            self._free_bytes += size
        return rows

    def _recall(self, flight: Flight) -> Usage:
        """Remember the batches that an interrupted run kept for this effect; returns what they cost."""
        usage = Usage()
        for reply in flight.earlier:
            kept = msgspec.msgpack.decode(b64decode(reply.text or ""), type=_Kept)
            self._learn(kept.keys, kept.data)
            usage += reply.usage
        return usage


def fit(text: str) -> str:
    """A text as an embedder can take it: whole characters, no NUL, and not nothing."""
    text = characters(text).replace("\0", " ")
    return _NOTHING if not text or text.isspace() else text


def _batches(texts: Mapping[bytes, str], most: int) -> Iterator[_Batch]:
    batch: _Batch = {}
    size = 0
    for key, text in texts.items():
        length = len(text.encode())
        if batch and (len(batch) >= most or size + length > _MAX_BATCH_BYTES):
            yield batch
            batch, size = {}, 0
        batch[key] = text
        size += length
    if batch:
        yield batch


def _keep(flight: Flight, number: int, keys: list[bytes], found: Embedding) -> None:
    kept = msgspec.msgpack.encode(_Kept(keys, found.data))
    flight.keep(number, Reply(text=b64encode(kept).decode(), usage=found.usage))
