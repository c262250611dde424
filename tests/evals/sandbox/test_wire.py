from __future__ import annotations

import json
import math
import os
import platform
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.evals.sandbox.seccomp import program
from swarmmind.evals.sandbox.wire import Broken, Far, Gone, Unsendable, Wire

HASHABLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    HASHABLE | st.complex_numbers(allow_nan=False) | st.fractions() | st.dates() | st.timedeltas(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(HASHABLE, inner) | st.sets(HASHABLE),
    max_leaves=20,
)


def refuse(operation: str, arguments: list[Any]) -> Any:
    raise AssertionError(operation)


def wire(*, owns: bool = False) -> Wire:
    return Wire(-1, -1, refuse, Far, owns=owns)


@given(VALUES)
def test_plain_values_arrive_as_they_are(value: Any) -> None:
    sent = json.loads(json.dumps(wire().pack(value)))
    found = wire().unpack(sent)
    assert found == value
    assert type(found) is type(value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one, max_size=4)))
def test_what_stands_for_no_value_is_a_broken_protocol_and_nothing_else(data: Any) -> None:
    try:
        wire().unpack(data)
    except Gone:
        return


REFUSED = "os.system os. subprocess.run builtins.exec builtins.__import__ antigravity. unittest.mock.ANY math.pi re.a.b"


@pytest.mark.parametrize("name", REFUSED.split())
def test_little_can_be_had_by_name(name: str) -> None:
    module, _, own = name.partition(".") if "mock" not in name else ("unittest.mock", ".", "ANY")
    assert wire().unpack(["library", [module, own]]) is None
    assert wire().unpack(["library", ["math", "isclose"]]) is math.isclose


def test_who_owns_nothing_calls_only_what_it_has_lent() -> None:
    there, back = os.pipe(), os.pipe()
    examiner = Wire(back[0], there[1], lambda operation, arguments: arguments[0](*arguments[1]), Far, owns=False)
    for function in (["library", ["builtins", "print"]], ["mine", 0], 5):
        frame = json.dumps(["do", "call", [function, ["list", []], ["dict", []]]]).encode()
        os.write(back[1], struct.pack("=I", len(frame)) + frame)
        with pytest.raises(Broken):
            examiner.ask("run")
        assert isinstance(examiner.over, Broken)


def test_one_side_keeps_its_objects_and_the_other_gets_references() -> None:
    class Thing: ...

    owner, thing = wire(owns=True), Thing()
    packed = owner.pack([thing, thing])
    assert packed == ["list", [["mine", 0], ["mine", 0]]]
    far = wire().unpack(packed)[0]
    assert isinstance(far, Far)
    assert owner.unpack(wire().pack(far)) is thing
    with pytest.raises(Unsendable, match="Thing values cannot be handed"):
        wire().pack(thing)


def decided(code: bytes, number: int, arch: int, *arguments: int) -> int:
    """What a filter says to a system call: the little of BPF that it uses, interpreted."""
    data = struct.pack("=IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = list(struct.iter_unpack("=HBBI", code))
    at, loaded = 0, 0
    while True:
        operation, if_so, if_not, operand = steps[at]
        at += 1
        if operation == 0x20:
            loaded = struct.unpack_from("=I", data, operand)[0]
        elif operation == 0x15:
            at += if_so if loaded == operand else if_not
        elif operation == 0x45:
            at += if_so if loaded & operand else if_not
        else:
            assert operation == 0x06
            return operand


ALLOW, KILL, EPERM, ENOSYS, EAGAIN = 0x7FFF0000, 0x80000000, 0x50001, 0x50026, 0x5000B
CALLS = {  # x86-64, arm64, arguments, what is said
    "read": (0, 63, (), ALLOW),
    "openat": (257, 56, (), ALLOW),
    "execve": (59, 221, (), KILL),
    "socket": (41, 198, (), KILL),
    "kill": (62, 129, (), KILL),
    "ptrace": (101, 117, (), KILL),
    "a thread": (56, 220, (0x3D0F00,), ALLOW),
    "a process": (56, 220, (17,), KILL),
    "clone3": (435, 435, (), ENOSYS),
    "own limits": (302, 261, (0,), ALLOW),
    "another's limits": (302, 261, (1,), EPERM),
    "close on exec": (72, 25, (3, 2), ALLOW),
    "signals to another": (72, 25, (3, 8), EPERM),
    "chmod": (90, 53, (), EPERM),
    "io_uring": (425, 425, (), EPERM),
    "bpf": (321, 280, (), EPERM),
    "unknown": (5000, 5000, (), EPERM),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_system_calls_are_allowed_by_name(name: str, machine: str) -> None:
    numbers, arguments, wanted = CALLS[name][:2], CALLS[name][2], CALLS[name][3]
    column, arch = (0, 0xC000003E) if machine == "x86_64" else (1, 0xC00000B7)
    code = program(machine, threads=True)
    assert decided(code, numbers[column], arch, *arguments) == wanted
    assert decided(code, numbers[column], arch ^ 1, *arguments) == KILL
    alone = decided(program(machine, threads=False), numbers[column], arch, *arguments)
    assert alone == (EAGAIN if name == "a thread" else wanted)


def test_calls_of_other_kinds_of_processes_and_machines_are_not_allowed() -> None:
    assert decided(program("x86_64", threads=True), 0x40000000, 0xC000003E) == EPERM  # x32
    assert decided(program("x86_64", threads=True), 57, 0xC000003E) == KILL  # fork
    with pytest.raises(OSError, match="no table of system calls for riscv64"):
        program("riscv64", threads=True)
    assert platform.machine()
