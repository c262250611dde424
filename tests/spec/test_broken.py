"""Every file in fixtures/broken gives the one line that its first line says, and nothing of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.errors import SpecError
from swarmmind.spec import load_task

from .projects import write

BROKEN = sorted((Path(__file__).parents[1] / "fixtures" / "broken").glob("*.yaml"))
SECRETS = ("sk-0123456789abcdef", "sk-proj-", "hf_abc", "AKIA", "ghp_", "abc123def", "hunter2", "12345", "3f9c-11aa")


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 60


@pytest.mark.parametrize("file", BROKEN, ids=[file.stem for file in BROKEN])
def test_one_clear_line(file: Path, project: Path, box: Path) -> None:
    text = file.read_text(encoding="utf-8")
    wanted = text.partition("\n")[0].removeprefix("# -> ").replace("<project>", str(project)).replace("<box>", str(box))
    task = write(project / "task.yaml", text)
    before = set(project.rglob("*"))

    with pytest.raises(SpecError) as caught:
        load_task(task, env={"PORT": "80"}, box=box)

    message = str(caught.value)
    assert message == wanted
    assert len(message.splitlines()) == 1
    assert caught.value.line >= 1
    assert caught.value.column >= 1
    assert not any(secret in message for secret in SECRETS)
    assert set(project.rglob("*")) == before  # no code ran, nothing was written


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"", "task.yaml:1:1: is empty; a task has at least problem, model and swarm"),
        (b"# only a comment\n", "task.yaml:1:1: is empty; a task has at least problem, model and swarm"),
        (b"problem: caf\xe9\n", "task.yaml:1:13: is not UTF-8 text (byte 0xe9)"),
        (b"problem: x\nmodel: a\x00b\n", "task.yaml:2:9: holds a character that text may not hold (U+0000)"),
        (b"problem: x\n\x1b[2J\n", "task.yaml:2:1: holds a character that text may not hold (U+001B)"),
        (b"\xff\xfep\x00r\x00", "task.yaml:1:1: is not UTF-8 text (byte 0xff)"),
        (b"\xef\xbb\xbfproblem: x\nproblem: y\n", "task.yaml:2:1: problem: the key occurs twice (first in line 1)"),
        (b"problem: x\r\nproblem: y\r\n", "task.yaml:2:1: problem: the key occurs twice (first in line 1)"),
        (b"x" * (1 << 20) + b"y", "task.yaml: is larger than 1,024 KiB; move data to a file of its own"),
        (b"[" * 100_000, "task.yaml:1:65: nested deeper than 64 levels"),
        (b"{a: " * 100_000, "task.yaml:1:254: nested deeper than 64 levels"),
        (b"- " * 100_000, "task.yaml:1:129: nested deeper than 64 levels"),
    ],
)
def test_bytes_that_are_no_task(raw: bytes, wanted: str, project: Path, box: Path) -> None:
    task = project / "task.yaml"
    task.write_bytes(raw)
    with pytest.raises(SpecError) as caught:
        load_task(task, env={}, box=box)
    message = str(caught.value).removeprefix(f"{project}/")
    assert message.partition("; and")[0] == wanted


def test_files_that_are_no_files(project: Path) -> None:
    with pytest.raises(SpecError, match=r"nothing\.yaml: no such file$"):
        load_task(project / "nothing.yaml")
    with pytest.raises(SpecError, match=r"topologies: is a folder, not a file$"):
        load_task(project / "topologies")


def test_a_file_name_cannot_break_the_line(project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_task(project / "a\nb.yaml")
    assert len(str(caught.value).splitlines()) == 1
