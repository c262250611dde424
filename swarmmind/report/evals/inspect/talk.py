"""What agents said in an episode, from the journal's rows below its key, as Inspect's chat messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from swarmmind.effects import Usage
from swarmmind.report.read import Source, common, digests, said

_MOST_CHARACTERS = 8_000_000  # of an episode's messages: what Inspect's viewer still opens
_MOST_FAILURES = 100
_ROLES = ("system", "user", "assistant")
_ROWS = (
    "SELECT r.key, r.agent, r.role, r.value, r.seconds, r.at, coalesce(q.messages, x''), coalesce(q.body, '')"
    " FROM results r LEFT JOIN requests q ON q.digest = r.request"
    " WHERE r.key > ? AND r.key < ? AND r.kind = 'Ask' ORDER BY +r.id"  # by key, then sorted: never the whole table
)
_body = msgspec.json.Decoder(tuple[str, Any, Any]).decode


class Talk(NamedTuple):
    """An episode as it was spoken.

    Attributes:
        messages: of all agents, in the order in which replies came: what was new to an agent, then what it answered.
        usage: by model.
        failures: asks without an answer: agent, kind and message.
        left_out: messages that were too much.
        began: when the first ask was sent, in seconds of Unix time; `None` if nobody was asked.
        ended: when the last reply was there; `None` likewise.
    """

    messages: list[dict[str, Any]]
    usage: dict[str, Usage]
    failures: list[dict[str, str]]
    left_out: int
    began: float | None
    ended: float | None


def keys(source: Source) -> dict[str, str]:
    """The whole key of every journaled episode, by its label."""
    rows = source.db.execute("SELECT key FROM results WHERE kind='Episode'")
    return {key.rpartition("/")[2]: key for (key,) in rows}


def talk(source: Source, key: str) -> Talk:
    """Read what was said below a key."""
    heard = _Heard(source)
    began, ended = None, None
    for row in source.db.execute(_ROWS, (f"{key}/", f"{key}0")):  # "0" is next to "/"
        heard.exchange(*row[:4], *row[6:])
        seconds, at = row[4:6]
        began = at - seconds if began is None else min(began, at - seconds)
        ended = at if ended is None else max(ended, at)
    return Talk(heard.messages, heard.usage, heard.failures, heard.left_out, began, ended)


class _Heard:
    """Puts exchanges one after the other, what an agent was told before left out."""

    def __init__(self, source: Source) -> None:
        self.messages: list[dict[str, Any]] = []
        self.usage: dict[str, Usage] = {}
        self.failures: list[dict[str, str]] = []
        self.left_out = 0
        self._source = source
        self._room = _MOST_CHARACTERS
        self._before: dict[str, bytes] = {}
        self._own: dict[str, Counter[str]] = {}

    def exchange(self, key: str, agent: str, role: str, value: str, joined: bytes, body: str) -> None:
        """One ask with its reply."""
        model = _model(body)
        who = {"agent": agent, "role": role, "key": key}
        own = self._own.setdefault(agent, Counter())
        kept = common(self._before.get(agent, b""), joined)
        self._before[agent] = joined
        for digest in digests(joined, kept):
            spoken, content = self._source.message(digest)
            if spoken == "assistant" and own[content]:  # its own reply, told again as history
                own[content] -= 1
                continue
            self._add({"role": spoken if spoken in _ROLES else "user", "content": content, "source": "input"}, who)
        reply = said(value)
        self.usage[model] = self.usage.get(model, Usage()) + reply.usage
        if reply.text is not None:
            own[reply.text] += 1
            self._add({"role": "assistant", "content": reply.text, "source": "generate", "model": model}, who)
        if reply.failure is not None and len(self.failures) < _MOST_FAILURES:
            self.failures.append({**who, "kind": reply.failure.kind, "message": reply.failure.message[:2000]})

    def _add(self, message: dict[str, Any], who: dict[str, str]) -> None:
        self._room -= len(message["content"])
        if self._room < 0:
            self.left_out += 1
        else:
            self.messages.append({**message, "metadata": who})


def _model(body: str) -> str:
    try:
        return _body(body)[0] or "unknown"
    except msgspec.MsgspecError:
        return "unknown"


def total(usages: Iterator[dict[str, Usage]]) -> dict[str, Usage]:
    """The sum by model."""
    found: dict[str, Usage] = {}
    for usage in usages:
        for model, one in usage.items():
            found[model] = found.get(model, Usage()) + one
    return found


def spent(usage: Usage) -> dict[str, Any] | None:
    """Tokens as Inspect counts them, cached ones apart from other input; `None` if a server did not say."""
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    cached = usage.cached_tokens or 0
    told: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens - cached,
        "output_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
    if usage.cached_tokens is not None:
        told["input_tokens_cache_read"] = cached
    return told | ({} if usage.cost_usd is None else {"total_cost": usage.cost_usd})
