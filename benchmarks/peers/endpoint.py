"""The mock endpoint of these benchmarks: the same bytes for every request, after a latency that is in its address.

    python benchmarks/peers/endpoint.py            # prints http://127.0.0.1:<port>

`<address>/0/v1/chat/completions` answers at once, `<address>/20/v1/chat/completions` after 20 ms. `<address>/counts`
says how many completions were asked for since the last such request, in how many bytes, and how many were in flight at
most. It is a protocol without a web framework: it takes less CPU per request than any client, so it is not what is
measured.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

REPLY = (
    "Each square of side n holds n * n cells, so the larger one holds 49 and the smaller one 9; what is left is "
    "49 - 9, which I checked by counting the border row by row.\n\nANSWER: 40"
)
"""What every agent says: of the length of a short reasoned answer."""

USAGE = {"prompt_tokens": 180, "completion_tokens": 50, "total_tokens": 230}
_MESSAGE = {"role": "assistant", "content": REPLY}
_COMPLETION = {
    "id": "chatcmpl-mock",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "mock",
    "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
    "usage": USAGE,
}


def response(status: str, document: object) -> bytes:
    """A whole HTTP response."""
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


COMPLETION = response("200 OK", _COMPLETION)
MISSING = response("404 Not Found", {"error": {"message": "there is nothing here", "type": "mock", "code": 404}})


class Counts:
    """Of completions, since they were last asked for."""

    def __init__(self) -> None:
        self.received = self.bytes = self.in_flight = self.most_in_flight = 0

    def begin(self, size: int) -> None:
        """One more arrived, whole, of so many bytes."""
        self.received += 1
        self.bytes += size
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def take(self) -> dict[str, int]:
        """What was counted; from zero again."""
        taken = {"received": self.received, "bytes": self.bytes, "most_in_flight": self.most_in_flight}
        self.received, self.bytes, self.most_in_flight = 0, 0, self.in_flight
        return taken


class Connection(asyncio.Protocol):
    """One client's connection: requests with a Content-Length, one after the other, kept alive for good."""

    def __init__(self, counts: Counts) -> None:
        self._counts, self._unread = counts, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end]
            length = content_length(head)
            size = end + 4 + length
            if len(self._unread) < size:
                return
            self._unread = self._unread[size:]
            self._answer(head[: head.index(b"\r\n")].split()[1], size)

    def _answer(self, path: bytes, size: int) -> None:
        parts = path.strip(b"/").split(b"/")
        if parts == [b"counts"]:
            self._write(response("200 OK", self._counts.take()))
        elif parts[1:] == [b"v1", b"chat", b"completions"]:
            self._counts.begin(size)
            milliseconds = int(parts[0])
            if milliseconds:
                asyncio.get_running_loop().call_later(milliseconds / 1000, self._complete)
            else:
                self._complete()
        else:
            self._write(MISSING)

    def _complete(self) -> None:
        self._counts.in_flight -= 1
        self._write(COMPLETION)

    def _write(self, answer: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(answer)


def content_length(head: bytes) -> int:
    """How long the body behind this head is."""
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def serve() -> None:
    """Listen on a free port until cancelled."""
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(counts), "127.0.0.1", 0, backlog=2048)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve())
