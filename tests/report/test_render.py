from __future__ import annotations

import re
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from swarmmind.effects import Agent, Message, Reply, Usage
from swarmmind.errors import RunError
from swarmmind.report import render
from swarmmind.runtime.journal import Journal, Timing

from . import runs
from .pages import Page

HOSTILE = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>]]>--><!--<svg/onload=alert(1)>"
    "\"'&amp;{{7*7}}\x1b[31m\x07\u202eevil\u2028line\u2066"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a world of 40 agents and 60 rounds."""
    return Page(render(runs.world(tmp_path_factory.mktemp("world"), agents=40, rounds=60, words=200)))


def test_a_world_can_be_read_in_full(tmp_path: Path):
    page = Page(render(runs.world(tmp_path, agents=7, rounds=9)))
    world = page.index["worlds"]["run"]
    assert world["rounds"] == list(range(10))
    assert world["scores"][0] == 0
    [[chunk, first]] = world["places"]
    frames = page.chunk(chunk)
    assert (first, len(frames), len(frames[3]["grid"]), frames[3]["round"]) == (0, 10, 10, 3)
    names = [name for name, *_ in page.index["agents"]]
    assert names == ["scout-0", "scout-5", *(f"worker-{number}" for number in (1, 2, 3, 4, 6))]
    talk = page.transcript("worker-3")
    assert [exchange["key"] for exchange in talk] == [f"run/{2 * number + 1}/worker-3" for number in range(9)]
    assert talk[4]["messages"][1][1].startswith("Round 4. You see: ")
    assert talk[4]["body"][0] == "vllm/Qwen/Qwen3-8B"
    assert sum(page.index["activity"]["exchanges"]) == 63


def test_histories_come_back_message_by_message(tmp_path: Path):
    page = Page(render(runs.debate(tmp_path, agents=4, rounds=4)))
    talk = page.transcript("solver-2")
    assert [len(exchange["messages"]) for exchange in talk] == [1, 3, 5, 7]
    assert talk[3]["messages"][:5] == talk[2]["messages"]
    assert [role for role, _ in talk[3]["messages"]] == ["system", *["assistant", "user"] * 3]
    assert talk[3]["messages"][1][1] == talk[0]["said"]["text"]
    assert "solver-1 says" in talk[3]["messages"][-1][1]
    cells = {(column, row): word for row, column, _, word, _ in page.index["matrix"]}
    assert cells[(3, 2)] == talk[3]["said"]["text"]
    [[chunk, first, _]] = page.index["agents"][2][-1]
    assert [kept for _, _, _, kept, *_ in page.chunk(chunk)["exchanges"][first : first + 4]] == [0, 1, 3, 5]
    assert page.index["steps"] == [f"run/3/debate/{number}" for number in range(4)]


def test_a_history_goes_on_in_the_next_chunk(tmp_path: Path):
    told = [Message("user", f"{number} " * 20_000) for number in range(16)]

    def write(kept: Journal) -> Iterator[None]:
        for number in range(16):
            runs.exchange(kept, f"run/{number}/a", Agent("a", "w"), told[: number + 1], runs.said(f"{number}"))
        yield

    page = Page(render(runs.journal(tmp_path, write)))
    assert len(page.index["agents"][0][-1]) > 2
    for number, exchange in enumerate(page.transcript("a")):
        assert exchange["messages"] == [["user", message.content] for message in told[: number + 1]]
        assert exchange["said"]["text"] == str(number)


def test_steps_and_agents_are_in_the_order_of_numbers(tmp_path: Path):
    page = Page(render(runs.world(tmp_path, agents=12, rounds=6)))
    assert page.index["steps"] == ["run/1", "run/3", "run/5", "run/7", "run/9", "run/11"]
    assert [name for name, *_ in page.index["agents"]][-2:] == ["worker-9", "worker-11"]


def test_a_message_that_all_were_sent_is_once_in_the_page(page: Page):
    chunks = [page.chunk(number) for number in range(len(page.letters))]
    agents = [chunk for chunk in chunks if isinstance(chunk, dict)]
    assert len(agents) > 5
    assert not any(text.startswith("You live") for chunk in agents for _, text in chunk["messages"])
    shared = [text for place in page.index["shared"] for _, text in chunks[place[0]]]
    assert sum(text.startswith("You live") for text in shared) == 1
    assert page.transcript("worker-9")[59]["messages"][0][1].startswith("You live")
    total = sum(len(chunk["messages"]) for chunk in agents) + len(shared)
    assert total == 40 * 60 + 1


def test_a_chunk_is_small_and_an_agents_chunks_are_few(page: Page):
    assert max(len(str(page.chunk(number))) for number in range(len(page.letters))) < 450_000
    assert max(len(places) for *_, places in page.index["agents"]) <= 2


@pytest.mark.parametrize("limit_bytes", [0, 60_000, 200_000])
def test_what_is_left_out_is_counted(tmp_path: Path, limit_bytes: int):
    folder = runs.world(tmp_path, agents=60, rounds=50, words=100)
    page = Page(render(folder, limit_bytes=max(limit_bytes, 1)))
    embedded = sum(count for *_, places in page.index["agents"] for _, _, count in places)
    assert embedded + page.index["left_out"] == 60 * 50
    assert page.index["left_out"] > 0
    assert page.index["limit_bytes"] == max(limit_bytes, 1)
    assert len(page.source) < limit_bytes + 800_000
    if embedded:
        assert {role for _, role, *_, places in page.index["agents"] if places} == {"scout", "worker"}
    assert sum(page.index["activity"]["exchanges"]) == 60 * 50


def test_maps_are_thinned_evenly_when_all_would_be_too_much(tmp_path: Path):
    page = Page(render(runs.world(tmp_path, agents=3, rounds=40, side=30), limit_bytes=15_000))
    every, world = page.index["every"], page.index["worlds"]["run"]
    assert every > 1
    frames = [frame for chunk, _ in world["places"] for frame in page.chunk(chunk)]
    assert [frame["round"] for frame in frames] == list(range(0, 41, every))
    assert len(world["scores"]) == 41


def test_nothing_that_was_said_is_markup(tmp_path: Path):
    evil = Agent(HOSTILE, HOSTILE, index=0)

    def write(kept: Journal) -> Iterator[None]:
        for step in range(3):
            message = Message("user", HOSTILE)
            reply = runs.said(HOSTILE) if step else runs.failed(HOSTILE, HOSTILE)
            kept.attempt(f"run/{step}/{HOSTILE}", 1, Reply(HOSTILE))
            runs.exchange(kept, f"run/{step}/{HOSTILE}", evil, [message], reply)
        kept.record("run/4/round", "round", {"round": HOSTILE, "score": HOSTILE, "grid": [HOSTILE], HOSTILE: HOSTILE})
        kept.record("run/5/x", HOSTILE, {HOSTILE: HOSTILE})
        yield

    runs.journal(tmp_path, write)
    runs.result(
        tmp_path, name=HOSTILE, status=HOSTILE, output=HOSTILE * 40, topology=HOSTILE, model=HOSTILE, undone=HOSTILE,
        warnings=[HOSTILE], failures=[{"kind": HOSTILE + "2", "count": 1, "example": HOSTILE}],
        metrics={HOSTILE: HOSTILE},
        coverage={"planned": 1, "finished": 1, "failed": 0, "cancelled": 0, "roles": {HOSTILE: {"planned": HOSTILE}}},
    )  # fmt: skip
    (tmp_path / "task.yaml").write_text(HOSTILE)
    page = Page(render(tmp_path))
    assert page.tags["img"] == 0
    assert page.tags["script"] == len(page.letters) + 2
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "style")]
    assert {value for _, name, value in page.attributes if name == "href"} <= set(re.findall(r"#\w+", page.source))
    assert "window.hacked" not in page.code["script"]
    assert "<" not in re.findall(r'id="index">(.*?)</script>', page.source, re.S)[0]
    assert page.text.count("window.hacked=2") > 15
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u2028\u2066]", page.source)
    assert "\u241b[31m" in page.text
    assert "\u27e8U+202E\u27e9evil" in page.text
    assert page.transcript(HOSTILE)[0]["messages"] == [["user", HOSTILE]]


def test_only_the_pages_own_code_may_run(tmp_path: Path):
    page = Page(render(runs.debate(tmp_path)))
    for kind, directive in (("script", "script-src"), ("style", "style-src")):
        digest = b64encode(sha256(page.code[kind].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in page.policy
    assert page.policy.startswith("default-src 'none'")
    assert "unsafe" not in page.policy
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page.source)


def test_a_megabyte_is_cut_and_said_to_be(tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        runs.exchange(kept, "run/0/a", Agent("a", "r"), [Message("user", "x" * 1_000_000)], runs.said("y" * 300_000))
        yield

    page = Page(render(runs.journal(tmp_path, write)))
    [exchange] = page.transcript("a")
    text = exchange["messages"][0][1]
    assert text.startswith("x" * 100_000)
    assert text.endswith("[900,000 characters more are not in this page but in journal.sqlite]")
    assert exchange["said"]["text"].endswith("[200,000 characters more are not in this page but in journal.sqlite]")
    assert page.index["clipped"] == 2


def test_unknown_is_never_zero(tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        silent = Reply("x", "x", usage=Usage(1, None, None, None, None))
        runs.exchange(kept, "run/0/a", Agent("a", "mute"), [], silent)
        runs.exchange(kept, "run/0/b", Agent("b", "mixed"), [], silent)
        runs.exchange(kept, "run/1/b", Agent("b", "mixed"), [], runs.said("x", prompt=1234))
        runs.exchange(kept, "run/1/c", Agent("c", "plain"), [], runs.said("x", prompt=77, cached=0))
        yield

    page = Page(render(runs.journal(tmp_path, write)))
    assert "prompt tokens unknown" in page.text
    assert "cost unknown" in page.text
    assert "at least 1,234" in page.text
    assert "77 0 % 20" in page.text
    assert [tokens for _, _, _, _, tokens, _ in page.index["agents"]] == [None, None, 97]
    assert page.index["activity"]["tokens"] == [None, 1254, None, 0, 0, 97]


def test_failures_are_grouped_with_examples_and_names(tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        for number in range(30):
            agent = Agent(f"w-{number % 25}", "worker")
            kind = "timeout" if number < 28 else "busy"
            runs.exchange(kept, f"run/{number}/{agent.id}", agent, [], runs.failed(kind, f"because {number}"))
        yield

    page = Page(render(runs.journal(tmp_path, write)))
    assert "timeout 28 times Who: w-0 (2), w-1 (2), w-2 (2), w-3" in page.text
    assert "and 5 more" in page.text
    assert "busy 2 times Who: w-3, w-4" in page.text
    assert "because 0" in page.text
    assert "because 3 " not in page.text
    assert page.text.count("see it") == 5


def test_asked_again_is_counted_and_shown(tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        kept.attempt("run/0/a", 1, Reply("mumble", usage=Usage(1, 10, 0, 5, 0.0)))
        kept.attempt("run/0/a", 2, Reply("mutter", usage=Usage(1, 10, 0, 5, 0.0)))
        runs.exchange(kept, "run/0/a", Agent("a", "worker"), [Message("user", "hm?")], runs.said("plain"))
        yield

    page = Page(render(runs.journal(tmp_path, write)))
    assert [attempt["text"] for attempt in page.transcript("a")[0]["attempts"]] == ["mumble", "mutter"]
    assert "worker 1 1 0 2 1 400" in page.text


def test_the_header_says_what_result_json_says(tmp_path: Path):
    runs.result(
        runs.debate(tmp_path), name="digits", status="stopped", stopped="tokens", output={"answer": [115]}, score=0.25,
        usage={"calls": 15, "prompt_tokens": 6000, "cached_tokens": 1500, "completion_tokens": 300, "cost_usd": None},
        coverage={"planned": 20, "finished": 15, "failed": 1, "cancelled": 3}, seconds=125, seed=7,
        undone="two rounds", warnings=["slow disk"], metrics={"entropy": 1.25}, version="9.9",
        served=[{"url": "http://a", "prompt_tokens": 6000, "cached_tokens": 1200, "answered": 15, "limit": 4}],
    )  # fmt: skip
    page = Page(render(tmp_path))
    for words in (
        "digits stopped", "limit reached tokens", "score 0.25", "time 2 min 5 s", "25 % from the cache", "cost unknown",
        "20 planned = 15 finished + 1 failed + 3 cancelled (these add up to 19)", "Left undone: two rounds",
        '{ "answer": [ 115 ] }', "slow disk", "entropy 1.25", "Made by SwarmMind 9.9",
        "http://a: 15 answered (limit 4 at the end)",
        "From the prefix cache: 20 % of 6,000 prompt tokens, by the server's own counters.",
    ):  # fmt: skip
        assert words in page.text


def test_a_worlds_output_is_its_last_map(tmp_path: Path):
    runs.result(
        runs.world(tmp_path, rounds=2), status="crashed", error="KeyError: 'x'", models=["a/b", "c/d"],
        makespan_seconds=90, seconds=0.5, output={"round": 2, "score": 1.5, "grid": ["WWW", "W.W"]},
        usage={"calls": 24, "prompt_tokens": None, "completion_tokens": 5, "cost_usd": 0.5},
        charged={"calls": 24, "tokens": 9000, "usd": 0.75},
    )  # fmt: skip
    page = Page(render(tmp_path))
    assert "round 2, score 1.5 WWW W.W" in page.text
    for words in ("Error: KeyError: 'x'", "model a/b, c/d", "500 ms 90 s on the run's clock", "9,000 charged in all",
                  "$0.50 $0.75 charged"):  # fmt: skip
        assert words in page.text
    assert "24 charged" not in page.text


def test_records_of_many_kinds_are_listed_whole(tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        for number in range(20):
            kept.record(f"run/{number}/votes", "votes", {f"answer {number}": 3, "none": 1})
        yield

    assert "run/17/votes answer 17: 3, none: 1" in Page(render(runs.journal(tmp_path, write))).text


def test_no_time_is_no_histogram(tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        runs.exchange(kept, "run/0/a", Agent("a", "worker"), [], runs.said("x"), Timing(0, 0))
        yield

    page = Page(render(runs.journal(tmp_path, write)))
    assert "No time passed on the run's clock." in page.text


def test_records_are_tables(tmp_path: Path):
    def write(kept: Journal) -> Iterator[None]:
        for number in range(250):
            kept.record(f"run/{number}/votes", "votes", {"round": number, "agree": number % 2 == 0})
        kept.record("run/900/note", "note", ["a", {"b": "c" * 5000}])
        yield

    page = Page(render(runs.journal(tmp_path, write)))
    assert "votes: 250 records The first 200; all of them are in journal.sqlite" in page.text
    assert "run/3/votes 3 false" in page.text
    assert "run/250/votes" not in page.text
    assert "note: 1 record" in page.text
    assert len(max(page.texts, key=len)) < 400


def test_a_run_that_goes_on_or_was_killed_has_a_page(tmp_path: Path):
    pages: list[Page] = []

    def write(kept: Journal) -> Iterator[None]:
        runs.exchange(kept, "run/0/a", Agent("a", "worker"), [Message("user", "hm?")], runs.said("so far"))
        yield
        pages.append(Page(render(tmp_path)))

    runs.journal(tmp_path, write)
    assert "There is no result.json: the run goes on, or was killed." in pages[0].text
    assert pages[0].transcript("a")[0]["said"]["text"] == "so far"
    assert "calls 1 prompt tokens 400" in pages[0].text


def test_an_empty_run_has_a_page(tmp_path: Path):
    page = Page(render(runs.journal(tmp_path, lambda _: iter(()))))
    assert "No agent has answered." in page.text
    assert page.index["agents"] == []


def test_a_broken_result_is_a_warning(tmp_path: Path):
    runs.debate(tmp_path)
    (tmp_path / "result.json").write_text('{"status": "fin')
    assert "result.json cannot be read" in Page(render(tmp_path)).text


def test_a_folder_without_a_journal_is_a_users_mistake(tmp_path: Path):
    with pytest.raises(RunError, match=r"not a run's folder \(expected a journal\.sqlite in it\)"):
        render(tmp_path)
    (tmp_path / "journal.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(RunError, match="not a readable journal"):
        render(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.sqlite"]


def test_a_damaged_journal_leaves_the_old_page(tmp_path: Path):
    folder = runs.world(tmp_path, agents=30, rounds=20)
    before = render(folder).read_bytes()
    raw = bytearray((folder / "journal.sqlite").read_bytes())
    raw[20 * 4096 : -4096] = b"\xa5" * (len(raw) - 21 * 4096)
    (folder / "journal.sqlite").write_bytes(raw)
    with pytest.raises(RunError, match="damaged"):
        render(folder)
    assert (folder / "report.html").read_bytes() == before
    assert not list(folder.glob(".report*"))


def test_the_same_run_gives_the_same_page(tmp_path: Path):
    folder = runs.world(tmp_path, agents=5, rounds=4)
    assert render(folder).read_bytes() == render(folder).read_bytes()


def test_folders_may_have_odd_names(tmp_path: Path):
    folder = runs.debate(tmp_path / "a?b=c#d%41 <e>")
    assert "debate" in Page(render(folder)).text


def test_memory_does_not_grow_with_the_texts(tmp_path: Path):
    peaks: list[int] = []
    for rounds in (4, 40):
        folder = runs.world(tmp_path / str(rounds), agents=100, rounds=rounds, words=400)
        tracemalloc.start()
        render(folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    texts_bytes = 36 * 100 * 2000
    assert peaks[1] - peaks[0] < texts_bytes / 2
    assert peaks[1] < 32 * 2**20
