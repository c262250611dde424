"""Reads a `report.html` as a browser would: elements, texts, inert chunks, the index; and transcripts put together."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class Page(HTMLParser):
    """A parsed page: how often each tag is there, its attributes, what can be read, its chunks and its index."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text("utf-8")
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.code: dict[str, str] = {}
        self.letters: dict[str, str] = {}
        self._within = ("", "")
        self.feed(self.source)
        self.close()
        self.index: dict[str, Any] = json.loads(self.letters.pop("index"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in ("script", "style"):
            self._within = (tag, dict(attrs).get("id") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._within = ("", "")

    def handle_data(self, data: str) -> None:
        tag, name = self._within
        if name:
            self.letters[name] = self.letters.get(name, "") + data
        elif tag:
            self.code[tag] = self.code.get(tag, "") + data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """What can be read without a script, white space made one."""
        return " ".join(" ".join(self.texts).split())

    @property
    def policy(self) -> str:
        """The content security policy."""
        return next(value for tag, _, value in self.attributes if tag == "meta" and value.startswith("default-src"))

    def chunk(self, number: int) -> Any:
        """A chunk, decoded."""
        return json.loads(zlib.decompress(b64decode(self.letters[f"c{number}"])))

    def shared(self, number: int) -> list[str]:
        """A message that several agents were sent."""
        chunk, first = [place for place in self.index["shared"] if place[1] <= number][-1]
        return self.chunk(chunk)[number - first]

    def transcript(self, agent: str) -> list[dict[str, Any]]:
        """An agent's exchanges that are in the page: `key`, `messages` in full, `said`, `attempts`."""
        places = next(places for who, *_, places in self.index["agents"] if who == agent)
        found: list[dict[str, Any]] = []
        for chunk, first, count in places:
            data, before = self.chunk(chunk), list[Any]()
            for key, seconds, queued, kept, sent, body, said, attempts in data["exchanges"][first : first + count]:
                new = [data["messages"][place] if place >= 0 else self.shared(-1 - place) for place in sent]
                before = before[:kept] + new
                found.append({"key": key, "messages": before, "said": said, "attempts": attempts,
                              "timing": (seconds, queued), "body": json.loads(data["bodies"][body])})  # fmt: skip
        return found
