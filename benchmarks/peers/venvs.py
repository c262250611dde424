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


def python_of(peer: Peer, root: Path = PEERS_FOLDER) -> Path:
    """The interpreter a peer runs with; what it needs is installed first, unless it was for the same requirements.

    Args:
        peer: whose.
        root: where its environment is, or is made.

    Raises:
        NotInstalled: pip failed.
    """
    if not peer.requirements:
        return Path(sys.executable)
    folder = root / peer.name
    python, mark = folder / "bin" / "python", folder / ".installed"
    wanted = "\n".join(peer.requirements)
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {peer.label} ...", file=sys.stderr, flush=True)
    _run([sys.executable, "-m", "venv", str(folder)])  # one that was interrupted is completed
    _run([str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *peer.requirements])
    mark.write_text(wanted, encoding="utf-8")
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        errors = "\n".join(line for line in done.stderr.splitlines() if line.startswith("ERROR"))
        raise NotInstalled(last_line(errors or done.stderr) or f"exit code {done.returncode}")


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
