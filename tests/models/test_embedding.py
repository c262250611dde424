"""The handler of `Embed`, through the real driver and journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from swarmmind.effects import Failure, Limits, Program, Usage
from swarmmind.errors import Failed
from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.embed_vectors import packed
from swarmmind.models.embedding import Embeddings, fit
from swarmmind.ports import Call, Context
from swarmmind.traces import Embed, Embedding
from tests.runtime.stage import Played, play

COST = Usage(1, 10, 0, 0, 0.001)


class Remote:
    """Like an embedder over a network; `asked` holds the batches that it was given.

    Args:
        breaks_at: the batch (from 1) that fails; 0 is none.
        dimensions: of the vectors, batch by batch, the last one for ever.
    """

    name = "remote"

    def __init__(self, breaks_at: int = 0, dimensions: Sequence[int] = (16,), at_once: bool = False) -> None:
        self.asked: list[list[str]] = []
        self._breaks_at, self._dimensions, self._at_once = breaks_at, dimensions, at_once

    def embed(self, texts: Sequence[str], call: Call) -> Embedding | Awaitable[Embedding]:
        return self._now(texts) if self._at_once else self._later(texts, call)

    async def _later(self, texts: Sequence[str], call: Call) -> Embedding:
        await call.reserve(COST)
        await anyio.sleep(0)
        found = self._now(texts)
        call.settle(COST, found.usage)
        return found

    def _now(self, texts: Sequence[str]) -> Embedding:
        self.asked.append(list(texts))
        if len(self.asked) == self._breaks_at:
            return Embedding(failure=Failure("busy", "come later"), usage=Usage(1, 0, 0, 0, 0.0))
        size = self._dimensions[min(len(self.asked), len(self._dimensions)) - 1]
        rows = np.stack([np.frombuffer(Hashing(size).vector(text), "<f4") for text in texts])
        return Embedding(size, packed(rows).data, usage=COST)

    async def close(self) -> None: ...


def embedding(steps: Sequence[Sequence[str]], found: list[Embedding]) -> Any:
    """A program that embeds, step by step."""

    def program(ctx: Context) -> Program:
        for texts in steps:
            [vectors] = yield [Embed(tuple(texts))]
            found.append(vectors)
            if vectors.failure is not None:
                raise Failed(vectors.failure.message)
        return len(found)

    return program


def played(
    folder: Path, steps: Sequence[Sequence[str]], embedder: Any, limits: Limits | None = None, **options: Any
) -> tuple[list[Embedding], Played]:
    found: list[Embedding] = []
    handler = Embeddings(embedder, **options)
    done = play(embedding(steps, found), folder / "j.sqlite", handlers={Embed: handler}, real=True, limits=limits)
    return found, done


def rows(folder: Path, table: str = "results") -> int:
    with closing(sqlite3.connect(folder / "j.sqlite")) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.mark.parametrize("at_once", [True, False])
def test_vectors_come_in_the_order_of_the_texts_and_each_text_is_asked_for_once(tmp_path: Path, at_once: bool) -> None:
    remote = Remote(at_once=at_once)
    [first, second], done = played(tmp_path, [["b", "a", "b", "c"], ["c", "d", "a"]], remote, batch=2)
    assert remote.asked == [["b", "a"], ["c"], ["d"]]
    assert first.vectors().tobytes() == b"".join(Hashing(16).vector(text) for text in "babc")
    assert second.data == b"".join(Hashing(16).vector(text) for text in "cda")
    assert (first.usage.calls, second.usage.calls, done.meter.usage.calls) == (2, 1, 3)
    assert np.allclose(np.linalg.norm(first.vectors(), axis=1), 1)
    assert (done.outcome.value, rows(tmp_path)) == (2, 2)


def test_a_finished_run_is_replayed_without_asking_and_what_it_brought_is_known(tmp_path: Path) -> None:
    first, _ = played(tmp_path, [["a", "b"], ["c"]], Remote())
    remote = Remote()
    again, done = played(tmp_path, [["a", "b"], ["c"], ["b", "c", "new"]], remote)
    assert again[:2] == first
    assert remote.asked == [["new"]]
    assert again[2].data[:64] == first[0].data[64:]
    assert done.meter.usage.calls == 3


def test_a_failure_is_a_value_and_the_next_session_pays_only_for_what_is_missing(tmp_path: Path) -> None:
    remote = Remote(breaks_at=3)
    steps = [["a"], ["b", "c", "d", "e"]]
    [_, failed], done = played(tmp_path, steps, remote, batch=2)
    assert failed.failure == Failure("busy", "come later")
    assert (failed.data, failed.usage.calls, done.outcome.ok, rows(tmp_path)) == (b"", 2, False, 1)
    assert rows(tmp_path, "attempts") == 1  # the batch of b and c is paid and kept
    more = Remote()
    [_, found], done = played(tmp_path, steps, more, batch=2)
    assert more.asked == [["d", "e"]]
    assert found.data == b"".join(Hashing(16).vector(text) for text in "bcde")
    assert found.usage.calls == 2
    assert (done.outcome.ok, rows(tmp_path)) == (True, 2)


def test_one_batch_needs_no_keeping(tmp_path: Path) -> None:
    played(tmp_path, [["a", "b"]], Remote())
    assert rows(tmp_path, "attempts") == 0


def test_a_budget_is_a_wall_between_batches_too(tmp_path: Path) -> None:
    remote = Remote()
    found, done = played(tmp_path, [list("abcdef")], remote, Limits(calls=2), batch=2)
    assert (len(remote.asked), done.outcome.stopped, done.purse.spent.calls) == (2, "calls", 2)
    assert found == []
    [found], done = played(tmp_path, [list("abcdef")], remote, Limits(calls=3), batch=2)
    assert remote.asked == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert found.data == b"".join(Hashing(16).vector(text) for text in "abcdef")
    assert done.outcome.ok


def test_what_is_remembered_is_bounded_and_what_was_used_lately_stays(tmp_path: Path) -> None:
    remote = Remote()
    [*_, last], _ = played(tmp_path, [["a", "b"], ["a"], ["c"], ["a"], ["b"]], remote, cached_bytes=128)
    assert remote.asked == [["a", "b"], ["c"], ["b"]]
    assert last.data == Hashing(16).vector("b")
    remote = Remote(at_once=True)
    (tmp_path / "other").mkdir()
    [large], _ = played(tmp_path / "other", [list("abcd")], remote, cached_bytes=64, batch=1)
    assert large.data == b"".join(Hashing(16).vector(text) for text in "abcd")


def test_a_text_without_characters_lies_somewhere_and_no_embedder_sees_it(tmp_path: Path) -> None:
    remote = Remote()
    [found], _ = played(tmp_path, [["", "  \n", "\0", "a\0b", "."]], remote)
    assert remote.asked == [[".", "a b"]]
    vectors = found.vectors()
    assert (vectors[0] == vectors[1]).all()
    assert (vectors[0] == vectors[2]).all()
    assert (vectors[0] == vectors[4]).all()


def test_halves_of_characters_are_made_whole() -> None:
    assert fit("a\ud800b").encode() == "a\ufffdb".encode()
    assert fit("\ud83d\ude00") == "😀"


def test_nothing_to_embed_is_nothing(tmp_path: Path) -> None:
    [found, _], done = played(tmp_path, [[], ["a"]], Remote())
    assert (found.data, found.vectors().shape, done.outcome.ok) == (b"", (0, 1), True)


def test_large_texts_travel_in_smaller_batches(tmp_path: Path) -> None:
    remote = Remote()
    texts = [f"{at} " + "x" * 100_000 for at in range(5)]
    played(tmp_path, [texts], remote)
    assert [len(batch) for batch in remote.asked] == [2, 2, 1]


@pytest.mark.parametrize("dimensions", [(16, 8), (0,)])
def test_vectors_that_do_not_fit_each_other_are_a_failure(dimensions: tuple[int, ...], tmp_path: Path) -> None:
    class Odd(Remote):
        def _now(self, texts: Sequence[str]) -> Embedding:
            return super()._now(texts) if dimensions[0] else Embedding(16, b"\0" * 60, usage=COST)

    found, done = played(tmp_path, [["a"], ["b"]], Odd(dimensions=dimensions))
    assert found[-1].failure is not None
    assert found[-1].failure.kind == "server"
    assert "remote gave" in found[-1].failure.message
    assert not done.outcome.ok


@pytest.mark.parametrize("wrong", [[[0.0, 0.0]], [[1.0, float("nan")]], [[float("inf"), 1.0]], [[1e300, 1e300]]])
def test_what_has_no_direction_is_no_vector(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="vector 1 has no direction"):
        packed(np.array([[1.0, 2.0], *wrong]))
