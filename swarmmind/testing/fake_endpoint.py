"""A fake OpenAI-compatible server for tests and rehearsals: modelled answers, latency and hostility, and exact counts.

    async with FakeEndpoint(latency_seconds=0.02, hostility=Hostility(busy=0.1)) as server:
        ...  # server.base_url, server.received, server.answered

`python -m swarmmind.testing.endpoint` runs it by itself.
"""

from __future__ import annotations

import random
import socket
import struct
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b
from math import log
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TextIO

import anyio
import msgspec
import numpy as np
from aiohttp import web

from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.example_json import example


class Hostility(NamedTuple):
    """The share of requests, by chance, that meet with each misfortune; the rest are answered well."""

    busy: float = 0.0  # 429
    busy_retry_after: float = 0.0  # 429 with Retry-After
    internal: float = 0.0  # 500
    unavailable: float = 0.0  # 503
    stalled: float = 0.0  # no header for `stall_seconds`
    halved: float = 0.0  # half a body, then the connection is closed
    garbled: float = 0.0  # 200 with a body that is not JSON
    misshapen: float = 0.0  # 200 with JSON that is no chat completion
    reset: float = 0.0  # the connection is reset without an answer


class Refusal(NamedTuple):
    """Answer this one with an HTTP error."""

    status: int
    message: str = ""
    headers: Mapping[str, str] = MappingProxyType({})


class Weighed(NamedTuple):
    """Answer this one with an option, and say how probable each was where log-probabilities are wanted."""

    text: str
    probabilities: Mapping[str, float]


class FakeEndpoint:
    """An OpenAI-compatible server on a free port of 127.0.0.1; an async context manager.

    It answers `/v1/chat/completions`, and `/v1/embeddings` with the vectors of `Hashing` (64 dimensions unless a
    request wants others) in any order; what befalls requests befalls both alike.

    Args:
        reply: the text of the answer to a request's body; by default it obeys a wanted choice or JSON schema of the
            simplest kind, and otherwise says `ok`. It may return a `Refusal` or a `Weighed` option instead.
        latency_seconds: how long an answer takes.
        hostility: what may befall a request.
        seed: of the misfortunes.
        key: if given, requests without this bearer token get a 401 that echoes the token they came with.
        capacity: requests beyond so many at once get a 503, as from vLLM with `--max-num-queued-reqs`.
        stall_seconds: how long a stalled request is left without a header.
        retry_after: the value of the header of that name.
        log: a line for each request received and answered, flushed.
        logprobs: what becomes of a wish for log-probabilities of a choice: they are given (all options are equally
            probable, unless the reply is `Weighed`), the request is refused with a 400, or the wish is ignored.

    Attributes:
        received: requests that arrived, whole.
        answered: those that were answered well.
        embedded: how often each text's vector was given.
        in_flight, most_in_flight: those being worked on, now and at most.
        bodies: how often each body arrived, by digest; `digest` is public.
        statuses: how often each status, or misfortune without one, was dealt out.
    """

    def __init__(
        self,
        reply: Callable[[dict[str, Any]], str | Refusal | Weighed] | None = None,
        *,
        latency_seconds: float = 0.0,
        hostility: Hostility = Hostility(),  # noqa: B008  (a frozen value)
        seed: int = 0,
        key: str | None = None,
        capacity: int | None = None,
        stall_seconds: float = 3600.0,
        retry_after: str = "0.05",
        log: TextIO | None = None,
        logprobs: Literal["give", "refuse", "ignore"] = "give",
    ) -> None:
        self.reply, self.latency_seconds, self.hostility = reply or obedient, latency_seconds, hostility
        self.key, self.capacity, self.stall_seconds, self.retry_after = key, capacity, stall_seconds, retry_after
        self.received = self.answered = self.in_flight = self.most_in_flight = 0
        self.embedded: Counter[str] = Counter()
        self.bodies: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.host, self.port = "127.0.0.1", 0
        self._log, self._logprobs = log, logprobs
        self._rng, self._rng_order = random.Random(seed), random.Random(seed)
        self._runner: web.AppRunner | None = None
        self._over = anyio.Event()

    @property
    def base_url(self) -> str:
        """What a client is pointed at."""
        return f"http://{self.host}:{self.port}/v1"

    async def __aenter__(self) -> FakeEndpoint:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen; `port` 0 takes a free one."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._handle)
        app.router.add_post("/v1/embeddings", self._handle)
        app.router.add_get("/health", self._health)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, keepalive_timeout=5.0, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, port, backlog=2048)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and break what is open."""
        self._over.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        digest = blake2b(raw, digest_size=8).hexdigest()
        self.received += 1
        self.bodies[digest] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._note("received", digest)
        try:
            return await self._respond(request, raw, digest)
        finally:
            self.in_flight -= 1

    async def _respond(self, request: web.Request, raw: bytes, digest: str) -> web.StreamResponse:
        token = request.headers.get("Authorization", "")
        if self.key is not None and token != f"Bearer {self.key}":
            return self._error(Refusal(401, f"Incorrect API key provided. Authorization: {token}"))
        if self.capacity is not None and self.in_flight > self.capacity:
            return self._error(Refusal(503, "The engine is currently busy, please retry later."))
        misfortune = self._draw()
        if misfortune:
            return await self._befall(request, raw, misfortune)
        if self.latency_seconds:
            await anyio.sleep(self.latency_seconds)
        asked = msgspec.json.decode(raw)
        embeds = request.path.endswith("/embeddings")
        if asked.get("logprobs") and self._logprobs == "refuse":
            return self._error(Refusal(400, "Unrecognized request argument supplied: logprobs"))
        said = "" if embeds else self.reply(asked)
        if isinstance(said, Refusal):
            return self._error(said)
        self.answered += 1
        self.statuses["200"] += 1
        self._note("answered", digest)
        body = self._embeddings(asked) if embeds else _completion(said, raw, self._logprobs == "give")
        return web.Response(body=body, content_type="application/json")

    def _embeddings(self, request: dict[str, Any]) -> bytes:
        given = request["input"]
        texts: list[str] = [given] if isinstance(given, str) else given
        self.embedded.update(texts)
        hashing = Hashing(request.get("dimensions") or 64)
        vectors = [hashing.vector(text) for text in texts]
        if request.get("encoding_format") == "base64":
            rows: list[Any] = [b64encode(vector).decode() for vector in vectors]
        else:
            rows = [np.frombuffer(vector, "<f4").tolist() for vector in vectors]
        data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
        tokens = sum(len(text) // 4 + 1 for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        self._rng_order.shuffle(data)  # the protocol has an index so that order need not be kept
        return msgspec.json.encode({"object": "list", "data": data, "model": request.get("model"), "usage": usage})

    def _draw(self) -> str:
        at = self._rng.random()
        for name, share in zip(Hostility._fields, self.hostility, strict=True):
            at -= share
            if at < 0:
                return name
        return ""

    async def _befall(self, request: web.Request, raw: bytes, misfortune: str) -> web.StreamResponse:
        if misfortune == "busy":
            return self._error(Refusal(429, "Rate limit reached."))
        if misfortune == "busy_retry_after":
            return self._error(Refusal(429, "Rate limit reached.", {"Retry-After": self.retry_after}))
        if misfortune == "internal":
            return self._error(Refusal(500, "Internal server error."))
        if misfortune == "unavailable":
            return self._error(Refusal(503, "The engine is currently busy, please retry later."))
        self.statuses[misfortune] += 1
        if misfortune == "garbled":
            return web.Response(body=b'{"choices": [{"mess', content_type="application/json")
        if misfortune == "misshapen":
            return web.json_response({"object": "list", "data": [1, 2, 3]})
        if misfortune == "stalled":
            with anyio.move_on_after(self.stall_seconds):
                await self._over.wait()
        elif misfortune == "halved":
            await self._halve(request, _completion("cut off", raw))
        return _reset(request)

    async def _halve(self, request: web.Request, body: bytes) -> None:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])

    def _error(self, refusal: Refusal) -> web.Response:
        self.statuses[str(refusal.status)] += 1
        document = {"error": {"message": refusal.message, "type": "fake", "code": refusal.status}}
        return web.json_response(document, status=refusal.status, headers=refusal.headers)

    def _note(self, event: str, digest: str) -> None:
        if self._log is not None:
            self._log.write(f"{event} {digest}\n")
            self._log.flush()


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with RST, not FIN
        transport.abort()
    return web.Response()


def _completion(said: str | Weighed, raw: bytes, with_logprobs: bool = False) -> bytes:
    text = said if isinstance(said, str) else said.text
    request = msgspec.json.decode(raw, type=dict[str, Any])
    prompt = sum(len(str(message.get("content"))) for message in request.get("messages", [])) // 4 + 1
    tokens = len(text) // 4 + 1
    usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
    usage["prompt_tokens_details"] = {"cached_tokens": 0}
    message = {"role": "assistant", "content": text}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    if request.get("logprobs") and with_logprobs:
        choice["logprobs"] = {"content": _tokens(text, _weights(said, request), int(request.get("top_logprobs") or 0))}
    head = {"id": "chatcmpl-fake", "object": "chat.completion", "created": 0, "model": request.get("model", "")}
    return msgspec.json.encode({**head, "choices": [choice], "usage": usage})


def _weights(said: str | Weighed, request: dict[str, Any]) -> Mapping[str, float]:
    if isinstance(said, Weighed):
        return said.probabilities
    options = _wanted_options(request)
    return dict.fromkeys(options, 1 / len(options)) if options else {}


def _tokens(text: str, weights: Mapping[str, float], top: int) -> list[dict[str, Any]]:
    """A text as a server would list it: an option is one token, and so is what stands before and behind it."""
    said = next((option for option in sorted(weights, key=len, reverse=True) if option in text), None)
    before, _, after = text.partition(said) if said is not None else (text, "", "")
    listed = [_token(option, share) for option, share in sorted(weights.items(), key=lambda each: -each[1])]
    tokens = [{**_token(part, 1.0), "top_logprobs": [_token(part, 1.0)][:top]} for part in (before, after) if part]
    if said is not None:
        tokens.insert(1 if before else 0, {**_token(said, weights[said]), "top_logprobs": listed[:top]})
    return tokens


def _token(text: str, probability: float) -> dict[str, Any]:
    """As vLLM writes it, down to the number that stands for impossible."""
    logprob = log(probability) if probability > 0 else -9999.0
    return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "replace"))}


def _wanted_options(request: dict[str, Any]) -> list[str]:
    """The options of a request for a choice, in either dialect; empty if it is for something else."""
    schema = request.get("response_format", {}).get("json_schema", {}).get("schema", {})
    enum = schema.get("properties", {}).get("choice", {}).get("enum", [])
    return list(request.get("structured_outputs", {}).get("choice") or enum)


def obedient(request: dict[str, Any]) -> str:
    """One of the wanted options or a minimal document of the wanted schema, by the request's seed; else `ok`."""
    rng = random.Random(request.get("seed"))
    options = request.get("structured_outputs", {}).get("choice")
    if options:
        return rng.choice(options)
    schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema:
        return msgspec.json.encode(example(schema, rng)).decode()
    return "ok"
