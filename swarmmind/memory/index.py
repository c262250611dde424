"""Which of many vectors could be the nearest: FAISS's kernels over rows that come and go, and cells past a threshold.

Up to `exact` vectors everything is compared with everything. Past that, the rows are put into cells (an inverted file:
Sivic and Zisserman 2003; k-means on the sphere) and only rows in promising cells are compared. Cells are one number per
row, not lists, so that adding, replacing and removing a vector costs O(1) and no rebuild; new rows stay loose, which is
always promising, until there are enough of them for one matrix product.

Nothing here depends on the number of threads or on the order in which a kernel adds: what decides about cells is
computed on vectors rounded to multiples of 1/2048, where every partial sum is a whole number below 2**24 and therefore
exact in float32; and the final ranking is computed in float64, row by row.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from swarmmind.traces import Vector

Slots: TypeAlias = NDArray[np.int64]
"""Places of rows, ascending, each once."""

EXACT = 16_384
"""Vectors that are compared one by one; about 2 ms at 384 dimensions, where cells begin to pay."""

_GRID = 2048.0
_EMPTY, _LOOSE, _FIRST = 0, 1, 2
_BATCH = 1024
_MOST_CELLS = 512
_SAMPLES_PER_CELL = 32
_ITERATIONS = 5
_SMALLEST = 16


class Index:
    """Unit vectors by slot; a slot is a small number that its owner chooses and may use again.

    Args:
        dimensions: of each vector.
        exact: so many vectors are compared one by one; beyond, there are cells.

    Attributes:
        codebook: the centers of the cells, shape (cells, dimensions), whole numbers of about 2048 in length; `None`
            while there are none.
    """

    def __init__(self, dimensions: int, exact: int = EXACT) -> None:
        self.dimensions, self.exact = dimensions, exact
        self.codebook: NDArray[np.float32] | None = None
        self._vectors = np.zeros((_SMALLEST, dimensions), np.float32)
        self._cells = np.zeros(_SMALLEST, np.int16)
        self._count = self._fresh = self._placed = self._trained_at = 0
        self._borrowed = False  # the rows are shared with a fork: whoever writes first copies them

    def __len__(self) -> int:
        return self._count

    def put(self, slot: int, vector: Vector) -> None:
        """Set the vector of a slot; shape (dimensions,), unit length."""
        if slot >= len(self._cells):
            self._grow(slot + 1)
        elif self._borrowed:
            self._vectors, self._borrowed = self._vectors.copy(), False
        self._vectors[slot] = vector
        if self._cells[slot] == _EMPTY:
            self._count += 1
        self._cells[slot] = _LOOSE
        self._fresh += 1
        if self._fresh >= _BATCH and self._count > self.exact:
            self._place()

    def remove(self, slot: int) -> None:
        """Forget the vector of a slot, if it has one."""
        if slot < len(self._cells) and self._cells[slot] != _EMPTY:
            self._count -= 1
            self._cells[slot] = _EMPTY

    @property
    def loose(self) -> int:
        """How many rows have no cell yet, at most."""
        return self._fresh

    def vector(self, slot: int) -> Vector | None:
        """The vector of a slot (a view, not to be written), or `None`."""
        return self._vectors[slot] if slot < len(self._cells) and self._cells[slot] != _EMPTY else None

    def similarities(self, query: Vector, slots: Slots) -> NDArray[np.float32]:
        """Inner products with the vectors of some slots, within `tolerance`; 0 where there is none."""
        found = np.zeros(len(slots), np.float32)
        there = self._known(slots) != _EMPTY
        rows = np.ascontiguousarray(slots if there.all() else slots[there])
        near = found if len(rows) == len(slots) else np.empty(len(rows), np.float32)
        with _one_thread():
            faiss.fvec_inner_products_by_idx(  # pyright: ignore[reportAttributeAccessIssue]  # missing in its stubs
                *(faiss.swig_ptr(array) for array in (near, query, self._vectors, rows)), self.dimensions, 1, len(rows)
            )
        if near is not found:
            found[there] = near
        return found

    @property
    def tolerance(self) -> float:
        """How far `similarities` may be from the exact value, whatever the kernel: float32 sums of unit vectors."""
        return self.dimensions * 2.0**-24

    def exact_similarities(self, query: Vector, slots: Slots) -> NDArray[np.float64]:
        """Inner products in float64, equal on every machine; 0 where there is no vector. Slow: for the last few."""
        found = np.zeros(len(slots))
        there = np.flatnonzero(self._known(slots) != _EMPTY)
        wide = query.astype(np.float64)
        for start in range(0, len(there), _BATCH):
            some = there[start : start + _BATCH]
            found[some] = (self._vectors[slots[some]] * wide).sum(axis=1)
        return found

    def outlook(self, query: Vector, size: int) -> NDArray[np.float32] | None:
        """How similar each of the first `size` slots might be, by its cell, in [0, 1]; `None` if there are no cells.

        A loose row might be anything: 1. A slot without a vector: 0.
        """
        if self.codebook is None:
            return None
        table = np.zeros(_FIRST + len(self.codebook), np.float32)
        table[_LOOSE] = 1.0
        table[_FIRST:] = np.clip(_products(_rounded(query), self.codebook) / _GRID**2, 0.0, 1.0)
        found = np.zeros(size, np.float32)
        known = self._cells[:size]
        found[: len(known)] = table[known]
        return found

    def fork(self) -> Index:
        """An independent copy; the rows are copied when one of the two next writes."""
        other = Index.__new__(Index)
        other.__dict__.update(self.__dict__)
        other._cells = self._cells.copy()
        self._borrowed = other._borrowed = True
        return other

    def state(self, slots: Slots) -> dict[str, Any]:
        """What, beside the vectors of these slots, decides about later searches, as JSON data but for the codebook."""
        return {
            "loose": slots[self._known(slots) == _LOOSE].tolist(),
            "counts": [self._fresh, self._placed, self._trained_at],
        }

    def restore(self, state: dict[str, Any], codebook: NDArray[np.float32] | None) -> None:
        """Go on from a `state`, once the vectors of that time are put."""
        self._fresh, self._placed, self._trained_at = state["counts"]
        self.codebook = codebook
        if codebook is not None:
            placed = self._cells != _EMPTY
            placed[np.array(state["loose"], np.int64)] = False
            self._assign(np.flatnonzero(placed))

    def _known(self, slots: Slots) -> NDArray[np.int16]:
        """The cells of some slots, of which the highest may never have had a vector."""
        found = np.zeros(len(slots), np.int16)
        inside = slots < len(self._cells)
        found[inside] = self._cells[slots[inside]]
        return found

    def _grow(self, least: int) -> None:
        size = max(least, 2 * len(self._cells))
        vectors, cells = np.zeros((size, self.dimensions), np.float32), np.zeros(size, np.int16)
        vectors[: len(self._vectors)], cells[: len(self._cells)] = self._vectors, self._cells
        self._vectors, self._cells, self._borrowed = vectors, cells, False

    def _place(self) -> None:
        """Put loose rows into cells; find new cells when the rows are twice as many, or have changed eight times."""
        self._placed += self._fresh
        self._fresh = 0
        if self.codebook is None or self._count >= 2 * self._trained_at or self._placed >= 8 * self._trained_at:
            occupied = np.flatnonzero(self._cells != _EMPTY)
            self._train(occupied)
            self._assign(occupied)
        else:
            self._assign(np.flatnonzero(self._cells == _LOOSE))

    def _train(self, occupied: Slots) -> None:
        """K-means on the sphere over an even sample; whole numbers throughout, so there is nothing to round."""
        cells = min(max(int(0.8 * len(occupied) ** 0.5), 4), _MOST_CELLS)
        sample = _rounded(self._vectors[occupied[:: max(len(occupied) // (cells * _SAMPLES_PER_CELL), 1)]])
        centers = sample[:: max(len(sample) // cells, 1)][:cells]
        for _ in range(_ITERATIONS):
            nearest = _nearest(sample, centers)
            order = np.argsort(nearest, kind="stable")
            found, starts = np.unique(nearest[order], return_index=True)
            sums = np.add.reduceat(sample[order].astype(np.float64), starts, axis=0)
            lengths = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
            centers = centers.copy()  # an empty cell keeps its center
            centers[found] = np.rint(sums * (_GRID / np.maximum(lengths, 1.0)))
        self.codebook = centers
        self._trained_at, self._placed = len(occupied), 0

    def _assign(self, slots: Slots) -> None:
        assert self.codebook is not None
        for start in range(0, len(slots), _BATCH):
            some = slots[start : start + _BATCH]
            self._cells[some] = _FIRST + _nearest(_rounded(self._vectors[some]), self.codebook)


def _rounded(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.rint(vectors * np.float32(_GRID))


def _nearest(rows: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.int64]:
    """The center with the greatest inner product for each row; of several, the first."""
    index = faiss.IndexFlatIP(centers.shape[1])
    index.add(centers)
    with _one_thread():
        return index.assign(rows, 1)[:, 0]


def _products(query: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.float32]:
    found = np.empty(len(centers), np.float32)
    with _one_thread():
        faiss.fvec_inner_products_ny(  # pyright: ignore[reportAttributeAccessIssue]  # missing in its stubs
            *(faiss.swig_ptr(array) for array in (found, query, centers)), centers.shape[1], len(centers)
        )
    return found


@contextmanager
def _one_thread() -> Generator[None]:
    """These products are too small to be shared out: waiting for other threads costs more, above all on a busy host."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


__all__ = ["EXACT", "Index", "Slots"]
