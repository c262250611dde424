"""Whom a prompt heard: which earlier answers stand quoted in it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from swarmmind.agents.prompts import quoted, speakers
from swarmmind.effects import Ask, Reply

_COMPARED = 200  # characters by which words are known again
_TELLING = 20  # of these at least, where they are only a part of what is quoted


class Past:
    """Answers that were given so far, by who gave them and in which words; they are numbered in the order given."""

    def __init__(self) -> None:
        self._turns: dict[str, list[int]] = {}
        self._said: dict[tuple[str, str], list[int]] = {}
        self._words: dict[int, list[str]] = {}

    def add(self, number: int, author: str, reply: Reply) -> None:
        """One more answer; one without words is none."""
        if not reply.text:
            return
        words = self._words[number] = list(dict.fromkeys(map(_beginning, (reply.text, *_texts(reply.value)))))
        self._turns.setdefault(author, []).append(number)
        for each in words:
            self._said.setdefault((author, each), []).append(number)

    def heard(self, ask: Ask, there: int) -> tuple[int, ...]:
        """The answers that a prompt quotes, of those with a number below `there`.

        Of answers in the same words the latest are meant, as many as are quoted. If none of an author's words are found
        as they were, it is the last answer.
        """
        content = "\n".join(message.content for message in ask.messages if message.role != "system")
        found: list[int] = []
        for author, bodies in _quotations(content).items():
            earlier = _below(there, self._turns.get(author, []))
            if not earlier or author == ask.agent.id:
                continue
            told = [
                number
                for body, times in bodies.items()
                for number in _below(there, self._said.get((author, body[:_COMPARED]), []))[-times:]
                or self._within(body, earlier)
            ]
            found += told or earlier[-1:]
        return tuple(dict.fromkeys(found))

    def _within(self, body: str, answers: Sequence[int]) -> list[int]:
        return [at for at in answers if any(len(words) >= _TELLING and words in body for words in self._words[at])]


def _below(number: int, ascending: list[int]) -> list[int]:
    return ascending[: bisect_left(ascending, number)]


def _quotations(content: str) -> dict[str, Counter[str]]:
    """What is quoted how often, by author."""
    found: dict[str, Counter[str]] = {}
    author, lines = "", list[str]()
    for line in [*content.split("\n"), ""]:
        if author and line.startswith(">"):
            lines.append(line.removeprefix(">").removeprefix(" "))
            continue
        if lines:
            found.setdefault(author, Counter())["\n".join(lines)] += 1
        author, lines = next(iter(speakers(f"{line}\n>")), ""), []
    return found


def _beginning(text: str) -> str:
    """Of a text, as it would stand in a quotation."""
    [body] = _quotations(quoted("somebody", text.strip())).popitem()[1]
    return body[:_COMPARED]


def _texts(value: Any) -> Iterator[str]:
    """Those within a document: often only one of them is passed on."""
    ahead: list[Any] = [] if isinstance(value, str) else [value]
    while ahead:
        inner = ahead.pop()
        if isinstance(inner, str) and inner.strip():
            yield inner
        elif isinstance(inner, (dict, list)):
            ahead += cast("Iterable[Any]", inner.values() if isinstance(inner, dict) else inner)
