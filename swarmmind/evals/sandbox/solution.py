"""The process of the code under test: runs it, and then does what the examiner asks of what it defined."""

from __future__ import annotations

import operator
import os
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from swarmmind.evals.sandbox.wire import Far, Gone, Wire


class _Callback(Far):
    """A function of the tests."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return object.__getattribute__(self, "_wire").ask("call", self, list(args), kwargs)


def serve(job: int, read: int, write: int) -> None:
    """Serve the examiner until it is gone.

    Args:
        job: a descriptor that the code is read from.
        read: one that the examiner's questions come from.
        write: one that answers go to.
    """
    with open(job, "rb") as file:
        code = file.read().decode("utf-8", "surrogatepass")
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    sys.argv[1:] = []
    os.environ.clear()

    def run() -> dict[str, Any]:
        exec(compile(code, "<solution>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - what this is for
        return {name: value for name, value in vars(module).items() if not name.startswith("__")}

    def do(operation: str, arguments: list[Any]) -> Any:
        return run() if operation == "run" else _OPERATIONS[operation](*arguments)

    wire = Wire(read, write, do, _Callback, owns=True)
    with suppress(Gone):
        wire.answer()


def _call(function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    return function(*args, **kwargs)


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": _call,
    "getattr": getattr,
    "setattr": setattr,
    "len": len,
    "iter": iter,
    "next": next,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "contains": operator.contains,
    "str": str,
    "repr": repr,
    "bool": bool,
    "eq": _equal,
    "isinstance": isinstance,
}
