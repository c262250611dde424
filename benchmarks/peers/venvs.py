"""An environment for each peer under `.peers/`, made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.peers.catalog import Peer

ROOT = Path(__file__).parents[2]
PEERS_FOLDER = ROOT / ".peers"


class NotInstalled(Exception):
    """A peer cannot be installed; the message says why, in one line."""


def python_of(peer: Peer) -> Path:
    """The interpreter a peer runs with; what it needs is installed first, unless it was for the same requirements.

    Raises:
        NotInstalled: pip failed.
    """
    if not peer.requirements:
        return Path(sys.executable)
    folder = PEERS_FOLDER / peer.name
    python, mark = folder / "bin" / "python", folder / ".installed"
    wanted = "\n".join(peer.requirements)
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {peer.label} ...", file=sys.stderr, flush=True)
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", *peer.requirements])
    mark.write_text(wanted, encoding="utf-8")
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NotInstalled(last_line(done.stderr) or f"exit code {done.returncode}")


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
