"""Embedders with a model in this process, without such a model: loading, threads, failures, folders."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

from swarmmind.errors import MissingExtra, UserError
from swarmmind.models import embed_onnx
from swarmmind.models.embed_local import Encode, LocalEmbedder
from swarmmind.models.embed_make import make_embedder
from swarmmind.models.make import Endpoints, Sources
from swarmmind.spec.embedder import EmbedderSpec
from swarmmind.testing import LooseCall
from swarmmind.traces import Embedding

pytestmark = pytest.mark.anyio


class Model:
    """Encodes texts as (length, 1), and notes the threads it was called in and how many calls there were at once."""

    def __init__(self) -> None:
        self.loaded = self.inside = self.most_inside = 0
        self.threads: set[int] = set()
        self.together = threading.Barrier(2)

    def load(self) -> Encode:
        self.loaded += 1
        return self.encode

    def encode(self, texts: Sequence[str]) -> NDArray[Any]:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.threads.add(threading.get_ident())
        try:
            self.together.wait(0.2)  # two at once would meet here
        except threading.BrokenBarrierError:
            self.together.reset()
        self.inside -= 1
        return np.array([[len(text), 1] for text in texts])


async def test_a_model_is_loaded_once_when_it_is_needed_and_works_elsewhere_one_batch_at_a_time() -> None:
    model = Model()
    embedder = LocalEmbedder("local/m", model.load, (), "local")
    assert model.loaded == 0
    found: dict[str, Embedding] = {}

    async def one(text: str) -> None:
        found[text] = await embedder.embed([text], LooseCall())

    async with anyio.create_task_group() as group:
        for text in ("abc", "x" * 7):
            group.start_soon(one, text)
    assert (model.loaded, model.most_inside) == (1, 1)
    assert threading.get_ident() not in model.threads
    assert np.allclose(found["abc"].vectors(), [[3 / 10**0.5, 1 / 10**0.5]])
    assert (found["abc"].usage.calls, embedder.name) == (0, "local/m")
    await embedder.close()
    await embedder.embed(["again"], LooseCall())
    assert model.loaded == 2


@pytest.mark.parametrize("error", [OSError("not\nthere"), ValueError("bad"), ZeroDivisionError()])
async def test_what_a_library_raises_is_a_failure_in_one_line(error: Exception) -> None:
    def load() -> Encode:
        raise error

    found = await LocalEmbedder("local/m", load, (), "local").embed(["a"], LooseCall())
    assert found.failure is not None
    assert found.failure.kind == "exception"
    assert found.failure.message.startswith(f"local/m: {type(error).__name__}")
    assert "\n" not in found.failure.message


async def test_vectors_without_direction_are_a_failure() -> None:
    found = await LocalEmbedder("local/m", lambda: lambda texts: np.zeros((1, 3)), (), "local").embed(
        ["a"], LooseCall()
    )
    assert found.failure is not None
    assert "no direction" in found.failure.message


def test_a_package_that_is_not_there_is_named_with_its_extra() -> None:
    wanted = r"the embedder 'onnx/m' needs an optional package: pip install 'swarmmind\[onnx\]'"
    with pytest.raises(MissingExtra, match=wanted):
        LocalEmbedder("onnx/m", Model().load, ("json", "no_such_package_at_all"), "onnx")


@pytest.mark.skipif(find_spec("onnxruntime") is not None, reason="the extra is installed")
def test_a_task_is_told_which_extra_it_needs(tmp_path: Path) -> None:
    folder = onnx_folder(tmp_path / "m")
    with pytest.raises(MissingExtra, match=r"swarmmind\[onnx\]"):
        make_embedder(EmbedderSpec(name=f"onnx/{folder}"), Sources(Endpoints()), tmp_path)


def onnx_folder(folder: Path, pooling: dict[str, Any] | None = None) -> Path:
    (folder / "1_Pooling").mkdir(parents=True)
    for file in ("model.onnx", "tokenizer.json"):
        (folder / file).touch()
    if pooling is not None:
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder


def test_a_folder_is_checked_before_anything_runs(tmp_path: Path) -> None:
    embed_onnx.check(onnx_folder(tmp_path / "plain"))
    mean = {"word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    embed_onnx.check(onnx_folder(tmp_path / "mean", mean))
    with pytest.raises(UserError, match=r"only means of tokens .*pooling_mode_cls_token"):
        embed_onnx.check(onnx_folder(tmp_path / "first", {"pooling_mode_cls_token": True}))
    (tmp_path / "plain" / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"holds no tokenizer\.json"):
        embed_onnx.check(tmp_path / "plain")
    (tmp_path / "mean" / "1_Pooling" / "config.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        embed_onnx.check(tmp_path / "mean")


@pytest.mark.parametrize(
    "name", ["onnx/gone", "onnx/../m", "onnx/~/m", "sentence-transformers/./gone", "onnx//no/such"]
)
def test_a_folder_must_be_there_and_a_relative_one_inside(name: str, tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    onnx_folder(tmp_path / "m")
    with pytest.raises(UserError, match=r"no such folder|inside the task's folder|leads out"):
        make_embedder(EmbedderSpec(name=name), Sources(Endpoints()), tmp_path / "task")
