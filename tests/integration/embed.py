"""Embed texts with an embedder of this process and print vectors, times and who was asked for anything, as JSON.

Usage: embed.py EMBEDDER < texts.json        (run it where the embedder's extra is installed)
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from pathlib import Path
from typing import Any

import anyio

from swarmmind.models.embed_make import make_embedder
from swarmmind.models.make import Endpoints, Sources
from swarmmind.spec.embedder import EmbedderSpec
from swarmmind.testing import LooseCall
from swarmmind.traces import Embedding


async def embedded(name: str, texts: list[str]) -> dict[str, Any]:
    """The vectors of all texts, and CPU milliseconds per text one by one and all at once."""
    embedder = make_embedder(EmbedderSpec(name=name), Sources(Endpoints()), Path.cwd())

    async def embed(batch: list[str]) -> Embedding:
        answer = embedder.embed(batch, LooseCall())
        found = answer if isinstance(answer, Embedding) else await answer
        assert found.failure is None, found.failure
        return found

    began = time.perf_counter()
    await embed(texts[:1])
    load_seconds = time.perf_counter() - began
    found = await embed(texts)
    times: list[float] = []
    for size in (1, len(texts)):
        before = time.process_time()
        for at in range(0, len(texts), size):
            await embed(texts[at : at + size])
        times.append(1000 * (time.process_time() - before) / len(texts))
    await embedder.close()
    return {
        "vectors": found.vectors().tolist(),
        "load_seconds": load_seconds,
        "alone_ms": times[0],
        "batch_ms": times[1],
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def main() -> None:
    """Run with a hub that nobody may ask: whoever connects is counted."""
    with socket.socket() as hub:
        hub.bind(("127.0.0.1", 0))
        hub.listen()
        hub.settimeout(0)
        os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{hub.getsockname()[1]}"
        done = anyio.run(embedded, sys.argv[1], json.load(sys.stdin))
        try:
            hub.accept()[0].close()
            done["asked_the_hub"] = True
        except BlockingIOError:
            done["asked_the_hub"] = False
    print(json.dumps(done))


if __name__ == "__main__":
    main()
