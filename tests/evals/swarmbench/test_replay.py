from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarmmind.evals.swarmbench import replay

FIXTURES = Path(__file__).parents[2] / "fixtures" / "swarmbench"
TRACES = sorted(FIXTURES.glob("*_s*_n*.json.gz"))


def load(path: Path) -> dict[str, Any]:
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.name.removesuffix(".json.gz"))
def test_a_recorded_game_of_the_original_is_reproduced(path: Path) -> None:
    trace = load(path)
    assert len(trace["rounds"]) > 0
    assert replay(trace) == []


def test_all_tasks_are_covered() -> None:
    tasks = {path.name.partition("_")[0] for path in TRACES}
    assert tasks == {"Pursuit", "Synchronization", "Foraging", "Flocking", "Transport"}


def _teleport(trace: dict[str, Any]) -> None:
    trace["rounds"][4]["agents"]["Agent_1"]["pos"][0] += 1


def _blind(trace: dict[str, Any]) -> None:
    trace["rounds"][2]["agents"]["Agent_3"]["view"][1] = ". . . . ."


def _whisper(trace: dict[str, Any]) -> None:
    trace["rounds"][3]["agents"]["Agent_0"]["messages_in"].append(["Agent_9", "psst"])


def _misread(trace: dict[str, Any]) -> None:
    trace["rounds"][0]["actions"]["Agent_2"]["move"] = "JUMP"


def _hush(trace: dict[str, Any]) -> None:
    trace["rounds"][0]["actions"]["Agent_2"]["speak"] = "something else"


def _shove(trace: dict[str, Any]) -> None:
    trace["rounds"][1]["moved_by_pass"]["LEFT"].append("W")


def _score(trace: dict[str, Any]) -> None:
    trace["rounds"][-1]["score"] += 1


def _end(trace: dict[str, Any]) -> None:
    trace["rounds"][0]["done"] = True


def _grid(trace: dict[str, Any]) -> None:
    trace["rounds"][5]["state"]["grid"][0] = "." * trace["width"]


def _object(trace: dict[str, Any]) -> None:
    trace["rounds"][5]["state"]["objects"][0]["weight"] += 1


def _seed(trace: dict[str, Any]) -> None:
    trace["seed"] += 1


def _reply(trace: dict[str, Any]) -> None:
    filed = trace["rounds"][0]["actions"]["Agent_0"]
    filed["reply"] = "ACTION: DOWN" if filed["move"] != "DOWN" else "ACTION: UP"


@pytest.mark.parametrize(
    "tamper",
    [_teleport, _blind, _whisper, _misread, _hush, _shove, _score, _end, _grid, _object, _seed, _reply],
    ids=lambda change: change.__name__.strip("_"),
)
def test_a_changed_trace_is_reported(tamper: Callable[[dict[str, Any]], None]) -> None:
    trace = copy.deepcopy(load(FIXTURES / "Pursuit_s1_n12_10x10_k5_random_talk.json.gz"))
    tamper(trace)
    differences = replay(trace)
    assert differences
    assert all(": expected " in line and ", got " in line for line in differences)


@pytest.mark.parametrize(
    ("name", "key"),
    [("Synchronization", "light_on"), ("Foraging", "carrying")],
)
def test_changed_task_variables_are_reported(name: str, key: str) -> None:
    trace = load(FIXTURES / f"{name}_s1_n12_10x10_k5_random_talk.json.gz")
    state = trace["rounds"][3]["state"][key]
    state["Agent_4"] = not state["Agent_4"]
    assert len(replay(trace)) == 1


def test_a_changed_distance_is_reported() -> None:
    trace = load(FIXTURES / "Flocking_s8_n9_11x14_k4_random_talk.json.gz")
    trace["rounds"][3]["state"]["cur_dis"] += 1
    assert len(replay(trace)) == 1
