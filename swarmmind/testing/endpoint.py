"""The fake endpoint as a program, for tests that kill their client and for rehearsals.

    python -m swarmmind.testing.endpoint --port 8000 --latency-seconds 0.05 --log requests.log

prints its base URL when it listens, and appends `received <digest>` and `answered <digest>` to the log, each line
flushed before the answer leaves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import anyio

from swarmmind.testing.fake_endpoint import FakeEndpoint, Hostility


async def serve(server: FakeEndpoint, port: int) -> None:
    """Serve until cancelled; the base URL goes to stdout once it listens."""
    await server.start(port)
    try:
        print(server.base_url, flush=True)
        await anyio.sleep_forever()
    finally:
        await server.stop()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m swarmmind.testing.endpoint", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    parser.add_argument("--capacity", type=int, default=None, help="more than so many at once get a 503")
    parser.add_argument("--seed", type=int, default=0, help="of the misfortunes")
    parser.add_argument("--log", type=Path, default=None, help="append a line per request received and answered")
    shown = "what becomes of a wish for log-probabilities"
    parser.add_argument("--logprobs", choices=("give", "refuse", "ignore"), default="give", help=shown)
    for name in Hostility._fields:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0, help="share of requests")
    options = parser.parse_args(arguments)
    hostility = Hostility(*[getattr(options, name) for name in Hostility._fields])
    log = None if options.log is None else options.log.open("a")
    server = FakeEndpoint(
        latency_seconds=options.latency_seconds,
        capacity=options.capacity,
        hostility=hostility,
        seed=options.seed,
        log=log,
        logprobs=options.logprobs,
    )
    try:
        anyio.run(serve, server, options.port)
    except KeyboardInterrupt:
        return
    finally:
        if log is not None:
            log.close()


if __name__ == "__main__":
    main()
