from __future__ import annotations

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from swarmmind.memory.index import Index

DIMENSIONS = 24


def topics(count: int, seed: int = 1, topics: int = 40) -> NDArray[np.float32]:
    """Unit vectors, each near one of some topics."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(0).standard_normal((topics, DIMENSIONS), dtype=np.float32)
    rows = centers[rng.integers(0, topics, count)] + 0.4 * rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def filled(rows: NDArray[np.float32], exact: int) -> Index:
    index = Index(DIMENSIONS, exact)
    for slot, row in enumerate(rows):
        index.put(slot, row)
    return index


def test_similarities_are_inner_products_within_the_tolerance_and_zero_without_a_vector() -> None:
    rows = topics(200)
    index = filled(rows, 1000)
    index.remove(7)
    slots = np.array([3, 7, 50, 199, 5000])
    wanted = np.array([rows[3] @ rows[0], 0.0, rows[50] @ rows[0], rows[199] @ rows[0], 0.0])
    assert np.abs(index.similarities(rows[0], slots) - wanted).max() <= 2 * index.tolerance
    assert np.abs(index.exact_similarities(rows[0], slots) - wanted).max() < 1e-6
    assert len(index) == 199
    assert index.vector(7) is None
    assert np.array_equal(index.vector(8), rows[8])  # pyright: ignore[reportArgumentType]


def test_up_to_the_threshold_there_are_no_cells_and_past_it_there_are() -> None:
    assert filled(topics(3000), 3000).outlook(topics(1)[0], 3000) is None
    assert filled(topics(3000), 1000).outlook(topics(1)[0], 3000) is not None


def test_the_best_by_outlook_hold_nearly_all_of_the_nearest() -> None:
    rows, queries = topics(6000), topics(50, seed=2)
    index = filled(rows, 1000)
    found = 0
    for query in queries:
        outlook = index.outlook(query, len(rows))
        assert outlook is not None
        promising = set(np.argsort(outlook)[-900 - index.loose :].tolist())
        found += len(promising & set(np.argsort(rows @ query)[-10:].tolist()))
    assert found / 500 > 0.9  # 0.15 by chance


def test_rows_that_came_since_the_last_batch_and_replaced_ones_are_always_promising() -> None:
    rows = topics(5000)
    index = filled(rows, 1000)
    index.put(17, rows[4000])
    index.put(5000, rows[3])
    outlook = index.outlook(-rows[3], 5002)
    assert outlook is not None
    assert outlook[17] == outlook[5000] == 1.0
    assert outlook[5001] == 0.0
    index.remove(17)
    again = index.outlook(-rows[3], 5002)
    assert again is not None
    assert again[17] == 0.0


def test_cells_do_not_depend_on_the_number_of_threads() -> None:
    rows, query = topics(5000), topics(1, seed=3)[0]
    before = faiss.omp_get_max_threads()
    seen: list[tuple[list[list[float]], list[float], list[float]]] = []
    try:
        for threads in (1, 2, 5):
            faiss.omp_set_num_threads(threads)
            index = filled(rows, 1000)
            outlook, codebook = index.outlook(query, 5000), index.codebook
            assert outlook is not None
            assert codebook is not None
            assert faiss.omp_get_max_threads() == threads  # the caller's setting is left as it was
            near = index.similarities(query, np.arange(5000))
            seen.append((codebook.tolist(), outlook.tolist(), near.tolist()))
    finally:
        faiss.omp_set_num_threads(before)
    assert seen[0] == seen[1] == seen[2]
    assert all(value == round(value) for row in seen[0][0] for value in row)


def test_deposits_at_full_size_move_rows_between_cells_without_new_cells() -> None:
    rows = topics(4096)
    index = filled(rows[:2048], 1000)
    before = index.codebook
    for slot, row in enumerate(rows[2048:]):
        index.put(slot, row)
    assert index.codebook is before
    outlook = index.outlook(rows[3000], 2048)
    assert outlook is not None
    assert outlook[3000 - 2048] < 1.0  # it has a cell: the one of its new vector
    assert outlook[3000 - 2048] == max(outlook[outlook < 1.0])


def test_cells_follow_what_the_vectors_are_about_now() -> None:
    index = filled(topics(2048), 1000)
    before = index.codebook
    for turn in range(10):
        for slot, row in enumerate(-topics(2048, seed=turn)):
            index.put(slot, row)
    assert index.codebook is not before


@pytest.mark.parametrize("writer", ["fork", "origin"])
def test_a_fork_shares_rows_until_one_writes(writer: str) -> None:
    rows = topics(20)
    origin = filled(rows[:10], 1000)
    fork = origin.fork()
    first, other = (fork, origin) if writer == "fork" else (origin, fork)
    first.put(0, rows[15])
    other.put(1, rows[16])
    first.remove(2)
    assert np.array_equal(first.vector(0), rows[15])  # pyright: ignore[reportArgumentType]
    assert np.array_equal(other.vector(0), rows[0])  # pyright: ignore[reportArgumentType]
    assert np.array_equal(first.vector(1), rows[1])  # pyright: ignore[reportArgumentType]
    assert np.array_equal(other.vector(1), rows[16])  # pyright: ignore[reportArgumentType]
    assert first.vector(2) is None
    assert other.vector(2) is not None
    assert (len(first), len(other)) == (9, 10)


def test_a_restored_index_has_the_same_outlook_and_goes_on_likewise() -> None:
    rows = topics(9000)
    origin = filled(rows[:3000], 1000)
    origin.remove(5)
    slots = np.flatnonzero(np.arange(3000) != 5)
    copy = Index(DIMENSIONS, 10**6)
    for slot in slots.tolist():
        copy.put(slot, rows[slot])
    copy.exact = 1000
    copy.restore(origin.state(slots), origin.codebook)
    for more in range(2):
        a, b = origin.outlook(rows[-1], 9000), copy.outlook(rows[-1], 9000)
        assert a is not None
        assert b is not None
        assert a.tolist() == b.tolist()
        for place, row in enumerate(rows[3000:8000]) if not more else ():  # new cells are found on the way
            origin.put(3000 + place, row)
            copy.put(3000 + place, row)
