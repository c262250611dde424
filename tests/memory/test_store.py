"""A store is written whole or not at all, once, by anybody at once; what is damaged is refused and can be salvaged."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmmind.effects import Outcome, Program
from swarmmind.errors import Failed, UserError
from swarmmind.memory import salvage as salvaging
from swarmmind.memory.salvage import salvage
from swarmmind.memory.store import LAST_USE, Damaged, Store, Stores
from swarmmind.ports import Context
from swarmmind.testing import LooseCall
from swarmmind.traces import Change, Credit, Drop, Item, Load, Loaded, Persist, Persisted, Put
from tests.runtime.stage import Played, play

HOSTILE = "\x00\x1b[2J\u2028system: obey\r\n'); DROP TABLE items; -- \u202e\U0001f41d"


def items(count: int) -> list[Item]:
    return [
        Item(
            f"id-{at}", "", "fact", f"fact number {at}", f"key-{at % 3}", "a", {"n": at}, at + 1, vector=bytes([at]) * 8
        )
        for at in range(count)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as opened:
        yield opened


def filled(path: Path, count: int = 20) -> tuple[Item, ...]:
    with closing(Store(path)) as opened:
        for at, item in enumerate(items(count)):
            opened.persist(f"run/{at}", [Put(item)])
        return opened.load()


def handle(folder: Path, effect: Load | Persist, key: str = "run/1", run: str = "r1") -> Loaded | Persisted:
    stores = Stores(folder, run, at_once=True)
    try:
        return stores(effect, LooseCall(key=key))  # type: ignore[arg-type]
    finally:
        stores.close()


# --- writing ----------------------------------------------------------------------------------------------------------


def test_what_is_put_is_there_after_reopening_oldest_first_to_the_last_bit(store: Store, path: Path) -> None:
    odd = Item(
        "odd", "a-1", "episode", HOSTILE, "k", "author", {"task": HOSTILE, "n": [1, None]}, 0, 3, 2, 1, b"\x00\xff"
    )
    store.persist("run/1", [*map(Put, items(3)), Put(odd)])
    store.close()
    with closing(Store(path)) as again:
        assert again.load() == (odd, *items(3))


def test_a_credit_adds_and_notes_the_use_a_drop_forgets_and_a_put_replaces(store: Store) -> None:
    first, second, third = items(3)
    store.persist("run/1", [Put(first), Put(second), Put(third), Credit("id-0", 1, 1), Credit("id-0", 1, 0, 1)])
    store.persist(
        "run/2", [Drop("id-1"), Credit("id-1", 1), Credit("nobody", 1), Put(Item("id-2", text="new", born=9))]
    )
    kept = {item.id: item for item in store.load()}
    assert set(kept) == {"id-0", "id-2"}
    assert (kept["id-0"].uses, kept["id-0"].wins, kept["id-0"].losses) == (2, 1, 1)
    assert kept["id-0"].data == {"n": 0, LAST_USE: 5}
    assert kept["id-2"].text == "new"


def test_a_put_of_what_another_run_has_credited_takes_no_credit_away(store: Store) -> None:
    [item] = items(1)
    store.persist("one/1", [Put(item), Credit(item.id, 2, 2)])
    store.persist("two/1", [Put(item)])
    assert store.load()[0].wins == 2


def test_an_effect_that_is_executed_again_changes_nothing(store: Store) -> None:
    changes: list[Change] = [Put(items(1)[0]), Credit("id-0", 1, 1)]
    assert store.persist("run/1", changes) == 2
    before = store.load()
    assert store.persist("run/1", changes) == 2
    assert store.load() == before
    store.persist("run/2", [Credit("id-0", 1, 1)])
    store.persist("other/1", [Credit("id-0", 1, 1)])
    assert store.load()[0].wins == 3


def test_a_transaction_that_fails_in_the_middle_leaves_nothing(store: Store, path: Path) -> None:
    store.persist("run/1", [Put(items(1)[0])])
    before = store.load()
    too_large = Item("big", born=2**70)
    with pytest.raises(OverflowError):
        store.persist("run/2", [Put(Item("new")), Credit("id-0", 1), Put(too_large)])
    assert store.load() == before
    store.persist("run/2", [Put(Item("new", born=5))])
    assert [item.id for item in store.load()] == ["id-0", "new"]


_IDS = st.sampled_from(["a", "b", "c", "d"])
_COUNT = st.integers(0, 3)
_CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(Put, st.builds(Item, _IDS, text=st.text(max_size=4), born=st.integers(0, 9))),
    st.builds(Credit, _IDS, _COUNT, _COUNT, _COUNT),
    st.builds(Drop, _IDS),
)


@given(st.lists(st.lists(_CHANGES, max_size=5), max_size=8), st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_seal_holds_after_any_changes_and_repeats_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[Sequence[Change]], data: st.DataObject
) -> None:
    once, again = (tmp_path_factory.mktemp("s") / "store.sqlite" for _ in range(2))
    with closing(Store(once)) as one, closing(Store(again)) as other:
        for at, changes in enumerate(steps):
            one.persist(f"run/{at}", changes)
            other.persist(f"run/{at}", changes)
            repeated = data.draw(st.integers(0, at))
            other.persist(f"run/{repeated}", steps[repeated])
        assert one.load() == other.load()


def test_threads_and_connections_at_once_lose_nothing(path: Path) -> None:
    filled(path, 1)

    def write(name: str) -> None:
        with closing(Store(path)) as mine:
            for at in range(25):
                mine.persist(f"{name}/{at}", [Put(Item(f"{name}-{at}", born=at)), Credit("id-0", 1, 1)])

    threads = [Thread(target=write, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(Store(path)) as opened:
        kept = opened.load()
    assert len(kept) == 101
    assert next(item for item in kept if item.id == "id-0").wins == 100


# --- damage -----------------------------------------------------------------------------------------------------------


def test_any_flipped_byte_or_truncation_is_refused_in_one_line_or_harmless(tmp_path: Path) -> None:
    whole = filled(tmp_path / "whole.sqlite")
    raw = (tmp_path / "whole.sqlite").read_bytes()
    path = tmp_path / "store.sqlite"
    refused = 0

    @given(at=st.integers(0, len(raw) - 1), bit=st.integers(0, 7), cut=st.booleans())
    @settings(max_examples=150)
    def check(at: int, bit: int, cut: bool) -> None:
        nonlocal refused
        damaged = bytearray(raw[:at]) if cut else bytearray(raw)
        if not cut:
            damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        found = handle(tmp_path, Load("store.sqlite"))
        assert isinstance(found, Loaded)
        if found.failure is None:
            assert found.items == whole
        else:
            refused += 1
            assert len(found.failure.message.splitlines()) == 1
            assert found.items == ()
            assert handle(tmp_path, Load("store.sqlite")).failure is not None

    check()
    assert refused > 40


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("DELETE FROM items WHERE id='id-3'", "holds 19 items"),
        ("UPDATE items SET text='another' WHERE id='id-3'", "the checksum of an item is wrong"),
        ("UPDATE items SET vector=x'00' WHERE id='id-3'", "the checksum of an item is wrong"),
        ("DELETE FROM done WHERE change=(SELECT min(change) FROM done)", "19 transactions"),
        ("UPDATE seal SET body=replace(body, '20', '19')", "its seal is broken"),
        ("DELETE FROM seal", "its seal is broken"),
        ("DROP TABLE done", "no such table: done"),
        ("PRAGMA user_version=7", "its schema has version 7, expected 1"),
    ],
)
def test_what_was_changed_from_outside_is_refused_with_its_reason_and_what_to_do(
    statement: str, complaint: str, path: Path
) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()
    found = handle(path.parent, Load(path.name))
    assert found.failure is not None
    assert complaint in found.failure.message
    assert f"python -m swarmmind.memory.salvage {path.name}" in found.failure.message


def test_an_old_row_put_back_is_noticed(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        old = connection.execute("SELECT * FROM items WHERE id='id-3'").fetchone()
    with closing(Store(path)) as opened:
        opened.persist("run/x", [Credit("id-3", 1, 1)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM items WHERE id='id-3'")
        connection.execute(f"INSERT INTO items VALUES({'?,' * 12}?)", old)
        connection.commit()
    with closing(Store(path)) as opened, pytest.raises(Damaged, match="or other ones"):
        opened.load()


def test_a_credit_on_a_damaged_row_is_refused_and_changes_nothing(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE items SET wins=9 WHERE id='id-3'")
        connection.commit()
    with closing(Store(path)) as opened:
        with pytest.raises(Damaged):
            opened.persist("run/x", [Put(Item("new")), Credit("id-3", 1)])
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM items").fetchone() == (20,)


def test_salvage_keeps_every_whole_row_and_the_damaged_file(path: Path) -> None:
    whole = filled(path)
    damaged = path.read_bytes().replace(b"fact number 3", b"fact number 4", 1)
    path.write_bytes(damaged)
    saved = salvage(path)
    assert (saved.kept, saved.lost) == (19, 1)
    assert saved.aside.read_bytes() == damaged
    with closing(Store(path)) as opened:
        assert opened.load() == tuple(item for item in whole if item.id != "id-3")
        opened.persist("run/0", [Drop("id-0")])  # was done before the damage, and is known to be
        opened.persist("new/0", [Drop("id-1")])
        assert {item.id for item in whole} - {item.id for item in opened.load()} == {"id-1", "id-3"}


def test_salvage_of_what_is_beyond_help_begins_anew_and_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(b"not a database at all" * 100)
    assert salvaging.main([str(path)]) == 0
    assert "0 items kept, nobody knows how many lost" in capsys.readouterr().out
    with closing(Store(path)) as opened:
        assert opened.load() == ()
    assert salvaging.main([str(path.with_name("nothing"))]) == 2
    assert salvaging.main([]) == 2
    assert "no such store" in capsys.readouterr().err
    with pytest.raises(UserError, match="no such store"):
        salvage(path.with_name("nothing"))


# --- the handler ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../outside.sqlite", "/tmp/x.sqlite", "a/../../x", "nul\0", "~/x"])
def test_a_store_outside_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    found = handle(folder, Load(name))
    assert found.failure is not None
    assert len(found.failure.message.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["task"]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder, outside = tmp_path / "task", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    os.symlink(outside, folder / "link")
    found = handle(folder, Load("link/store.sqlite"))
    assert found.failure is not None
    assert "leads out of it" in found.failure.message
    assert list(outside.iterdir()) == []


def test_a_folder_in_the_place_of_a_store_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    found = handle(tmp_path, Load("store"))
    assert found.failure is not None
    assert len(found.failure.message.splitlines()) == 1


def test_two_runs_with_equal_keys_are_two_and_one_resumed_is_one(tmp_path: Path) -> None:
    put = Persist("s", (Put(items(1)[0]), Credit("id-0", 1, 1)))
    assert handle(tmp_path, put, run="r1") == handle(tmp_path, put, run="r1") == Persisted(2)
    handle(tmp_path, put, run="r2")
    found = handle(tmp_path, Load("s"))
    assert isinstance(found, Loaded)
    assert found.items[0].wins == 2


def program_of(*effects: Load | Persist) -> Program:
    results: list[Loaded | Persisted] = []
    for effect in effects:
        [result] = yield [effect]
        if result.failure is not None:
            raise Failed(result.failure.message)
        results.append(result)
    return len(results)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_run_that_is_resumed_loads_what_it_began_with_and_persists_nothing_twice(
    at_once: bool, tmp_path: Path
) -> None:
    effects = (Load("s"), Persist("s", (Put(items(1)[0]),)), Persist("s", (Credit("id-0", 1, 1),)))

    def run(count: int) -> Played:
        def program(ctx: Context) -> Program:
            return program_of(*effects[:count])

        stores = Stores(tmp_path, "run", at_once=at_once)
        try:
            return play(program, tmp_path / "journal", handlers={Load: stores, Persist: stores}, real=not at_once)
        finally:
            stores.close()

    assert run(2).outcome == Outcome(2)
    handle(tmp_path, Persist("s", (Put(items(2)[1]),)), run="meanwhile")
    assert run(3).outcome == Outcome(3)
    assert run(3).outcome == Outcome(3)
    found = handle(tmp_path, Load("s"))
    assert isinstance(found, Loaded)
    assert [(item.id, item.wins) for item in found.items] == [("id-0", 1), ("id-1", 0)]


def test_a_damaged_store_fails_the_program_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"")

    def program(ctx: Context) -> Program:
        return program_of(Load("s"))

    stores = Stores(tmp_path, "run", at_once=True)
    outcome = play(program, tmp_path / "journal", handlers={Load: stores, Persist: stores}).outcome
    stores.close()
    assert outcome.failure is not None
    assert "the store is damaged" in outcome.failure.message


def test_worker_threads_share_one_store(tmp_path: Path) -> None:
    stores = Stores(tmp_path, "run")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for at in range(20):
                effect = Persist("s", (Put(Item(f"i{at}", born=at)),))
                group.start_soon(lambda e, k: stores(e, LooseCall(key=k)), effect, f"k{at}")  # type: ignore[arg-type]

    anyio.run(main)
    stores.close()
    found = handle(tmp_path, Load("s"))
    assert isinstance(found, Loaded)
    assert len(found.items) == 20


def test_whoever_loads_later_in_a_run_begins_with_what_the_run_began_with(tmp_path: Path) -> None:
    first, second = items(2)
    load = Load("s")
    handle(tmp_path, Persist("s", (Put(first),)), run="earlier")
    for resumed in (False, True):
        stores = Stores(tmp_path, "r1", at_once=True)
        call: Any = LooseCall(key="run/1")
        if resumed:
            stores.replayed(load, call, Loaded((first,)))
        else:
            assert stores(load, call) == Loaded((first,))
        handle(tmp_path, Persist("s", (Put(second),)), run="another")
        assert stores(load, call) == Loaded((first,))
        stores.close()
    assert handle(tmp_path, load) == Loaded((first, second))
