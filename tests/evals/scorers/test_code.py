from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Failure, Program
from swarmmind.errors import UserError
from swarmmind.evals.sandbox.handler import Sandbox
from swarmmind.evals.sandbox.tests import Ran, RunTests
from swarmmind.evals.scorers import unit_tests
from swarmmind.evals.scoring import Answer, Mark, graded
from swarmmind.ports import Context
from swarmmind.testing.play import play
from tests.evals.sandbox.trying import needs_walls

pytestmark = needs_walls

PROMPT = 'from typing import List\n\ndef half(n: int) -> int:\n    """ Half of n. """\n'
HUMANEVAL = {
    "prompt": PROMPT,
    "entry_point": "half",
    "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(8) == 4\n    assert candidate(2) == 1\n",
}
MBPP = ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]
SETUP = {"test_list": ["assert add(one, 2) == 3"], "test_setup_code": "one = 1"}
ADD = "def add(a, b):\n    return a + b"


def indented(code: str) -> str:
    return textwrap.indent(code, "   ")


def marked(output: Any, target: Any, folder: Path, **options: Any) -> Mark:
    scoring = unit_tests(**options)

    def program(ctx: Context) -> Program:
        return graded(ctx, scoring, Answer("", output, target))

    return play(program, folder / "j.sqlite", handlers={RunTests: Sandbox(on_loop=True)}).outcome.value


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        (ADD, MBPP, Mark(1.0)),
        (f"Sure!\n```python\n{ADD}\n```\nIt adds.", MBPP, Mark(1.0)),
        (f"```\nnot this\n```\n~~~py\n{ADD}\n~~~", MBPP, Mark(1.0)),
        (f"```python\n{ADD}", MBPP, Mark(1.0)),  # cut off
        (ADD.replace("+", "*"), MBPP, Mark(0.0, "wrong: assert add(1, 2) == 3")),
        (ADD, SETUP, Mark(1.0)),
        (ADD, "def test_add():\n    assert add(2, 2) == 5", Mark(0.0, "wrong: assert add(2, 2) == 5")),
        ("    return n // 2", HUMANEVAL, Mark(1.0)),  # goes on where the prompt ends
        ("```python\ndef half(n: List) -> int:\n    return n // 2\n```", HUMANEVAL, Mark(1.0)),
        ("```python\ndef half(n):\n    return n // 2\n```\nTry:\n```python\nprint(half(4))\n```", HUMANEVAL, Mark(1.0)),
        (f"1. So:\n   ```python\n{indented(ADD)}\n   ```\n2. Done.", MBPP, Mark(1.0)),
        (f"```python\n{ADD}\n```\nExample:\n```python\nprint(add(1, 2))\n```", MBPP, Mark(1.0)),
        (f"```python\n{ADD}\n```\nTry:\n```python\ndef main():\n    print(add(1, 2))\n```", MBPP, Mark(1.0)),
        ("```python\nadd = sum\n```\n```\nadd = lambda a, b: a + b\n```\n```\n3\n```", MBPP, Mark(1.0)),
        (ADD, {"test_list": ["assert add(math.floor(1.5), 2) == 3"], "test_imports": ["import math"]}, Mark(1.0)),
        (f"{ADD} # \ud83d", ["assert add('\ud83d', '')"], Mark(1.0)),
        ("    return n - 4", HUMANEVAL, Mark(0.0, "wrong: assert candidate(2) == 1")),
        ("", MBPP, Mark(0.0, "there is no code in it")),
        ("I cannot do that.", MBPP, Mark(0.0, "SyntaxError: invalid syntax (<solution>, line 1), at: running it")),
        (ADD, ["assert add(1, 2) =="], Mark(None, "the tests are not Python: invalid syntax (<test 0>, line 1)")),
    ],
)
def test_code_is_found_and_tested(output: str, target: Any, wanted: Mark, tmp_path: Path) -> None:
    assert marked(output, target, tmp_path) == wanted


@pytest.mark.parametrize("target", [None, 5, [], {}, {"entry_point": "f"}, [1], ""])
def test_a_target_without_tests_is_the_users_mistake(target: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"score\.target: must be a list of assertions"):
        marked(ADD, target, tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seconds": 0}, "score.seconds: must be 1 to 600, got 0"),
        ({"memory_mb": 10}, "score.memory_mb: must be 64 to 16384, got 10"),
    ],
)
def test_limits_have_limits(options: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        unit_tests(**options)
    assert str(caught.value) == said


def test_limits_reach_the_run_and_the_machines_trouble_is_missing(tmp_path: Path) -> None:
    seen: list[RunTests] = []

    class Broken(Sandbox):
        def __call__(self, effect: RunTests, flight: Any, /) -> Ran:
            seen.append(effect)
            return Ran(failure=Failure("exception", "sandbox: no memory"))

    def program(ctx: Context) -> Program:
        return graded(ctx, unit_tests(seconds=3, memory_mb=99, sandbox="weak"), Answer("", ADD, MBPP))

    played = play(program, tmp_path / "j.sqlite", handlers={RunTests: Broken()})
    assert played.outcome.value == Mark(None, "sandbox: no memory")
    bounds = seen[0].bounds
    assert (bounds.seconds, bounds.memory_mb, bounds.walls) == (3, 99, "weak")
    assert bounds.wall_seconds > 3 * bounds.seconds


def test_equal_code_is_one_vote() -> None:
    read = unit_tests().read
    assert read(f"One:\n```python\n{ADD}\n```") == read(f"Other:\n~~~\n\n{ADD}\n~~~") == ADD
    assert read("") is None
