"""Two rungs, two homes of the box, and every part in the box."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import swarmmind
from swarmmind.errors import SpecError
from swarmmind.spec import library
from swarmmind.spec.cards import load_card
from swarmmind.spec.library import KINDS, PartKind
from swarmmind.spec.parts import load_part

from .projects import CARD, write


def test_the_file_beside_the_task_wins(project: Path, box: Path) -> None:
    assert library.find("agents", "worker", project, box=box) == box / "agents" / "worker.md"
    mine = write(project / "agents" / "worker.md", CARD.format(name="worker"))
    assert library.find("agents", "worker", project, box=box) == mine
    assert library.find("agents", "worker", None, box=box) == box / "agents" / "worker.md"


def test_names_lists_what_find_would_give(project: Path, box: Path) -> None:
    mine = write(project / "topologies" / "vote.yaml", "description: Mine.\nuse: vote\n")
    write(project / "topologies" / "odd name.yaml", "")
    write(box / "agents" / "README.md", "# Role cards\n")
    found = library.names("topologies", project, box=box)
    assert list(found) == ["debate", "mine", "solo", "vote"]
    assert found["vote"] == mine
    assert list(library.names("agents", project, box=box)) == ["critic", "solver", "worker"]
    assert library.names("evals", project, box=box) == {}


def test_both_homes_of_the_box(tmp_path: Path) -> None:
    package = tmp_path / "swarmmind"
    package.mkdir()
    assert library.shipped(package) == tmp_path  # a checkout: beside the package
    (package / "library").mkdir()
    assert library.shipped(package) == package / "library"  # a wheel: inside it


def test_the_box_that_runs_is_one_of_them() -> None:
    assert swarmmind.__file__ is not None
    assert library.shipped() == library.shipped(Path(swarmmind.__file__).parent)
    assert "vote" in library.names("topologies")


@pytest.mark.parametrize("name", ["../worker", "a/b", "", ".hidden", "a\nb", "x" * 101, "/etc/passwd", "a\x00b"])
def test_a_name_is_never_a_path(name: str, project: Path, box: Path) -> None:
    with pytest.raises(SpecError, match="is no name of a role card") as caught:
        library.find("agents", name, project, box=box)
    assert len(str(caught.value).splitlines()) == 1


def test_an_unknown_name_says_where_it_was_looked_for(project: Path, box: Path) -> None:
    with pytest.raises(SpecError) as caught:
        library.find("agents", "solvr", project, box=box)
    tried = f"looked in '{project}/agents' and '{box}/agents'"
    assert str(caught.value) == f"unknown role card 'solvr' ({tried}); did you mean 'solver'?"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "evals"])
def test_every_part_in_the_box_loads(kind: PartKind) -> None:
    names = library.names(kind)
    assert names
    for name, path in names.items():
        if kind == "agents":
            card = load_card(name)
            body = card.render({**dict.fromkeys(card.variables, "x"), **card.parameters})
            assert len(body) > 100
            assert not re.search(r"[{}]", body)
        else:
            part = load_part(kind, name)
            assert part.path == path
            assert not part.is_code
            assert (path.parent / f"{part.use}.yaml").is_file()  # every short name has a file of its own


def test_the_box_holds_what_the_design_promises() -> None:
    cards = {"explorer", "worker", "validator", "critic", "solver", "judge", "planner", "organizer", "forager"}
    assert cards <= set(library.names("agents"))
    assert {"solo", "vote", "debate", "world"} <= set(library.names("topologies"))
    assert {"none", "window"} <= set(library.names("memory"))
    assert load_part("topologies", "vote").parameters["samples"] == 5
    assert load_part("topologies", "debate").parameters["rounds"] == 3
    assert load_part("memory", "window").parameters["messages"] == 20
    assert all((library.shipped() / kind / "README.md").is_file() for kind in KINDS)
