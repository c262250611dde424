"""A real server is kept full and never flooded by a swarm that is told nothing; and its gauges are understood."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind.models.endpoint import Endpoint
from swarmmind.models.gauges import read
from swarmmind.models.limiter import Limiter
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.models.transports.httpx_transport import HttpxTransport
from swarmmind.models.transports.openai_transport import OpenAITransport
from tests.integration.vllm_server import Vllm

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

CAPACITY = 64  # of the server of these tests (`serve_vllm.sh`)
TASK = """\
schema: swarmmind/v1
problem: Which of the five boxes holds the key?
model: {name: vllm/tiny, extra: {ignore_eos: true}}
sampling: {max_tokens: 40}
swarm:
  agents: {solver: 100}
  topology: {use: vote, samples: 500}
"""


@pytest.mark.parametrize("made", [AiohttpTransport, HttpxTransport, OpenAITransport])
async def test_every_transport_reads_what_is_beside_the_api(vllm: Vllm, made: Any) -> None:
    transport = made(vllm.base_url)
    page = await transport.get("metrics", 10.0)
    seen = read(page.body.decode())
    assert page.status == 200
    assert seen is not None
    assert seen.kv_used is not None
    assert seen.preemptions is not None
    assert seen.setup["block_size"].isdigit()
    assert (await transport.get("health", 10.0)).status == 200
    assert "version" in json.loads((await transport.get("version", 10.0)).body)
    assert (await transport.get("nothing", 10.0)).status == 404
    await transport.close()


async def test_nobody_looks_while_nothing_is_asked(vllm: Vllm) -> None:
    endpoint = Endpoint(vllm.base_url, AiohttpTransport(vllm.base_url), Limiter())
    async with anyio.create_task_group() as group:
        group.start_soon(endpoint.watch)
        await anyio.sleep(0.6)
        group.cancel_scope.cancel()
    assert endpoint.gauges.first is None
    await endpoint.transport.close()


def test_the_server_is_full_and_not_flooded(vllm: Vllm, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(TASK)
    over, there, running = threading.Event(), [0], [0]

    def sample() -> None:
        while not over.wait(0.1):
            with urllib.request.urlopen(vllm.base_url.removesuffix("/v1") + "/metrics", timeout=30) as response:
                seen = read(response.read().decode())
            assert seen is not None
            there.append(seen.running + seen.waiting)
            running.append(seen.running)

    watching = threading.Thread(target=sample)
    watching.start()
    command = [sys.executable, "-m", "swarmmind", "run", "task.yaml", "--json", "--display", "none"]
    environ = {"VLLM_BASE_URL": vllm.base_url, "PATH": "/usr/bin:/bin"}
    try:
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=300
        )
    finally:
        over.set()
        watching.join()
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    served = result["served"][0]
    assert result["coverage"]["finished"] == served["answered"] == 500
    assert max(running) == CAPACITY
    assert max(there) <= 1.5 * CAPACITY
    assert served["most_in_flight"] <= 1.5 * CAPACITY
    assert CAPACITY <= served["limit"] <= 1.5 * CAPACITY
    assert served["prompt_tokens"] > served["cached_tokens"] > 0
    assert (served["preemptions"], served["rejections"]) == (0, 0)
    assert served["server"]["version"]
    assert int(served["server"]["num_gpu_blocks"]) > 0
