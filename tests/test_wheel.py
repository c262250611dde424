"""What people install: an sdist, the wheel made from it, and the library found from there."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("agents", "topologies", "memory", "evals")


class Built(NamedTuple):
    sdist: set[str]
    wheel: set[str]
    home: Path


def done(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", *words]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout[-1000:] + run.stderr[-2000:]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist of this checkout, a wheel built from nothing but that, installed into a folder by itself."""
    folder = tmp_path_factory.mktemp("dist")
    home = folder / "home"
    done(ROOT, "hatchling", "build", "--target", "sdist", "--directory", str(folder))
    [sdist] = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as tar:
        inside = {member.partition("/")[2] for member in tar.getnames()}
        if hasattr(tarfile, "data_filter"):  # not there before Python 3.11.4
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)
    source = sdist.with_name(sdist.name.removesuffix(".tar.gz"))
    done(source, "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    [wheel] = folder.glob("*.whl")
    options = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps", "--no-index"]
    done(folder, "pip", "install", *options, "--target", str(home), str(wheel))
    with zipfile.ZipFile(wheel) as archive:
        return Built(inside, set(archive.namelist()), home)


def tracked(folder: str) -> set[str]:
    """The files of a folder of the checkout that belong to the project."""
    listed = subprocess.run(
        ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    if listed.returncode != 0 or not listed.stdout:
        pytest.skip("not a git checkout")
    return {line for line in listed.stdout.splitlines() if (ROOT / line).is_file()}


def test_the_wheel_holds_every_part_and_every_file_of_the_package(built: Built) -> None:
    for kind in PARTS:
        assert {f"swarmmind/library/{name}" for name in tracked(kind)} <= built.wheel
    assert tracked("swarmmind") <= built.wheel
    assert "swarmmind/py.typed" in built.wheel
    assert any(name.startswith("swarmmind/report/page/") and name.endswith(".js") for name in built.wheel)


def test_neither_holds_what_is_nobodys_business(built: Built) -> None:
    for names in (built.wheel, built.sdist):
        top = {name.partition("/")[0] for name in names}
        assert not top & {"tests", "benchmarks", "runs", ".venv", "examples"}
        assert not [name for name in names if "__pycache__" in name or name.endswith((".sqlite", ".pyc"))]
    assert {"README.md", "LICENSE", "pyproject.toml", *PARTS} <= {name.partition("/")[0] for name in built.sdist}


SCRIPT = """
import swarmmind
from pathlib import Path
from swarmmind.spec import library
home = Path(swarmmind.__file__).parent
assert library.shipped() == home / "library", library.shipped()
task = {"problem": "What is 2 + 3?", "model": "scripted", "score": {"use": "number", "target": 5},
        "swarm": {"agents": {"solver": 3}, "topology": "debate", "memory": "window"}}
result = swarmmind.run_sync(task, env={})
assert (result.status, result.score) == ("finished", 1.0), result
assert "The answer is 5." in (result.path / "report.html").read_text()
print(home)
"""


def test_installed_it_finds_its_library_and_runs_far_from_the_checkout(built: Built, tmp_path: Path) -> None:
    script = tmp_path / "use_it.py"
    script.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": str(built.home)}
    run = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()) == built.home / "swarmmind"
    assert (built.home / "bin" / "swarmmind").is_file()
