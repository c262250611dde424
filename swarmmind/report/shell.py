"""What every page is: one file, no network, nothing in it that was said by an agent is ever markup or script.

The skeleton is a Jinja template with autoescape; details follow as inert compressed chunks, an index of them as JSON,
and then the page's own script and style, which alone the page's Content-Security-Policy allows (by their hashes).
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from swarmmind.report import text
from swarmmind.version import __version__

_PAGE = files("swarmmind.report") / "page"


class Lenient(dict[str, Any]):
    """A result as the template sees it: what is not there is `None`, which reads `unknown`; nothing else is lenient."""

    def __missing__(self, key: str) -> None:
        return None


def write(path: Path, pieces: Iterable[str]) -> Path:
    """Write a page piece by piece; it takes its place by a rename when it is whole.

    Raises:
        OSError: it cannot be written; an older one is still there then.
    """
    part = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for piece in pieces:
                file.write(piece)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def document(
    template: str,
    scripts: Iterable[str],
    styles: Iterable[str],
    *,
    chunks: Iterable[tuple[str, str]],
    index: Callable[[], Any],
    **values: Any,
) -> Iterator[str]:
    """A page, piece by piece.

    Args:
        template: a file of `page`, as are `scripts` and `styles`; these are joined in order.
        scripts: what runs in the page.
        styles: how it looks.
        chunks: id and letters of its chunks.
        index: gives the page's index, JSON data; called when all chunks were taken.
        values: what else the template prints.
    """
    script, style = _own(scripts), _own(styles)
    return (
        _environment()
        .from_string((_PAGE / template).read_text("utf-8"))
        .generate(
            **values,
            chunks=chunks,
            index=lambda: json_in_script(index()),
            script=script,
            style=style,
            policy=_policy(script, style),
            version=__version__,
            number=text.number,
            usd=text.usd,
        )
    )


def json_in_script(value: Any) -> Markup:
    """JSON that can stand in a script element: ASCII, and no `<`, `>` or `&` of a string is left as it is."""
    letters = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        letters = letters.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(letters)  # noqa: S704 - the point of this function


def _policy(script: str, style: str) -> str:
    hashes = {name: b64encode(sha256(code.encode()).digest()).decode() for name, code in (("j", script), ("c", style))}
    return (
        f"default-src 'none'; script-src 'sha256-{hashes['j']}'; style-src 'sha256-{hashes['c']}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _own(names: Iterable[str]) -> Markup:
    return Markup("\n".join((_PAGE / name).read_text("utf-8") for name in names))  # noqa: S704 - files of this package


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {"number": text.number, "usd": text.usd, "duration": text.duration, "share": text.share}
    environment.filters.update(filters | {"plain": text.plain, "answer": text.answer, "coverage": text.coverage_line})
    environment.filters["cache_line"] = text.cache_line
    environment.filters["lag_line"] = text.lag_line
    environment.filters["server_lines"] = text.server_lines
    return environment


def _shown(value: Any) -> Any:
    """What a template prints: our own markup as it is, everything else with hostile characters made visible."""
    return value if isinstance(value, Markup) else text.visible(value) if isinstance(value, str) else value
