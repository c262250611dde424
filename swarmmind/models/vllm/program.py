"""Which vLLM there is, and which flags it knows. A task file has no say in it: PATH, the environment and flags have."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread

from swarmmind.errors import UserError

VARIABLE = "SWARMMIND_VLLM"
_MODULE = "vllm.entrypoints.openai.api_server"
_HELP_SECONDS = 600.0  # it imports all of vLLM, on a busy machine for more than a minute
_DISTRIBUTION = re.compile(r"vllm(_cpu)?-(\d[^-]*)\.dist-info")
_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")


class Program(NamedTuple):
    """A vLLM that can be run.

    Attributes:
        command: what starts it, without arguments.
        version: what is installed, as far as its files say.
        cpu: whether it is a build for CPUs, as far as its files say.
    """

    command: tuple[str, ...]
    version: str | None = None
    cpu: bool = False

    def serve(self, model: str) -> list[str]:
        """The command line that serves a model, its flags left out."""
        if self.command[-1].endswith("api_server"):
            return [*self.command, f"--model={model}"]
        return [*self.command, "serve", model]

    def help(self) -> list[str]:
        """The command line that tells all flags."""
        return [*self.command, *([] if self.command[-1].endswith("api_server") else ["serve"]), "--help=all"]


def find_program(environ: Mapping[str, str], given: str | None = None) -> Program:
    """The vLLM to use: the one given, that of `SWARMMIND_VLLM`, on PATH, beside this interpreter, or in it.

    Args:
        environ: the environment variables.
        given: a flag that goes before the environment: a path, a name on PATH, or a command line.

    Raises:
        UserError: there is none.
    """
    wanted = given or environ.get(VARIABLE)
    path = environ.get("PATH")
    if wanted:
        command = [wanted] if Path(wanted).is_file() else shlex.split(wanted)
        found = shutil.which(command[0], path=path) if command else None
        if found is None:
            raise UserError(f"no such program: {wanted!r} (from {'--command' if given else VARIABLE})")
        return _known(Path(found), command[1:])
    beside = Path(sys.executable).with_name("vllm")
    found = shutil.which("vllm", path=path) or (str(beside) if beside.is_file() else None)
    if found is not None:
        return _known(Path(found), [])
    if importlib.util.find_spec("vllm") is not None:
        return _known(Path(sys.executable), ["-P", "-m", _MODULE])  # -P: a folder's own vllm.py is not meant
    raise UserError(
        "there is no vLLM to start: install one (pip install vllm, in an environment of its own if you like) and name "
        f"its program in the environment variable {VARIABLE}"
    )


def _known(executable: Path, rest: list[str]) -> Program:
    folder = executable.absolute().parent.parent
    names = [path.name for path in folder.glob("lib/python*/*-packages/vllm*.dist-info")]
    found = [match for match in map(_DISTRIBUTION.fullmatch, sorted(names)) if match]
    cpu = any(match[1] or "+cpu" in match[2] for match in found)
    return Program((str(executable.absolute()), *rest), found[0][2] if found else None, cpu)


async def known_flags(program: Program, environ: Mapping[str, str]) -> frozenset[str] | None:
    """The flags that it knows, without `--`; `None` if it does not say. Asking takes a while, and is remembered.

    Raises:
        UserError: it cannot be started.
    """
    cache = _cache(program, environ)
    remembered = await anyio.to_thread.run_sync(_read, cache)
    if remembered is not None:
        return remembered
    with anyio.move_on_after(_HELP_SECONDS):
        try:
            said = await anyio.run_process(
                program.help(), check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(environ)
            )
        except OSError as error:  # its interpreter is gone, or it is no program at all
            raise UserError(f"cannot start {program.command[0]}: {error.strerror or error}") from error
        lines = [line for line in said.stdout.decode(errors="replace").splitlines() if line.strip().startswith("-")]
        found = frozenset(name for line in lines for name in _FLAG.findall(line))
        if "max-model-len" in found:
            await anyio.to_thread.run_sync(_write, cache, found)
            return found
    return None


def _cache(program: Program, environ: Mapping[str, str]) -> Path:
    stat = Path(program.command[0]).stat()
    shape = repr((program, stat.st_mtime_ns, stat.st_size))
    home = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".cache")
    return Path(home, "swarmmind", f"vllm-{hashlib.blake2b(shape.encode(), digest_size=8).hexdigest()}.json")


def _read(cache: Path) -> frozenset[str] | None:
    try:
        return frozenset(json.loads(cache.read_text())["flags"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(cache: Path, flags: frozenset[str]) -> None:
    draft = cache.with_suffix(".part")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"flags": sorted(flags)}))
        draft.replace(cache)
    except OSError:
        return  # asked again the next time
