"""The flags of a vLLM that is started for a task: whose they are, and which of them somebody's task may set unasked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swarmmind.spec import paths
from swarmmind.spec.source import show

_NAME = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9_]+)*")
_RESERVED = """
api-key config data-parallel-supervisor-port enable-ssl-refresh fail-on-environ-validation grpc grpc-port headless help
host model port root-path served-model-name ssl-ca-certs ssl-cert-reqs ssl-certfile ssl-ciphers ssl-keyfile uds
"""
OURS = frozenset(_RESERVED.split())
"""What the one who starts a server decides."""

_PLAIN = """
api-server-count async-scheduling block-size cpu-offload-gb data-parallel-size disable-cascade-attn disable-log-stats
disable-sliding-window disable-uvicorn-access-log dtype enable-auto-tool-choice enable-chunked-prefill
enable-expert-parallel enable-log-requests enable-per-request-metrics enable-prefix-caching enable-prompt-tokens-details
enable-request-id-headers enable-server-load-tracking enforce-eager fingerprint-mode gpu-memory-utilization
kv-cache-dtype kv-cache-memory-bytes long-prefill-token-threshold max-logprobs max-model-len max-num-active-seqs
max-num-batched-tokens max-num-queued-reqs max-num-queued-tokens max-num-scheduled-tokens max-num-seqs
num-gpu-blocks-override performance-mode pipeline-parallel-size prefix-match-unit quantization reasoning-parser
return-tokens-as-token-ids revision scheduling-policy seed stream-interval tensor-parallel-size tool-call-parser
watermark
"""
HARMLESS = frozenset(_PLAIN.split())
"""Numbers, switches and names of things that are in vLLM: no code, no file, no host."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]*")
_CLOSED = {
    "generation-config": frozenset({"auto", "vllm"}),  # else a folder
    "structured-outputs-config": frozenset(
        {"backend", "disable_additional_properties", "disable_any_whitespace", "disable_fallback"}
    ),  # else a plugin's file
}

Flags = dict[str, Any]


def checked(flags: Flags) -> Flags:
    """The flags by the names that vLLM knows them by, `-` between the words.

    Raises:
        ValueError: a name is none, is not the task's to set, or is there twice; or a value is none.
    """
    found: Flags = {}
    for given, value in flags.items():
        name = given.removeprefix("--")
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"must be flags of `vllm serve` such as max-num-seqs, got {show(given)}")
        head, dot, rest = name.partition(".")
        name = head.replace("_", "-") + dot + rest
        if name.removeprefix("no-") in OURS:
            raise ValueError(f"{given!r} cannot be set here: it is decided by whoever starts the server")
        if name in found:
            raise ValueError(f"{given!r} is there twice")
        if isinstance(value, list) and not all(isinstance(one, (str, int, float)) for one in value):
            raise ValueError(f"{given!r} must be a list of texts and numbers")
        found[name] = value
    return found


def model_folder(model: str, folder: Path) -> Path | None:
    """The folder that holds a model to be served; `None` if it is a name.

    An absolute path is taken as it is, for models lie outside of projects and only data of theirs is read; one that
    begins with `./` stays inside the task's folder.

    Args:
        model: a path or a name.
        folder: the task's folder.

    Raises:
        ValueError: it leads out of the task's folder, is not there, or is neither a path nor a name.
    """
    if not model.startswith((".", "/", "~")):
        if _HUB_NAME.fullmatch(model) is None:
            raise ValueError(f"must be a model's name such as 'Qwen/Qwen3-8B', or a folder, got {show(model)}")
        return None
    path = Path(model) if model.startswith("/") and "\0" not in model else paths.inside(folder, model)
    if not os.path.isdir(path):  # a name that is too long is no error to it
        raise ValueError(f"no such folder: {model[:100]!r}")
    return path.resolve()


def risky(flags: Mapping[str, Any], folder: Path) -> list[str]:
    """Those that may run code, read a file or reach a host that the task names: for these the user is asked.

    Args:
        flags: as `checked` gives them.
        folder: the task's folder; a chat template in it is as harmless as the task's other files.
    """
    return [name for name, value in flags.items() if not _harmless(name, value, folder)]


def _harmless(name: str, value: Any, folder: Path) -> bool:
    if name == "chat-template":
        return _inside(folder, value)
    closed = _CLOSED.get(name)
    if closed is not None:
        return isinstance(value, (str, dict)) and set([value] if isinstance(value, str) else value) <= closed
    plain = isinstance(value, (bool, int, float)) or (isinstance(value, str) and _WORD.fullmatch(value) is not None)
    return name.removeprefix("no-") in HARMLESS and plain


def _inside(folder: Path, value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(paths.existing_file(folder, value))
    except ValueError:
        return False


def arguments(flags: Mapping[str, Any]) -> list[str]:
    """Flags as arguments: `true` is the flag alone, `false` its `--no-` form, `null` leaves it out, a mapping is JSON.

    A value is glued to its flag, so that none is taken for a flag itself.
    """
    found: list[str] = []
    for name, value in flags.items():
        if value is True or value is False:
            found.append(f"--{'' if value else 'no-'}{name}")
        elif isinstance(value, list):
            found += [f"--{name}", *map(str, value)] if value else []
        elif value is not None:
            found.append(f"--{name}={json.dumps(value) if isinstance(value, dict) else value}")
    return found
