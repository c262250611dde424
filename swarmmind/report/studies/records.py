"""A search as its records tell it: candidates in order, how each did, what was kept, what was refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from swarmmind.errors import SpecError
from swarmmind.intervals import Bounds, spread
from swarmmind.report.read import Source, natural, program_of
from swarmmind.spec.source import read_yaml

OWN = frozenset({"candidate", "evaluation", "best", "refused", "study", "archive"})
"""Series that are shown in their own way."""
MAX_REFUSED = 100_000

_T = TypeVar("_T")


class Seen(NamedTuple):
    """How a candidate did on some examples.

    Attributes:
        split: which.
        mean: of the scores there are.
        low: the lower end of the mean's 95 % interval (see `intervals.spread`); `None` for a single score.
        high: its upper end.
        n: how many scores.
        asked: how many there should have been.
        measures: of its behavior.
    """

    split: str
    mean: float
    low: float | None
    high: float | None
    n: int
    asked: int
    measures: dict[str, float]


@dataclass
class Tried:
    """A candidate that was evaluated.

    Attributes:
        number: its place in the order, from 0.
        id: of its values.
        parents: numbers of those it was made from that were evaluated before it, in order.
        strangers: ids of those that were not.
        note: what was changed, and why.
        values: by parameter.
        seen: by split, the evaluation on most examples; the latest of these.
        kept: how often it was kept as the best so far.
    """

    number: int
    id: str
    parents: list[int]
    strangers: list[str]
    note: str
    values: dict[str, Any]
    seen: dict[str, Seen] = field(default_factory=dict[str, Seen])
    kept: int = 0

    @property
    def score(self) -> Seen | None:
        """On validation, if it was tried on that; else on whatever it was."""
        return self.seen.get("validate") or next(iter(self.seen.values()), None)


class Kept(NamedTuple):
    """A new best one.

    Attributes:
        candidate: its number.
        mean: what spoke for it.
        split: on which examples.
    """

    candidate: int
    mean: float
    split: str


class Refused(msgspec.Struct):
    """A change that became no candidate."""

    note: str = ""
    problems: dict[str, list[str]] = {}
    gates: dict[str, str] = {}
    parent: str | None = None


class Axis(msgspec.Struct):
    """An axis of a grid archive."""

    measure: str
    low: float
    high: float
    bins: int
    scale: str = "linear"


class Archive(msgspec.Struct):
    """A grid of elites; `cells` are `(bins, candidate's id, quality)`, `children` what became of how many."""

    axes: list[Axis]
    cells: list[tuple[list[int], str, float]]
    filled: int
    total: int
    coverage: float
    qd_score: float
    best: float | None = None
    round: int = 0
    children: dict[str, int] = {}


class Totals(msgspec.Struct):
    """The running totals of a study; `None` is unknown."""

    examples: int = 0
    missing: int = 0
    asks: int = 0
    calls: int = 0
    tokens: int | None = None
    usd: float | None = None
    asking: dict[str, float | None] = {}


class _Candidate(msgspec.Struct):
    id: str
    parents: list[str] = []
    note: str = ""
    values: dict[str, Any] = {}


class _Evaluation(msgspec.Struct):
    candidate: str
    split: str
    mean: float
    n: int
    sd: float | None = None
    asked: int = 0
    measures: dict[str, float] = {}


class _Best(msgspec.Struct):
    id: str
    mean: float
    split: str = ""


class _Values(msgspec.Struct):
    id: str
    values: dict[str, Any] = {}


class _Result(msgspec.Struct):
    start: _Values | None = None
    best: _Values | None = None


class Search:
    """Everything of a study's search.

    Attributes:
        program: the search's own; empty if nothing was evaluated yet.
        candidates: in the order in which they were first evaluated.
        numbers: of candidates by id.
        kept: the bests, in order.
        refused: what became no candidate, in order; the first `MAX_REFUSED`.
        refusals: how many of these there are in all.
        archive: the last one; `None` if there is none.
        rounds: of all archives, the round, how many cells were filled, the QD score and the best quality.
        came: what became of how many children, round by round.
        totals: the last ones; `None` if there are none.
        unreadable: records that say nothing that can be read.
    """

    def __init__(self, source: Source) -> None:
        self.candidates: list[Tried] = []
        self.numbers: dict[str, int] = {}
        self.kept: list[Kept] = []
        self.refused: list[Refused] = []
        self.refusals = 0
        self.archive: Archive | None = None
        self.rounds: list[tuple[int, int, float, float | None]] = []
        self.came: list[dict[str, int]] = []
        self.totals: Totals | None = None
        self.unreadable = 0
        self._texts: dict[str, str] = {}
        self._bounds = _bounds(source.task)
        self._result = _told(source.result)
        programs = {program_of(key) for key, _ in source.records("candidate")}
        self.program = min(programs, key=lambda program: (program.count("/"), natural(program)), default="")
        if programs:
            self._read(source)

    @property
    def start(self) -> Tried | None:
        """The task's own values, tried or not; the first candidate as long as there is no result that tells them."""
        own = self._result.start
        if own is None or own.id in self.numbers:
            return self.candidates[self.numbers[own.id] if own else 0] if self.candidates else None
        return Tried(-1, own.id, [], [], "", own.values)

    @property
    def winner(self) -> Tried | None:
        """The last one kept; the first if none was, unless there is a result, and that one did not win."""
        if self.kept:
            return self.candidates[self.kept[-1].candidate]
        first, best = next(iter(self.candidates), None), self._result.best
        lost = self._result.start is not None and (best is None or first is None or best.id != first.id)
        return None if lost else first

    def _read(self, source: Source) -> None:
        takers: dict[str, Callable[[str], None]] = {
            "candidate": self._candidate,
            "evaluation": self._evaluation,
            "best": self._best,
            "refused": self._refused,
            "study": self._totals,
            "archive": self._archive,
        }
        for key, name, data in source.mixed(list(takers)):
            if program_of(key) == self.program:
                takers[name](data)

    def _decoded(self, data: str, kind: type[_T]) -> _T | None:
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.MsgspecError:
            self.unreadable += 1
            return None

    def _candidate(self, data: str) -> None:
        found = self._decoded(data, _Candidate)
        if found is None or found.id in self.numbers:
            return
        number = self.numbers[found.id] = len(self.candidates)
        known = [self.numbers[parent] for parent in found.parents if self.numbers.get(parent, number) < number]
        strangers = [parent for parent in found.parents if self.numbers.get(parent, number) == number]
        values = {name: self._once(value) for name, value in found.values.items()}
        self.candidates.append(Tried(number, found.id, known, strangers, found.note, values))

    def _once(self, value: Any) -> Any:
        """Equal texts are kept once: most children share most of their parents'."""
        return self._texts.setdefault(value, value) if isinstance(value, str) else value

    def _evaluation(self, data: str) -> None:
        found = self._decoded(data, _Evaluation)
        number = None if found is None else self.numbers.get(found.candidate)
        if found is None or number is None:
            return
        seen = self.candidates[number].seen
        before = seen.get(found.split)
        if before is None or found.n >= before.n:
            ends, asked = _ends(found, self._bounds), found.asked or found.n
            seen[found.split] = Seen(found.split, found.mean, *ends, found.n, asked, found.measures)

    def _best(self, data: str) -> None:
        found = self._decoded(data, _Best)
        number = None if found is None else self.numbers.get(found.id)
        if found is not None and number is not None:
            self.candidates[number].kept += 1
            self.kept.append(Kept(number, found.mean, found.split))

    def _refused(self, data: str) -> None:
        found = self._decoded(data, Refused)
        if found is not None:
            self.refusals += 1
            if len(self.refused) < MAX_REFUSED:
                self.refused.append(found)

    def _totals(self, data: str) -> None:
        self.totals = self._decoded(data, Totals) or self.totals

    def _archive(self, data: str) -> None:
        found = self._decoded(data, Archive)
        if found is not None:
            self.archive = found
            self.rounds.append((found.round, found.filled, found.qd_score, found.best))
            self.came.append(found.children)


def _told(result: dict[str, Any]) -> _Result:
    """What a result says of start and winner."""
    try:
        return msgspec.convert(result.get("study") or {}, _Result)
    except msgspec.ValidationError:
        return _Result()


def _bounds(task: str) -> Bounds | None:
    """Between what the scores of a task lie: those of a data set are in [0, 1], a world has units of its own."""
    try:
        data = read_yaml(task, "task.yaml").data
    except SpecError:
        return None
    problem = cast("Any", data).get("problem") if isinstance(data, dict) else None
    return (0.0, 1.0) if isinstance(problem, dict) and "dataset" in problem else None


def _ends(found: _Evaluation, bounds: Bounds | None) -> tuple[float | None, float | None]:
    """The ends of a mean's interval; bounds that the mean is outside of are none."""
    if found.sd is None or found.n < 2:
        return None, None
    held = bounds if bounds is not None and bounds[0] <= found.mean <= bounds[1] else None
    return spread(found.mean, found.sd, found.n, bounds=held)


def changes(one: Tried, parent: Tried | None) -> list[tuple[str, Any, Any]]:
    """Name, old and new value of what a candidate changed; all its values if it has no parent."""
    if parent is None:
        return [(name, None, value) for name, value in one.values.items()]
    names = dict.fromkeys([*parent.values, *one.values])
    found = [(name, parent.values.get(name), cast("Any", one.values.get(name))) for name in names]
    return [(name, old, new) for name, old, new in found if type(old) is not type(new) or old != new]
