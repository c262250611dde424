"""Prompts begin with what is shared and end with what is private: a server with a prefix cache reads the head once."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from swarmmind.spec import library
from swarmmind.topologies import Society

from .witness import Marked, results, run, society

LONG = "\n".join(f"Line {at} of a problem that everybody is told in the same words." for at in range(30))
LEAST = {
    "debate": 0.75,  # everybody reads all answers but its own
    "gossip": 0.75,
    "messages": 0.55,  # a node's turns are its own, and what neighbors say is the better part of them
    "sapo": 0.75,
    "world": 0.6,  # the prompts of the toy world are shorter than a line of the others'
    "best-of": 0.9,
    "hierarchy": 0.9,
    "mindstorm": 0.95,
    "moa": 0.95,
    "peer-ranking": 0.95,
    "rank-fuse": 0.9,
    "self-consistency": 1.0,
    "swarmsys": 0.9,
    "vote": 1.0,
}
"""How much of the prompts of those asked at once is a head that one before had, by characters; the others: 0.8."""

ONE_BY_ONE = {"solo", "planner", "macnet-chain"}  # no step asks two


def steps(folder: Path, model: Marked) -> list[list[list[str]]]:
    """The journaled prompts, as lines, of those who were asked at once, in the order asked."""
    journaled = {key: json.loads(request)[0] for key, _, _, _, request, _ in results(folder)}
    found: dict[float, list[list[str]]] = defaultdict(list)
    for told in model.told:
        messages = journaled[told.key]
        found[told.start].append([line for one in messages for line in (one["role"], *one["content"].splitlines())])
    return list(found.values())


def cast(name: str) -> Society:
    """Without a memory: a window puts what an agent was told and said before what is new, as conversations go."""
    known = society(name, forgetful=True)
    return known._replace(question=known.question._replace(text=f"{LONG}\nHow many?"))


def head(one: list[str], other: list[str]) -> int:
    """Characters of the lines that two prompts begin with alike."""
    same = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        same += len(mine) + 1
    return same


def alike(one: list[str], other: list[str]) -> int:
    """Characters of the lines that two prompts have in common, wherever they stand."""
    return sum(count * (len(line) + 1) for line, count in (Counter(one) & Counter(other)).items())


def shares(asked: list[list[list[str]]]) -> tuple[float, float]:
    """Of the prompts of all steps but each one's first: what is a shared head, and what is shared at all."""
    heads = lines = total = 0
    for step in asked:
        for at, prompt in enumerate(step[1:], 1):
            nearest = max(step[:at], key=lambda earlier: head(earlier, prompt))
            heads += head(nearest, prompt)
            lines += alike(nearest, prompt)
            total += sum(len(line) + 1 for line in prompt)
    return heads / total, lines / total


@pytest.mark.parametrize("name", sorted(set(library.names("topologies")) - ONE_BY_ONE))
def test_what_is_shared_stands_first(name: str, tmp_path: Path) -> None:
    run(tmp_path, name, model := Marked(), cast(name))
    first, anywhere = shares(steps(tmp_path, model))
    print(f"{name}: {first:.2f} of {anywhere:.2f}")  # -s shows them
    assert first >= LEAST.get(name, 0.8)
    assert first >= 0.75 * anywhere
