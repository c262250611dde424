"""A real vLLM on the CPU with a tiny model, for the whole session; a second one that embeds, where it is needed.

`SWARMMIND_TEST_VLLM_URL` names a server that is already up (started with `serve_vllm.sh`, so that its flags are those
the tests count on), and `SWARMMIND_TEST_VLLM_EMBEDDINGS_URL` one that embeds (the same with `--runner pooling --dtype
float32`); otherwise they are installed under `.integration`, started and stopped here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.vllm_server import Vllm, install, serving


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def installed() -> Path:
    """The folder with vLLM's venv, which the embedders of a process are in too, and the models."""
    return install()


@pytest.fixture(scope="session")
def vllm() -> Iterator[Vllm]:
    yield from _served("SWARMMIND_TEST_VLLM_URL", "serve.log")


@pytest.fixture(scope="session")
def narrow_vllm() -> Iterator[Vllm]:
    """One with a small KV cache."""
    yield from _served("SWARMMIND_TEST_VLLM_NARROW_URL", "narrow.log", "--num-gpu-blocks-override", "160")


@pytest.fixture(scope="session")
def embedding_vllm() -> Iterator[Vllm]:
    flags = ("--runner", "pooling", "--dtype", "float32")
    yield from _served("SWARMMIND_TEST_VLLM_EMBEDDINGS_URL", "embeddings.log", *flags)


def _served(variable: str, log: str, *flags: str) -> Iterator[Vllm]:
    given = os.environ.get(variable)
    if given:
        yield Vllm(given.rstrip("/"))
        return
    with serving(*flags, log=log) as server:
        yield server
