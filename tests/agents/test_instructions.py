"""What 10,000 agents of one card are told: written when it is wanted, the same text as ever."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import msgspec
import pytest

from swarmmind.agents.population import populate
from swarmmind.effects import Agent
from swarmmind.errors import SpecError
from swarmmind.memory.blackboard import Blackboard
from swarmmind.memory.window import Window
from swarmmind.rng import Streams
from swarmmind.spec import load_task_data
from swarmmind.traces import ANSWER, Query, Trace
from tests.spec.projects import write

CARD = """---
name: walker
description: Walks.
parameters: {{boldness: {drawn}}}
---
  {{{{ id }}}} ({{{{ index }}}}) is a {{{{ boldness | round(1) }}}} {{{{ role }}}}. {advice}
"""


def walkers(folder: Path, count: int, advice: str = "", drawn: str = "{uniform: [0, 1]}") -> tuple[Agent, ...]:
    write(folder / "agents" / "walker.md", CARD.format(advice=advice, drawn=drawn))
    data = {"problem": "?", "model": "scripted", "swarm": {"agents": {"walker": count}, "topology": "solo"}}
    loaded = load_task_data(data, folder)
    return populate(loaded.task, loaded.swarm, Streams(7))


def test_a_text_is_of_its_agent_however_often_and_in_whatever_order_it_is_wanted(tmp_path: Path) -> None:
    agents = walkers(tmp_path, 3000)
    for agent in (agents[5], agents[2999], agents[5], *agents[:1500], agents[5]):
        said = f"{agent.id} ({agent.index}) is a {round(agent.parameters['boldness'], 1)} walker."
        assert agent.instructions == said
    moved = msgspec.structs.replace(agents[5], index=77)
    assert moved.instructions.startswith("walker-5 (77) is")
    assert agents[5].instructions.startswith("walker-5 (5) is")


def test_a_long_card_is_held_once_for_all(tmp_path: Path) -> None:
    agents = walkers(tmp_path, 500, advice="Take care. " * 2000)
    assert len(agents[0].instructions) > 20_000
    assert len({id(agent.prompt) for agent in agents}) == 1
    own = (sys.getsizeof(a) + sys.getsizeof(a.id) + sys.getsizeof(a.parameters) for a in agents)
    assert max(own) < 1000


def test_agents_of_equal_cards_are_equal_and_travel(tmp_path: Path) -> None:
    agents = walkers(tmp_path, 3)
    assert agents == walkers(tmp_path, 3)
    assert pickle.loads(pickle.dumps(agents)) == agents
    assert pickle.loads(pickle.dumps(agents[2])).instructions == agents[2].instructions
    assert agents != walkers(tmp_path, 3, advice="Run.")


def test_a_value_that_does_not_fit_the_last_agent_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be filled in"):
        walkers(tmp_path, 40, drawn="{choice: [0.5, wild]}")


def test_a_window_of_few_messages_takes_few_bytes() -> None:
    window = Window(messages=2)
    for text in ("one", "two", "three"):
        window.deposit("a", Trace(text, "a"))
    assert [trace.text for trace in window.sense("a")] == ["two", "three"]
    assert sys.getsizeof(window._scopes["a"]) < 200  # pyright: ignore[reportPrivateUsage]
    nothing = Window(messages=0)
    nothing.deposit("a", Trace("one", "a"))
    assert (nothing.sense("a"), nothing.snapshot()) == ((), {})


def test_a_board_is_read_once_for_all_until_it_changes() -> None:
    board = Blackboard()
    board.deposit("a", Trace("one", "a"))
    first = board.sense("b", Query("what is there?"))
    assert board.sense("c", Query("anything else?")) is first
    assert board.sense("c", Query(kinds=("answer",))) == ()
    board.tick()
    assert [trace.age for trace in board.sense("b")] == [1]
    board.deposit("a", Trace("two", "a", ANSWER))
    assert [trace.text for trace in board.sense("b")] == ["one", "two"]
    assert [trace.text for trace in board.sense("b", Query(kinds=("answer",)))] == ["two"]
    assert [trace.text for trace in board.fork().sense("b")] == ["one", "two"]
