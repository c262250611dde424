"""Honest code: what passes, what does not, and how that is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarmmind.effects import Failure, Program
from swarmmind.errors import UserError
from swarmmind.evals.sandbox import handler
from swarmmind.evals.sandbox.handler import Sandbox, run_tests
from swarmmind.evals.sandbox.tests import Bounds, Ran, RunTests
from swarmmind.ports import Context
from swarmmind.testing.play import play
from tests.evals.sandbox.trying import TIGHT, needs_walls, tried

pytestmark = needs_walls

CODE = """
import math
from collections import Counter, deque, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

@dataclass
class Pair:
    a: int
    b: int
    def total(self): return self.a + self.b

Point = namedtuple("Point", "x y")
class Odd(ValueError): pass

def same(value): return value
def biggest(): return 2**200
def pairs(n): return [Pair(at, at) for at in range(n)]
def totals(given): return [pair.total() for pair in given]
def counted(text): return Counter(text)
def point(): return Point(1, 2)
def squares(n):
    for at in range(n): yield at * at
def turned(values): values.reverse(); values.append(0)
def merged(values, more): values.update(more)
def mapped(function, values): return [function(value) for value in values]
def odd(value):
    if value % 2: raise Odd("odd!")
    raise ValueError("even!")
def adder(n): return lambda m: n + m
def root(x): return math.sqrt(x)
def sum(a, b): return a * b
"""
PASSES = (
    "assert same([1, 'a', None, (2.5, {3}), {'k': b'x'}, frozenset((1,)), 1j, True]) == "
    "[1, 'a', None, (2.5, {3}), {'k': b'x'}, frozenset((1,)), 1j, True]",
    "assert type(same((1,))) is tuple and same(float('inf')) == math.inf and same('\\ud800') == '\\ud800'",
    "assert biggest() == 2**200 and same(-3**99) == -3**99",
    "assert [pair.total() for pair in pairs(3)] == [0, 2, 4] and pairs(2)[1].a == 1",
    "assert totals([Pair(1, 2), Pair(3, 4)]) == [3, 7] and isinstance(Pair(1, 2), Pair) and Pair(1, 2) == Pair(1, 2)",
    "assert counted('aab') == {'a': 2, 'b': 1}\nassert point() == (1, 2)",
    "assert list(squares(4)) == [0, 1, 4, 9]\nassert [x for x in same(range(3))] == [0, 1, 2]",
    "values = [1, 2, 3]\nturned(values)\nassert values == [3, 2, 1, 0]",
    "found = {'a': 1}\nmerged(found, {'b': 2})\nassert found == {'a': 1, 'b': 2}",
    "assert mapped(lambda x: x + 1, [1, 2]) == [2, 3] and mapped(len, ['ab']) == [2] and mapped(int, ['7']) == [7]",
    "try: odd(2)\nexcept ValueError as error: assert str(error) == 'even!'\nelse: assert False",
    "try: odd(1)\nexcept Exception as error: assert 'odd!' in str(error)\nelse: assert False",
    "assert adder(2)(3) == 5 and abs(root(2) - 1.414) < 1e-3 and math.isclose(root(4), 2)",
    "import decimal, fractions, datetime, collections\n"
    "for value in (decimal.Decimal('1.5'), fractions.Fraction(1, 3), datetime.date(2026, 1, 2), "
    "datetime.datetime(2026, 1, 2, 3), datetime.timedelta(1), collections.deque([1, 2], 3)):\n"
    "    assert same(value) == value and type(same(value)) is type(value)",
)


@pytest.mark.parametrize("test", PASSES)
def test_values_cross_as_they_are(test: str) -> None:
    assert tried(CODE, test) == Ran(passed=True)


@pytest.mark.parametrize(
    ("code", "tests", "reason"),
    [
        (CODE, ("assert same(1) == 1", "assert same(2) == 3"), "wrong: assert same(2) == 3"),
        ("def f(x): return 1 / x", ("assert f(0) == 1",), "ZeroDivisionError: division by zero, at: assert f(0) == 1"),
        ("def f(x): return y", ("assert f(0) == 1",), "NameError: name 'y' is not defined, at: assert f(0) == 1"),
        ("def g(x): return 1", ("assert f(0) == 1",), "NameError: name 'f' is not defined, at: assert f(0) == 1"),
        ("def f(x) return 1", ("assert f(0) == 1",), "SyntaxError: expected ':' (<solution>, line 1), at: running it"),
        ("import nothing", ("pass",), "ModuleNotFoundError: No module named 'nothing', at: running it"),
        (CODE, ("assert odd(1)",), "Odd: odd!, at: assert odd(1)"),
        (CODE, ("assert pairs(1)[0] == 0",), "wrong: assert pairs(1)[0] == 0"),
        (CODE, ("def test_one():\n    assert same(1) == 2",), "wrong: assert same(1) == 2"),
        ("def f(x):\n return f(x)", ("assert f(0) == 1",), "RecursionError: maximum recursion depth exceeded, at: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(code: str, tests: tuple[str, ...], reason: str) -> None:
    ran = tried(code, *tests)
    assert ran.passed is False
    assert ran.reason == reason or (reason.endswith(": ") and ran.reason.startswith(reason))
    assert "\n" not in ran.reason


def test_a_function_under_test_is_known_as_candidate_and_by_its_name() -> None:
    check = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 6"
    assert tried("def double(x): return 2 * x", check, entry="double").passed
    assert tried("def double(x): return 4", check, entry="double").reason == "wrong: assert candidate(3) == 6"
    assert tried("def twice(x): return 2 * x", check, entry="double").reason == "wrong: defines no 'double'"
    assert tried("def double(x): return 2 * x", "assert candidate(2) == double(2) == 4", entry="double").passed


def test_a_builtin_is_the_codes_own_only_if_nothing_else_is_tested() -> None:
    assert tried("def sum(a, b): return a * b", "assert sum(3, 4) == 12").passed
    ran = tried("def f(x): return 0\ndef all(x): return True\ndef abs(x): return 0", "assert abs(f(1) - 1) < 0.5")
    assert ran.reason == "wrong: assert abs(f(1) - 1) < 0.5"


def test_what_both_were_given_is_the_tests_own() -> None:
    given = "def half(n): return n / 2\n\ndef double(n):\n    'Twice n.'\n"
    code = given + "\ndef half(n): return 3\ndef double(n): return 6 if n != 3 else 0"
    tests = ("assert half(double(3)) == 3", "assert candidate(1) == double(1) == 6")
    assert run_tests(RunTests(code, tests[1:], "double", TIGHT, given)).passed
    assert run_tests(RunTests(code, tests, "double", TIGHT, given)).reason == f"wrong: {tests[0]}"
    assert run_tests(RunTests(code + "\n", tests[1:], "double", TIGHT, "def double(n):")).passed  # no Python by itself


def test_a_test_that_goes_on_after_any_failure_does_not_pass_for_it() -> None:
    test = "try:\n    f(1)\nexcept BaseException:\n    pass"
    assert tried("def f(x): return 1 / 0", test).passed
    assert tried("import os\ndef f(x): os._exit(0)", test).reason.startswith("the code ended the process")


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("assert f(", "the tests are not Python: "),
        (
            "class A: pass\nassert f(A()) == 1",
            "A values cannot be handed to the code under test",
        ),
        ("import os\nos.fork()", "the tests need what the sandbox does not allow: processes, sockets or signals"),
        ("raise SystemExit", "the tests ended with SystemExit"),
    ],
)
def test_tests_that_cannot_be_run_are_nobodys_fault(test: str, reason: str) -> None:
    ran = tried("def f(x): return x", test)
    assert ran.passed is None
    assert ran.reason.startswith(reason)


def test_threads_of_honest_code_work() -> None:
    code = (
        "import threading\ndef f(x):\n found = []\n thread = threading.Thread(target=lambda: found.append(x))\n"
        " thread.start()\n thread.join()\n return found[0]"
    )
    assert tried(code, "assert f(3) == 3").passed


def test_a_missing_wall_is_said_and_nothing_is_run() -> None:
    for without in (("namespaces", "Landlock"), ("system call filter",), ("limits",)):
        ran = tried("def f(): return 1", "assert f() == 1", without=without)
        assert ran.passed is None
        assert ran.failure is not None
        assert ran.failure.message.startswith("sandbox: this machine cannot shut code in: ")
        assert without[-1] in ran.failure.message


def test_weak_does_with_the_walls_there_are() -> None:
    weak = Bounds(1, 60, 256, "weak")
    ran = tried("open('/etc/passwd')", "pass", bounds=weak, without=("namespaces",))
    assert ran.failure is None
    assert re.match(r"PermissionError: \[Errno 13\]", ran.reason)  # Landlock alone
    assert tried("def f(): return 1", "assert f() == 1", bounds=weak, without=("system call filter",)).passed


def test_a_machine_without_walls_is_refused_with_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "trouble", "sandbox: this machine cannot shut code in: no Landlock".format)
    with pytest.raises(UserError, match=r"no Landlock; if you trust the code, `sandbox: weak` does with the walls"):
        handler.require("strong")
    with pytest.raises(UserError, match=r"no Landlock$"):
        handler.require("weak")


def test_what_was_run_is_journaled_and_not_run_again(tmp_path: Path) -> None:
    effect = RunTests("def f(): return 1", ("assert f() == 1",), bounds=TIGHT)

    def program(ctx: Context) -> Program:
        return (yield [effect, effect])

    for real in (True, False):
        journal = tmp_path / f"{real}.sqlite"
        first = play(program, journal, real=real, handlers={RunTests: Sandbox(on_loop=not real)})
        assert first.outcome.value == [Ran(passed=True)] * 2
        again = play(program, journal, real=real, handlers={RunTests: Sandbox(without=("limits",))})
        assert again.outcome.value == first.outcome.value


def test_the_machines_trouble_is_not_journaled(tmp_path: Path) -> None:
    effect = RunTests("def f(): return 1", ("assert f() == 1",), bounds=TIGHT)

    def program(ctx: Context) -> Program:
        return (yield [effect])

    [ran] = play(program, tmp_path / "j", real=True, handlers={RunTests: Sandbox(without=("limits",))}).outcome.value
    assert isinstance(ran.failure, Failure)
    [ran] = play(program, tmp_path / "j", real=True, handlers={RunTests: Sandbox()}).outcome.value
    assert ran == Ran(passed=True)


def test_a_run_that_is_cut_off_ends_its_code(tmp_path: Path) -> None:
    effect = RunTests("import time\ntime.sleep(60)", ("pass",), bounds=Bounds(30))

    def program(ctx: Context) -> Program:
        return (yield [effect])

    before = _children()
    with pytest.raises(TimeoutError):
        play(program, tmp_path / "j", real=True, handlers={RunTests: Sandbox()}, cut_after_seconds=0.5)
    assert _children() <= before


def _children() -> set[str]:
    """The sandboxes of this machine that were started by this process and live."""
    found: set[str] = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"swarmmind.evals.sandbox" in (path / "cmdline").read_bytes():
                found.add(path.name)
        except OSError:
            continue
    return found
