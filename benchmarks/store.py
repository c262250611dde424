"""Where benchmarks keep their numbers: `benchmarks/results/<name>.json`, with the machine they were taken on.

    store("client_call", {"raw_us": 95.0, "swarmmind_us": 180.0})
    load("client_call")["data"]["raw_us"]

A file is `{"name", "date", "machine", "data"}`; `data` is whatever the benchmark measured, units in its keys.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from swarmmind.version import __version__

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("aiohttp", "anyio", "msgspec", "uvloop", "pydantic", "numpy", "vllm", "ray")


def machine() -> dict[str, Any]:
    """What numbers depend on: cores this process may use, CPU model, memory, system, Python, and versions."""
    versions = {"swarmmind": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": _cpu(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": versions,
    }


def store(name: str, data: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Write what a benchmark measured, with the date and the machine; an earlier file of that name is replaced.

    Args:
        name: of the benchmark, and of its file.
        data: anything JSON can say; not-a-number is refused, because no other reader of JSON takes it.
        folder: where.

    Returns:
        The file.

    Raises:
        ValueError: a number is infinite or none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    document = {"name": name, "date": date, "machine": machine(), "data": dict(data)}
    path = folder / f"{name}.json"
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path


def load(name: str, folder: Path = RESULTS) -> dict[str, Any]:
    """What `store` wrote under this name.

    Raises:
        FileNotFoundError: nothing was stored.
    """
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def _cpu() -> str:
    """The model's name, where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def _memory_gib() -> int | None:
    names = getattr(os, "sysconf_names", {})
    if not {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= set(names):
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
