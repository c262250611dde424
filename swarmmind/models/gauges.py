"""What a server says of itself in Prometheus's text format: how much it works on, how much waits, what it has done.

Names come and go over the versions of a server, and a library that exports them may or may not add `_total` to
counters, so each value is looked up under several (users.md 4e). What is not said is `None`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple, TypeAlias

ENGINES = ("vllm:", "sglang:", "llamacpp:")
"""How the names of what inference servers say of themselves begin."""

_MOST_CHARACTERS = 4 * 2**20  # of a page; it is read between requests

Sample: TypeAlias = tuple[dict[str, str], float]
"""Labels and a value."""

_LINE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*$")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")

_RUNNING = ("vllm:num_requests_running", "sglang:num_running_reqs", "llamacpp:requests_processing")
_WAITING = ("vllm:num_requests_waiting", "sglang:num_queue_reqs", "llamacpp:requests_deferred")
_BY_REASON = "vllm:num_requests_waiting_by_reason"
_KV_USED = (
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",
    "sglang:token_usage",
    "llamacpp:kv_cache_usage_ratio",
)
_PREEMPTIONS = ("vllm:num_preemptions",)
_QUEUE_SECONDS = ("vllm:request_queue_time_seconds_sum",)
_TOTAL_SECONDS = ("vllm:e2e_request_latency_seconds_sum",)
_SUCCEEDED = ("vllm:request_success",)
_PROMPT = ("vllm:prompt_tokens", "sglang:prompt_tokens", "llamacpp:prompt_tokens")
_WRITTEN = ("vllm:generation_tokens", "sglang:generation_tokens", "llamacpp:tokens_predicted")
_QUERIED = ("vllm:prefix_cache_queries", "vllm:gpu_prefix_cache_queries")
_HITS = ("vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits")
_CACHED = ("vllm:prompt_tokens_cached", "sglang:cached_tokens")
_SETUP = ("vllm:cache_config_info",)


class Snapshot(NamedTuple):
    """One look at a server; gauges of several engines behind it are added up, counters count from its start.

    Attributes:
        running: requests that it works on.
        waiting: requests that it has accepted and not begun, for want of room.
        kv_used: the share of its KV cache in use, the fullest engine's.
        preemptions: how often it threw a request out to begin it anew.
        queue_seconds: that finished requests waited at the server, all together.
        request_seconds: that they took at the server.
        succeeded: requests that it answered to their end.
        prompt_tokens: that prompts had.
        completion_tokens: that it wrote.
        queried_tokens: that it looked up in its prefix cache.
        hit_tokens: of these, those that it found.
        cached_tokens: of prompts, those that it did not have to compute.
        setup: what it says of its cache: block size, number of blocks and so on.
    """

    running: int
    waiting: int
    kv_used: float | None = None
    preemptions: int | None = None
    queue_seconds: float | None = None
    request_seconds: float | None = None
    succeeded: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    queried_tokens: int | None = None
    hit_tokens: int | None = None
    cached_tokens: int | None = None
    setup: Mapping[str, str] = {}


class Gauges:
    """What a server said of itself over a run.

    Attributes:
        first: the first look; `None` if it never said.
        last: the latest.
    """

    def __init__(self) -> None:
        self.first: Snapshot | None = None
        self.last: Snapshot | None = None
        self._lost = dict[str, int]()  # by counters of servers that were started anew since

    def keep(self, seen: Snapshot) -> None:
        """Take another look; counters that went back say that the server was started anew, from 0."""
        last = self.last
        if self.first is None or last is None:
            self.first = self.last = seen
            return
        if (seen.succeeded or 0) < (last.succeeded or 0) or (seen.prompt_tokens or 0) < (last.prompt_tokens or 0):
            for name in _COUNTERS:
                self._lost[name] = self._lost.get(name, 0) + (getattr(last, name) or 0)
        self.last = seen

    def since_first(self, counter: str) -> int | None:
        """By how much a counter of `Snapshot` rose over the run, restarts of the server included; `None`: unknown."""
        if self.first is None or self.last is None:
            return None
        then, now = getattr(self.first, counter), getattr(self.last, counter)
        return None if then is None or now is None else now + self._lost.get(counter, 0) - then


_COUNTERS = (
    "preemptions",
    "succeeded",
    "prompt_tokens",
    "completion_tokens",
    "queried_tokens",
    "hit_tokens",
    "cached_tokens",
)


def parse(text: str) -> dict[str, list[Sample]]:
    """The samples of a page in Prometheus's text format, by name; histograms by their sums and counts.

    Lines that are no samples are passed over.
    """
    found: dict[str, list[Sample]] = {}
    for line in text.splitlines():
        if line.startswith("#") or "_bucket{" in line:  # of a histogram, which is most of the page
            continue
        match = _LINE.match(line)
        if match is None:
            continue
        name, labels, number = match.groups()
        try:
            value = float(number)
        except ValueError:
            continue
        pairs = {key: _ESCAPED.sub(_unescaped, quoted) for key, quoted in _LABEL.findall(labels or "")}
        found.setdefault(name, []).append((pairs, value))
    return found


def read(text: str) -> Snapshot | None:
    """A page as a snapshot; `None` if it does not say what runs and what waits."""
    if not is_engine(text):
        return None
    samples = parse("\n".join(line for line in text.splitlines() if line.startswith(ENGINES)))
    running, waiting = _sum(samples, _RUNNING), _sum(samples, _WAITING)
    if running is None or waiting is None:
        return None
    short = [value for labels, value in samples.get(_BY_REASON, ()) if labels.get("reason") == "capacity"]
    fullest = [value for name in _KV_USED for _, value in samples.get(name, ()) if isfinite(value)]
    setup = next((labels for name in _SETUP for labels, _ in samples.get(name, ())), {})
    return Snapshot(
        int(running),
        int(sum(short)) if short else int(waiting),
        max(fullest) if fullest else None,
        _count(samples, _PREEMPTIONS),
        _sum(samples, _QUEUE_SECONDS),
        _sum(samples, _TOTAL_SECONDS),
        _count(samples, _SUCCEEDED),
        _count(samples, _PROMPT),
        _count(samples, _WRITTEN),
        _count(samples, _QUERIED),
        _count(samples, _HITS),
        _count(samples, _CACHED),
        setup,
    )


def is_engine(text: str) -> bool:
    """Whether a page is an inference server's, or may be: of what size that of another is does not matter."""
    return len(text) <= _MOST_CHARACTERS and any(f"\n{name}" in text or text.startswith(name) for name in ENGINES)


def _sum(samples: Mapping[str, Sequence[Sample]], names: Sequence[str]) -> float | None:
    for name in names:
        for spelled in (name, f"{name}_total"):
            values = [value for _, value in samples.get(spelled, ()) if isfinite(value)]
            if values:
                return sum(values)
    return None


def _count(samples: Mapping[str, Sequence[Sample]], names: Sequence[str]) -> int | None:
    value = _sum(samples, names)
    return None if value is None else int(value)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]
