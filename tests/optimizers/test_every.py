"""Every optimizer in the box keeps its promises, can be read in one go, and knows nothing of the world."""

from __future__ import annotations

import ast
import importlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

import swarmmind.optimizers
from swarmmind.effects import Json
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.optimizers.archives.grid import Descriptor
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Scored, Study
from swarmmind.ports import Request
from swarmmind.testing import check_optimizer
from swarmmind.testing.studies import helpful, study_for
from tests.optimizers.hills import conducted

HOME = Path(swarmmind.optimizers.__file__).parent
MOST_LINES = 200
UNKNOWN = {"anyio", "asyncio", "os", "pathlib", "threading", "time"}
UNKNOWN_FLOORS = {"cli", "report", "runs", "runtime", "testing"}
GRID = [Descriptor(measure="tokens", low=0, high=1000, bins=5)]
SMALL: dict[str, dict[str, Any]] = {
    "beam": {"rounds": 2, "width": 2, "minibatch": 3, "groups": 1, "errors": 2, "paraphrases": 1, "budget": 12},
    "edges": {"steps": 3, "samples": 3, "examples": 3, "check_every": 2},
    "gepa": {"steps": 4},
    "language-pso": {"particles": 2, "iterations": 3, "examples": 3},
    "map-elites": {"descriptors": GRID, "steps": 2, "batch": 2, "initial": 2},
    "pareto": {"steps": 4},
    "pso": {"particles": 3, "iterations": 3, "batch": 4},
    "textual-backprop": {"steps": 3},
    "tpe": {"trials": 7, "batch": 3, "startup": 3, "parallel": 2},
}


def rewriting(request: Request, mark: str) -> str:
    """A helpful editor that also knows how language-pso wants its positions written."""
    document, asked = (
        json.loads(helpful(request, mark)) if isinstance(request.output, Json) else None,
        request.observation,
    )
    if not document or asked.get("do") != "apply":
        return helpful(request, mark)
    for name, value in asked["values"].items():
        if isinstance(value, str):
            document["values"][name] = f"{value.splitlines()[0]}\n{mark}"
        else:
            role = value["roles"][0]["name"]
            document["values"][name] = [{"op": "update_role", "name": role, "responsibility": "", "policy": mark}]
    return json.dumps({**document, "done": [{"adjustment": 0, "excerpt": mark}]})


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_in_the_box_keeps_its_promises_killed_at_every_call(name: str) -> None:
    if name in ("gepa", "tpe"):
        pytest.importorskip({"gepa": "gepa", "tpe": "optuna"}[name])
    check_optimizer(OPTIMIZERS[name], parameters=SMALL.get(name), answers=rewriting, kills=1000)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("textual-backprop", {"backward": "requirements", "momentum": 0.7, "persistence": 1.0}),
        ("textual-backprop", {"backward": "graph", "history": 2, "accept": "always"}),
        ("pareto", {"merge": 3, "components": "all"}),
        ("language-pso", {"restart": 1, "memory": 1}),
    ],
    ids=["requirements", "graph", "merge", "restart"],
)
def test_it_keeps_them_with_other_parameters(name: str, other: dict[str, Any]) -> None:
    check_optimizer(OPTIMIZERS[name], parameters={**SMALL[name], **other}, answers=rewriting)


class Halved:
    """Of those that are no starts every second one cannot be scored; the others are all right."""

    def __init__(self, study: Study) -> None:
        self._numbers = {one.id: 1 for one in study.start}

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        number = self._numbers.setdefault(one.id, len(self._numbers) + 1)
        if number % 2 == 0:
            return Scored(None, error="it makes no team")
        return Scored((number + len(example) + int(example[-1])) % 3 / 2, measures={"tokens": 200.0 * (number % 5)})

    def calls(self, one: Candidate) -> int:
        return 0


@pytest.mark.parametrize("name", sorted({*OPTIMIZERS} - {"gepa"}))  # that package wants a number for every candidate
def test_candidates_that_cannot_be_scored_end_nothing(name: str, tmp_path: Path) -> None:
    if name == "tpe":
        pytest.importorskip("optuna")
    given = study_for(OPTIMIZERS[name].kinds)

    def say(request: Request, rng: random.Random) -> str:
        return rewriting(request, f"mark-{rng.getrandbits(48):012x}")

    end, _ = conducted(
        OPTIMIZERS[name].program, given, Halved(given), tmp_path / "j", answers=say, **SMALL.get(name, {})
    )
    assert (end.reason, end.error) == ("finished", "")
    assert end.missing > 0
    assert end.evaluation is not None


def files(name: str) -> list[Path]:
    """The file or package of an optimizer, and what it uses of the folder beside it that is no contract."""
    module = name.replace("-", "_")
    package = HOME / module
    return sorted(package.rglob("*.py")) if package.is_dir() else [HOME / f"{module}.py"]


ALL = [(name, file) for name in sorted(OPTIMIZERS) for file in files(name)]


@pytest.mark.parametrize(("name", "file"), ALL, ids=lambda part: getattr(part, "stem", part))
def test_its_files_are_short_and_know_nothing_of_threads_files_or_time(name: str, file: Path) -> None:
    text = file.read_text()
    assert text.count("\n") <= MOST_LINES
    imported: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    assert {one.partition(".")[0] for one in imported} & UNKNOWN == set()
    floors = {one.split(".")[1] for one in imported if one.startswith("swarmmind.")}
    assert floors & UNKNOWN_FLOORS == set()


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_it_is_found_by_its_file_under_its_own_name(name: str) -> None:
    module = importlib.import_module(f"swarmmind.optimizers.{name.replace('-', '_')}")
    assert module.OPTIMIZER is OPTIMIZERS[name]
    assert OPTIMIZERS[name].program.__name__ == name.replace("-", "_")
