"""A machine with a `vllm` that is none; and waiting for what processes do: nobody tells us, so we look."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

FAKE = Path(__file__).with_name("fake_vllm.py")


def install(folder: Path) -> dict[str, str]:
    """Put a `vllm` into a folder; the environment of a machine that has it on its PATH."""
    binary = folder / "bin" / "vllm"
    binary.parent.mkdir()
    binary.write_text(f"#!{sys.executable} -S\n{FAKE.read_text()}")
    binary.chmod(0o755)
    path = f"{binary.parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "FAKE_VLLM": str(folder), "OPENAI_API_KEY": "sk-of-somebody-else"}


def started_in(folder: Path) -> list[dict[str, Any]]:
    """What each server was started with, in order."""
    files = sorted(folder.glob("started-*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(file.read_text()) for file in files]


def alive(pid: int) -> bool:
    """Whether a process is there and is more than a zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)


async def until_async(condition: Callable[[], object], seconds: float = 30.0) -> None:
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.sleep(0.02)
