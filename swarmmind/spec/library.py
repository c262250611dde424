"""Looking up a part: the folder beside the user's task first, then the library in the box; a whole file wins.

The box has two homes. In a wheel the four folders lie in `swarmmind/library/`; in a checkout or an editable install
they lie at the root of the repository, beside the package.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from swarmmind.errors import SpecError, near
from swarmmind.spec.source import show

PartKind: TypeAlias = Literal["agents", "topologies", "memory", "evals"]

KINDS: tuple[PartKind, ...] = get_args(PartKind)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SINGULAR = {"agents": "role card", "topologies": "topology", "memory": "memory", "evals": "eval"}


def shipped(package: Path | None = None) -> Path:
    """The folder that holds the four part folders of the box.

    Args:
        package: the folder of the package `swarmmind`, if it is not the one that is running.
    """
    package = package or Path(str(files("swarmmind")))
    return package / "library" if (package / "library").is_dir() else package.parent


def find(kind: PartKind, name: str, folder: Path | None = None, *, box: Path | None = None) -> Path:
    """The file of the part `name`: `<folder>/<kind>/<name>.yaml` (`.md` for agents), or the box's.

    Args:
        kind: which of the four folders.
        name: letters, digits, `_`, `-` and `.`; never a path.
        folder: the folder of the user's task; `None` looks in the box only.
        box: the library, if not the one that is shipped.

    Raises:
        SpecError: the name is malformed or unknown; it names both folders that were tried, and near names.
    """
    what = _SINGULAR[kind]
    if _NAME.fullmatch(name) is None:
        raise SpecError(f"{show(name)} is no name of a {what}: letters, digits, '_', '-' and '.' only")
    tried = _folders(kind, folder, box)
    for home in tried:
        path = home / f"{name}{_suffix(kind)}"
        if path.is_file():
            return path
    places = " and ".join(repr(str(home)) for home in tried)
    raise SpecError(f"unknown {what} {show(name)} (looked in {places}){near(name, list(names(kind, folder, box=box)))}")


def names(kind: PartKind, folder: Path | None = None, *, box: Path | None = None) -> dict[str, Path]:
    """All parts of a kind, sorted by name, each with the file that `find` would give."""
    found: dict[str, Path] = {}
    for home in reversed(_folders(kind, folder, box)):
        for path in home.glob(f"*{_suffix(kind)}"):
            if _NAME.fullmatch(path.stem) and path.name != "README.md" and path.is_file():
                found[path.stem] = path
    return dict(sorted(found.items()))


def _folders(kind: PartKind, folder: Path | None, box: Path | None) -> list[Path]:
    homes = [box or shipped()] if folder is None else [folder, box or shipped()]
    return [home / kind for home in homes]


def _suffix(kind: PartKind) -> str:
    return ".md" if kind == "agents" else ".yaml"
