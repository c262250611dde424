"""A topology is one short file and one part, and nothing else: the box is checked for it, and a new one is added."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind.errors import SpecError
from swarmmind.runs.parameters import checked
from swarmmind.spec import library, load_part
from swarmmind.spec.library import KINDS
from swarmmind.spec.parts import read_part
from swarmmind.topologies import TOPOLOGIES
from tests.runs.projects import write_task

PARTS = library.names("topologies")


def parameters(function: Callable[..., Any], skip: int) -> dict[str, Any]:
    """Names and defaults of what a part may give a function."""
    wanted = list(inspect.signature(function).parameters.values())[skip:]
    return {one.name: one.default for one in wanted if one.kind is not one.VAR_KEYWORD}


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_topology_is_a_short_file(name: str) -> None:
    module = import_module(f"swarmmind.topologies.{name.replace('-', '_')}")
    assert module.__file__ is not None
    assert len(Path(module.__file__).read_text().splitlines()) <= 120


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_topology_has_a_part_of_its_name(name: str) -> None:
    assert (read_part(PARTS[name]).use, read_part(PARTS[name]).drawing != "") == (name, True)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_says_what_it_does_draws_it_and_gives_its_topology_what_that_takes(name: str) -> None:
    part, file = load_part("topologies", name), read_part(PARTS[name])
    assert file.description.endswith(".")
    assert 1 <= len(file.drawing.splitlines()) <= 12
    checked(TOPOLOGIES[part.use].program, part.parameters, 2, part.error)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_parameter_has_a_default_and_the_part_says_those_that_are_values(name: str) -> None:
    topology, part = TOPOLOGIES[name], load_part("topologies", name)
    known = parameters(topology.program, 2)
    assert inspect.Parameter.empty not in known.values()
    plain = {key: value for key, value in known.items() if isinstance(value, (bool, int, float, str))}
    assert {key: value for key, value in part.parameters.items() if key in plain} == plain


@pytest.mark.parametrize("name", [name for name, topology in TOPOLOGIES.items() if topology.calls])
def test_calls_are_counted_from_the_same_parameters(name: str) -> None:
    topology = TOPOLOGIES[name]
    assert topology.calls is not None
    counted, known = parameters(topology.calls, 1), parameters(topology.program, 2)
    takes_all = any(one.kind is one.VAR_KEYWORD for one in inspect.signature(topology.calls).parameters.values())
    assert counted.items() <= known.items()
    assert takes_all or counted == known


def test_a_part_with_a_parameter_that_nobody_takes_would_be_found() -> None:
    part = load_part("topologies", "debate")
    with pytest.raises(SpecError, match="unknown parameter; did you mean 'rounds'"):
        checked(TOPOLOGIES["debate"].program, {"round": 3}, 2, part.error)


# --- a new one --------------------------------------------------------------------------------------------------------

MODULE = '''"""A relay: each reads what the one before it said, and the last one's answer counts."""

from __future__ import annotations

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Message, Program
from swarmmind.ports import Context
from swarmmind.topologies.society import Society, Topology
from swarmmind.topologies.turns import turn


def relay(ctx: Context, society: Society, laps: int = 1) -> Program:
    prompt, value = society.question.prompt(), None
    for agent in [*society.agents] * laps:
        [reply] = yield from turn(society, [agent], [prompt])
        if reply.ok:
            value = reply.value
            prompt = Message("user", society.question.text + "\\n\\n" + quoted(agent.id, reply.value))
    return value


def relay_calls(society: Society, laps: int = 1) -> int:
    return laps * len(society.agents)


TOPOLOGY = Topology(relay, relay_calls)
'''
PART = "description: One after the other.\nuse: two-lap-relay\ndrawing: a ──▶ b ──▶ c\nlaps: 2\n"


def test_a_new_topology_needs_no_change_anywhere_else(work: Path) -> None:
    assert swarmmind.__file__ is not None
    box, shipped = work / "box", library.shipped()
    shutil.copytree(Path(swarmmind.__file__).parent, box / "swarmmind", ignore=shutil.ignore_patterns("__pycache__"))
    for kind in KINDS:
        shutil.copytree(shipped / kind, box / kind)
    (box / "swarmmind" / "topologies" / "two_lap_relay.py").write_text(MODULE)
    (box / "topologies" / "two-lap-relay.yaml").write_text(PART)
    write_task(work, swarm={"agents": {"solver": 3}, "topology": "two-lap-relay"})

    def command(*arguments: str) -> dict[str, Any]:
        line = [sys.executable, "-m", "swarmmind", *arguments, "--json"]
        env = {**os.environ, "PYTHONPATH": str(box)}
        done = subprocess.run(line, cwd=work, env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    listed = command("list", "topologies")
    assert listed["topologies"]["two-lap-relay"] == "One after the other."
    assert listed["drawings"]["two-lap-relay"] == "a ──▶ b ──▶ c"
    assert set(listed["topologies"]) == {*PARTS, "two-lap-relay"}
    estimated = command("check", "task.yaml")["estimate"]
    assert (estimated["calls"], estimated["critical_path"], estimated["counted"]) == (6, 6, True)
    result = command("run", "task.yaml")
    assert (result["topology"], result["usage"]["calls"], result["score"]) == ("two-lap-relay", 6, 1.0)
