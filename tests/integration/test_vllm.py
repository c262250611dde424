"""The client against a real vLLM: every transport, every kind of output, and the server's own counters."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from swarmmind.effects import TEXT, Agent, Choice, Json, Message, Output, Reply, Sampling
from swarmmind.models.make import Endpoints, Sources, make_model
from swarmmind.ports import Model, Request
from swarmmind.runtime.budget import Cost
from swarmmind.spec.model import ModelSpec
from swarmmind.testing import LooseCall, check_model
from tests.integration.vllm_server import Vllm

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

TRANSPORTS = ("aiohttp", "httpx", "openai")
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)
RULES = Message("system", "You are an agent in a grid world. " + "Agents may move, take or wait. " * 40)
WAYS = Choice(("north", "east", "south", "west"))
MOVE: dict[str, Any] = {
    "type": "object",
    "properties": {"action": {"enum": ["move", "take"]}, "direction": {"enum": ["n", "e", "s", "w"]}},
    "required": ["action", "direction"],
    "additionalProperties": False,
}


def model(vllm: Vllm, transport: str, endpoints: Endpoints, name: str = "tiny") -> Model:
    spec = ModelSpec.model_validate({"name": f"vllm/{name}", "transport": transport})
    return make_model(spec, Sources(endpoints, {"VLLM_BASE_URL": vllm.base_url}))


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    made = Endpoints()
    yield made
    await made.close()


def request(number: int, output: Output, max_tokens: int = 64) -> Request:
    agent = Agent(f"agent-{number}", "worker", model="tiny")
    messages = (RULES, Message("user", f"Agent {number}: you are at ({number}, 3). Choose."))
    return Request(agent, messages, output, Sampling(max_tokens=max_tokens), seed=number)


async def ask_all(asked: Model, requests: list[Request]) -> tuple[list[Reply], Cost]:
    call = LooseCall()
    replies: dict[int, Reply] = {}

    async def one(at: int) -> None:
        replies[at] = await LooseCall(call.purse, key=str(at)).ask(asked, requests[at])

    async with anyio.create_task_group() as group:
        for at in range(len(requests)):
            group.start_soon(one, at)
    assert call.purse.reserved == Cost()
    return [replies[at] for at in range(len(requests))], call.purse.spent


@every_transport
async def test_texts_choices_and_documents_and_the_bill(vllm: Vllm, transport: str, endpoints: Endpoints) -> None:
    asked = model(vllm, transport, endpoints)
    answered, read = vllm.answered(), vllm.count("vllm:prompt_tokens_total")
    written = vllm.count("vllm:generation_tokens_total")
    outputs: list[Output] = [TEXT, WAYS, Json("move", MOVE)]
    replies, spent = await ask_all(asked, [request(at, outputs[at % 3]) for at in range(36)])
    assert [reply.failure for reply in replies] == [None] * 36
    assert {reply.text for reply in replies[1::3]} <= set(WAYS.options)
    assert len({reply.text for reply in replies[1::3]}) > 1
    for reply in replies[2::3]:
        assert set(json.loads(reply.text or "")) == {"action", "direction"}
    assert all(reply.usage.cached_tokens is not None for reply in replies)
    assert sum(reply.usage.cached_tokens or 0 for reply in replies) > 0  # the rules are shared
    await anyio.to_thread.run_sync(vllm.wait_for, "36 answers", lambda: vllm.answered() == answered + 36)
    prompt = sum(reply.usage.prompt_tokens or 0 for reply in replies)
    completion = sum(reply.usage.completion_tokens or 0 for reply in replies)
    assert vllm.count("vllm:prompt_tokens_total") - read == prompt
    assert vllm.count("vllm:generation_tokens_total") - written == completion
    assert spent == Cost(36, prompt + completion, 0.0)


@every_transport
async def test_it_conforms(vllm: Vllm, transport: str, endpoints: Endpoints) -> None:
    await check_model(model(vllm, transport, endpoints))


@every_transport
async def test_an_unknown_model_is_refused_at_once(vllm: Vllm, transport: str, endpoints: Endpoints) -> None:
    reply = await LooseCall().ask(model(vllm, transport, endpoints, "huge"), request(1, TEXT))
    assert reply.failure is not None
    assert (reply.failure.kind, reply.usage.calls) == ("refused", 1)
    assert "huge" in reply.failure.message


@every_transport
async def test_equal_seeds_on_an_idle_server_give_equal_texts(vllm: Vllm, transport: str, endpoints: Endpoints) -> None:
    asked = model(vllm, transport, endpoints)
    one, two, other = [(await LooseCall().ask(asked, request(at, TEXT))).text for at in (5, 5, 6)]
    assert one == two != other


@every_transport
async def test_a_cancelled_call_is_aborted_at_the_server(vllm: Vllm, transport: str, endpoints: Endpoints) -> None:
    asked = model(vllm, transport, endpoints)
    running = partial(vllm.count, "vllm:num_requests_running")
    answered = vllm.answered()
    async with anyio.create_task_group() as group:
        for at in range(8):
            group.start_soon(LooseCall(key=str(at)).ask, asked, request(at, Json("list", LONG), 3000))
        await anyio.to_thread.run_sync(vllm.wait_for, "8 running", lambda: running() == 8)
        group.cancel_scope.cancel()
    await anyio.to_thread.run_sync(vllm.wait_for, "none running", lambda: running() == 0, 2.0)
    assert vllm.answered() == answered  # left off, not finished: 24,000 tokens take this server many seconds


LONG: dict[str, Any] = {"type": "array", "items": {"type": "integer"}, "minItems": 2000}

TASK = """\
schema: swarmmind/v1
problem: {{environment: swarmbench/pursuit, size: 8, view: 5, rounds: 5, actions: choice}}
model: {{name: vllm/tiny, transport: {transport}}}
swarm:
  agents: {{worker: 12}}
  topology: world
seed: 7
"""


@every_transport
def test_a_swarm_plays_and_the_server_agrees_with_the_journal(vllm: Vllm, transport: str, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(TASK.format(transport=transport))
    answered = vllm.answered()
    command = [sys.executable, "-m", "swarmmind", "run", "task.yaml", "--json", "--display", "none"]
    environ = {"VLLM_BASE_URL": vllm.base_url, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    journal = next(tmp_path.glob("runs/*/journal.sqlite"))
    with sqlite3.connect(journal) as db:
        values = [json.loads(value) for (value,) in db.execute("SELECT value FROM results WHERE kind='Ask'")]
    db.close()
    assert len(values) == 60
    assert not [value for value in values if value.get("failure")]
    assert sum(value["usage"]["calls"] for value in values) == 60
    assert json.loads(done.stdout)["usage"]["calls"] == 60
    vllm.wait_for("60 answers", lambda: vllm.answered() == answered + 60)
