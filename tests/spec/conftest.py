from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from swarmmind.spec import LoadedTask, load_task

from .projects import make_box, make_project, write

TASK = """problem: What is 2 + 2?
model: scripted
swarm:
  agents: {worker: 3}
  topology: vote
"""

Load = Callable[..., LoadedTask]


@pytest.fixture
def box(tmp_path: Path) -> Path:
    return make_box(tmp_path / "box")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def load(project: Path, box: Path) -> Load:
    """Load a task from its text (by default a small right one), or from data, in the project."""

    def load_text(text: str = TASK, **options: object) -> LoadedTask:
        path = write(project / "task.yaml", text)
        return load_task(path, **{"env": {}, "box": box, **options})  # pyright: ignore[reportArgumentType]

    return load_text
