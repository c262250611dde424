"""A YAML file as plain data that remembers where each value stood, so that every complaint has a `file:line:column`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from swarmmind.errors import SpecError
from swarmmind.spec import secrets, yaml12
from swarmmind.spec.interpolate import Malformed, interpolate

KeyPath: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1 << 20


class Place(NamedTuple):
    """Where something stands; line and column count from 1, 0 is nowhere in particular."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Fault(NamedTuple):
    """One thing that is wrong, before it is raised; `message` begins with the path."""

    place: Place
    message: str


def raise_faults(faults: Iterable[Fault]) -> None:
    """Raise the first fault in the order of the file, and say how many more there are; do nothing if there are none.

    Raises:
        SpecError: there is a fault. Always one line.
    """
    ordered = sorted(faults, key=lambda fault: fault.place[1:])
    if not ordered:
        return
    place, message = ordered[0]
    more = len(ordered) - 1
    tail = f"; and {more} more error{'s' if more > 1 else ''}" if more else ""
    raise SpecError(message + tail, file=place.file, line=place.line, column=place.column)


class Source:
    """Plain data (`None`, bool, int, float, str, list, dict with text keys) and the place of each part of it."""

    def __init__(self, name: str, data: Any = None) -> None:
        self.name, self.data = name, data
        self.values: dict[KeyPath, Place] = {}
        self.keys: dict[KeyPath, Place] = {}

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where the value at `path` stands (or its key); of the nearest enclosing one that has a place."""
        if key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(self.name))

    def deepest(self, path: KeyPath) -> KeyPath:
        """As much of a path as there is in the data; names of branches that the data does not have are left out."""
        data: Any = self.data
        found: list[str | int] = []
        for step in path:
            if step in data if isinstance(data, dict) else isinstance(step, int) and isinstance(data, list):
                data = cast("Any", data)[step]
                found.append(step)
        return tuple(found)

    def fault(self, path: KeyPath, message: str, *, key: bool = False) -> Fault:
        """What is wrong at a path."""
        return Fault(self.place(path, key=key), f"{show_path(path)}: {message}" if path else message)

    def error(self, path: KeyPath, message: str, *, key: bool = False) -> SpecError:
        """The same as an error, for whoever finds only one."""
        place, text = self.fault(path, message, key=key)
        return SpecError(text, file=place.file, line=place.line, column=place.column)

    def secret_faults(self) -> list[Fault]:
        """Every secret in the data, without showing any."""
        return [self.fault(path, message, key=key) for path, message, key in secrets.scan(self.data)]


def show_path(path: KeyPath) -> str:
    """`swarm.agents.0.count`; long or odd keys are quoted and shortened, so that a message stays one line."""
    return ".".join(part if isinstance(part, str) and part.isidentifier() else show_key(part) for part in path)


def show_key(key: str | int) -> str:
    """A key as it may be printed: bare if it is short and plain, else quoted, shortened, secrets hidden."""
    text = secrets.hide(str(key))
    plain = text.isprintable() and len(text) <= 60 and not set(text) & set(" .'\"\\")
    return text if plain and text else show(text)


def show(value: Any) -> str:
    """A value as it may be printed in a message: one short line, secrets hidden."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(secrets.hide(value) if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:40]}... ({len(text):,} characters)"


def printable(name: str | Path) -> str:
    """A file's or an option's name as it may be printed: one line."""
    text = str(name)
    return text if text.isprintable() else ascii(text)


def read_text(path: Path) -> str:
    """A whole UTF-8 file, at most `MAX_BYTES` long; a byte order mark is dropped.

    Raises:
        SpecError: it is missing, a folder, unreadable, too big or not UTF-8.
    """
    name = printable(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError("no such file", file=name) from None
    except IsADirectoryError:
        raise SpecError("is a folder, not a file", file=name) from None
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot be read: {getattr(error, 'strerror', None) or error}", file=name) from error
    if len(raw) > MAX_BYTES:
        raise SpecError(f"is larger than {MAX_BYTES // 1024:,} KiB; move data to a file of its own", file=name)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        line, column = position(before, len(before))
        message = f"is not UTF-8 text (byte 0x{raw[error.start]:02x})"
        raise SpecError(message, file=name, line=line, column=column) from None


def read_yaml(text: str, name: str, environment: Mapping[str, str] | None = None) -> Source:
    """Plain data from YAML text.

    Args:
        text: one YAML document.
        name: what messages call the file.
        environment: where `${NAME}` in text values comes from; `None` leaves such text alone.

    Raises:
        SpecError: it is not YAML (see `yaml12`), has more than `yaml12.MAX_NODES` values once aliases are expanded, or
            names an environment variable that is unset or looks secret.
    """
    source = Source(name)
    try:
        root = yaml12.compose(text)
    except yaml.MarkedYAMLError as error:
        unclosed = "unexpected end of stream" in (error.problem or "")  # say where it began, not where the file ends
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SpecError(_explain(error), file=name, line=line, column=column) from None
    except yaml.reader.ReaderError as error:
        line, column = position(text, error.position)
        message = f"holds a character that text may not hold (U+{ord(text[error.position]):04X})"
        raise SpecError(message, file=name, line=line, column=column) from None
    except (ValueError, OverflowError):
        match = yaml12.BAD_ESCAPE.search(text)
        line, column = position(text, match.start() if match else 0)
        raise SpecError("a \\U escape names no character", file=name, line=line, column=column) from None
    if root is not None:
        source.data = _Builder(source, environment).build(root, ())
    return source


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of a character of a text."""
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


_EXPLAIN = (
    ("'\\t'", "a tab cannot indent YAML; use spaces"),
    ("mapping values are not allowed here", "not valid YAML: a ':' where none can stand; quote text that holds ': '"),
    ("but found another document", "holds more than one document ('---'); a file describes one thing"),
    ("could not find expected ':'", "not valid YAML: a key without its ':'"),
    ("expected <block end>", "not valid YAML: this line is indented differently from its neighbors"),
    (
        "found undefined alias",
        "not valid YAML: an alias (*name) without its anchor (&name); quote text that begins with *",
    ),
    ("found unexpected end of stream", "not valid YAML: this quote is never closed"),
    ("that cannot start any token", "not valid YAML: text that begins with a special character must be in quotes"),
)


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    for needle, sentence in _EXPLAIN:
        if needle in problem:
            return sentence
    if problem.startswith(("expected ',' or '}'", "expected ',' or ']'")) and error.context_mark:
        return f"not valid YAML: the bracket opened in line {error.context_mark.line + 1} is not closed before this"
    if problem.startswith(("tags ", "nested ", "more than ")):
        return problem
    return f"not valid YAML: {secrets.hide(' '.join(problem.split()))}"


class _Builder:
    """Nodes to plain data; aliases are expanded into separate copies, within `MAX_NODES`."""

    def __init__(self, source: Source, environment: Mapping[str, str] | None) -> None:
        self._source, self._environment = source, environment
        self._count = 0
        self._open: set[int] = set()

    def build(self, node: Node, path: KeyPath) -> Any:
        place = self._place(node)
        self._source.values[path] = place
        self._count += 1
        if self._count > yaml12.MAX_NODES:
            raise self._error(node, yaml12.TOO_MANY)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            raise self._error(node, "an alias stands inside its own anchor")
        if len(path) > yaml12.MAX_DEPTH:
            raise self._error(node, f"nested deeper than {yaml12.MAX_DEPTH} levels")
        self._open.add(id(node))
        if isinstance(node, SequenceNode):
            built: Any = [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        else:
            built = self._mapping(node, path)
        self._open.discard(id(node))
        return built

    def _mapping(self, node: Node, path: KeyPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        pairs = node.value if isinstance(node, MappingNode) else []
        for key_node, value_node in pairs:
            key = self._key(key_node)
            if key in built:
                first = self._source.keys[(*path, key)].line
                raise self._error(key_node, f"{show_key(key)}: the key occurs twice (first in line {first})")
            self._source.keys[(*path, key)] = self._place(key_node)
            built[key] = self.build(value_node, (*path, key))
        return built

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self._error(node, "a key must be text, not a list or a mapping")
        if node.style is None and node.value == "<<":
            raise self._error(node, "merge keys (<<) are not supported; write the keys out")
        key = self._read(node)
        if not isinstance(key, str):
            raise self._error(node, f"a key must be text, got {show(key)}; put it in quotes")
        return self._speakable(node, key)

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        value = self._read(node)
        if not isinstance(value, str):
            return value
        if self._environment is not None and "${" in value:
            try:
                filled = interpolate(value, self._environment)
            except Malformed as error:
                raise self._error(node, f"{show_path(path)}: {error}" if path else str(error)) from None
            # An unquoted ${SEED} alone may be a number: it is read as if its value stood in the file.
            value = yaml12.read_plain(filled) if node.style is None and _lone(value) else filled
        return self._speakable(node, value) if isinstance(value, str) else value

    def _read(self, node: ScalarNode) -> Any:
        try:
            return yaml12.scalar(node)
        except ValueError:
            raise self._error(node, "a number with too many digits") from None

    def _speakable(self, node: Node, text: str) -> str:
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise self._error(node, "holds half a character (a lone surrogate escape)")
        return text

    def _place(self, node: Node) -> Place:
        return Place(self._source.name, node.start_mark.line + 1, node.start_mark.column + 1)

    def _error(self, node: Node, message: str) -> SpecError:
        place = self._place(node)
        return SpecError(message, file=place.file, line=place.line, column=place.column)


def _lone(text: str) -> bool:
    return text.startswith("${") and text.endswith("}") and text.count("${") == 1
