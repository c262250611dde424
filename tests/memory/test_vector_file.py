from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmmind.errors import RunError
from swarmmind.memory.vectors import Vectors
from swarmmind.traces import Query, Trace, Vector


def unit(seed: int, dimensions: int = 5) -> Vector:
    row = np.random.default_rng(seed).standard_normal(dimensions)
    return (row / np.linalg.norm(row)).astype(np.float32)


def small(half_life: float | None = 4.0) -> Vectors:
    store = Vectors(shared=False, half_life=half_life, capacity=6, limit=5)
    for number in range(14):
        author = f"a{number % 3}"
        store.deposit(f"s{number % 2}", Trace(f"text {number}", author, key=f"k{number % 4}", strength=1 + number / 3),
                      None if number == 12 else unit(number))  # fmt: skip
        store.reinforce(f"s{number % 2}", "k1", 1.1)
        store.tick()
    store.deposit("s0", Trace("lone \ud800, null \x00, “quotes”\n> and lines", "ü"))
    return store


def shown(store: Vectors) -> list[Any]:
    queries = [Query(), *(Query(vector=unit(seed)) for seed in range(6)), Query(keys=("k1", "k2"), max_age=9)]
    return [store.snapshot(), *(store.sense(scope, query) for scope in ("s0", "s1") for query in queries)]


@pytest.mark.parametrize("half_life", [None, 4.0])
def test_what_was_saved_is_what_is_loaded_and_both_go_on_alike(tmp_path: Path, half_life: float | None) -> None:
    store = small(half_life)
    path = tmp_path / "store.sqlite"
    store.save(path)
    loaded = Vectors.load(path)
    assert shown(loaded) == shown(store)
    for number in range(30):
        for one in (store, loaded):
            one.deposit(f"s{number % 2}", Trace(f"more {number}", f"a{number % 4}"), unit(50 + number))
            one.tick()
        assert shown(loaded) == shown(store)
    assert [file.name for file in tmp_path.iterdir()] == ["store.sqlite"]


def test_who_comes_first_among_equals_is_saved_too(tmp_path: Path) -> None:
    store = Vectors(capacity=4, per_author=0.5)
    for text, author in (("1", "ann"), ("2", "bob"), ("3", "ann"), ("4", "bob"), ("1", "ann")):  # the first is renewed
        store.deposit("", Trace(text, author))
    store.save(tmp_path / "a")
    loaded = Vectors.load(tmp_path / "a")
    for one in (store, loaded):
        one.deposit("", Trace("5", "carol"))
    assert loaded.snapshot() == store.snapshot()


def test_an_empty_store_and_one_without_vectors_come_back(tmp_path: Path) -> None:
    store = Vectors()
    store.save(tmp_path / "a")
    assert Vectors.load(tmp_path / "a").snapshot() == store.snapshot()
    store.deposit("", Trace("x", "ann"))
    store.save(tmp_path / "a")
    assert Vectors.load(tmp_path / "a").sense("") == store.sense("")


def test_cells_come_back_too(tmp_path: Path) -> None:
    store = Vectors(capacity=3000, per_author=1.0, exact=600)
    centers = np.random.default_rng(5).standard_normal((20, 8))
    rng = np.random.default_rng(6)
    for number in range(5000):
        row = (centers[number % 20] + 0.3 * rng.standard_normal(8)).astype(np.float32)
        store.deposit("", Trace(f"t{number}", "ann", strength=1 + number % 7), row)
    store.save(tmp_path / "many")
    loaded = Vectors.load(tmp_path / "many")
    queries = [Query(vector=unit(seed, 8)) for seed in range(20)]
    assert [loaded.sense("", query) for query in queries] == [store.sense("", query) for query in queries]
    exact = Vectors(capacity=3000, per_author=1.0)
    assert loaded.snapshot() != exact.snapshot()


def live(store: Vectors, rng: random.Random, deposits: int) -> None:
    """Noise, which no index helps: what is found depends on every cell."""
    for _ in range(deposits):
        trace = Trace(f"t{rng.randrange(4000)}", f"a{rng.randrange(5)}", strength=rng.choice([0.02, 0.5, 1.0, 3.0]))
        store.deposit("", trace, unit(rng.randrange(10**6), 8) if rng.random() < 0.95 else None)
        if rng.random() < 0.03:
            store.tick()


@pytest.mark.parametrize("half_life", [None, 50.0])
def test_past_new_cells_what_is_loaded_still_goes_on_alike(tmp_path: Path, half_life: float | None) -> None:
    store = Vectors(half_life=half_life, capacity=3000, exact=4, per_author=0.25)
    live(store, random.Random(1), 2500)
    store.save(tmp_path / "a")
    both = [store, Vectors.load(tmp_path / "a")]
    for part in range(3):
        for one in both:
            live(one, random.Random(2 + part), 1300)
        queries = [Query(vector=unit(seed, 8), limit=20) for seed in range(20)]
        first, second = ([one.sense("", query) for query in queries] for one in both)
        assert first == second


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "store.sqlite"
    small().save(path)
    return path


def loaded_or_refused(path: Path) -> Vectors | str:
    try:
        return Vectors.load(path)
    except RunError as error:
        return str(error)


WHOLE = shown(small())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_a_flipped_byte_is_refused_or_changes_nothing(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(saved.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    bad = tmp_path / "bad"
    bad.write_bytes(whole)
    found = loaded_or_refused(bad)
    if isinstance(found, str):
        assert found.startswith(f"{bad}: damaged")
        assert "\n" not in found
    else:
        assert shown(found) == WHOLE


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_file_is_refused(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = saved.read_bytes()
    bad = tmp_path / "bad"
    bad.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(RunError, match="damaged, or not a file of saved vectors"):
        Vectors.load(bad)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET body = CAST('{}' AS BLOB) WHERE number = 3",
        "UPDATE records SET vector = zeroblob(20) WHERE number = 4",
        "DELETE FROM records WHERE number = 5",
        "DELETE FROM records WHERE number = (SELECT max(number) FROM records)",
        "UPDATE records SET number = number + 100 WHERE number > 5",
        "INSERT INTO records SELECT number + 100, body, vector, checksum FROM records",
        "UPDATE records SET body = CAST(body AS TEXT)",
        "DROP TABLE records",
        "DELETE FROM records",
    ],
)
def test_altered_records_are_refused(saved: Path, tmp_path: Path, change: str) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(saved.read_bytes())
    db = sqlite3.connect(bad)
    db.execute(change)
    db.commit()
    db.close()
    with pytest.raises(RunError, match="damaged, or not a file of saved vectors") as raised:
        Vectors.load(bad)
    assert "\n" not in str(raised.value)


def test_rows_of_two_files_do_not_mix(saved: Path, tmp_path: Path) -> None:
    other = small()
    other.deposit("s0", Trace("text 10", "a1", key="k2", strength=5.0))
    other.save(tmp_path / "other")
    bad = tmp_path / "bad"
    bad.write_bytes(saved.read_bytes())
    db = sqlite3.connect(bad)
    db.execute("ATTACH ? AS other", (str(tmp_path / "other"),))
    mixed = db.execute("REPLACE INTO records SELECT * FROM other.records WHERE number IN (4, 5, 6, 7, 8)").rowcount
    db.commit()
    db.close()
    assert mixed == 5
    with pytest.raises(RunError, match="its end is missing"):
        Vectors.load(bad)


def test_no_file_and_no_folder_are_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a file of saved vectors, found none"):
        Vectors.load(tmp_path / "nothing")
    with pytest.raises(RunError, match="could not be saved"):
        small().save(tmp_path / "nowhere" / "store.sqlite")


def test_what_was_there_stays_when_saving_fails(tmp_path: Path) -> None:
    path = tmp_path / "store"
    small().save(path)
    before = path.read_bytes()
    broken = small()
    broken._parameters["limit"] = {1, 2}  # pyright: ignore[reportPrivateUsage]  # no JSON: fails while it is written
    with pytest.raises(TypeError):
        broken.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["store"]
