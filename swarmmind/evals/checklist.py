"""Rule-based writers of checklists: what a graph of agents is worth when nobody thinks of everything.

A problem names topics, one in a line that begins with `- `; a checklist has a line for each topic that it covers:

    - track gauge: measure it, and sign for it.

Alone, a writer thinks of few topics. A critic sees a gap nearly always, and names one at a time; whoever revises fills
it, and now and then drops a line; whoever merges keeps nearly every line of any version. They keep nothing to
themselves: what they know of a checklist is what stands in their prompt.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from swarmmind.effects import Agent
from swarmmind.ports import Policy

THOUGHT_OF, NOTICED, FILLED, DROPPED, KEPT = 0.2, 0.9, 0.95, 0.01, 0.97
"""How often a writer thinks of a topic, a critic sees a gap, an actor fills it or drops a line, a merger keeps one."""

_BULLET = "- "
_GAP = re.compile(r"It has no line on ([^:\n]+)\.")
_DEEDS = ("look at it", "measure it", "test it twice", "compare it with the plan", "ask whoever knows it best")


def topics(problem: str) -> list[str]:
    """What a problem wants covered, in its order."""
    return [topic for topic, _ in _entries(problem)]


def lines(checklist: str) -> dict[str, str]:
    """The topics that a checklist covers, with what it says of each."""
    return dict(_entries(checklist))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """The topic and the deed of every line that is an entry; a deed may be empty, a topic not."""
    for line in text.split("\n"):
        bullet, _, entry = line.lstrip().partition(_BULLET)
        topic, _, deed = entry.partition(":")
        if not bullet and topic.strip():
            yield topic.strip(), deed.strip()


def _written(entries: Mapping[str, str]) -> str:
    return "\n".join(["Checklist", *(f"- {topic}: {deed}" for topic, deed in entries.items())])


def _entry(rng: random.Random) -> str:
    return f"{rng.choice(_DEEDS)}, and sign for it."


def _draft(wanted: Iterable[str], rng: random.Random) -> str:
    return _written({topic: _entry(rng) for topic in wanted if rng.random() < THOUGHT_OF})


def _criticize(wanted: Iterable[str], work: str, rng: random.Random) -> str:
    missing = [topic for topic in wanted if topic not in lines(work)]
    return f"It has no line on {rng.choice(missing)}." if missing and rng.random() < NOTICED else "FINISHED"


def _revise(work: str, comment: str, rng: random.Random) -> str:
    entries = {topic: deed for topic, deed in lines(work).items() if rng.random() >= DROPPED}
    gap = _GAP.search(comment)
    if gap and gap[1] not in entries and rng.random() < FILLED:
        entries[gap[1]] = _entry(rng)
    return _written(entries)


def _merge(versions: Iterable[str], rng: random.Random) -> str:
    read = [lines(version) for version in versions]
    entries: dict[str, str] = {}
    for topic in dict.fromkeys(topic for version in read for topic in version):
        said = [version[topic] for version in read if topic in version]
        if len(said) == len(read) or rng.random() < KEPT:
            entries[topic] = said[0]
    return _written(entries)


def _act(observation: Any, rng: random.Random) -> str:
    wanted, do = topics(observation["question"]), observation.get("do", "draft")
    if do == "criticize":
        return _criticize(wanted, observation["artifact"], rng)
    if do == "revise":
        return _revise(observation["artifact"], observation["comment"], rng)
    return _merge(observation["artifacts"], rng) if do == "merge" else _draft(wanted, rng)


def checklist(agent: Agent) -> Policy:
    """Writes, criticizes, revises and merges checklists on the topics that a problem names, forgetting many of them."""
    return _act


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"checklist": checklist})
