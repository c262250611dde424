"""A real vLLM on the CPU with a tiny model, installed under `.integration`: started, asked about itself, killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1] / ".integration"
START_SECONDS = 300.0
_SAMPLE = re.compile(r"^(vllm:\w+)(\{[^}]*\})? (\S+)$", re.MULTILINE)


class Vllm:
    """A running server, and the process it runs in if it was started here."""

    def __init__(self, base_url: str, process: subprocess.Popen[bytes] | None = None) -> None:
        self.base_url, self.process = base_url, process

    def kill(self) -> None:
        """Kill it, its engine and all."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def count(self, name: str, labels: str = "") -> int:
        """The sum of a metric over all samples whose labels contain `labels`."""
        with urllib.request.urlopen(self.base_url.removesuffix("/v1") + "/metrics", timeout=10) as response:
            text = response.read().decode()
        return int(sum(float(v) for n, ls, v in _SAMPLE.findall(text) if n == name and labels in (ls or "")))

    def answered(self) -> int:
        """Requests answered to their end."""
        return sum(self.count("vllm:request_success_total", f'finished_reason="{why}"') for why in ("stop", "length"))

    def wait_for(self, what: str, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until the metrics say so: they lag a little behind the answers."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
            time.sleep(0.05)


def install() -> Path:
    """The folder with vLLM's venv and the models, made on first use."""
    subprocess.run([HERE / "install_vllm.sh", ROOT], check=True)
    return ROOT


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serving(*flags: str, log: str, port: int | None = None) -> Generator[Vllm]:
    """A server with these flags that is up, for as long as it is needed.

    Args:
        flags: of `vllm serve`; the last of equal ones counts.
        log: where its output goes, below `.integration`.
        port: that it listens on; any by default.

    Raises:
        RuntimeError: it did not start.
    """
    root, port = install(), port or free_port()
    with (root / log).open("w") as output:
        command = [HERE / "serve_vllm.sh", str(port), root, *flags]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        _wait_until_healthy(process, port, root / log)
        yield Vllm(f"http://127.0.0.1:{port}/v1", process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
            if response.status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError(f"vLLM ended or was not up after {START_SECONDS:g} s; see {log}")
