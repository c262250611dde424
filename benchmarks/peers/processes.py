"""A peer's driver as a process: it is told a workload in a line, and answers with what it took in a line."""

from __future__ import annotations

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.peers.catalog import QUIET, Peer
from benchmarks.peers.venvs import PEERS_FOLDER, ROOT, last_line

START_SECONDS, WORK_SECONDS = 120.0, 180.0


class Broken(Exception):
    """A driver ended, hung or lied; the message says what it said last."""


class Driver:
    """A peer's driver, running.

    Args:
        peer: whose.
        process: as it was started.
        log: what it prints.

    Attributes:
        peer: whose it is.
        versions: what it told of itself.
    """

    def __init__(self, peer: Peer, process: Process, log: Path) -> None:
        self.peer, self._process, self._log = peer, process, log
        self.versions: dict[str, str] = {}

    async def ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Have it do a workload.

        Raises:
            Broken: it could not.
        """
        assert self._process.stdin is not None
        with suppress(ConnectionError):  # that it is gone is found out by reading
            self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
            await self._process.stdin.drain()
        return await self._line(WORK_SECONDS)

    async def close(self) -> None:
        """End it."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _line(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        except TimeoutError:
            raise Broken(f"no answer within {seconds:.0f} s") from None
        if not line:
            await self._process.wait()
            said = last_line(self._log.read_text(encoding="utf-8", errors="replace"))
            raise Broken(said or f"exit code {self._process.returncode}")
        return json.loads(line)

    async def started(self) -> None:
        """Wait until everything is imported.

        Raises:
            Broken: it is not.
        """
        self.versions = (await self._line(START_SECONDS))["versions"]


async def start(peer: Peer, python: Path) -> Driver:
    """Start a peer's driver.

    Raises:
        Broken: it ended before it began.
    """
    folder = PEERS_FOLDER / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{peer.name}.log"
    own = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment |= {**QUIET, "CREWAI_STORAGE_DIR": str(PEERS_FOLDER / "storage")}
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            str(python), "-m", peer.driver, *peer.arguments,
            stdin=PIPE, stdout=PIPE, stderr=written, cwd=ROOT, env=environment,
        )  # fmt: skip
    driver = Driver(peer, process, log)
    try:
        await driver.started()
    except BaseException:
        await driver.close()
        raise
    return driver


class Endpoint:
    """The mock endpoint, in a process of its own; an async context manager.

    Attributes:
        address: where it listens.
    """

    address = ""

    def __init__(self, python: Path) -> None:
        self._python = python
        self._process: Process | None = None

    async def __aenter__(self) -> Endpoint:
        command = (str(self._python), str(Path(__file__).with_name("endpoint.py")))
        self._process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE)
        assert self._process.stdout is not None
        self.address = (await self._process.stdout.readline()).decode().strip()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def counts(self) -> dict[str, int]:
        """What was asked for since this was last asked."""
        host, _, port = self.address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /counts HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        counted = json.loads(await reader.readexactly(length))
        writer.close()
        await writer.wait_closed()
        return counted
