"""Did it help? What `result.json` says of start and winner, in words, with how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import msgspec

from swarmmind.report import text

_SPLITS = {
    "held_out": "held-out examples, which nothing was chosen by",
    "validate": "validation examples, by which the winner was chosen",
    "train": "training examples, by which the winner was made",
}
_ENDS = {
    "finished": "the optimizer was done",
    "target": "the target was reached",
    "idle": "the optimizer asked for nothing new any more",
    "patience": "nothing better had come for too long (patience)",
    "examples": "the wall of examples was reached",
    "calls": "the budget of calls was spent",
    "tokens": "the budget of tokens was spent",
    "usd": "the budget of money was spent",
    "seconds": "the time was up",
    "failed": "it failed",
    "interrupted": "it was interrupted; `swarmmind resume` goes on",
    "crashed": "it crashed; `swarmmind resume` goes on",
}


class Estimate(msgspec.Struct, frozen=True):
    """A mean and its 95 % interval, whose ends are `None` if a single value says nothing of it."""

    mean: float
    low: float | None = None
    high: float | None = None
    n: int = 0

    def words(self, *, signed: bool = False) -> str:
        """`0.52 (0.44 to 0.6)`; with a sign if it is a difference."""
        shown = _signed if signed else score
        if self.low is None or self.high is None or self.low == self.high:
            return shown(self.mean)
        return f"{shown(self.mean)} ({shown(self.low)} to {shown(self.high)})"


class Compared(NamedTuple):
    """Start and winner on one set of examples; what is `None` was not measured there."""

    split: str
    start: Estimate | None
    best: Estimate | None
    gain: Estimate | None

    @property
    def where(self) -> str:
        """Which examples these are, in words."""
        return _SPLITS[self.split]


class Verdict(NamedTuple):
    """The answer.

    Attributes:
        answer: in a few words.
        kind: `good`, `bad`, `fair` (nobody knows) or empty (there is nothing to tell yet).
        because: a sentence or two.
        compared: the sets of examples, what speaks most first.
        ended: why the study ended, in words; empty if it has not.
        luck: what is to be said of luck; empty if there is nothing.
    """

    answer: str
    kind: str
    because: str
    compared: list[Compared]
    ended: str
    luck: str


def verdict(result: Mapping[str, Any]) -> Verdict:
    """The answer that a study's `result.json` gives; anything in it may be missing."""
    study = mapping(result.get("study"))
    found = [_compared(split, mapping(study.get(split))) for split in _SPLITS]
    compared = [one for one in found if one.start or one.best]
    reason = study.get("reason")
    ended = _ENDS.get(reason, text.plain(reason)) if reason else ""
    best, start = mapping(study.get("best")), mapping(study.get("start"))
    if not best:
        because = "There is no result yet: below is what the journal holds." if not reason else f"Because {ended}."
        return Verdict("No winner yet", "", because, compared, ended, "")
    if best.get("id") == start.get("id"):
        count = study.get("tried")
        tried = f"None of {text.number(count)} candidates was better than the start, which is the winner."
        if count == 1:
            tried = "Only the start was tried: no change became a candidate (see Refusals)."
        return Verdict("Nothing better was found", "fair", tried, compared, ended, "")
    answer, kind, because = _answer(compared)
    return Verdict(answer, kind, because, compared, ended, _luck(study, compared))


def _answer(compared: list[Compared]) -> tuple[str, str, str]:
    first = compared[0] if compared else None
    if first is None or first.gain is None or first.start is None or first.best is None:
        return "Nobody can tell", "fair", "Start and winner were not measured on the same examples."
    gain = first.gain
    rose = "rose" if gain.mean > 0 else "fell" if gain.mean < 0 else "stayed"
    because = (
        f"On {text.number(gain.n)} {first.where}, the mean score {rose} from {first.start.words()} to "
        f"{first.best.words()}: a gain of {gain.words(signed=True)} an example."
    )
    if first.split != "held_out":
        because += " No held-out examples were scored, so the gain reads too high, nobody knows by how much."
        return "Perhaps it helped" if gain.mean > 0 else "It did not help", "fair", because
    if gain.low is None or gain.high is None:
        return "Nobody can tell", "fair", because + " One example says nothing of chance."
    if gain.low > 0:
        return "It helped", "good", because
    if gain.high < 0:
        return "It made things worse", "bad", because
    return "It may be chance", "fair", because + " The interval holds 0: more held-out examples would tell."


def _luck(study: Mapping[str, Any], compared: list[Compared]) -> str:
    inflation = study.get("inflation")
    if not isinstance(inflation, int | float) or inflation <= 0:
        return ""
    chosen = next((one for one in compared if one.split != "held_out"), None)
    gain = chosen.gain.mean if chosen and chosen.gain else None
    of = f", of a gain of {_signed(gain)} there" if gain is not None else ""
    return (
        f"The best of {text.number(study.get('tried'))} candidates looks better than it is on the examples it was "
        f"chosen by: by {score(inflation)} on average, were all equally good{of}."
    )


def _compared(split: str, means: Mapping[str, Any]) -> Compared:
    return Compared(split, *(_estimate(means.get(name)) for name in ("start", "best", "gain")))


def _estimate(value: Any) -> Estimate | None:
    try:
        return msgspec.convert(value, Estimate)
    except msgspec.ValidationError:
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def score(value: float | None) -> str:
    """A score, with as many digits as mean something."""
    if value is None:
        return "unknown"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    plain = f"{value:.2g}" if size < 0.01 else f"{value:.{3 if size < 10 else 2 if size < 100 else 1}f}"
    return f"{float(plain):.6g}" if float(plain) else "0"


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + score(value)
