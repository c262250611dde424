"""A real vLLM on the CPU with a tiny model, for the whole session; a second one that embeds, where it is needed.

`SWARMMIND_TEST_VLLM_URL` names a server that is already up (started with `serve_vllm.sh`, so that its flags are those
the tests count on), and `SWARMMIND_TEST_VLLM_EMBEDDINGS_URL` one that embeds (the same with `--runner pooling --dtype
float32`); otherwise they are installed under `.integration`, started and stopped here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.vllm_server import Vllm

HERE = Path(__file__).parent
ROOT = HERE.parents[1] / ".integration"
START_SECONDS = 300


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def installed() -> Path:
    """The folder with vLLM's venv, which the embedders of a process are in too, and the models."""
    subprocess.run([HERE / "install_vllm.sh", ROOT], check=True)
    return ROOT


@pytest.fixture(scope="session")
def vllm(request: pytest.FixtureRequest) -> Iterator[Vllm]:
    yield from _served(request, "SWARMMIND_TEST_VLLM_URL", "serve.log")


@pytest.fixture(scope="session")
def narrow_vllm(request: pytest.FixtureRequest) -> Iterator[Vllm]:
    """One with a small KV cache."""
    yield from _served(request, "SWARMMIND_TEST_VLLM_NARROW_URL", "narrow.log", "--num-gpu-blocks-override", "160")


@pytest.fixture(scope="session")
def embedding_vllm(request: pytest.FixtureRequest) -> Iterator[Vllm]:
    flags = ("--runner", "pooling", "--dtype", "float32")
    yield from _served(request, "SWARMMIND_TEST_VLLM_EMBEDDINGS_URL", "embeddings.log", *flags)


def _served(request: pytest.FixtureRequest, variable: str, log_name: str, *flags: str) -> Iterator[Vllm]:
    given = os.environ.get(variable)
    if given:
        yield Vllm(given.rstrip("/"))
        return
    root: Path = request.getfixturevalue("installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (root / log_name).open("w") as log:
        command = [HERE / "serve_vllm.sh", str(port), root, *flags]
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            _wait_until_healthy(server, port, root / log_name)
            yield Vllm(f"http://127.0.0.1:{port}/v1")
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"vLLM ended with {server.returncode}; see {log}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"vLLM was not up after {START_SECONDS} s; see {log}")
