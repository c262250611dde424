"""What is public, said and tested; rules of the house that no linter knows."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import swarmmind

PACKAGE = Path(swarmmind.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
EXTRAS = {"gepa", "httpx", "openai", "optuna", "reasoning_gym", "uvloop", "ray"}
LOOP_OWNERS = {"transports", "testing", "loop.py"}


def modules() -> list[str]:
    found = pkgutil.walk_packages(swarmmind.__path__, "swarmmind.")
    return ["swarmmind", *(module.name for module in found if not module.name.endswith("__main__"))]


def name(file: Path) -> str:
    return str(file.relative_to(PACKAGE.parent))


def test_what_is_public_is_this() -> None:
    assert sorted(swarmmind.__all__) == ["Result", "__version__", "evaluate", "optimize", "resume", "run", "run_sync"]
    assert all(hasattr(swarmmind, public) for public in swarmmind.__all__)


def test_importing_the_package_does_nothing() -> None:
    code = "import sys, threading, swarmmind; print(threading.active_count(), 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == "1"


def public(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Public classes, functions and methods that a module defines."""
    for title, value in vars(module).items():
        if title.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            yield title, value
            for inner, member in vars(value).items():
                function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
                if not inner.startswith("_") and inspect.isfunction(function) and "<lambda>" not in function.__name__:
                    yield f"{title}.{inner}", function
        elif inspect.isfunction(value):
            yield title, value


@pytest.mark.parametrize("module", modules())
def test_everything_public_says_what_it_promises(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__doc__, module
    assert [title for title, value in public(loaded) if not (inspect.getdoc(value) or "").strip()] == []


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or ""


@pytest.mark.parametrize("file", FILES, ids=map(name, FILES))
def test_no_import_hides_in_a_function_except_an_extras(file: Path) -> None:
    tree = ast.parse(file.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    hidden = {found for function in functions for _, found in imports(function)}
    assert {found for found in hidden if found.partition(".")[0] not in EXTRAS} == set()


@pytest.mark.parametrize("file", FILES, ids=map(name, FILES))
def test_chance_and_the_event_loop_have_one_owner(file: Path) -> None:
    tree = ast.parse(file.read_text())
    if not LOOP_OWNERS & set(file.relative_to(PACKAGE).parts):
        assert "asyncio" not in {found.partition(".")[0] for _, found in imports(tree)}
    drawn = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random"
    ]
    assert set(drawn) <= {"Random"}  # generators with a seed; never the module's own
    assert "from random import" not in file.read_text()


@pytest.mark.parametrize("file", FILES, ids=map(name, FILES))
def test_files_and_functions_can_be_read_in_one_go(file: Path) -> None:
    text = file.read_text()
    assert text.count("\n") <= 420
    assert "from __future__ import annotations" in text or text.count("\n") < 20
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_the_floors_hold() -> None:
    """No file imports from a floor above it, and no two modules import each other."""
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed; `make check` runs it")
    done = subprocess.run([str(linter), "--no-cache"], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_no_two_modules_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    known = set(modules())
    for module in known:
        file = importlib.import_module(module).__file__
        assert file is not None
        found: set[str] = set()
        for node, target in _at_run_time(ast.parse(Path(file).read_text())):
            names = [alias.name for alias in node.names]
            found |= {f"{target}.{inner}" for inner in names if f"{target}.{inner}" in known} or (
                {target} if target in known else set()
            )
        graph[module] = found - {module}
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for target in graph.get(module, ()):
                visit(target, [*path, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])


def _at_run_time(tree: ast.Module) -> Iterator[tuple[ast.ImportFrom, str]]:
    """Imports that happen when a module is imported, those for type checkers left out."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node, node.module
