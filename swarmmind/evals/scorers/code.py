"""The scorer that runs a model's code against unit tests, where it can touch nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from swarmmind.effects import Program
from swarmmind.errors import UserError
from swarmmind.evals.sandbox.handler import require
from swarmmind.evals.sandbox.tests import Bounds, Ran, RunTests, Walls
from swarmmind.evals.scoring import Answer, Mark, Scoring
from swarmmind.ports import Context
from swarmmind.runtime.journal import characters

_FENCE = re.compile(r"([ \t]*)(```+|~~~+)[^`]*")
_DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+\w", re.MULTILINE)
_CALLED = re.compile(r"(?<![\w.])[^\W\d]\w*(?=\()")
_WALL_FACTOR = 6.0
_MAX_SECONDS, _MAX_MEMORY_MB = 600, 16_384


class _Asked(NamedTuple):
    """A target, read.

    Attributes:
        prompt: code that the answer continues or replaces.
        tests: pieces of Python.
        entry: the function under test.
    """

    prompt: str
    tests: tuple[str, ...]
    entry: str


def unit_tests(seconds: int = 10, memory_mb: int = 512, sandbox: Walls = "strong") -> Scoring:
    """1 if the output's code passes the target's tests, 0 with the reason if not. Runs code that a model wrote.

    The code is the last fenced block: of those that define the function under test, if the target names it, or else
    what the tests call; or else of those that define anything. Without a block it is the whole output. The target is a
    list of assertions as in MBPP, or Python with assertions or `test_...` functions, or a mapping: `tests` (or `test`,
    `test_list`) with such, `setup` (or `test_setup_code`, `test_imports`) to be run before them, `entry_point` with the
    function that the tests know as `candidate`, or that their `check(candidate)` is called with, and `prompt` that the
    code continues, as in HumanEval. Rows of both can be used as they are:
    `fields: {problem: prompt, target: [prompt, entry_point, test]}`.

    Code and tests run in two processes of their own, with the standard library alone, no files but an empty /tmp, no
    network, no other processes; see `evals.sandbox`. What tests compare crosses between the two as plain data:
    numbers, texts, lists, tuples, sets, mappings and the like. Limits of that: `is` does not hold between an argument
    and a result, an object of a class of the code equals no plain value, has no operators, and a test cannot hand over
    objects of classes of its own.

    Args:
        seconds: of processor time, for the code and for the tests each, 1 to 600; on the clock six times as long, since
            others may keep the machine busy.
        memory_mb: of address space, for each, 64 to 16384.
        sandbox: `strong` needs Linux and a machine that lets code be shut in; `weak` does with what there is.

    Raises:
        UserError: a limit is out of range, or code cannot be run on this machine behind such walls.
        UserError (from the scorer): the target holds no tests.
    """
    if not 1 <= seconds <= _MAX_SECONDS:
        raise UserError(f"score.seconds: must be 1 to {_MAX_SECONDS}, got {seconds}")
    if not 64 <= memory_mb <= _MAX_MEMORY_MB:
        raise UserError(f"score.memory_mb: must be 64 to {_MAX_MEMORY_MB}, got {memory_mb}")
    require(sandbox)
    bounds = Bounds(seconds, _WALL_FACTOR * seconds, memory_mb, sandbox)

    def grade(ctx: Context, answer: Answer) -> Program:
        asked = _asked(answer.target)
        code = _code(answer.output, [asked.entry] if asked.entry else _CALLED.findall("\n".join(asked.tests)))
        if not code:
            return Mark(0.0, "there is no code in it")
        whole = f"{asked.prompt}\n{code}" if asked.prompt else code
        tests = tuple(map(characters, asked.tests))
        effect = RunTests(characters(whole), tests, asked.entry, bounds, characters(asked.prompt))
        ran: Ran
        [ran] = yield [effect]
        if ran.failure is not None:
            return Mark(None, ran.failure.message)
        return Mark(None if ran.passed is None else float(ran.passed), ran.reason)

    return Scoring(_never, _read, marked=False, grade=grade)


def _read(output: Any) -> str | None:
    return _code(output) or None


def _never(output: Any, target: Any) -> float:
    raise UserError("score: 'tests' runs programs; nothing can be scored by it at once")


def _code(output: Any, names: Iterable[str] = ()) -> str:
    """The code in an output; the rest of a fence that was never closed counts, too."""
    text = "" if output is None else str(output)
    blocks = _blocks(text)
    either = "|".join(map(re.escape, sorted(set(names)))) or "(?!)"
    wanted = re.compile(rf"^[ \t]*(?:(?:async[ \t]+)?def[ \t]+|class[ \t]+)(?:{either})\b|^(?:{either})[ \t]*=", re.M)
    fitting = [block for block in blocks if wanted.search(block)]
    fitting = fitting or [block for block in blocks if _DEFINITION.search(block)]
    return (fitting or blocks or [text])[-1].strip("\n").rstrip()


def _blocks(text: str) -> list[str]:
    """What stands between fences; as in Markdown, lines lose as much indentation as their fence has."""
    blocks: list[list[str]] = []
    fence, indent = "", 0
    for line in text.splitlines():
        found = _FENCE.fullmatch(line)
        if fence and found and found[2].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        elif fence:
            blocks[-1].append(line[min(indent, len(line) - len(line.lstrip(" \t"))) :])
        elif found:
            indent, fence = len(found[1]), found[2]
            blocks.append([])
    return ["\n".join(block) for block in blocks if any(line.strip() for line in block)]


def _asked(target: Any) -> _Asked:
    given = cast("Mapping[str, Any]", target) if isinstance(target, Mapping) else {"tests": target}
    named = next((given[name] for name in ("tests", "test", "test_list") if given.get(name)), None)
    pieces = [named] if isinstance(named, str) else named
    if not isinstance(pieces, Sequence) or not all(isinstance(piece, str) for piece in cast("list[Any]", pieces)):
        expected = "a list of assertions, or Python with tests, or a mapping with `tests`"
        raise UserError(f"score.target: must be {expected}, got {target!r:.60}")
    setup = next((given[name] for name in ("setup", "test_setup_code", "test_imports") if given.get(name)), None)
    lines = cast("list[Any]", setup) if isinstance(setup, list) else [setup]
    before = ["\n".join(map(str, lines))] if setup else []
    texts = (*before, *cast("Sequence[str]", pieces))
    return _Asked(str(given.get("prompt") or ""), texts, str(given.get("entry_point") or ""))
