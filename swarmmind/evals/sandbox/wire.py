"""Plain values over a pair of pipes, between two processes of which one does not trust the other.

A frame is four bytes of length and JSON. Numbers, texts, bytes, lists, tuples, sets, mappings, ranges, and what `_MADE`
lists arrive as copies; functions and classes of some modules of the standard library (`LIBRARY`) by name; everything
else as a reference (`Far`) that its owner keeps the object of. Nothing that arrives is ever run.

Either side asks (`["do", operation, arguments]`) and, while it waits, answers what it is asked meanwhile, so that a
function may be handed over and called back.
"""

from __future__ import annotations

import builtins
import collections
import datetime
import decimal
import fractions
import importlib
import json
import os
import select
import struct
import sys
import time
import types
from collections.abc import Callable
from typing import Any, cast

MAX_FRAME_BYTES = 64 << 20
_SAFE_INTEGER = 1 << 53
_MAX_MESSAGE = 300


class Gone(BaseException):
    """The other side is not there any more."""


class Broken(Gone):
    """The other side does not keep to the protocol."""


class Late(BaseException):
    """The other side did not answer in time."""


class Unsendable(BaseException):
    """A value that cannot be handed over."""


class Raised(Exception):
    """What the other side's code raised, where that is no exception of Python's own.

    Attributes:
        kind: the name of its class.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(f"{kind}: {message}" if message else kind)


class Exited(BaseException):
    """The other side's code raised what is no `Exception`: it tried to exit."""


_MADE: dict[str, tuple[Callable[..., Any], Callable[[Any], list[Any]]]] = {
    "Decimal": (decimal.Decimal, lambda value: [str(value)]),
    "Fraction": (fractions.Fraction, lambda value: [value.numerator, value.denominator]),
    "deque": (collections.deque, lambda value: [list(value), value.maxlen]),
    "date": (datetime.date, lambda value: [value.year, value.month, value.day]),
    "timedelta": (datetime.timedelta, lambda value: [value.days, value.seconds, value.microseconds]),
    "time": (datetime.time, lambda value: [value.hour, value.minute, value.second, value.microsecond]),
    "datetime": (
        datetime.datetime,
        lambda value: [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond],
    ),
}
LIBRARY = frozenset(
    (
        *("bisect", "builtins", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools"),
        *("heapq", "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "typing"),
    )
)
"""Modules of the standard library whose functions and classes are handed over by name."""

_REFUSED = frozenset(
    ("breakpoint", "compile", "eval", "exec", "exit", "globals", "help", "input", "open", "quit", "vars")
)
_SEQUENCES: dict[str, type] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_PLAIN: tuple[type, ...] = (int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset)
MUTABLE = ("list", "dict", "set", "bytearray")


class Far:
    """A reference to an object of the other side; what may be done with it, its subclasses say."""

    def __init__(self, wire: Wire, number: int) -> None:
        object.__setattr__(self, "_wire", wire)
        object.__setattr__(self, "_number", number)


def number_of(far: Far) -> int:
    """Under which number the owner keeps the object."""
    return object.__getattribute__(far, "_number")


class Wire:
    """One end.

    Args:
        read: a descriptor that frames are read from.
        write: one that they are written to.
        serve: does an operation with its arguments.
        far: makes references.
        owns: whether any object may be handed over as a reference; else functions and classes alone.
    """

    def __init__(
        self, read: int, write: int, serve: Callable[[str, list[Any]], Any], far: type[Far], *, owns: bool
    ) -> None:
        self._read, self._write, self._serve, self._far, self._owns = read, write, serve, far, owns
        self._mine: list[Any] = []
        self._numbers: dict[int, int] = {}
        self.deadline: float | None = None
        """On the monotonic clock; `None` waits for ever."""
        self.over: BaseException | None = None
        """Why nothing can be asked any more."""
        self.unsendable = ""
        """What should have been handed over and cannot be."""

    # --- asking and answering --------------------------------------------------------------------------------------

    def ask(self, operation: str, *arguments: Any) -> Any:
        """The result of an operation of the other side; mutable arguments are changed as it changed them.

        Raises:
            Gone, Late, Unsendable: see there; the first two are kept as `over`.
            Exception: what the operation raised.
        """
        try:
            return self._asked(operation, arguments)
        except (Gone, Late) as error:
            self.over = error
            raise

    def _asked(self, operation: str, arguments: tuple[Any, ...]) -> Any:
        self._send(_framed(["do", operation, [self.pack(argument) for argument in arguments]]))
        while True:
            frame = self._receive()
            if frame[0] == "do":
                self._answer(frame)
                continue
            if frame[0] == "no":
                raise _raised(*(str(text) for text in frame[1:3]))
            if operation == "call":
                self._change(arguments[1], frame[2])
            return self.unpack(frame[1])

    def answer(self) -> None:
        """Answer whatever the other side asks, until it is gone.

        Raises:
            Gone: it is.
        """
        while True:
            self._answer(self._receive())

    def _answer(self, frame: list[Any]) -> None:
        operation, packed = str(frame[1]), frame[2]
        if not self._owns and (operation != "call" or not _is_yours(packed)):
            raise Broken  # who owns nothing lends functions of its own, and nothing else that could be named
        try:
            arguments = [self.unpack(one) for one in packed]
            result = self.pack(self._serve(operation, arguments))
            body = _framed(["ok", result, self._changes(operation, packed, arguments)])
        except Gone:
            raise
        except BaseException as error:  # a copy of it is raised on the other side
            kind = type(error).__name__
            final = kind if isinstance(error, Exception) else f"!{kind}"
            body = _framed(["no", final, _said(error)])
        self._send(body)

    def _changes(self, operation: str, packed: list[Any], arguments: list[Any]) -> list[Any]:
        """Which positional arguments of a call were changed, and into what."""
        if operation != "call":
            return []
        before, after = packed[1][1], arguments[1]
        found: list[Any] = []
        for at, (raw, value) in enumerate(zip(before, after, strict=True)):
            if isinstance(raw, list) and cast("list[Any]", raw)[0] in MUTABLE and (now := self.pack(value)) != raw:
                found.append([at, now])
        return found

    def _change(self, arguments: list[Any], changes: list[Any]) -> None:
        for at, packed in changes:
            old, new = arguments[at], self.unpack(packed)
            if isinstance(old, (list, bytearray)):
                old[:] = new
            elif isinstance(old, (dict, set)):
                old.clear()
                old.update(new)

    # --- frames ----------------------------------------------------------------------------------------------------

    def _send(self, body: bytes) -> None:
        rest = memoryview(body)
        try:
            while rest:
                rest = rest[os.write(self._write, rest) :]
        except OSError:
            raise Gone from None

    def _receive(self) -> list[Any]:
        (size,) = struct.unpack("=I", self._exactly(4))
        if size > MAX_FRAME_BYTES:
            raise Broken
        try:
            frame = json.loads(self._exactly(size))
        except (ValueError, RecursionError):
            raise Broken from None
        if not isinstance(frame, list) or len(cast("list[Any]", frame)) != 3:
            raise Broken
        return cast("list[Any]", frame)

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            if self.deadline is not None:
                left = max(0.0, self.deadline - time.monotonic())
                if not select.select([self._read], [], [], left)[0]:
                    raise Late
            try:
                part = os.read(self._read, min(size, 1 << 20))
            except OSError:
                raise Gone from None
            if not part:
                raise Gone
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    # --- values ----------------------------------------------------------------------------------------------------

    def pack(self, value: Any) -> Any:
        """A value as JSON.

        Raises:
            Unsendable: this side does not hand such things over.
        """
        if value is None or isinstance(value, bool):
            return value
        kind = next((one for one in _PLAIN if isinstance(value, one)), None)
        if kind is not None:
            return self._plain(kind, value)
        if isinstance(value, Far):
            return ["yours", number_of(value)]
        if isinstance(value, complex):
            return ["complex", [value.real, value.imag]]
        if isinstance(value, range):
            return ["range", [self.pack(part) for part in (value.start, value.stop, value.step)]]
        made = _MADE.get(type(value).__name__)
        if made is not None and type(value) is made[0]:
            return ["made", [type(value).__name__, self.pack(made[1](value))]]
        return self._standard(value) or self._reference(value)

    def _plain(self, kind: type, value: Any) -> Any:
        if kind is int:
            number = int.__index__(value)
            return number if -_SAFE_INTEGER < number < _SAFE_INTEGER else ["int", hex(number)]
        if kind is float:
            return float.__float__(value)
        if kind is str:
            return str.__str__(value)
        if kind in (bytes, bytearray):
            return [kind.__name__, kind.hex(value)]
        if kind is dict:
            return ["dict", [[self.pack(key), self.pack(one)] for key, one in dict.items(value)]]
        return [kind.__name__, [self.pack(one) for one in kind.__iter__(value)]]

    def _standard(self, value: Any) -> Any:
        if isinstance(value, types.ModuleType):
            name = value.__name__
            return ["library", [name, ""]] if _is_standard(name) and sys.modules.get(name) is value else None
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if not isinstance(module, str) or not isinstance(name, str) or not _is_standard(module):
            return None
        return ["library", [module, name]] if _looked_up(module, name) is value else None

    def _reference(self, value: Any) -> Any:
        if not self._owns and not isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
            self.unsendable = f"{type(value).__name__} values cannot be handed to the code under test"
            raise Unsendable(self.unsendable)
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._mine)
            self._mine.append(value)  # kept alive, so its id stays its own
        return ["mine", number]

    def unpack(self, data: Any) -> Any:
        """The value that JSON stands for.

        Raises:
            Broken: it stands for none.
        """
        if not isinstance(data, list):
            return data
        try:
            return self._unpacked(*cast("list[Any]", data))
        except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError, RecursionError):
            raise Broken from None

    def _unpacked(self, tag: str, body: Any) -> Any:
        if tag in _SEQUENCES:
            return _SEQUENCES[tag](self.unpack(one) for one in body)
        if tag == "dict":
            return {self.unpack(key): self.unpack(value) for key, value in body}
        if tag == "int":
            return int(body, 16)
        if tag in ("bytes", "bytearray"):
            return (bytes if tag == "bytes" else bytearray).fromhex(body)
        if tag == "complex":
            return complex(*body)
        if tag == "range":
            return range(*(self.unpack(one) for one in body))
        if tag == "made":
            return _MADE[body[0]][0](*self.unpack(body[1]))
        if tag == "library":
            return _looked_up(*body)
        return self._mine[body] if tag == "yours" else self._far(self, int(body))


def _is_yours(packed: Any) -> bool:
    """Whether the first argument is something that this side has handed over."""
    try:
        return packed[0][0] == "yours"
    except (TypeError, KeyError, IndexError):
        return False


def _framed(frame: list[Any]) -> bytes:
    body = json.dumps(frame).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise MemoryError
    return struct.pack("=I", len(body)) + body


def _is_standard(module: str) -> bool:
    return module in LIBRARY


def _looked_up(module: str, name: str) -> Any:
    """A module that may be named, or a function or class of it; `None` if it may not."""
    if not _is_standard(module) or name.startswith("_") or name in _REFUSED:
        return None
    found = importlib.import_module(module)
    if not name:
        return found
    known = vars(found).get(name)
    return known if isinstance(known, (type, types.FunctionType, types.BuiltinFunctionType)) else None


def _said(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_MESSAGE]
    except BaseException:  # its own class decides what this does
        return ""


def _raised(kind: str, message: str) -> BaseException:
    """The exception that stands here for one of the other side."""
    if kind.startswith("!"):
        return Exited(f"{kind[1:]}: {message}" if message else kind[1:])
    known = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, Exception):
        try:
            return known(message)
        except Exception:  # one that takes more than a message
            return Raised(kind, message)
    return Raised(kind, message)
