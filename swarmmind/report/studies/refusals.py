"""Why changes became no candidates: the records of refusals, those with like reasons together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from swarmmind.report.studies.records import Refused

MOST_GROUPS, _EXAMPLES, _CHARACTERS = 40, 3, 300
_PARTICULAR = re.compile(r"""'[^']*'|"[^"]*"|\{\{.*?\}\}|\d[\d,.]*""")
"""Names, placeholders and numbers, which tell one refusal from another of the same kind."""


@dataclass
class Reason:
    """Refusals of one kind.

    Attributes:
        what: the parameter concerned, or `no change`.
        gate: which gate was closed; empty if it is not said.
        kind: what was wrong, without names and numbers.
        count: how many.
        examples: what was wrong in full, or the notes, of some of them.
    """

    what: str
    gate: str
    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list[str])


def reasons(refused: Iterable[Refused]) -> list[Reason]:
    """Groups, the largest first; a refusal for several reasons is in several.

    One without problems is one whose reply could not be read, or whose last gate was closed: its note says which.
    """
    found: dict[tuple[str, str, str], Reason] = {}
    for one in refused:
        for what, gate, wrong in _wrong(one):
            kind = _PARTICULAR.sub("\u2026", wrong)[:_CHARACTERS]
            reason = found.setdefault((what, gate, kind), Reason(what, gate, kind))
            reason.count += 1
            if wrong[:_CHARACTERS] not in reason.examples and len(reason.examples) < _EXAMPLES:
                reason.examples.append(wrong[:_CHARACTERS])
    return sorted(found.values(), key=lambda reason: -reason.count)


def _wrong(one: Refused) -> list[tuple[str, str, str]]:
    if one.problems:
        return [(what, one.gates.get(what, ""), wrong) for what, wrongs in one.problems.items() for wrong in wrongs]
    if one.gates:
        return [(what, gate, "was scored, and refused") for what, gate in one.gates.items()]
    return [("no change", "", one.note or "(no reason given)")]
