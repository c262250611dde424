"""What a composer knows, as words: the piece for all, then its own bar and what it senses there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Json, Message
from swarmmind.evals.musicswarm.bars import FIELDS, PITCHES, RHYTHMS, SECTIONS, Cues

MAX_NOTES_CHARACTERS = 200
_MAX_CUES = 4
_SHOWN_CUES = 4

_ANSWER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "keep": {"type": "boolean"},
        "root": {"enum": list(PITCHES)},
        "rhythm": {"enum": list(RHYTHMS)},
        "section": {"enum": list(SECTIONS)},
        "notes": {"type": "string", "maxLength": MAX_NOTES_CHARACTERS},
        "cues": {
            "type": "object",
            "properties": {
                kind: {"type": "array", "items": {"enum": list(classes)}, "maxItems": _MAX_CUES}
                for kind, classes in FIELDS.items()
            },
            "additionalProperties": False,
        },
    },
    "required": ["keep", "root", "rhythm", "section"],
    "additionalProperties": False,
}
ANSWER = Json("bar", _ANSWER)
"""A new bar with the cues it leaves, or the mark that the old one stays."""

_RULES = """A piece of music of {bars} bars is written together: {request}
Each of you writes one bar and hears only what is near it; nobody leads.

A bar has a root, a rhythm and a section.
Roots: {roots}.
Rhythms, from calm to dense: {rhythms}.
Sections: {sections}.

In every round each of you keeps its bar or writes a new one, all at once. Then every bar leaves cues in its own place
and its two neighbors': what would go well beside it. Cues fade. Go where your cues are strong, but do not repeat the
bars before yours; keep your bar when nothing near it calls for a change.

Answer with JSON: "keep" (true or false); "root", "rhythm" and "section" of your bar; if you like, "notes" (its melody,
one short line) and "cues" (at most four welcome classes of each field for the bars beside yours)."""


class Observation(msgspec.Struct, frozen=True):
    """Everything one composer may know in one round: its prompt, unrendered.

    Attributes:
        bar: its place in the piece, from 0.
        round: rounds played so far.
        own: the class of its bar in each field (`bars.FIELDS`).
        before: the classes of the two bars before it, the nearest first; fewer at the beginning.
        sensed: how strong the cue for each class is at its place; empty without fields.
        feedback: for each neighbor that left cues here, its place and what it welcomes.
        said: for each neighbor with notes, its place and the notes.
        attempts: its own last answers, oldest first: the classes, and whether the bar was kept.
        critic: how frequent each class is in the whole piece, over the most frequent one; empty without a critic.
    """

    bar: int
    round: int
    own: tuple[int, int, int]
    before: tuple[tuple[int, int, int], ...] = ()
    sensed: Cues = {}
    feedback: tuple[tuple[int, Mapping[str, tuple[str, ...]]], ...] = ()
    said: tuple[tuple[int, str], ...] = ()
    attempts: tuple[tuple[tuple[int, int, int], bool], ...] = ()
    critic: Cues = {}


def shared(bars: int, request: str) -> Message:
    """The part of the prompt that is equal for all, in every round."""
    lists = {"roots": PITCHES, "rhythms": RHYTHMS, "sections": SECTIONS}
    text = _RULES.format(bars=bars, request=request, **{name: ", ".join(words) for name, words in lists.items()})
    return Message("user", text)


def private(seen: Observation) -> Message:
    """The part that is one composer's alone."""
    lines = [f"Round {seen.round + 1}. You write bar {seen.bar + 1}. It is now: {_bar(seen.own)}."]
    for back, classes in enumerate(seen.before, 1):
        lines.append(f"{'The bar before' if back == 1 else 'Two bars before'}: {_bar(classes)}.")
    for kind, strengths in seen.sensed.items():
        lines.append(f"Cues here, {kind}: {_strongest(kind, strengths)}.")
    for place, wishes in seen.feedback:
        wished = "; ".join(f"{kind} {', '.join(words)}" for kind, words in wishes.items() if words)
        lines.append(f"Bar {place + 1} would welcome beside it: {wished or 'anything'}.")
    lines += [quoted(f"bar {place + 1}", notes) for place, notes in seen.said]
    if seen.attempts:
        tried = "; ".join(f"{_bar(classes)}{' (kept)' if kept else ''}" for classes, kept in seen.attempts)
        lines.append(f"Your last answers: {tried}.")
    for kind, frequencies in seen.critic.items():
        lines.append(
            f"A critic of the whole piece tells everybody to agree, {kind}: {_strongest(kind, frequencies, None)}."
        )
    return Message("user", "\n".join(lines))


def _bar(classes: Sequence[int]) -> str:
    return ", ".join(FIELDS[kind][at] for kind, at in zip(FIELDS, classes, strict=True))


def _strongest(kind: str, strengths: Sequence[float], limit: int | None = _SHOWN_CUES) -> str:
    ranked = sorted(range(len(strengths)), key=lambda at: -strengths[at])[:limit]
    return ", ".join(f"{FIELDS[kind][at]} {strengths[at]:.2f}" for at in ranked if strengths[at] > 0) or "none"
