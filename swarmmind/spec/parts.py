"""Parts of the library: a YAML file that names its code and gives its parameters their defaults.

    description: Everybody answers, reads the others' answers, and answers again.
    use: debate
    rounds: 3

`use` is a short name that the floor above knows, `package.module:Name`, or `./file.py:Name` in the task's folder. The
last two are somebody's Python: they are never imported unless the user allowed it. A `drawing`, for people, is text of
at most 12 lines of 72 columns.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field

from swarmmind.errors import SpecError, near
from swarmmind.spec import library, paths
from swarmmind.spec.complaints import validated
from swarmmind.spec.library import PartKind
from swarmmind.spec.source import Place, Source, printable, read_text, read_yaml, show, show_key
from swarmmind.spec.task import PartUse
from swarmmind.spec.values import Open

_DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_FORMS = "a part's name, ./file.py:Name in the task's folder, or package.module:Name"
_FILE = re.compile(r"\./(.+\.py):([A-Za-z_]\w*)", re.DOTALL)
_DRAWING_LINES, _DRAWING_COLUMNS = 12, 72


def _drawing(text: str) -> str:
    """A drawing as it is printed: tabs are blanks, and nothing is left over at its end."""
    lines = text.expandtabs().rstrip().split("\n")
    if len(lines) > _DRAWING_LINES:
        raise ValueError(f"must have at most {_DRAWING_LINES} lines, got {len(lines)}")
    for at, line in enumerate(lines, 1):
        if columns(line) > _DRAWING_COLUMNS:
            raise ValueError(f"must be at most {_DRAWING_COLUMNS} columns wide, got {columns(line)} in its line {at}")
    return "\n".join(lines)


def columns(line: str) -> int:
    """How wide a terminal shows a line: East Asian wide characters take two columns, marks that combine none."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    return len(line) + wide - sum(unicodedata.category(char) in ("Mn", "Me") for char in line)


class PartFile(Open):
    """A part's file; further keys are its parameters' defaults."""

    description: str = Field(min_length=1, description="What the part does, in one sentence.")
    use: str = Field(min_length=1, description="A short name, package.module:Name, or ./file.py:Name.")
    drawing: Annotated[str, AfterValidator(_drawing)] = Field(default="", description="Who hears whom, as a drawing.")


class Part(NamedTuple):
    """A part, looked up but not yet built.

    Attributes:
        name: as the task names it.
        use: its code: a short name, or a path as `load_code` takes it.
        parameters: the file's, replaced by the task's.
        path: the file; `None` if the task named code directly.
        places: where the value of each parameter stands.
    """

    name: str
    use: str
    parameters: dict[str, Any]
    path: Path | None = None
    places: Mapping[str, Place] = MappingProxyType({})

    @property
    def is_code(self) -> bool:
        """Whether it is somebody's Python, which needs `--allow-code`."""
        return is_code(self.use)

    def error(self, parameter: str, message: str) -> SpecError:
        """An error about a parameter, for the floors that know what it may be: `place: parameter: message`."""
        place = self.places.get(parameter, Place())
        return SpecError(f"{show_key(parameter)}: {message}", file=place.file, line=place.line, column=place.column)


def is_code(use: str) -> bool:
    """Whether a `use` names Python code rather than a short name."""
    return ":" in use or use.startswith((".", "/")) or use.endswith(".py")


def check_code(use: str, folder: Path | None, allow_code: bool) -> None:
    """Check, without importing anything, that a `use` that names code may be run.

    Raises:
        ValueError: it is malformed, leads out of the task's folder, names a file that is not there, or is not allowed.
    """
    in_file = _FILE.fullmatch(use)
    if in_file is not None:
        if folder is None:
            raise ValueError(f"{show(use)} needs a task's folder to be relative to")
        paths.existing_file(folder, in_file[1])
    elif use.partition(":")[0].endswith(".py") or _DOTTED.fullmatch(use) is None:
        raise ValueError(f"must be {_FORMS}, got {show(use)}")
    if not allow_code:
        raise ValueError(f"would run code {show(use)}; pass --allow-code if you trust it")


def load_part(
    kind: PartKind, use: str | PartUse, folder: Path | None = None, allow_code: bool = False, *, box: Path | None = None
) -> Part:
    """A part as a task uses it: its file's parameters, replaced by the task's.

    Args:
        kind: which of the part folders.
        use: a part's name, or code.
        folder: the task's folder.
        allow_code: whether the user allowed somebody's Python; nothing is imported here in any case.
        box: the library, if not the one that is shipped.

    Raises:
        SpecError: there is no such part, its file is wrong, or it is code and that is not allowed.
    """
    wanted = PartUse(use=use) if isinstance(use, str) else use
    if is_code(wanted.use):
        part = Part(wanted.use, wanted.use, wanted.parameters)
        where = Place()
    else:
        path = library.find(kind, wanted.use, folder, box=box)
        source, file = _read(path)
        places = {name: source.place((name,)) for name in file.parameters}
        part = Part(wanted.use, file.use, {**file.parameters, **wanted.parameters}, path, places)
        where = source.place(("use",))
    if part.is_code:
        _require_code(part.use, folder, allow_code, where)
    return part


def read_part(path: Path) -> PartFile:
    """A part's file, for whoever only wants to know what it says of itself.

    Raises:
        SpecError: the file is wrong.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[Source, PartFile]:
    source = read_yaml(read_text(path), printable(path))
    return source, validated(source, PartFile, "a part has at least description and use")


def _require_code(use: str, folder: Path | None, allow_code: bool, where: Place) -> None:
    try:
        check_code(use, folder, allow_code)
    except ValueError as error:
        raise SpecError(str(error), file=where.file, line=where.line, column=where.column) from None


def load_code(use: str, folder: Path | None = None, allow_code: bool = False) -> Any:
    """Import what `package.module:Name` or `./file.py:Name` names.

    Raises:
        SpecError: code is not allowed, the path is malformed or leads out of the folder, the module or the name is
            missing, or the module's own code failed (then its error is the cause).
    """
    _require_code(use, folder, allow_code, Place())
    target, _, name = use.rpartition(":")
    try:
        module = _module_from(folder / target, use) if folder and target.startswith("./") else _module(target)
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises while it is imported
        if isinstance(error, ModuleNotFoundError) and error.name and (target + ".").startswith(error.name + "."):
            raise SpecError(f"no module named {error.name!r} (wanted by {show(use)})") from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SpecError(f"{show(use)} could not be imported: {reason}") from error
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise SpecError(f"{target} has no {name!r}{near(name, public)}")
    return getattr(module, name)


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)


def _module_from(path: Path, use: str) -> ModuleType:
    name = "swarmmind_task_" + re.sub(r"\W", "_", str(path.resolve()))
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{use} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up by name while it is being imported
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
