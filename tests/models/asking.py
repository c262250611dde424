from __future__ import annotations

import msgspec

from swarmmind.effects import TEXT, Agent, Message, Output, Sampling
from swarmmind.models.chat import ChatModel, Patience
from swarmmind.models.endpoint import Endpoint
from swarmmind.models.limiter import Limiter
from swarmmind.models.prices import Price
from swarmmind.models.redact import Redactor
from swarmmind.models.wire import Writer
from swarmmind.ports import HttpResponse, Request, Transport, TransportError

AGENT = Agent("agent-1", "worker", model="m")


def request(text: str = "hello", output: Output = TEXT, seed: int = 7, observation: object = None) -> Request:
    messages = (Message("system", "You are one of many."), Message("user", text))
    return Request(AGENT, messages, output, Sampling(temperature=0.5, top_p=0.9, max_tokens=50), seed, observation)


def chat(
    transport: Transport,
    *,
    limiter: Limiter | None = None,
    writer: Writer | None = None,
    price: Price | None = None,
    patience: Patience | None = None,
    key: str = "",
) -> ChatModel:
    keys = Redactor([key])
    return ChatModel(
        writer or Writer("m"),
        Endpoint("http://fake/v1", transport, limiter or Limiter()),
        price,
        patience or Patience(),
        keys,
    )


def said(text: str | None, finish: str = "stop", **more: object) -> bytes:
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 16}}
    choice = {"message": {"content": text, **more}, "finish_reason": finish}
    return msgspec.json.encode({"choices": [choice], "usage": usage})


def ok(text: str | None = "hi") -> HttpResponse:
    return HttpResponse(200, {}, said(text))


class Replayed:
    """A transport that plays responses, or raises errors, in order; the last one for ever."""

    def __init__(self, *script: HttpResponse | TransportError) -> None:
        self.script = list(script)
        self.posted: list[bytes] = []
        self.timeouts_seconds: list[float] = []

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        assert path == "chat/completions"
        self.posted.append(body)
        self.timeouts_seconds.append(timeout_seconds)
        step = self.script[min(len(self.posted), len(self.script)) - 1]
        if isinstance(step, TransportError):
            raise step
        return step

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        return HttpResponse(404, {}, b"")

    async def close(self) -> None:
        return
