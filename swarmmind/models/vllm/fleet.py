"""The servers of one model: as many as the user wants replicas, each on GPUs of its own as far as there are enough."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from swarmmind.models.vllm.launch import KEY, Seat, Serving, launch
from swarmmind.models.vllm.program import Program, known_flags
from swarmmind.models.vllm.server import Care, Server, log

_LOWEST_PORT, _PORTS = 20_000, 12_000  # below those that systems hand out to outgoing connections
_CARE = Care()


class Fleet:
    """Servers that serve the same.

    Args:
        serving: what.
        replicas: how many.
        program: what serves it.
        environ: our environment variables.
        keyed: whether requests must carry a key that only we know, since everybody on a machine can reach its ports.
        first_port: of the first, the others follow; free ones if left out.
        care: how each is looked after.

    Attributes:
        servers: in order.
        key: what requests must carry; `None`: nothing.
    """

    def __init__(
        self,
        serving: Serving,
        replicas: int,
        program: Program,
        environ: Mapping[str, str],
        *,
        keyed: bool = True,
        first_port: int | None = None,
        care: Care = _CARE,
    ) -> None:
        self._serving, self._program, self._environ = serving, program, environ
        self.key = environ.get(KEY) or (secrets.token_urlsafe(24) if keyed else None)
        ports = _free_ports(replicas) if first_port is None else range(first_port, first_port + replicas)
        self.servers = [Server(serving.name, port, self.key, care) for port in ports]

    @property
    def address(self) -> str:
        """Where they are reached, with commas between."""
        return ",".join(server.base_url for server in self.servers)

    @property
    def capacity(self) -> int | None:
        """How many requests each runs at once, if the user said so."""
        said = self._serving.flags.get("max-num-seqs")
        return said if isinstance(said, int) else None

    async def run(self, folder: Path, name: str = "vllm") -> None:
        """Keep all of them up until this is cancelled.

        Args:
            folder: where their logs are written, to `<name>-0.log` and so on.
            name: of the logs.

        Raises:
            UserError: the user wants a flag that the server does not know.
            ExceptionGroup: of a `ServerLost`: one does not come up, or crashes again and again; all have been ended.
        """
        known = await self._known()
        seats = self.seats(await _gpus(self._environ))
        async with anyio.create_task_group() as group:
            for number, (server, seat) in enumerate(zip(self.servers, seats, strict=True)):
                start = launch(self._serving, self._program, known, seat, self._environ)
                group.start_soon(server.run, start, folder, (folder / f"{name}-{number}.log").absolute())

    def seats(self, gpus: Sequence[str]) -> list[Seat]:
        """Where each of them sits: apart, as far as there are GPUs enough.

        Args:
            gpus: those of this machine; none if it has none of NVIDIA's.
        """
        replicas, devices = len(self.servers), self._serving.devices
        if replicas == 1 or not gpus:
            return [Seat(server.port, server.key) for server in self.servers]
        apart = max(1, len(gpus) // devices)  # groups of GPUs that a replica can have for itself
        seats: list[Seat] = []
        for number, server in enumerate(self.servers):
            group = number % apart
            own = tuple(gpus[group * devices : (group + 1) * devices])
            seats.append(Seat(server.port, server.key, own, len(range(group, replicas, apart))))
        return seats

    async def _known(self) -> frozenset[str] | None:
        log.debug("asking %s for its flags", self._program.command[0])
        return await known_flags(self._program, self._environ)

    async def up(self) -> None:
        """Until each of them is up."""
        for server in self.servers:
            await server.pulse.wait()


async def _gpus(environ: Mapping[str, str]) -> list[str]:
    """The names that `CUDA_VISIBLE_DEVICES` knows this machine's GPUs by; none if there are none of NVIDIA's."""
    given = environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    program = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if program is None:
        return []
    said = await anyio.run_process(
        [program, "--query-gpu=index", "--format=csv,noheader"],
        check=False,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
    )
    return said.stdout.decode().split() if said.returncode == 0 else []


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = _LOWEST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)):
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                found.append(port)
    return found
