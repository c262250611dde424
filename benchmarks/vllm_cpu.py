"""A real vLLM on the CPU with the tests' tiny model, for benchmarks: installed under `.integration`, then started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

_TESTS = Path(__file__).parents[1] / "tests" / "integration"
_ROOT = Path(__file__).parents[1] / ".integration"
_START_SECONDS = 300.0


@contextmanager
def serving(*flags: str) -> Generator[str]:
    """The base URL of a server with these flags, for as long as it is needed.

    Args:
        flags: of `vllm serve`; the last of equal ones counts.

    Raises:
        RuntimeError: it did not start.
    """
    subprocess.run([_TESTS / "install_vllm.sh", _ROOT], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = _ROOT / "benchmark.log"
    with log.open("w") as output:
        command = [_TESTS / "serve_vllm.sh", str(port), _ROOT, *flags]
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            _wait_until_healthy(server, port, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"vLLM did not start; see {log}")
