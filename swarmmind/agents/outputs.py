"""Reading what a model said as what was wanted: a text, one of k choices, or a JSON document."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from swarmmind.effects import Choice, Json, Output, Text


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
    bare = _bare(text)
    for option in options:
        if text == option or bare == _bare(option):
            return option
    found = [option for option in options if re.search(rf"(?<!\w){re.escape(option)}(?!\w)", text)]
    if len(found) == 1:
        return found[0]
    what = "names several of them" if found else "names none of them"
    raise Unreadable(f"answer with exactly one of {', '.join(options)}, and nothing else; the answer {what}")


def _bare(text: str) -> str:
    return text.strip().strip("\"'`*.()[]").casefold()


_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


def _document(output: Json, text: str) -> Any:
    fenced = _FENCE.search(text)
    candidate = (fenced[1] if fenced else text).strip()
    try:
        document = json.loads(candidate)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"answer with one JSON document, and nothing else; it is not JSON: {error}") from None
    problem = next(_validator(json.dumps(output.schema, sort_keys=True)).iter_errors(document), None)
    if problem is not None:
        raise Unreadable(f"the JSON document does not fit: {problem.json_path}: {problem.message:.200}")
    return document


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))
