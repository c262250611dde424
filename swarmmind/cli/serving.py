"""`swarmmind vllm`: a vLLM server with the flags a swarm wants, kept up until Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from swarmmind.cli.live import told
from swarmmind.cli.running import Json
from swarmmind.errors import ServerLost, UserError
from swarmmind.models.vllm.fleet import Fleet
from swarmmind.models.vllm.launch import Serving
from swarmmind.models.vllm.program import VARIABLE, find_program
from swarmmind.report.text import visible

_LAST_PORT = 65_535


def vllm(
    model: Annotated[str, typer.Argument(help="A model's name, e.g. Qwen/Qwen3-8B, or its folder.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- FLAGS]", help="Further flags, as `vllm serve` knows them.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=_LAST_PORT, help="Of the first replica.")] = 8000,
    host: Annotated[str, typer.Option("--host", help="Where to listen; everybody who reaches it may use it.")] = (
        "127.0.0.1"
    ),
    replicas: Annotated[int, typer.Option("--replicas", min=1, max=64, help="How many servers.")] = 1,
    max_model_len: Annotated[
        int | None, typer.Option("--max-model-len", min=1, help="Longest prompt and answer together, in tokens.")
    ] = None,
    max_num_seqs: Annotated[
        int | None, typer.Option("--max-num-seqs", min=1, help="Most requests that run at once.")
    ] = None,
    served_name: Annotated[
        str | None, typer.Option("--served-name", help="What requests call the model; its name by default.")
    ] = None,
    command: Annotated[
        str | None, typer.Option("--command", envvar=VARIABLE, help="The vLLM to use; `vllm` on PATH by default.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Start a vLLM server with the flags a swarm wants, and keep it up until Ctrl-C."""
    if port + replicas - 1 > _LAST_PORT:
        raise UserError(f"--port {port}: there are no {replicas} ports from there on")
    for each in range(port, port + replicas):
        _check_free(host, each)
    limits = {"max-model-len": max_model_len, "max-num-seqs": max_num_seqs}
    flags = {name: value for name, value in limits.items() if value is not None}
    folder = Path(model)
    here = folder.is_dir()
    name = served_name or (folder.resolve().name if here else model)
    serving = Serving(str(folder.resolve()) if here else model, name, flags, arguments or [], host)
    program = find_program(os.environ, command)
    fleet = Fleet(serving, replicas, program, os.environ, keyed=False, first_port=port)
    with told():
        return anyio.run(_serve, fleet, name, as_json)


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"--port {port}: cannot be used on {host}: {error.strerror}") from error


async def _serve(fleet: Fleet, name: str, as_json: bool) -> int:
    ended = signal.SIGTERM
    try:
        async with anyio.create_task_group() as group:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                group.start_soon(fleet.run, Path(tempfile.mkdtemp(prefix="swarmmind-vllm-")))
                group.start_soon(_announce, fleet, name, as_json)
                ended = await anext(signals)
                group.cancel_scope.cancel()
    except* (ServerLost, UserError) as errors:
        raise _first(errors) from None
    return 130 if ended is signal.SIGINT else 0


async def _announce(fleet: Fleet, name: str, as_json: bool) -> None:
    await fleet.up()
    urls = [server.base_url for server in fleet.servers]
    facts: dict[str, Any] = fleet.servers[0].facts
    if as_json:
        said = json.dumps({"base_url": ",".join(urls), "model": f"vllm/{name}", "urls": urls, **facts})
    else:
        use = shlex.join([f"VLLM_BASE_URL={','.join(urls)}", "swarmmind", "run", "task.yaml", "--set"])
        use += f" {shlex.quote(f'model=vllm/{name}')}"
        said = visible(f"{' '.join(urls)} · vLLM {facts.get('version')} · {facts['command']} · use it: {use}")
    sys.stdout.write(said + "\n")
    sys.stdout.flush()


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
