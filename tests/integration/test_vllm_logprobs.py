"""One call's distribution over the options against a real vLLM: it is what sampling the options would give."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from math import sqrt

import anyio
import pytest

from swarmmind.effects import Agent, Choice, Message, Reply, Sampling
from swarmmind.models.make import Endpoints, Sources, make_model
from swarmmind.ports import Model, Request
from swarmmind.spec.model import ModelSpec
from swarmmind.testing import LooseCall
from tests.integration.vllm_server import Vllm

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

SAMPLES = 300
AGENT = Agent("agent-1", "worker", model="tiny")
TRUTH = ("true", "false")
WAYS = ("north", "east", "south", "west")


@pytest.fixture
async def endpoints() -> AsyncIterator[Endpoints]:
    made = Endpoints()
    yield made
    await made.close()


def model(vllm: Vllm, endpoints: Endpoints, provider: str) -> Model:
    spec = ModelSpec.model_validate({"name": f"{provider}/tiny"})
    return make_model(spec, Sources(endpoints, {"VLLM_BASE_URL": vllm.base_url, "OPENAI_BASE_URL": vllm.base_url}))


def request(options: tuple[str, ...], seed: int, *, logprobs: bool = False, temperature: float = 1.0) -> Request:
    messages = (Message("system", "You vote."), Message("user", "Which one is it?"))
    return Request(AGENT, messages, Choice(options, logprobs), Sampling(temperature, max_tokens=64), seed)


async def sampled(asked: Model, options: tuple[str, ...], count: int) -> Counter[str]:
    counts: Counter[str] = Counter()

    async def one(seed: int) -> None:
        reply = await LooseCall(key=str(seed)).ask(asked, request(options, seed))
        assert reply.probabilities is None
        counts[reply.text or ""] += 1

    async with anyio.create_task_group() as group:
        for seed in range(count):
            group.start_soon(one, seed)
    return counts


async def weighed(asked: Model, options: tuple[str, ...], seed: int = 0, temperature: float = 1.0) -> Reply:
    return await LooseCall().ask(asked, request(options, seed, logprobs=True, temperature=temperature))


@pytest.mark.parametrize(("provider", "options"), [("vllm", TRUTH), ("vllm", WAYS), ("openai", TRUTH)])
async def test_one_call_says_what_many_samples_say(
    vllm: Vllm, endpoints: Endpoints, provider: str, options: tuple[str, ...]
) -> None:
    asked = model(vllm, endpoints, provider)
    reply = await weighed(asked, options)
    assert (reply.failure, reply.usage.calls) == (None, 1)
    assert reply.text in options
    likely = reply.probabilities
    assert likely is not None
    assert sum(likely.values()) == pytest.approx(1.0)
    counts = await sampled(asked, options, SAMPLES)
    assert set(counts) <= set(options)
    for option in options:
        share = likely[option]
        assert abs(counts[option] / SAMPLES - share) <= 3 * sqrt(share * (1 - share) / SAMPLES), (likely, counts)
    assert max(abs(share - 1 / len(options)) for share in likely.values()) > 0.08  # a uniform guess would not do


async def test_it_is_the_same_whatever_was_said_and_however_it_was_sampled(vllm: Vllm, endpoints: Endpoints) -> None:
    asked = model(vllm, endpoints, "vllm")
    replies = [await weighed(asked, TRUTH, seed, temperature) for seed in range(8) for temperature in (0.0, 1.0, 2.0)]
    assert len({reply.text for reply in replies}) > 1
    first = replies[0].probabilities
    assert first is not None
    for reply in replies[1:]:
        assert reply.probabilities == pytest.approx(first, abs=0.02)  # the server computes in bfloat16


async def test_what_one_token_does_not_tell_is_told_by_the_next_or_not_at_all(vllm: Vllm, endpoints: Endpoints) -> None:
    options = ("A", "AB", "B")
    reply = await weighed(model(vllm, endpoints, "vllm"), options)
    assert reply.failure is None
    likely = reply.probabilities
    if likely is not None:
        assert list(likely) == list(options)
        assert sum(likely.values()) == pytest.approx(1.0)
