"""Whatever stands in a file, the only thing that may come of it is a task or one line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmmind.errors import SpecError
from swarmmind.spec import LoadedTask, load_task, load_task_data, yaml12
from swarmmind.spec.source import read_yaml

from .conftest import TASK
from .test_load import FULL

KEYS = [
    *("problem", "model", "models", "swarm", "agents", "topology", "memory", "use", "score", "target", "budget"),
    *("calls", "tokens", "usd", "seed", "cache", "sampling", "inputs", "card", "count", "parameters", "choice"),
    *("uniform", "normal", "weights", "dataset", "environment", "quorum", "name", "base_url", "extra", "limits"),
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["scripted", "worker", "vote", "./evil.py:X", "a:b", "2M", "../x", "${A}"]),
    st.sampled_from(["{{ x }}", "sk-0123456789ab"]),
)  # fmt: skip
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=30,
)
FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_told(load: Callable[[], LoadedTask]) -> LoadedTask | None:
    try:
        return load()
    except SpecError as error:
        message = str(error)
    assert len(message.splitlines()) == 1
    assert "0123456789" not in message
    return None


def only_spec_errors(text: bytes, project: Path, box: Path) -> None:
    task = project / "task.yaml"
    task.write_bytes(text)
    assert_told(lambda: load_task(task, env={"A": "1"}, box=box))
    assert not (project / "evil-ran").exists()


@FUZZ
@given(raw=st.binary(max_size=200))
def test_bytes(raw: bytes, project: Path, box: Path) -> None:
    only_spec_errors(raw, project, box)


@FUZZ
@given(raw=st.text(alphabet="ab:-?[]{},&*!|>'\"%@`#\n\t <~.0129\\xuU$/", max_size=80))
def test_text_of_signs(raw: str, project: Path, box: Path) -> None:
    only_spec_errors(raw.encode(), project, box)


@FUZZ
@given(seed=st.integers(min_value=0, max_value=2**32), cuts=st.integers(min_value=1, max_value=6))
def test_damaged_tasks(seed: int, cuts: int, project: Path, box: Path) -> None:
    rng, text = random.Random(seed), rng_text(seed)
    for _ in range(cuts):
        at, length = rng.randrange(len(text) + 1), rng.randrange(6)
        text = text[:at] + "".join(rng.choices(":-[]{}&*!'\"\n \tax0$", k=rng.randrange(4))) + text[at + length :]
    only_spec_errors(text.encode(), project, box)


def rng_text(seed: int) -> str:
    return FULL if seed % 2 else TASK


@FUZZ
@given(data=st.dictionaries(st.sampled_from(KEYS), DATA, max_size=8))
def test_data(data: dict[str, Any], project: Path, box: Path) -> None:
    swarm = {"agents": {"worker": 1}, "topology": "vote"}
    for task in (data, {"problem": "x", "model": "scripted", "swarm": swarm, **data}, {"swarm": {**swarm, **data}}):
        loaded = assert_told(lambda task=task: load_task_data(task, project, box=box))
        if loaded is not None:
            assert read_yaml(loaded.text, "again", {}).data == loaded.source.data
    assert not (project / "evil-ran").exists()


@FUZZ
@given(data=DATA | st.text(alphabet="ab \n\t:#-|>'\"\r\x85\u2028\ufeff${0.e"))
def test_what_is_dumped_is_read_back(data: Any) -> None:
    again = read_yaml(yaml12.dump(data), "x").data
    assert repr(again) == repr(data)
