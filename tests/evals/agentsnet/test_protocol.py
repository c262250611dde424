from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from swarmmind.effects import Message
from tests.evals.agentsnet.played import answers, recorded, said, world

TRACES: list[dict[str, Any]] = recorded("protocol.json.gz")["traces"]
SYSTEM = 1
"""The card's message, which the runtime puts before the conversation, and which the original counts."""


def _left(prompt: Message) -> int | None:
    found = re.findall(r"^Rounds left: (\d+)\.", prompt.content, re.MULTILINE)
    return int(found[0]) if found else None


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: f"{trace['graph']}-{trace['kind']}")
def test_a_recorded_exchange_is_reproduced_call_by_call(trace: dict[str, Any]) -> None:
    game = world(trace["task"], trace["graph"], rounds=trace["rounds"])
    assert game.rounds == trace["rounds"] + 1
    logs = {name: iter(log) for name, log in trace["log"].items()}
    calls = 0
    while not game.done:
        replies: dict[str, Any] = {}
        for name, turn in game.turns().items():
            call, seen, prompt = next(logs[name]), turn.observation, turn.messages[-1]
            assert list(seen.inbox.items()) == list(call["received"].items())  # the order of neighbors, too
            assert list(seen.silent) == call["silent"]
            assert (seen.round, seen.again, seen.final) == (call["round"], call["retry"], call["final"])
            assert len(turn.messages) + SYSTEM == call["history"]
            assert _left(prompt) == call["rounds_left"]
            assert ("last messages" in prompt.content) == call["last_send_notice"]
            assert all(f"> {text}" in prompt.content for text in call["received"].values())
            replies[name] = said(call["reply"])
            calls += 1
        game.step(replies)
    assert all(next(log, None) is None for log in logs.values())
    assert calls == trace["calls"]
    assert answers(game) == trace["answers"]
    seats = game.seats.values()
    assert [seat.fallbacks for seat in seats] == trace["num_fallbacks"]
    assert [seat.failed_json for seat in seats] == trace["failed_json"]
    assert [seat.failed_answers for seat in seats] == trace["failed_answer"]
    assert game.score == trace["score"]


def test_awkward_agents_of_all_recorded_kinds_are_there() -> None:
    kinds = Counter(trace["kind"] for trace in TRACES)
    assert set(kinds) == {"plain", "strangers", "bad_json_twice", "bad_answer_once"}
    assert sum(sum(trace["num_fallbacks"]) for trace in TRACES) > 10
