from __future__ import annotations

from typing import Any

import pytest

from swarmmind.report import grid_text, lines
from swarmmind.report.text import duration, number, share, usd, visible

FULL: dict[str, Any] = {
    "run_id": "k3", "name": "forage", "status": "stopped", "stopped": "tokens", "output": "115\nand why", "score": 0.83,
    "usage": {"calls": 1200, "prompt_tokens": 2345678, "cached_tokens": 1172839, "completion_tokens": 34567,
              "cost_usd": 1.2345},
    "coverage": {"planned": 1200, "finished": 1188, "failed": 10, "cancelled": 2, "roles": {
        "scout": {"planned": 200, "finished": 200, "failed": 0, "cancelled": 0},
        "worker": {"planned": 1000, "finished": 988, "failed": 10, "cancelled": 2}}},
    "seconds": 12.34, "folder": "runs/x", "undone": "rounds 8 to 10", "warnings": ["few seeds"],
    "failures": [{"kind": "timeout", "count": 8, "example": "no answer\nin 30 s"}],
}  # fmt: skip


def test_the_last_lines_of_a_run():
    assert lines(FULL) == [
        "forage: stopped (limit reached: tokens) in 12.3 s",
        "output: 115",
        "  and why",
        "score: 0.83",
        "coverage: 1,200 planned = 1,188 finished + 10 failed + 2 cancelled",
        "  worker: 1,000 planned = 988 finished + 10 failed + 2 cancelled",
        "bill: 1,200 calls, 2,345,678 prompt tokens (50 % cached), 34,567 completion tokens, cost $1.2345",
        "failures: 8 x timeout, e.g. no answer in 30 s",
        "left undone: rounds 8 to 10",
        "warning: few seeds",
        "report: runs/x/report.html",
        "resume: swarmmind resume runs/x",
    ]


def test_a_result_without_anything_is_unknown_not_zero():
    assert lines({}) == [
        "run: unknown",
        "output: unknown",
        "score: unknown",
        "coverage: unknown planned = unknown finished + unknown failed + unknown cancelled",
        "bill: unknown calls, unknown prompt tokens, unknown completion tokens, cost unknown",
    ]


def test_what_servers_had_in_their_prefix_caches_is_their_own_word():
    one = {"url": "http://a", "prompt_tokens": 1000, "cached_tokens": 900}
    silent = {"url": "http://b", "prompt_tokens": None, "cached_tokens": None}
    told = "prefix cache: 70 % of 2,000 prompt tokens, by the server's own counters"
    assert told in lines({"served": [one, silent, {**one, "cached_tokens": 500}]})
    assert not [line for line in lines({"served": [silent]}) if "prefix cache" in line]


def test_what_was_really_in_flight_is_told_of_each_server():
    one = {
        "url": "http://a", "answered": 300, "mean_in_flight": 9.68, "most_in_flight": 12, "limit": 10,
        "queued_seconds": 3000.0, "rejections": 4, "preemptions": 0,
    }  # fmt: skip
    told = (
        "server: http://a: 300 answered, 9.68 in flight on average, 12 at most (limit 10 at the end), "
        "10 s of waiting for a place each, 4 refused as too many"
    )
    assert told in lines({"served": [one]})
    assert len([line for line in lines({"served": [one] * 20}) if line.startswith("server: ")]) == 8


def test_metrics_are_read_at_a_glance():
    few = lines({"metrics": {"entropy": 0.93221, "events": 24.0, "gain": -1e-7}})
    assert "metrics: entropy 0.9322, events 24, gain -1e-07" in few
    many = lines({"metrics": {f"m{number}": number / 3 for number in range(5)}})
    at = many.index("metrics:")
    assert many[at + 1 : at + 6] == ["  m0 0", "  m1 0.3333", "  m2 0.6667", "  m3 1", "  m4 1.333"]
    hostile = lines({"metrics": {"a\nreport: fake" + "x" * 500: "\x1b[2J\n" + "y" * 500}})
    assert max(map(len, hostile)) < 200
    assert not [line for line in hostile if line.startswith("report")]


def test_the_contexts_stand_below_the_bill():
    printed = lines(FULL, "62 % task, 38 % others' (worker-3 most)")
    place = next(at for at, line in enumerate(printed) if line.startswith("bill"))
    assert printed[place + 1] == "context: 62 % task, 38 % others' (worker-3 most)"


def test_a_worlds_output_is_its_map():
    printed = lines({"output": {"round": 2, "score": 1, "grid": ["W.W", "WAW"], "messages": {}}, "error": "boom"})
    assert printed[1:4] == ["output: round 2, score 1", "  W.W", "  WAW"]
    assert "error: boom" in printed


def test_a_finished_run_needs_no_resuming():
    assert not [line for line in lines({**FULL, "status": "finished"}) if line.startswith("resume")]


def test_no_reply_drives_the_terminal():
    printed = "\n".join(lines({"output": "a\x1b]0;title\x07b\x00\r\u202e", "status": "\x1b[2J", "warnings": ["\x9b"]}))
    assert "output: a\u241b]0;title\u2407b\u2400" in printed
    assert not set(printed) & set("\x1b\x07\x00\r\u202e\x9b")


def test_a_long_output_is_cut_and_said_to_be():
    printed = lines({"output": "x" * 5000})
    assert len(printed[1]) < 2100
    assert printed[2] == "  ... and 3,000 characters more, in result.json"


def test_a_map_as_text():
    frame = {"round": 3, "score": 0.5, "grid": ["WWW", "WA\x1b", "WWW"]}
    assert grid_text(frame) == "round 3, score 0.5\nWWW\nWA\u241b\nWWW"
    assert grid_text({}) == "round unknown, score unknown"


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0451, "45.1 ms"), (0, "0 ms"), (3.21, "3.21 s"), (99.99, "1 min 40 s"), (125, "2 min 5 s"), (7380, "2 h 3 min"),
     (None, "unknown")],
)  # fmt: skip
def test_durations(value: float | None, words: str):
    assert duration(value) == words


def test_numbers_money_and_shares():
    assert [number(value) for value in (1234567, 0.123456, 12345.678, True, None, "x")] == [
        "1,234,567", "0.1235", "12,346", "true", "unknown", "x",
    ]  # fmt: skip
    assert [usd(value) for value in (0, 1.5, 0.000123, 1234.5, None)] == [
        "$0.00", "$1.50", "$0.000123", "$1,234.50", "unknown",
    ]  # fmt: skip
    assert [share(1, 4), share(0, 4), share(None, 4), share(1, 0)] == ["25 %", "0 %", "unknown", "unknown"]


def test_joiners_tabs_and_newlines_stay():
    family = "\U0001f468\u200d\U0001f469\tx\ny"
    assert visible(family) == family
    assert visible("\u202e\ufeff\x7f\ud800") == "\u27e8U+202E\u27e9\u27e8U+FEFF\u27e9\u2421\u27e8U+D800\u27e9"


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ({"engine": "ray", "count": 4, "nodes": 2, "lost": 1}, ["workers: 4 (ray) on 2 machines, 1 lost on the way"]),
        ({"engine": "processes", "count": 2, "nodes": 1, "lost": 0}, ["workers: 2 (processes) on 1 machine"]),
        (None, []),
    ],
)
def test_who_took_part_is_said(workers: Any, said: list[str]) -> None:
    told = lines({**FULL, "workers": workers})
    assert [line for line in told if line.startswith("workers")] == said
