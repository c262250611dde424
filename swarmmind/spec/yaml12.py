"""YAML as people mean it: the core schema of YAML 1.2 over PyYAML's parser, with bounds, and nothing that runs code.

Differences from `yaml.safe_load`, each for a mistake that would otherwise be silent: `yes`, `no`, `on` and `off` are
text, so are dates and `1:30`; `1e3` is a number; tags (`!!python/...`, but also `!!str`), merge keys (`<<`), a second
document and a key that occurs twice are refused.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import Node, ScalarNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

MAX_DEPTH = 64
MAX_DIGITS = 100
MAX_NODES = 100_000
TOO_MANY = f"more than {MAX_NODES:,} values once aliases are expanded"
BAD_ESCAPE = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}")
_TAG = "tag:yaml.org,2002:"
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_RULES = (
    ("bool", _BOOL, "tTfF"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("null", _NULL, ["~", "n", "N", ""]),
)


class _Dumper(yaml.SafeDumper):
    """Writes text so that both YAML 1.1 and 1.2 readers get the same value back; no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> ScalarNode:
    # Line breaks other than \n do not survive PyYAML's single quotes; prompts of several lines should stay readable.
    odd = not text.replace("\n", "").isprintable()
    style = '"' if odd else "|" if "\n" in text else None
    return dumper.represent_scalar(_TAG + "str", text, style)


_Dumper.add_representer(str, _represent_text)
for _name, _regexp, _first in _RULES:
    _Dumper.add_implicit_resolver(_TAG + _name, _regexp, list(_first))


class _Loader(Reader, Scanner, Parser, Composer, BaseResolver):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(None, None, "tags (!...) are not allowed; put text in quotes", event.start_mark)
        if self._depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(None, None, f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        if self._count >= MAX_NODES:
            raise yaml.MarkedYAMLError(None, None, TOO_MANY, event.start_mark)
        self._depth += 1
        self._count += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def compose(text: str) -> Node | None:
    """The one document in `text` as a graph of nodes with marks; aliases are shared nodes. `None` if there is none.

    Raises:
        yaml.YAMLError: it is not YAML, holds a tag or more than one document, is nested deeper than
            `MAX_DEPTH`, or has more than `MAX_NODES` values.
        ValueError: an escape names no character (see `BAD_ESCAPE`).
    """
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def scalar(node: ScalarNode) -> Any:
    """The value of a scalar node; only a plain one may be more than text (YAML 1.2.2, 10.3.2).

    Raises:
        ValueError: a whole number of more than `MAX_DIGITS` digits.
    """
    return read_plain(node.value) if node.style is None else node.value


def read_plain(text: str) -> Any:
    """What an unquoted scalar means: `None`, a bool, a number, or else the text itself.

    Raises:
        ValueError: a whole number of more than `MAX_DIGITS` digits.
    """
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text[0] in "tT"
    if _INT.match(text) and len(text) > MAX_DIGITS:
        raise ValueError("too many digits")
    if _INT.match(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.match(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def dump(data: Any) -> str:
    """Plain data as block YAML, keys in their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
