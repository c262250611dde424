"""Two Ray nodes on this machine, with one CPU each, in processes that are started and ended here.

`python -m tests.integration.ray_nodes` is such a cluster: it says where it is, and ends when nobody reads any more.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE_SECONDS = 120.0


class Nodes(NamedTuple):
    """A cluster.

    Attributes:
        address: what `RAY_ADDRESS` is set to.
        raylets: the process of each node, the head node's first.
        environment: for whoever uses it.
    """

    address: str
    raylets: list[int]
    environment: dict[str, str]

    def workers(self, raylet: int | None = None) -> list[int]:
        """The processes of our workers, on one node or on all."""
        homes = self.raylets if raylet is None else [raylet]
        return [pid for pid, parent, name in processes() if parent in homes and name.startswith("ray::Actor")]


def processes() -> list[tuple[int, int, str]]:
    """All processes: their id, their parent's, and what they are called."""
    found: list[tuple[int, int, str]] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found.append((int(folder.name), parent, (folder / "cmdline").read_text().replace("\0", " ")))
    return found


def wait_until(what: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """What something comes to, as soon as it is true.

    Raises:
        AssertionError: it never is.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


@contextmanager
def two_nodes() -> Generator[Nodes]:
    """A cluster of one's own."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short: sockets are in it
    environment = {**os.environ, "RAY_TMPDIR": str(folder), "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(folder)}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # it listens to all the world
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-m", "tests.integration.ray_nodes"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as cluster:
        try:
            assert cluster.stdout is not None
            said = json.loads(cluster.stdout.readline())
            yield Nodes(said["address"], said["raylets"], {**environment, "RAY_ADDRESS": said["address"]})
        finally:
            assert cluster.stdin is not None
            cluster.stdin.close()
            try:
                cluster.wait(60)
            except subprocess.TimeoutExpired:
                cluster.kill()
            shutil.rmtree(folder, ignore_errors=True)


def children(pid: int) -> list[int]:
    """The processes that one has started; those of a node's are the node."""
    return [child for child, parent, _ in processes() if parent == pid]


def kill(*pids: int) -> None:
    """Kill -9, and wait until they are gone."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(pid in pids for pid, _, name in processes() if name))


def main() -> None:
    """Be a cluster until the standard input is closed."""
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    mute = os.dup(1)
    os.dup2(2, 1)  # what Ray has to say is not for whoever reads the address
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()]
    os.write(mute, (json.dumps({"address": cluster.address, "raylets": raylets}) + "\n").encode())
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
