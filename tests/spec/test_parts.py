"""Parts, and the code they name: nothing is imported unasked, and a failing import keeps its own error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from swarmmind.errors import SpecError
from swarmmind.spec import PartUse, load_code, load_part

from .projects import write


def test_the_tasks_parameters_replace_the_files(project: Path, box: Path) -> None:
    part = load_part(
        "topologies", PartUse.model_validate({"use": "vote", "samples": 9, "tie": "first"}), project, box=box
    )
    assert (part.name, part.use) == ("vote", "vote")
    assert part.parameters == {"samples": 9, "tie": "first"}
    assert load_part("topologies", "vote", project, box=box).parameters == {"samples": 5}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("use: vote\n", "1:1: description: is required but missing"),
        ("description: A.\n", "1:1: use: is required but missing"),
        ("description: A.\nuse: 5\n", "2:6: use: must be text, got 5; put it in quotes"),
        ("- a\n", "1:1: must be a mapping, got a list"),
        ("", "1:1: is empty; a part has at least description and use"),
        ("description: A.\nuse: vote\nkey: sk-0123456789abcdef\n", "3:6: key: holds what looks like a secret"),
        ("description: A.\nuse: vote\nuse: vote\n", "3:1: use: the key occurs twice (first in line 2)"),
        ("description: A.\nuse: ./gone.py:X\n", "2:6: no such file in"),
        ("description: A.\nuse: ./../evil.py:X\n", "2:6: must stay inside the task's folder"),
        ("description: A.\nuse: ./evil.py\n", "2:6: must be a part's name, ./file.py:Name"),
        ("description: A.\nuse: ./evil.py:X\n", "2:6: would run code './evil.py:X'; pass --allow-code"),
    ],
)
def test_broken_part_files(text: str, wanted: str, project: Path, box: Path) -> None:
    path = write(project / "topologies" / "broken.yaml", text)
    with pytest.raises(SpecError) as caught:
        load_part("topologies", "broken", project, box=box)
    assert str(caught.value).startswith(f"{path}:{wanted}")
    assert not (project / "evil-ran").exists()


def test_allowed_code_is_still_not_imported_when_it_is_looked_up(project: Path, box: Path) -> None:
    part = load_part("topologies", "mine", project, allow_code=True, box=box)
    assert (part.use, part.is_code) == ("./evil.py:Topology", True)
    assert not (project / "evil-ran").exists()


def test_code_from_the_tasks_folder(project: Path) -> None:
    write(
        project / "lib" / "mine.py", "import dataclasses\n\n@dataclasses.dataclass\nclass Thing:\n    size: int = 3\n"
    )
    thing = load_code("./lib/mine.py:Thing", project, allow_code=True)
    assert thing().size == 3
    assert load_code("./lib/mine.py:Thing", project, allow_code=True) is thing
    assert load_code("fractions:Fraction", allow_code=True)(1, 2).denominator == 2


@pytest.mark.parametrize("use", ["./evil.py:Topology", "fractions:Fraction", "evil:Topology"])
def test_no_code_unless_allowed(use: str, project: Path) -> None:
    with pytest.raises(SpecError, match=r"would run code .*; pass --allow-code"):
        load_code(use, project)
    assert not (project / "evil-ran").exists()


def test_a_failing_import_keeps_its_own_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(project))
    write(project / "needs_more.py", "import a_package_nobody_has\n")
    write(project / "divides.py", "1 / 0\n")
    write(project / "leaves.py", "raise SystemExit(0)\n")
    write(project / "several.py", "raise ValueError('one\\ntwo')\n")
    for use in ("needs_more:X", "./needs_more.py:X"):
        with pytest.raises(
            SpecError, match="could not be imported: ModuleNotFoundError: No module named 'a_pack"
        ) as caught:
            load_code(use, project, allow_code=True)
        assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    with pytest.raises(SpecError, match=r"'\./divides\.py:X' could not be imported: ZeroDivisionError") as caught:
        load_code("./divides.py:X", project, allow_code=True)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(SpecError, match="SystemExit"):
        load_code("./leaves.py:X", project, allow_code=True)
    with pytest.raises(SpecError, match=r"ValueError: one two$"):
        load_code("./several.py:X", project, allow_code=True)
    assert not any(name.startswith("swarmmind_task_") and "divides" in name for name in sys.modules)


def test_what_is_not_there_is_said(project: Path) -> None:
    write(project / "mine.py", "def topology(): ...\n")
    with pytest.raises(
        SpecError, match=r"^no module named 'a_package_nobody_has' \(wanted by 'a_package_nobody_has\.x:Y'\)$"
    ):
        load_code("a_package_nobody_has.x:Y", allow_code=True)
    with pytest.raises(SpecError, match=r"^\./mine\.py has no 'topologi'; did you mean 'topology'\?$"):
        load_code("./mine.py:topologi", project, allow_code=True)
    with pytest.raises(SpecError, match="needs a task's folder to be relative to"):
        load_code("./mine.py:topology", None, allow_code=True)


def test_code_behind_a_link_that_leads_out(project: Path) -> None:
    write(project.parent / "outside.py", f"open({str(project / 'evil-ran')!r}, 'w').close()\nX = 1\n")
    (project / "inside.py").symlink_to(project.parent / "outside.py")
    with pytest.raises(SpecError, match="a link leads out of it"):
        load_code("./inside.py:X", project, allow_code=True)
    assert not (project / "evil-ran").exists()
