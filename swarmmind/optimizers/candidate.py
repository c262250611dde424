"""What an optimizer changes: values by the names of a study's parameters, with where they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

Values = Mapping[str, Any]
"""JSON data by the names of parameters."""


class Candidate(NamedTuple):
    """Immutable values of a study's parameters, with their lineage. Made by `candidate` or `child`.

    Attributes:
        id: of the values alone: equal values have equal ids, wherever they came from.
        values: by parameter; JSON data, never to be changed in place.
        parents: ids of the candidates it was made from; empty for a start.
        note: what was changed and why, in words.
    """

    id: str
    values: Values
    parents: tuple[str, ...] = ()
    note: str = ""

    def child(self, changes: Values, note: str = "", *others: Candidate) -> Candidate:
        """A candidate made from this one, and from `others` if it takes something of them."""
        return candidate({**self.values, **changes}, (self.id, *(other.id for other in others)), note)


def candidate(values: Values, parents: tuple[str, ...] = (), note: str = "") -> Candidate:
    """A candidate with these values.

    Raises:
        TypeError: a value is not JSON data.
    """
    text = json.dumps(dict(values), sort_keys=True, ensure_ascii=True, allow_nan=False)
    return Candidate(blake2b(text.encode(), digest_size=6).hexdigest(), MappingProxyType(dict(values)), parents, note)
