"""The command line and the environment of a vLLM for a swarm (users.md 4f), as far as the one there goes along."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from swarmmind.errors import UserError, near
from swarmmind.models.vllm.program import VARIABLE, Program
from swarmmind.spec import serving

KEY = "VLLM_API_KEY"
_SWITCHES = (
    "enable-prompt-tokens-details",
    "enable-per-request-metrics",
    "enable-server-load-tracking",
    "enable-request-id-headers",
    "disable-uvicorn-access-log",
)
_USUAL_ENVIRONMENT = {
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "75",  # seconds; its 5 are shorter than a client's patience (users.md 4g)
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
_CPU = {"VLLM_CPU_KVCACHE_SPACE": "4"}  # GiB
_NEVER = ("VLLM_SERVER_DEV_MODE",)  # it opens doors that nobody may find open
_TELLING = (*_USUAL_ENVIRONMENT, *_OFFLINE, *_CPU, "CUDA_VISIBLE_DEVICES", "VLLM_BATCH_INVARIANT")
_MEMORY_SHARE = 0.90
_QUEUE = 1.5  # requests, waiting and running, per sequence that can run


class Serving(NamedTuple):
    """What is to be served.

    Attributes:
        model: a folder, or a name.
        name: what requests call it.
        flags: of the user, as `serving.checked` gives them.
        arguments: of the user, word by word.
        host: where to listen.
    """

    model: str
    name: str
    flags: Mapping[str, Any] = {}
    arguments: Sequence[str] = ()
    host: str = "127.0.0.1"

    @property
    def devices(self) -> int:
        """How many GPUs one server takes."""
        sizes = ("tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size")
        return math.prod(max(1, size) for name in sizes if isinstance(size := self.flags.get(name, 1), int))


class Launch(NamedTuple):
    """How a server is started.

    Attributes:
        command: program and arguments.
        environ: all of its environment.
    """

    command: tuple[str, ...]
    environ: Mapping[str, str]

    def telling(self) -> dict[str, str]:
        """Of the environment, what shapes answers or speed; no secret is among it."""
        return {name: self.environ[name] for name in _TELLING if name in self.environ}


class Seat(NamedTuple):
    """A replica's place on the machine.

    Attributes:
        port: where it listens.
        key: what requests must carry; `None`: nothing.
        gpus: what it may use; `None`: all there are.
        sharers: how many replicas use these.
    """

    port: int
    key: str | None = None
    gpus: tuple[str, ...] | None = None
    sharers: int = 1


def launch(
    serving_: Serving, program: Program, known: frozenset[str] | None, seat: Seat, environ: Mapping[str, str]
) -> Launch:
    """The flags a swarm wants, those that this server does not know left out, and the user's on top.

    Args:
        serving_: what to serve.
        program: what serves it.
        known: the flags that it knows; `None` if it did not say, then only the user's are passed.
        seat: where.
        environ: our own environment variables.

    Raises:
        UserError: the user wants a flag that the server does not know.
    """
    flags = _usual(serving_, program, seat)
    flags = {name: value for name, value in flags.items() if known is not None and _spelled(name, value) in known}
    for name, value in serving_.flags.items():
        if known is not None and value is not None and _spelled(name, value).partition(".")[0] not in known:
            version = f"vLLM {program.version or ''}".strip()
            raise UserError(f"{version} has no flag --{_spelled(name, value)}{near(name, sorted(known)) or ''}")
    where = [f"--host={serving_.host}", f"--port={seat.port}", f"--served-model-name={serving_.name}"]
    asked = serving.arguments({**flags, **serving_.flags})
    command = (*program.serve(serving_.model), *where, *asked, *serving_.arguments)
    return Launch(command, _environ(serving_, program, seat, environ))


def shown(serving_: Serving, program: Program) -> str:
    """What would be started, before anything is known that asking takes time for."""
    words = [*program.serve(serving_.model), *serving.arguments(serving_.flags)]
    return f"{' '.join(words)} (from {VARIABLE} or PATH)"


def _usual(serving_: Serving, program: Program, seat: Seat) -> dict[str, Any]:
    flags: dict[str, Any] = {"generation-config": "vllm", "seed": 0, **dict.fromkeys(_SWITCHES, True)}
    flags["watermark"] = 0.02
    sequences = serving_.flags.get("max-num-seqs")
    if isinstance(sequences, int):
        engines = serving_.flags.get("data-parallel-size", 1)
        flags["max-num-queued-reqs"] = math.ceil(_QUEUE * sequences * (engines if isinstance(engines, int) else 1))
    if program.cpu:
        # A prompt with a seed that is read in chunks kills a CPU engine ("CPU Generator does not use offset": vLLM
        # takes back the draw of an unfinished prompt in a way that only CUDA's generators have).
        flags["enable-chunked-prefill"] = False
    else:
        flags["gpu-memory-utilization"] = round(_MEMORY_SHARE / seat.sharers, 3)
    return flags


def _spelled(name: str, value: Any) -> str:
    return f"no-{name}" if value is False else name


def _environ(serving_: Serving, program: Program, seat: Seat, environ: Mapping[str, str]) -> dict[str, str]:
    usual = {**_USUAL_ENVIRONMENT, **(_CPU if program.cpu else {})}
    if Path(serving_.model).is_absolute():
        usual |= _OFFLINE  # all it needs is here
    made = {**usual, **environ}
    for name in [name for name in made if name in _NEVER or (name.endswith("_API_KEY") and name != KEY)]:
        del made[name]  # other servers' keys are none of its business
    made.pop(KEY, None)
    if seat.key is not None:
        made[KEY] = seat.key
    if seat.gpus is not None:
        made["CUDA_VISIBLE_DEVICES"] = ",".join(seat.gpus)
    return made
