"""The process of the tests: it alone says what came of them, and nothing of the tested code runs in it."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import time
import traceback
from collections.abc import Mapping, Sequence
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, cast

from swarmmind.evals.sandbox.wire import LIBRARY, Broken, Exited, Far, Gone, Late, Raised, Unsendable, Wire

_MAX_REASON = 200
_BROKEN = "the code does not keep to the protocol"
LOST = "lost"
"""The verdict's reason where the code's process is gone; who watches it knows why."""


class _Thing(Far):
    """Something that the tested code defined and that is no plain value.

    It equals other such things as its owner says, and never a plain value: what tests compare must be data.
    """

    def __getattr__(self, name: str) -> Any:
        return _ask(self, "getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "setattr", name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _ask(self, "call", list(args), kwargs)

    def __len__(self) -> int:
        return int(_ask(self, "len"))

    def __iter__(self) -> Any:
        return _ask(self, "iter")

    def __next__(self) -> Any:
        return _ask(self, "next")

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "setitem", key, value)

    def __contains__(self, value: Any) -> bool:
        return bool(_ask(self, "contains", value))

    def __str__(self) -> str:
        return str(_ask(self, "str"))

    def __repr__(self) -> str:
        return str(_ask(self, "repr"))

    def __bool__(self) -> bool:
        return bool(_ask(self, "bool"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Thing) and bool(_ask(self, "eq", other))

    def __hash__(self) -> int:
        return hash(object.__getattribute__(self, "_number"))

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, _Thing) and bool(_ask(instance, "isinstance", self))


def _ask(thing: Far, operation: str, *arguments: Any) -> Any:
    return object.__getattribute__(thing, "_wire").ask(operation, thing, *arguments)


def examine(job: int, read: int, write: int, verdict: int, wall_seconds: float) -> None:
    """Run the tests and write the verdict: JSON with `passed` and `reason`.

    Args:
        job: a descriptor that the tests are read from: JSON with `given`, `tests` and `entry`.
        read: one that the code's answers come from.
        write: one that questions go to.
        verdict: where the verdict goes.
        wall_seconds: how long everything may take.
    """
    with open(job, encoding="utf-8") as file:
        wanted = json.load(file)
    wire = Wire(read, write, _serve, _Thing, owns=False)
    wire.deadline = time.monotonic() + wall_seconds
    passed, reason = _verdict(wire, wanted["given"], wanted["tests"], wanted["entry"])
    with open(verdict, "w", encoding="utf-8") as file:
        json.dump({"passed": passed, "reason": " ".join(reason.split())[:_MAX_REASON]}, file)


def _serve(operation: str, arguments: list[Any]) -> Any:
    """What the tested code may ask: to call a function that a test handed to it."""
    function, args, kwargs = arguments
    return function(*args, **kwargs)


def _verdict(wire: Wire, given: str, tests: Sequence[str], entry: str) -> tuple[bool | None, str]:
    try:
        trees = [ast.parse(text, _name(at)) for at, text in enumerate(tests)]
        codes = [compile(tree, _name(at), "exec") for at, tree in enumerate(trees)]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return None, f"the tests are not Python: {error}"
    try:
        codes.insert(0, compile(given, "<given>", "exec"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the head of a function is none by itself
        codes.insert(0, compile("", "<given>", "exec"))
    try:
        defined = wire.ask("run")
    except BaseException as error:
        return _told(error, "running it")
    if not isinstance(defined, dict):
        return False, _BROKEN
    names = _known(cast("dict[str, Any]", defined), trees, entry)
    if entry and entry not in names:
        return False, f"wrong: defines no {entry!r}"
    try:
        _run(codes, names, entry)
    except BaseException as error:
        return (None, wire.unsendable) if wire.unsendable else _told(error, _where(error, tests))
    return (True, "") if wire.over is None else _told(wire.over, "a test that goes on after any failure")


def _run(codes: Sequence[CodeType], names: Mapping[str, Any], entry: str) -> None:
    """Run what code and tests were both given, and then the tests."""
    scope: dict[str, Any] = {"__name__": "tests", **names}
    tested = {entry: names[entry], "candidate": names[entry]} if entry else {}
    for code in codes:
        exec(code, scope)  # noqa: S102 - of a data set, in a process that can touch nothing
        scope |= tested if code is codes[0] else {}
    for name, value in list(scope.items()):
        if name.startswith("test_") and isinstance(value, FunctionType):
            value()
    if entry and isinstance(scope.get("check"), FunctionType):
        scope["check"](names[entry])


def _name(at: int) -> str:
    return f"<test {at}>"


def _known(defined: Mapping[str, Any], trees: Sequence[ast.AST], entry: str) -> dict[str, Any]:
    """What tests may know of the code by name: nothing of Python's own in disguise, unless that is what is tested."""
    called = {node.func.id for tree in trees for node in ast.walk(tree)
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
    own = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    tested = {entry} if entry else called if all(hasattr(builtins, name) for name in called - own) else set[str]()
    plain = {name: value for name, value in defined.items() if name.isidentifier() and not name.startswith("__")}
    for name in LIBRARY & plain.keys() - called:  # what a test looks up in `math` is no matter of the code's
        plain[name] = importlib.import_module(name) if isinstance(plain[name], Far) else plain[name]
    return {
        name: value
        for name, value in plain.items()
        if name in tested or not (hasattr(builtins, name) or _is_disguised(name, value))
    }


def _is_disguised(name: str, value: Any) -> bool:
    """Whether something of the standard library goes by another name than its own."""
    own = isinstance(value, (type, FunctionType, BuiltinFunctionType, ModuleType))
    return own and getattr(value, "__name__", name) != name


def _told(error: BaseException, where: str) -> tuple[bool | None, str]:
    if isinstance(error, Unsendable):
        return None, f"{error}, at: {where}"
    if isinstance(error, Broken):
        return False, _BROKEN
    if isinstance(error, Gone):
        return False, LOST
    if isinstance(error, Late):
        return False, f"time: no answer in time, at: {where}"
    if isinstance(error, Exited):
        return False, f"the code tried to exit ({error}), at: {where}"
    if isinstance(error, MemoryError):
        return False, f"memory: more than is allowed, at: {where}"
    if isinstance(error, AssertionError):
        return False, f"wrong: {where}"
    if isinstance(error, Exception):
        text = str(error) if isinstance(error, Raised) else f"{type(error).__name__}: {error}"
        return False, f"{text}, at: {where}"
    return None, f"the tests ended with {type(error).__name__}"


def _where(error: BaseException, tests: Sequence[str]) -> str:
    """The line of a test at which it happened."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_code.co_filename
        if name.startswith("<test "):
            lines = tests[int(name[6:-1])].splitlines()
            return lines[line - 1].strip() if line <= len(lines) else name
    return "the tests"
