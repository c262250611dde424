"""How probable each option of a choice was, read from the log-probabilities of one answer's tokens.

The answer's own tokens are a path through a tree of texts. At each of them the server lists alternatives, and an
alternative leads to one option, to several, or to none. What leads to one is that option's mass; what leads to none is
dropped, and the rest renormalized; what leads to several cannot be told apart, unless it is what was said: then the
next token tells. Of a part of a character, written as U+FFFD, only what stands before it is known. If more than
`TOLERATED` of the mass stays unresolved there is no distribution: one that had to be guessed is none. Nor is there one
if what was said leads to no option, as the thoughts of a model that reasons first do.

What the numbers are is the server's affair. vLLM (0.33) by default gives those after the grammar's mask and before
temperature, top-p and penalties (`--logprobs-mode raw_logprobs`): the distribution of sampling at temperature 1,
whatever the request's temperature. Under `processed_logprobs` they are those of the request's own sampling; the two
modes that give logits instead are told by sums above 1, and not read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

TOP = 20
"""How many alternatives per token are asked for: the most that OpenAI gives, and vLLM by default."""

TOLERATED = 0.05
"""Of the mass that could be an option's, so much may stay unresolved."""

_MAX_TOKENS, _MAX_LISTED, _MAX_BYTES = 200, 100, 10_000  # of an answer, of a token, of a token's text
_ROUNDING = 0.05
_END = re.compile(rb"(?:<[^<>\s]{1,40}>)?")  # a token that ends the turn: what it looks like, or nothing at all
_PROPERTY = re.compile(rb'\s*\{\s*"choice"\s*:\s*"')
_PROPERTY_BARE = b'{"choice":"'
_BYTE = re.compile(rb"<0x([0-9A-Fa-f]{2})>")  # a byte, as SentencePiece writes it
_LOST = "\ufffd".encode()  # a part of a character


def distribution(logprobs: bytes, options: Sequence[str], in_document: bool) -> dict[str, float] | None:
    """The probability of each option, in their order, with the sum 1; `None` if the answer does not say.

    Args:
        logprobs: the `logprobs` of an answer's choice, as JSON. Whatever else it is, it is no error.
        options: what could be answered.
        in_document: whether an option is the value of `{"choice": ...}`, or stands by itself.
    """
    try:
        found: Any = msgspec.json.decode(logprobs)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    content = found.get("content") if isinstance(found, dict) else None
    if not isinstance(content, list):
        return None
    return _Walk(options, in_document).along(content[:_MAX_TOKENS])


class _Listed(NamedTuple):
    """What was said, and the probabilities of all that the server lists in its place, itself among them."""

    said: bytes
    probabilities: dict[bytes, float]

    def unseen(self, options: int) -> float:
        """The most that tokens which are not listed can hold of the options: none is likelier than the last listed."""
        others = [probability for text, probability in self.probabilities.items() if text != self.said]
        rest = max(0.0, 1.0 - sum(self.probabilities.values()))
        return min(rest, min(others) * options) if others else rest


class _Walk:
    """From the first token of an answer to the one that tells its option."""

    def __init__(self, options: Sequence[str], in_document: bool) -> None:
        self._spelled = {option: _quoted(option) if in_document else (_utf8(option.strip()),) for option in options}
        self._in_document = in_document
        self._mass = dict.fromkeys(options, 0.0)
        self._unresolved = 0.0

    def along(self, content: list[Any]) -> dict[str, float] | None:
        """The distribution over the options after these tokens."""
        before, mass = b"", 1.0
        for entry in content:
            listed = _read(entry)
            if listed is None or self._options(before, listed.said) == []:
                return None
            mass = self._step(before, listed, mass)
            before += listed.said
            if mass == 0.0:
                break
        self._unresolved += mass  # the answer ended before it was told
        told = sum(self._mass.values())
        if told == 0.0 or self._unresolved > TOLERATED * (told + self._unresolved):
            return None
        return {option: mass / told for option, mass in self._mass.items()}

    def _step(self, before: bytes, listed: _Listed, mass: float) -> float:
        """Share the mass that came here among the options; returns what is still to be told by the next token."""
        here = self._options(before, listed.said)
        onward = 0.0
        for text, probability in listed.probabilities.items():
            share = mass * probability
            options = self._options(before, text)
            if options is not None and len(options) < 2:
                for option in options:
                    self._mass[option] += share
            elif (options is None) == (here is None) and (here is None or text == listed.said):
                onward += share
            else:
                self._unresolved += share
        if here is not None:
            self._unresolved += mass * listed.unseen(len(self._mass))
        return onward

    def _options(self, before: bytes, token: bytes) -> list[str] | None:
        """The options that a text may yet become; `None` if it only leads up to one: spacing, the document's head."""
        known, lost, _ = (before + token).partition(_LOST)
        value = self._value(known)
        if not self._in_document and _END.fullmatch(token):
            ended = [option for option, texts in self._spelled.items() if self._value(before) in texts]
            if ended:
                return ended
        if not value:
            return None if value is not None else []
        if lost:
            return [option for option, texts in self._spelled.items() if any(_goes_on(text, value) for text in texts)]
        return [option for option, texts in self._spelled.items() if any(self._fits(value, text) for text in texts)]

    def _fits(self, value: bytes, text: bytes) -> bool:
        after = value[len(text) :]
        return text.startswith(value) or (value.startswith(text) and (self._in_document or not after.strip()))

    def _value(self, text: bytes) -> bytes | None:
        """The part of a text that is an option's; empty if it has not begun, `None` if it never will."""
        if not self._in_document:
            return text.lstrip()
        head = _PROPERTY.match(text)
        if head is not None:
            return text[head.end() :]
        return b"" if _PROPERTY_BARE.startswith(b"".join(text.split())) else None


def _quoted(option: str) -> tuple[bytes, ...]:
    """An option as a JSON string, without its opening quote, in both ways to write what is not ASCII."""
    return _utf8(json.dumps(option, ensure_ascii=False))[1:], json.dumps(option).encode()[1:]


def _goes_on(text: bytes, value: bytes) -> bool:
    return text.startswith(value) and text != value


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _read(entry: Any) -> _Listed | None:
    said = _token(entry)
    if said is None:
        return None
    others: Any = entry.get("top_logprobs")
    probabilities: dict[bytes, float] = {}
    for other in others[:_MAX_LISTED] if isinstance(others, list) else []:
        token = _token(other)
        if token is None:
            return None
        probabilities[token[0]] = probabilities.get(token[0], 0.0) + token[1]
    probabilities.setdefault(*said)
    return _Listed(said[0], probabilities) if sum(probabilities.values()) <= 1.0 + _ROUNDING else None


def _token(entry: Any) -> tuple[bytes, float] | None:
    """A token's text and probability; `None` if it is none."""
    if not isinstance(entry, dict):
        return None
    logprob, given, text = entry.get("logprob"), entry.get("bytes"), entry.get("token")
    if isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    if isinstance(given, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in given):
        raw = bytes(given)
    elif isinstance(text, str):
        raw = _utf8(text)
    else:
        return None
    byte = _BYTE.fullmatch(raw)
    if byte is not None:
        raw = bytes([int(byte[1], 16)])
    if len(raw) > _MAX_BYTES or not logprob <= _ROUNDING:  # NaN is not, either
        return None
    return raw, math.exp(min(max(logprob, -1e4), 0.0))
