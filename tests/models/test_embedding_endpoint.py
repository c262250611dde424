"""Embeddings over HTTP: what is sent, what is understood, what is tried again, and the bill."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from swarmmind.effects import Limits, Usage
from swarmmind.errors import Spent, UserError
from swarmmind.models.chat import Patience
from swarmmind.models.embed_endpoint import EndpointEmbedder
from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.embed_make import locate_embedder, make_embedder
from swarmmind.models.endpoint import Endpoint
from swarmmind.models.limiter import Limiter
from swarmmind.models.make import Endpoints, Sources
from swarmmind.models.prices import Price
from swarmmind.models.redact import Redactor
from swarmmind.models.sending import Sender
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.models.transports.shared import NotSent
from swarmmind.ports import HttpResponse, Transport, TransportError
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.spec.embedder import EmbedderSpec
from swarmmind.testing import FakeEndpoint, Hostility, LooseCall, check_embedder
from swarmmind.traces import Embedding
from tests.models.simulation import simulate

pytestmark = pytest.mark.anyio

PRICE = Price(input_usd=2.0, output_usd=10.0)
WORST_TOKENS = len("ab") + 8 + len("é".encode()) + 8


class Posted:
    """A transport that plays responses, or raises errors, in order; the last one for ever."""

    def __init__(self, *script: HttpResponse | TransportError | bytes) -> None:
        self.script, self.bodies = list(script), list[dict[str, Any]]()

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        assert path == "embeddings"
        assert timeout_seconds == 9.0
        self.bodies.append(msgspec.json.decode(body))
        step = self.script[min(len(self.bodies), len(self.script)) - 1]
        if isinstance(step, TransportError):
            raise step
        return HttpResponse(200, {}, step) if isinstance(step, bytes) else step

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        return HttpResponse(404, {}, b"")

    async def close(self) -> None: ...


def base64(*numbers: float) -> str:
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def said(*rows: Any, order: Sequence[int] | None = None, tokens: int | None = 5) -> bytes:
    data = [{"index": at, "embedding": row} for at, row in zip(order or range(len(rows)), rows, strict=True)]
    return msgspec.json.encode({"data": data, "usage": {"prompt_tokens": tokens}})


GOOD = said([3.0, 4.0], [0.0, 2.0])


def embedder(
    transport: Transport,
    limiter: Limiter | None = None,
    price: Price | None = PRICE,
    attempts: int = 3,
    key: str = "",
    **options: Any,
) -> EndpointEmbedder:
    sender = Sender(
        "embeddings",
        Endpoint("http://fake/v1", transport, limiter or Limiter()),
        price,
        Patience(attempts, 9.0),
        Redactor([key]),
    )
    return EndpointEmbedder("vllm/org/model", sender, **options)


async def embed(asked: EndpointEmbedder, call: LooseCall, texts: Sequence[str] = ("ab", "é")) -> Embedding:
    found: list[Embedding] = []

    async def one() -> None:
        try:
            found.append(await asked.embed(texts, call))
        finally:
            call.kept()

    assert isinstance(call.clock, VirtualClock)
    await simulate(call.clock, one)
    return found[0]


def virtual(limits: Limits | None = None) -> LooseCall:
    return LooseCall(Purse(limits), VirtualClock())


async def test_what_is_sent_and_what_it_cost() -> None:
    posted, call, limiter = Posted(GOOD), virtual(), Limiter()
    found = await embed(embedder(posted, limiter), call)
    assert posted.bodies == [{"model": "org/model", "encoding_format": "base64", "input": ["ab", "é"]}]
    assert np.allclose(found.vectors(), [[0.6, 0.8], [0, 1]])
    assert found.usage == Usage(1, 5, 0, 0, 10e-6)
    assert (call.purse.spent, call.purse.reserved, limiter.in_flight) == (Cost(1, 5, 10e-6), Cost(), 0)


async def test_dimensions_and_truncation_are_asked_for_where_they_are_wanted() -> None:
    posted = Posted(GOOD)
    asked = embedder(posted, dimensions=2, truncates=True)
    await embed(asked, virtual())
    assert posted.bodies[0]["dimensions"] == 2
    assert posted.bodies[0]["truncate_prompt_tokens"] == -1
    assert (asked.name, embedder(posted).name) == ("vllm/org/model@2", "vllm/org/model")


@pytest.mark.parametrize(
    "body",
    [
        said([0, 2], [3, 4], order=[1, 0]),
        said(base64(3, 4), base64(0, 2)),
        said(base64(0, 0.5), [3e3, 4e3], order=[1, 0]),
    ],
    ids=["order", "base64", "both"],
)
async def test_order_encoding_and_length_are_the_servers_business(body: bytes) -> None:
    assert np.allclose((await embed(embedder(Posted(body)), virtual())).vectors(), [[0.6, 0.8], [0, 1]])


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [{"ind',
        b'{"object": "list", "data": [1, 2, 3]}',
        b"\xff\xfe",
        said([1.0, 0.0]),
        said([1.0, 0.0], [1.0, 0.0], [1.0, 0.0]),
        said([1.0, 0.0], [1.0, 0.0], order=[1, 1]),
        said([1.0, 0.0], [1.0, 0.0], order=[1, 2]),
        said([1.0, 0.0], [1.0]),
        said([], []),
        said([1.0, 0.0], [0.0, 0.0]),
        said([1.0, 0.0], base64(1, float("nan"))),
        said([1.0, 0.0], base64(1, float("inf"))),
        said([1.0, 0.0], "AAAA"),
        said([1.0, 0.0], "no base64!"),
        GOOD.replace(b"3.0", b"NaN"),
        GOOD.replace(b"3.0", b'"3"'),
        GOOD.replace(b"[3.0,4.0]", b"null"),
    ],
)
async def test_what_is_no_list_of_vectors_is_tried_again_and_then_a_failure_of_the_server(body: bytes) -> None:
    posted, call = Posted(body, GOOD), virtual()
    assert (await embed(embedder(posted), call)).failure is None
    found = await embed(embedder(Posted(body)), virtual())
    assert found.failure is not None
    assert (found.failure.kind, found.data, found.usage.calls) == ("server", b"", 3)


async def test_vectors_of_other_dimensions_than_were_asked_for_are_a_failure() -> None:
    found = await embed(embedder(Posted(GOOD), dimensions=3), virtual())
    assert found.failure is not None
    assert "vectors of 2 dimensions, not 3" in found.failure.message


@pytest.mark.parametrize(
    ("trouble", "kind", "calls", "tokens"),
    [
        (HttpResponse(429, {}, b""), "busy", 3, 0),
        (HttpResponse(503, {}, b""), "busy", 3, 0),
        (HttpResponse(500, {}, b""), "server", 3, 0),
        (HttpResponse(429, {}, b'{"error": {"code": "insufficient_quota"}}'), "refused", 1, 0),
        (HttpResponse(400, {}, b'{"error": {"message": "too long"}}'), "refused", 1, 0),
        (HttpResponse(404, {}, b""), "refused", 1, 0),
        (TransportError("timeout", "no answer"), "timeout", 3, 3 * WORST_TOKENS),
        (TransportError("connection", "reset"), "connection", 3, 3 * WORST_TOKENS),
        (NotSent("connection", "refused"), "connection", 3, 0),
        (said([1.0, 0.0], tokens=None), "server", 3, 3 * WORST_TOKENS),
    ],
)
async def test_what_may_pass_is_tried_again_and_what_is_not_known_costs_the_worst(
    trouble: HttpResponse | TransportError | bytes, kind: str, calls: int, tokens: int
) -> None:
    call, limiter = virtual(), Limiter()
    found = await embed(embedder(Posted(trouble), limiter), call)
    assert found.failure is not None
    assert (found.failure.kind, found.usage.calls) == (kind, calls)
    assert (call.purse.spent.calls, call.purse.spent.tokens) == (calls, tokens)
    assert (call.purse.reserved, limiter.in_flight) == (Cost(), 0)
    assert (found.usage.prompt_tokens is None) == (tokens > 0)


async def test_retry_after_is_obeyed() -> None:
    call = virtual()
    found = await embed(embedder(Posted(HttpResponse(429, {"retry-after": "7"}, b""), GOOD)), call)
    assert (found.failure, call.slept_seconds) == (None, 7.0)


async def test_what_cannot_be_paid_is_not_sent() -> None:
    posted, call = Posted(GOOD), virtual(Limits(tokens=WORST_TOKENS - 1))
    with pytest.raises(Spent, match="tokens"):
        await embedder(posted).embed(["ab", "é"], call)
    with pytest.raises(Spent, match="usd"):
        await embedder(posted).embed(["ab", "é"], virtual(Limits(usd=2e-6 * WORST_TOKENS - 1e-9)))
    assert posted.bodies == []
    assert (await embed(embedder(posted), virtual(Limits(tokens=WORST_TOKENS)))).failure is None


async def test_what_does_not_fit_beside_what_is_in_flight_waits_for_it() -> None:
    call, together = virtual(Limits(tokens=WORST_TOKENS + 5)), list[Cost]()

    class Watched(Posted):
        async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
            together.append(Cost(call.purse.reserved.calls, call.purse.reserved.tokens))
            await call.clock.sleep(1)
            return await super().post(path, body, timeout_seconds)

    async def one() -> None:
        assert (await asked.embed(["ab", "é"], call)).failure is None

    asked = embedder(Watched(GOOD), price=None)
    assert isinstance(call.clock, VirtualClock)
    await simulate(call.clock, one, one)
    assert together == [Cost(1, WORST_TOKENS)] * 2
    assert call.purse.spent == Cost(2, 10, 0.0)


async def test_money_is_unknown_without_a_price_or_tokens() -> None:
    assert (await embed(embedder(Posted(GOOD), price=None), virtual())).usage.cost_usd is None
    unsaid = GOOD.replace(b'"prompt_tokens":5', b'"other":5')
    assert (await embed(embedder(Posted(unsaid)), virtual())).usage == Usage(1, None, None, None, None)


async def test_no_key_in_a_failure() -> None:
    key = "hunter2-hunter2-hunter2"
    for script in (HttpResponse(401, {}, key.encode()), TransportError("connection", key), f'"{key}"'.encode()):
        found = await embed(embedder(Posted(script), key=key), virtual())
        assert found.failure is not None
        assert key not in str(found)


# --- against a server -------------------------------------------------------------------------------------------------


async def test_it_conforms() -> None:
    async with FakeEndpoint() as server:
        transport = AiohttpTransport(server.base_url)
        await check_embedder(embedder(transport))
        await transport.close()


class Hurried(LooseCall):
    async def sleep(self, seconds: float) -> None: ...


@pytest.mark.parametrize(
    "hostility", [Hostility(busy=0.3, reset=0.2), Hostility(internal=0.3, garbled=0.2, misshapen=0.2, halved=0.1)]
)
async def test_a_hostile_server_is_outlived(hostility: Hostility) -> None:
    async with FakeEndpoint(hostility=hostility, seed=3) as server:
        transport = AiohttpTransport(server.base_url)
        sender = Sender(
            "embeddings", Endpoint("http://fake/v1", transport, Limiter()), None, Patience(30, 9.0), Redactor()
        )
        for dimensions in (16, 64):
            asked = EndpointEmbedder("vllm/m", sender, dimensions)
            texts = [f"text {at}" for at in range(10)]
            call = Hurried(key=str(dimensions))
            found = await asked.embed(texts, call)
            assert found.data == b"".join(Hashing(dimensions).vector(text) for text in texts)
            assert found.usage.calls == call.purse.spent.calls
        assert server.received > server.answered == 2
        assert set(server.embedded.values()) == {2}
        await transport.close()


def spec(**fields: Any) -> EmbedderSpec:
    return EmbedderSpec.model_validate(fields)


async def test_it_is_made_from_a_task_with_the_rules_of_models_for_keys(tmp_path: Path) -> None:
    environ = {"VLLM_API_KEY": "k-1", "OPENAI_API_KEY": "k-2", "MINE": "k-3", "VLLM_BASE_URL": "http://chat:1/v1"}
    own = "http://127.0.0.1:8001/v1"
    assert locate_embedder(spec(name="vllm/m"), environ)[1:] == ("http://chat:1/v1", "k-1")
    assert locate_embedder(spec(name="vllm/m", base_url=own), environ)[1:] == (own, "k-1")
    far = "http://elsewhere.example/v1"
    assert locate_embedder(spec(name="openai/m", base_url=far), environ)[1:] == (far, None)
    assert locate_embedder(spec(name="openai/m", base_url=far, api_key_env="MINE"), environ)[1:] == (far, "k-3")
    with pytest.raises(UserError, match="needs a key: set the environment variable OPENAI_API_KEY"):
        make_embedder(spec(name="openai/m"), Sources(Endpoints()), tmp_path)


async def test_it_shares_the_limiter_and_the_pool_of_its_endpoint(tmp_path: Path) -> None:
    endpoints = Endpoints()
    sources = Sources(endpoints, {"VLLM_BASE_URL": "http://127.0.0.1:1/v1"})
    made = [make_embedder(spec(name=f"vllm/{name}"), sources, tmp_path) for name in "ab"]
    one, two = (each.sender for each in made if isinstance(each, EndpointEmbedder))
    assert one.route is two.route
    await endpoints.close()
