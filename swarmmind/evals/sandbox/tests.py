"""The effect: code is tested, and what came of it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from swarmmind.effects import Failure

Walls: TypeAlias = Literal["strong", "weak"]


class Bounds(msgspec.Struct, frozen=True):
    """What a run of tests may take.

    Attributes:
        seconds: of processor time, for the code and for the tests each.
        wall_seconds: on the clock, for both together; more than `seconds`, since others may keep the machine busy.
        memory_mb: of address space, for the code and for the tests each.
        walls: `strong` refuses to run where the machine cannot shut the code in; `weak` does with what there is.
    """

    seconds: int = 10
    wall_seconds: float = 60.0
    memory_mb: int = 512
    walls: Walls = "strong"


class Ran(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of tests.

    Attributes:
        passed: whether all did; `None` if the tests themselves cannot be run.
        reason: why not, in one line.
        output: what code and tests printed, cut.
        failure: why nothing was run: the machine's trouble, which a resumed run tries again.
    """

    passed: bool | None = None
    reason: str = ""
    output: str = ""
    failure: Failure | None = None


class RunTests(msgspec.Struct, frozen=True):
    """Run tests on code, in a process that can touch nothing; the result is `Ran`.

    Attributes:
        code: what is tested.
        tests: pieces of Python that are run one after the other in one namespace, which also holds what `code` defines.
        entry: the name of the function under test, which the tests know as `candidate`; empty if they do not.
        bounds: what it may take.
        given: Python that the tests may use as well as the code, which holds it already: where both define a name, the
            tests know this one, so that no code can give them another.
    """

    result: ClassVar[Any] = Ran
    free: ClassVar[bool] = True  # of the budget: no model is asked

    code: str
    tests: tuple[str, ...]
    entry: str = ""
    bounds: Bounds = Bounds()
    given: str = ""

    def label(self) -> str:
        """The last element of its key."""
        return "tests"
