"""`--set a.b.c=value`: one value of the task replaced on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from swarmmind.errors import SpecError
from swarmmind.spec.secrets import hide
from swarmmind.spec.source import KeyPath, Place, Source, printable, read_yaml, show

SHORT: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("model",): "name",
        ("embedder",): "name",
        ("score",): "use",
        ("swarm", "topology"): "use",
        ("swarm", "memory"): "use",
    }
)
"""Where a text stands for a mapping, and for which of its keys: what is set below it makes it one."""

_STEP = re.compile(r'"([^"]*)"|([^."=]+)')


def override(source: Source, text: str, environment: Mapping[str, str] | None = None) -> None:
    """Put a value into the data; what stood there is replaced whole, and missing mappings on the way are made.

    A text that stands for a mapping becomes one on the way: `--set model.attempts=2` of `model: vllm/name`.

    Args:
        source: the task; changed in place, so that errors in the new value name the option.
        text: `path=value`; a step of the path is a key, a key in double quotes, or a list's index; the value is YAML.
        environment: where `${NAME}` in the value comes from.

    Raises:
        SpecError: the option is malformed, its value is not YAML, or its path leads through something that is
            neither a mapping nor a list.
    """
    written, equals, value_text = text.partition("=")
    if written.count('"') % 2:  # the = stood inside a quoted key
        written, equals, value_text = _split_quoted(text)
    label = f"--set {printable(hide(written))[:100]}=..."
    path = _path(written)
    if not equals or not path:
        raise SpecError("must look like --set budget.calls=100", file=label)
    try:
        value = read_yaml(value_text, label, environment)
    except SpecError as error:
        raise SpecError(_without_place(error), file=label) from None
    if not isinstance(source.data, dict):
        raise SpecError("the task is not a mapping, nothing in it can be set", file=label)
    _put(source.data, path, value.data, label)
    _forget(source, path)
    for inner in (*value.values, *value.keys):
        source.values[_in_list(source.data, path) + inner] = Place(label)
        source.keys[_in_list(source.data, path) + inner] = Place(label)


def _path(written: str) -> list[str]:
    steps = [quoted or plain for quoted, plain in _STEP.findall(written)]
    return steps if _STEP.sub("", written).replace(".", "", max(len(steps) - 1, 0)) == "" else []


def _split_quoted(text: str) -> tuple[str, str, str]:
    match = re.match(r'((?:[^="]|"[^"]*")*)(=)(.*)', text, re.DOTALL)
    return (match[1], match[2], match[3]) if match else (text, "", "")


def _put(data: Any, path: list[str], value: Any, label: str) -> None:
    for depth, step in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(data, dict):
            if last:
                data[step] = value
            else:
                inner = data.setdefault(step, {})
                if isinstance(inner, str) and tuple(path[: depth + 1]) in SHORT:
                    data[step] = {SHORT[tuple(path[: depth + 1])]: inner}
                data = data[step]
        elif isinstance(data, list):
            index = _index(step, len(data), ".".join(path[:depth]), label)
            if last:
                data[index] = value
            else:
                data = data[index]
        else:
            shown = ".".join(path[:depth])
            raise SpecError(f"{shown} is {show(data)}, which has no {show(step)}; set {shown} as a whole", file=label)


def _index(step: str, length: int, shown: str, label: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", step) or int(step) >= length:
        last = f"0 to {length - 1}" if length else "none, it is empty"
        raise SpecError(f"{shown} is a list; its entries are {last}, got {show(step)}", file=label)
    return int(step)


def _in_list(data: Any, path: list[str]) -> KeyPath:
    """The path with the indices of lists as numbers."""
    found: list[str | int] = []
    for step in path:
        key: str | int = int(step) if isinstance(data, list) else step
        found.append(key)
        data = cast("Any", data)[key]
    return tuple(found)


def _forget(source: Source, path: list[str]) -> None:
    gone = _in_list(source.data, path)
    for known in (source.values, source.keys):
        for inner in [inner for inner in known if inner[: len(gone)] == gone]:
            del known[inner]


def _without_place(error: SpecError) -> str:
    text = str(error)
    prefix = f"{error.file}:{error.line}:{error.column}: "
    return text.removeprefix(prefix)
