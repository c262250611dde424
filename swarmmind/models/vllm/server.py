"""One vLLM, from its start to its end: waited for, looked after, started again when it dies."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from swarmmind.errors import ServerLost
from swarmmind.models.pulse import Pulse
from swarmmind.models.vllm.launch import Launch
from swarmmind.models.vllm.process import Guarded, get, tail

log = logging.getLogger("swarmmind.vllm")

_STARTING_POLL_SECONDS = 0.2
_TOLD_LINES, _NAMED_LINES = 20, 2
_MISSES = 3
_GONE = "was not there any more"


class Care(NamedTuple):
    """How a server is looked after.

    Attributes:
        crashes: how many in a row are put up with; a server that never came up is not started again.
        wait_seconds: before it is started again; doubled with each crash in a row, up to half a minute.
        steady_seconds: a crash after so long a time up is the first of a new row.
        look_seconds: between looks at its health.
        patience_seconds: how long an answer to a look may take.
        start_seconds: how long it may take to come up.
    """

    crashes: int = 3
    wait_seconds: float = 1.0
    steady_seconds: float = 60.0
    look_seconds: float = 5.0
    patience_seconds: float = 20.0
    start_seconds: float = 3600.0


_CARE = Care()


class Server:
    """One vLLM on this machine.

    Args:
        name: what it serves.
        port: where it listens.
        key: what requests must carry.
        care: how it is looked after.

    Attributes:
        pulse: whether it is up; requests wait while it is not.
        ends: why it ended, time and again.
        facts: what is known of it: version, flags, limits.
    """

    def __init__(self, name: str, port: int, key: str | None = None, care: Care = _CARE) -> None:
        self.name, self.port, self.key, self.care = name, port, key, care
        self.pulse = Pulse(up=False)
        self.ends: list[str] = []
        self.facts: dict[str, str | int | float | None] = {}
        self._log = Path()

    @property
    def base_url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}/v1"

    def warnings(self) -> list[str]:
        """What a person should know."""
        if not self.ends:
            return []
        return [f"vLLM at {self.base_url} was started again {len(self.ends)} time(s): {'; '.join(self.ends)}"]

    async def run(self, launch: Launch, folder: Path, log_path: Path) -> None:
        """Keep it up until this is cancelled; then it and all its children are gone.

        Args:
            launch: how to start it.
            folder: where it works.
            log_path: what it writes is added there.

        Raises:
            ServerLost: it does not come up, or crashes again and again.
        """
        self._log = log_path
        self.facts = {"command": shlex.join(launch.command), "log": str(log_path)}
        self.facts |= {"environment": " ".join(f"{name}={value}" for name, value in launch.telling().items())}
        crashes = 0
        while True:
            began = anyio.current_time()
            why, seconds_up = await self._life(launch, folder)
            crashes = crashes + 1 if seconds_up < self.care.steady_seconds else 1
            if not self.ends and not seconds_up:
                raise self._given_up(f"did not come up: it {why}")
            if crashes > self.care.crashes:
                raise self._given_up(f"crashed {crashes} times in a row, the last time it {why}")
            self.ends.append(f"it {why} after {anyio.current_time() - began:.0f} s")
            wait = min(30.0, self.care.wait_seconds * 2 ** (crashes - 1))
            log.warning("vLLM at %s %s; starting it again in %.3g s", self.base_url, why, wait)
            await anyio.sleep(wait)

    def _given_up(self, what: str) -> ServerLost:
        lines = tail(self._log, _TOLD_LINES)
        for line in lines:
            log.error("%s", line)
        named = [line for line in lines if "rror" in line] or lines
        said = " | ".join(named[-_NAMED_LINES:])[-500:]
        return ServerLost(f"vLLM for {self.name!r} {what}; {self._log}{f' ends with: {said}' if said else ' is empty'}")

    async def _life(self, launch: Launch, folder: Path) -> tuple[str, float]:
        """One process from start to end: why it ended, and how long it was up."""
        log.info("starting vLLM for %s (log: %s)", self.name, self._log)
        process = await Guarded.start(launch.command, launch.environ, folder, self._log)
        why, up_since = "", None
        try:
            async with anyio.create_task_group() as group:

                async def ends() -> None:
                    nonlocal why
                    why = f"ended with code {await process.wait()}"
                    group.cancel_scope.cancel()

                group.start_soon(ends)
                ill = await self._rising()
                if not ill:
                    up_since = anyio.current_time()
                    ill = await self._ailing()
                why = ill
                group.cancel_scope.cancel()
        finally:
            self.pulse.fall()
            with anyio.CancelScope(shield=True):
                await process.stop()
        if why == _GONE:
            why = f"ended with code {await process.wait()}"
        return why, 0.0 if up_since is None else max(anyio.current_time() - up_since, 1e-9)

    async def _rising(self) -> str:
        """Wait until it is healthy; why not, if it is not within `start_seconds`."""
        began = anyio.current_time()
        with anyio.move_on_after(self.care.start_seconds):
            while not await self._answers():  # noqa: ASYNC110 - it has no event to tell us by
                await anyio.sleep(_STARTING_POLL_SECONDS)
            await self._ask()
            seconds = anyio.current_time() - began
            self.facts["seconds_to_start"] = round(seconds, 1)
            log.info("vLLM %s is up at %s after %.0f s", self.facts.get("version", ""), self.base_url, seconds)
            self.pulse.rise()
            return ""
        return f"was not healthy within {self.care.start_seconds:g} s"

    async def _ailing(self) -> str:
        """Look after it until it is ill; why it is."""
        missed = 0
        while True:
            with anyio.move_on_after(self.care.look_seconds if not missed else self.care.look_seconds / 10):
                await self.pulse.doubts()
            try:
                status = await self._status()
            except TimeoutError:
                missed += 1
                if missed >= _MISSES:
                    return "did not answer any more"
                self.pulse.rise()  # slow is not down
                continue
            if status is None:
                self.pulse.fall()
                missed += 1
                if missed >= _MISSES:
                    return _GONE
            elif status == 200:
                missed = 0
                self.pulse.rise()
            else:
                return f"lost its engine (health: HTTP {status})"

    async def _answers(self) -> bool:
        try:
            return await self._status() == 200
        except TimeoutError:
            return False

    async def _status(self) -> int | None:
        answer = await get(self.port, "/health", self.care.patience_seconds)
        return None if answer is None else answer[0]

    async def _ask(self) -> None:
        """Ask it for its version and its limits."""
        version = await self._json("/version")
        self.facts["version"] = version.get("version")
        models = (await self._json("/v1/models")).get("data") or [{}]
        self.facts["max_model_len"] = models[0].get("max_model_len")

    async def _json(self, path: str) -> Mapping[str, Any]:
        try:
            answer = await get(self.port, path, self.care.patience_seconds, self.key)
            data = json.loads(answer[1]) if answer is not None and answer[0] == 200 else {}
        except (TimeoutError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}
