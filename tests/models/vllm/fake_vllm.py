"""A stand-in for `vllm`: the same command line, pages and processes, without a model. What it is told is its model.

`good` answers; `deaf` does so too, and its engine hears no signal; `stillborn` never comes up; `moribund` ends right
after it came up. It writes what it was started with to `started-<port>-<n>.json` in the folder `FAKE_VLLM`.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - a server without any package
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

KNOWN = """usage: vllm serve [model_tag] [options]
  --host HOST           Host name. See --not-a-flag.
  --port PORT
  --served-model-name NAME [NAME ...]
  --max-model-len N
  --max-num-seqs N
  --max-num-queued-reqs N
  --seed SEED
  --generation-config C
  --gpu-memory-utilization U, --device-memory-utilization U
  --enable-prompt-tokens-details, --no-enable-prompt-tokens-details
  --enable-chunked-prefill, --no-enable-chunked-prefill
  --trust-remote-code, --no-trust-remote-code
"""


def main() -> None:
    folder = Path(os.environ["FAKE_VLLM"])
    if "--help=all" in sys.argv:
        with (folder / "asked").open("a") as asked:
            asked.write("help\n")
        sys.stdout.write(KNOWN)
        return
    _, _, model, *flags = sys.argv
    options: dict[str, str] = {}
    for flag in flags:
        name, _, value = flag.removeprefix("--").partition("=")
        options[name] = value
    port = int(options["port"])
    if model == "stillborn":
        sys.stderr.write("loading\nValueError: no weights in \x1b[31mstillborn\n")
        sys.exit(3)
    # an engine in a session of its own, and one that is deaf as well: only who looks for them finds them
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); " if model == "deaf" else ""
    program = f"import signal, time; {deaf}time.sleep(600)"
    engine = subprocess.Popen([sys.executable, "-S", "-c", program], start_new_session=True)
    said: dict[str, Any] = {"pid": os.getpid(), "engine": engine.pid, "flags": flags, "environ": dict(os.environ)}
    number = len(list(folder.glob(f"started-{port}-*.json")))
    draft = folder / f"draft-{port}"
    draft.write_text(json.dumps(said))
    draft.rename(folder / f"started-{port}-{number}.json")
    asyncio.run(serve(port, model, options, engine))


async def serve(port: int, model: str, options: dict[str, str], engine: subprocess.Popen[bytes]) -> None:
    key = os.environ.get("VLLM_API_KEY")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            path, dead = lines[0].split()[1], engine.poll() is not None
            status, page = 200, b"{}"
            if path.startswith("/v1") and key and headers.get("authorization") != f"Bearer {key}":
                status = 401
            elif path == "/health":
                status = 503 if dead else 200
            elif path == "/version":
                page = b'{"version": "0.99.fake"}'
            elif path == "/v1/models":
                page = json.dumps({"data": [{"id": options["served-model-name"], "max_model_len": 4096}]}).encode()
            elif path == "/v1/chat/completions":
                await asyncio.sleep(0.02)
                status, page = (500 if dead else 200), answer(json.loads(body))
            else:
                status = 404
            writer.write(b"HTTP/1.1 %d Status\r\nContent-Length: %d\r\n" % (status, len(page)))
            close = headers.get("connection") == "close"
            writer.write(
                (b"Connection: close\r\n" if close else b"") + b"Content-Type: application/json\r\n\r\n" + page
            )
            await writer.drain()
            if close:
                writer.close()
                return

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", port)
    async with server:
        if model == "moribund":
            await asyncio.sleep(0.5)
            sys.exit(7)
        await server.serve_forever()


def answer(asked: dict[str, Any]) -> bytes:
    text = asked.get("structured_outputs", {}).get("choice", ["ok"])[0]
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


if __name__ == "__main__":
    main()
