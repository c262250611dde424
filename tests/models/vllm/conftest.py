from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.models.vllm.faking import install, started_in


@pytest.fixture
def fake(tmp_path: Path) -> dict[str, str]:
    return install(tmp_path)


@pytest.fixture
def started(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    return partial(started_in, tmp_path)
