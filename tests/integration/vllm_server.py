"""What a vLLM says about itself: its counters and gauges."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable

_SAMPLE = re.compile(r"^(vllm:\w+)(\{[^}]*\})? (\S+)$", re.MULTILINE)


class Vllm:
    """A running server."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

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
