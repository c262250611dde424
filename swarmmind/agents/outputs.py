"""Reading what a model said as what was wanted: a text, one of k choices, or a JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator

from swarmmind.effects import Choice, Json, Output, Text

MAX_DEPTH = 64
"""A JSON document may be nested so deep."""


class Unreadable(ValueError):
    """The model spoke, but not in the wanted output; the message tells it what is missing."""


def read(output: Output, text: str) -> Any:
    """The value of a text.

    Args:
        output: `Text` gives the text itself, `Choice` one of its options verbatim, `Json` the parsed document.
        text: what the model said.

    Raises:
        Unreadable: it is none, or more than one, of the options; not JSON; or JSON that breaks the schema.
    """
    if isinstance(output, Text):
        return text
    if isinstance(output, Choice):
        return _choice(output.options, text)
    return _document(output, text)


def _choice(options: tuple[str, ...], text: str) -> str:
    if text.strip() in options:
        return text.strip()
    bare = _bare(text)
    alike = [option for option in options if bare and bare == _bare(option)]
    if len(alike) == 1:
        return alike[0]
    longest_first = sorted(options, key=len, reverse=True)  # `north-east` does not mention `north`
    mentions = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"
    found = {match[0] for match in re.finditer(mentions, text)}
    if len(found) == 1:
        return found.pop()
    what = "names several of them" if found else "names none of them"
    raise Unreadable(f"answer with exactly one of {', '.join(options)}, and nothing else; the answer {what}")


def _bare(text: str) -> str:
    return text.strip().strip("\"'`*.()[]").casefold()


def _document(output: Json, text: str) -> Any:
    problem = ""
    for candidate in _candidates(text):
        try:
            document = msgspec.json.decode(candidate)  # stricter than `json`: no NaN, no halves of surrogate pairs
        except (ValueError, RecursionError) as error:
            problem = problem or str(error)
        else:
            return _fitting(output, document)
    raise Unreadable(f"answer with one JSON document, and nothing else; it is not JSON: {problem}")


def _candidates(text: str) -> Iterator[str]:
    """The whole text; what stands between its first fence and its last; and between its first two."""
    yield text.strip()
    parts = text.split("```", 2)
    if len(parts) == 3:
        for fenced in ("```".join(parts[1:]).rpartition("```")[0], parts[1]):
            yield re.sub(r"^\w{1,20}\s", "", fenced).strip()


def _fitting(output: Json, document: Any) -> Any:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inner(outer)]
    if level:
        raise Unreadable(f"the JSON document is nested deeper than {MAX_DEPTH} levels")
    problem = next(_validator(json.dumps(output.schema, sort_keys=True)).iter_errors(document), None)
    if problem is not None:
        raise Unreadable(f"the JSON document does not fit: {problem.json_path}: {problem.message:.200}")
    return document


def _inner(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))
