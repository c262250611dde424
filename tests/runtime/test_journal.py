from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmmind.effects import Ask, Choice, Message, Now, Program, Quorum, Reply, Sampling, Sleep, Usage
from swarmmind.errors import RunError
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.runtime import tables, writer
from swarmmind.runtime.journal import Journal, Timing, content
from swarmmind.runtime.writer import Rows, Writer
from tests.runtime.stage import agent, ask, echo, play

NO_TIME = Timing(0.0, 0.0)
Fill = Callable[[Journal], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def fill(path: Path, write: Fill) -> None:
    """Write to a journal as a run does, and close it."""

    async def main() -> None:
        journal = Journal(path)
        journal.start()
        try:
            write(journal)
            await journal.synced()
        finally:
            journal.close()

    anyio.run(main)


def keep(journal: Journal, key: str, effect: Ask, reply: Reply) -> None:
    question = journal.digest(effect)
    journal.question(effect, question)
    journal.result(key, effect, question.digest, reply, NO_TIME)


def saying(text: str) -> Callable[[Request, object], str]:
    def say(request: Request, rng: object) -> str:
        return text

    return say


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], Journal]]:
    """The journal, opened for reading; closed at the end."""
    journals: list[Journal] = []

    def open_() -> Journal:
        journals.append(Journal(path))
        return journals[-1]

    yield open_
    for journal in journals:
        journal.close()


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_what_was_kept_is_found_again(path: Path, opened: Callable[[], Journal]) -> None:
    effect = ask("a", "what is 2 + 2?")
    reply = Reply("4", "4", usage=Usage(1, 10, None, 1, 0.001), finish="stop")

    def write(journal: Journal) -> None:
        keep(journal, "run/1/a", effect, reply)
        journal.attempt("run/1/b", 1, Reply("hm"))
        journal.attempt("run/1/b", 2, Reply("hmm"))
        journal.delivery("run", 3, ["run/3/x", "run/2/y"])
        journal.note("status", {"deep": [1, None, "\u00fc"]})

    fill(path, write)
    journal = opened()
    assert journal.unread == 1
    found = journal.find("run/1/a")
    assert found is not None
    assert found.request == journal.digest(effect).digest
    assert '"text":"4"' in found.value
    assert (journal.unread, journal.find("run/1/nobody")) == (0, None)
    assert [reply.text for reply in journal.attempts("run/1/b")] == ["hm", "hmm"]
    assert journal.attempts("run/1/c") == []
    assert journal.delivered("run", 3) == ["run/3/x", "run/2/y"]
    assert journal.delivered("run", 4) is None
    assert journal.meta("status") == {"deep": [1, None, "\u00fc"]}
    assert journal.meta("nothing") is None


def test_two_asks_are_the_same_only_if_all_that_shapes_the_answer_is(opened: Callable[[], Journal]) -> None:
    journal = opened()
    first = ask("a", "x")
    same = [ask("b", "x"), ask("a", "x", observation={"seen": 1}), ask("a", "x", deadline_seconds=3)]
    others = [
        ask("a", "y"),
        ask("a", "x", output=Choice(("x", "y"))),
        ask("a", "x", sampling=Sampling(temperature=0.1)),
        Ask(agent("a"), (Message("system", "x"),)),
        Ask(agent("a"), (Message("user", ""), Message("user", "x"))),
    ]
    digest = journal.digest(first).digest
    assert {journal.digest(effect).digest for effect in same} == {digest}
    assert len({digest, *(journal.digest(effect).digest for effect in others)}) == 1 + len(others)


def test_a_message_is_stored_once_however_often_it_is_sent(path: Path) -> None:
    long = "x" * 10_000

    def program(ctx: Context) -> Program:
        for number in range(50):
            messages = (Message("system", long), Message("user", str(number)))
            yield [Ask(agent(f"a{at}"), messages) for at in range(10)]

    play(program, path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (51,)
        assert db.execute("SELECT count(*) FROM requests").fetchone() == (50,)
        assert db.execute("SELECT count(*) FROM results").fetchone() == (500,)
    assert path.stat().st_size < 40 * len(long)


def test_content_is_what_was_asked_and_said_without_times(tmp_path: Path) -> None:
    def program(ctx: Context) -> Program:
        yield Quorum([ask("b", "?"), ask("a", "\u4f60\u597d")], share=0.5)

    def of(name: str, seconds: dict[str, float], said: str = "yes") -> list[tuple[str, ...]]:
        class Model(ScriptedFunction):
            def answer(self, request: Request, call: Any) -> Any:
                return ScriptedFunction(saying(said), seconds[request.agent.id]).answer(request, call)

        play(program, tmp_path / name, model=Model(echo))
        return list(content(tmp_path / name))

    slow, fast = of("slow", {"a": 1.0, "b": 10.0}), of("fast", {"a": 0.5, "b": 2.0})
    assert slow == fast
    assert slow != of("other order", {"a": 3.0, "b": 2.0})
    assert slow != of("other words", {"a": 1.0, "b": 10.0}, "no")
    [result, delivery] = slow
    assert result[:5] == ("result", "run/1/a", "Ask", "a", "worker")
    assert '[{"role":"user","content":"\u4f60\u597d"}]' in result[5]
    assert delivery == ("delivery", "run", "1", '["run/1/a"]')


texts = st.text(max_size=40) | st.text(alphabet='a\ud800\udc00\udfff\u0000\u2028"\\', max_size=10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_any_text_is_asked_said_kept_and_replayed(tmp_path_factory: Any, turns: list[tuple[str, str]]) -> None:
    path: Path = tmp_path_factory.mktemp("journal") / "journal.sqlite"

    def program(ctx: Context) -> Program:
        heard: list[str] = []
        for asked, _ in turns:
            [reply] = yield [ask("a", asked)]
            heard.append(reply.text)
        return heard

    said = [text for _, text in turns]

    class Model(ScriptedFunction):
        number = 0

        def answer(self, request: Request, call: Any) -> Any:
            text, self.number = said[self.number], self.number + 1
            return ScriptedFunction(saying(text)).answer(request, call)

    first = play(program, path, model=Model(echo))
    again = play(program, path, model=Model(echo))
    assert again.outcome == first.outcome
    assert (len(first.asked), again.asked) == (len(turns), [])
    whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in said]
    assert first.outcome.value == whole
    list(content(path))


def backwards(request: Request, rng: object) -> str:
    return request.messages[-1].content[::-1]


def test_a_megabyte_is_a_text_like_any_other(path: Path) -> None:
    long = "\u00e4" * 500_000 + "\U0001f41d" * 100_000

    def program(ctx: Context) -> Program:
        [reply] = yield [ask("a", long)]
        return reply.text

    for asked in (1, 0):
        played = play(program, path, model=ScriptedFunction(backwards))
        assert played.outcome.value == long[::-1]
        assert len(played.asked) == asked


# --- reading much -----------------------------------------------------------------------------------------------------


def test_ten_thousand_results_are_found_in_any_order(path: Path, opened: Callable[[], Journal]) -> None:
    count = 12_000
    effect = ask("a")

    def write(journal: Journal) -> None:
        for number in range(count):
            keep(journal, f"run/{number}/a", effect, Reply(str(number)))

    fill(path, write)
    journal = opened()
    assert journal.unread == count
    order = [*range(count - 1, count - 101, -1), *range(0, 6000, 2), *range(1, 6000, 2), *range(6000, count - 100)]
    for number in order:
        found = journal.find(f"run/{number}/a")
        assert found is not None
        assert f'"text":"{number}"' in found.value
    assert journal.unread == 0
    assert journal.find("run/1/a") is None


def test_a_large_run_goes_on_where_it_was_and_asks_only_what_is_new(path: Path) -> None:
    def rounds(number: int) -> Callable[[Context], Program]:
        def program(ctx: Context) -> Program:
            total = 0
            for _ in range(number):
                replies = yield [ask(f"a{at}") for at in range(1_000)]
                total += sum(len(reply.text) for reply in replies)
            return total

        return program

    play(rounds(11), path)
    resumed = play(rounds(12), path)
    assert len(resumed.asked) == 1_000
    assert resumed.meter.replayed == 11_000
    assert resumed.outcome.value == play(rounds(12), path.with_name("whole")).outcome.value


def test_what_a_yield_was_answered_with_holds_even_when_every_result_is_read(path: Path) -> None:
    """Killed when the planner was done but the program had gone on without it: it must go on without it again."""

    class Killed(Exception):
        pass

    seconds = {"planner": 2.5, "x": 1.0}

    def program(ctx: Context) -> Program:
        seen = [(yield Now([ask("planner")]))]
        yield [Sleep(1)]
        seen.append((yield Now()))
        yield [ask("x", f"after {len(seen[1])} plans")]
        yield [Sleep(1)]
        seen.append((yield Now()))
        yield [ask("dies")]
        return [[delivery.result.text for delivery in batch] for batch in seen]

    class Model(ScriptedFunction):
        mortal = True

        def answer(self, request: Request, call: Any) -> Any:
            if request.agent.id == "dies" and self.mortal:
                raise Killed
            return ScriptedFunction(echo, seconds.get(request.agent.id, 0.0)).answer(request, call)

    model = Model(echo)
    with pytest.raises(Killed):
        play(program, path, model=model)
    with closing(sqlite3.connect(path)) as db:  # as if killed a little earlier, with the planner's reply just in
        db.execute("DELETE FROM results WHERE key IN ('run/4/x', 'run/5/sleep')")
        db.execute("DELETE FROM deliveries WHERE step > 3")
        db.commit()
    model.mortal = False
    assert play(program, path, model=model).outcome.value == [[], [], ["planner: ?"]]
    assert ("delivery", "run", "3", "[]") in list(content(path))


# --- files that cannot be used ----------------------------------------------------------------------------------------


def _open_elsewhere(path: str, said: Any) -> None:
    try:
        Journal(Path(path)).close()
        said.put("opened")
    except RunError as error:
        said.put(str(error))


def elsewhere(path: Path) -> str:
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    process = context.Process(target=_open_elsewhere, args=(str(path), said))
    process.start()
    answer: str = said.get(timeout=20)
    process.join()
    return answer


def test_a_running_journal_is_refused_to_everybody_else_in_one_line(path: Path) -> None:
    journal = Journal(path)
    try:
        with pytest.raises(RunError, match="is going on in another process") as caught:
            Journal(path)
        said = elsewhere(path)
        assert said == str(caught.value)
        assert len(said.splitlines()) == 1
    finally:
        journal.close()
    Journal(path).close()


@pytest.mark.parametrize(
    "raw", [b"this is no database, but long enough to be looked at" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_file_is_refused_and_left_alone(raw: bytes, path: Path) -> None:
    path.write_bytes(raw)
    for _ in range(2):  # the refusal gives the lock back
        with pytest.raises(RunError, match="not a readable journal") as caught:
            Journal(path)
        assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == raw


def test_a_database_of_somebody_else_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE photos(name TEXT)")
        db.commit()
    with pytest.raises(RunError, match="not a readable journal"):
        Journal(path)


def test_another_version_is_refused_by_name(path: Path) -> None:
    Journal(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value='99' WHERE name='version'")
        db.commit()
    with pytest.raises(RunError, match="schema version '99', this program reads '1'"):
        Journal(path)


def test_a_journal_cut_off_in_the_middle_is_refused(path: Path) -> None:
    def write(journal: Journal) -> None:
        for number in range(99):
            keep(journal, f"run/{number}/a", ask("a", "x" * 900 + str(number)), Reply("y"))

    fill(path, write)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(RunError, match="not a readable journal"):
        Journal(path)


# --- a disk that is full ----------------------------------------------------------------------------------------------

FULL_DISK = """
import resource, sys
from pathlib import Path
from swarmmind.errors import JournalError
from tests.runtime.stage import play
from tests.runtime.test_journal import much

resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
try:
    play(much, Path(sys.argv[1]), real=sys.argv[2] == "real")
except JournalError as error:
    print(error)
"""


@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_a_full_disk_stops_the_run_with_one_line_and_keeps_what_was_written(clock: str, path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(path), clock]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert f"{path}: cannot write: " in done.stdout
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    played = play(much, path)
    assert 0 < played.meter.replayed < 4000
    assert len(played.asked) == 4000 - played.meter.replayed


def much(ctx: Context) -> Program:
    for number in range(200):
        yield [ask(f"a{at}", f"{number} {at} " + "x" * 500) for at in range(20)]


def test_what_a_whole_population_is_told_at_once_does_not_pile_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, hand_over = tables.commit, Writer.hand_over
    handed, written, piles = [0], [0], list[int]()

    def slow(connection: sqlite3.Connection, batches: Sequence[Rows]) -> None:
        sleep(0.005)
        commit(connection, batches)
        written[0] += sum(len(rows) for batch in batches for rows in batch.values())

    def watched(writer: Writer, rows: Rows, callbacks: list[Callable[[], None]]) -> None:
        handed[0] += sum(map(len, rows.values()))
        hand_over(writer, rows, callbacks)
        piles.append(handed[0] - written[0])

    def program(ctx: Context) -> Program:
        replies = yield [ask(f"a{at}", f"question {at}") for at in range(8000)]
        return len(replies)

    monkeypatch.setattr(tables, "commit", slow)
    monkeypatch.setattr(Writer, "hand_over", watched)
    assert play(program, path).outcome.value == 8000
    assert max(piles) <= 8192 + 512


@pytest.mark.parametrize(("pause_seconds", "lingers"), [(0.0, True), (1.0, False)])
def test_a_steady_load_is_written_together_and_a_burst_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, pause_seconds: float, lingers: bool
) -> None:
    slept: list[float] = []
    ticks = count()
    clock = SimpleNamespace(monotonic=lambda: next(ticks) * pause_seconds, sleep=slept.append)
    monkeypatch.setattr(writer, "time", clock)

    async def main() -> None:
        journal = Journal(path)
        journal.start()
        for number in range(60):
            journal.record(f"run/{number}", "n", number, final=True)
            await journal.synced()
            await anyio.sleep(0.001)
        journal.close()

    anyio.run(main)
    assert 0 < len(slept) <= 60 - 15 if lingers else not slept  # from the sixteenth on, unless something waits already
