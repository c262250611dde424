"""What a run came to: the record that `--json` prints and `result.json` holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from swarmmind.effects import Usage
from swarmmind.evals.table import Table
from swarmmind.intervals import Interval
from swarmmind.models.served import Served
from swarmmind.runtime.budget import Cost
from swarmmind.runtime.lag import Lag
from swarmmind.runtime.meter import Grievance, Meter, Tally

Status = Literal["finished", "stopped", "failed", "interrupted", "crashed"]


class Coverage(msgspec.Struct, frozen=True):
    """Asks of a run: planned = finished + failed + cancelled.

    Attributes:
        planned: asks that were made or would have been made at once.
        finished: answered and read.
        failed: given up, after retries.
        cancelled: not made or not waited for: out of budget, dropped by a quorum, or the run ended first.
        roles: the same per role card.
    """

    planned: int
    finished: int
    failed: int
    cancelled: int
    roles: dict[str, Tally] = {}

    @staticmethod
    def of(meter: Meter) -> Coverage:
        """The coverage of a run that is over.

        Raises:
            AssertionError: an ask got lost, which would be a bug in the runtime.
        """
        total = meter.total()
        if total.planned != total.finished + total.failed + total.cancelled:
            raise AssertionError(f"asks got lost: {total}")
        return Coverage(total.planned, total.finished, total.failed, total.cancelled, meter.roles)


class Spending(msgspec.Struct, frozen=True):
    """What a share of a run cost; `None` is unknown."""

    calls: int
    tokens: int | None
    usd: float | None


class Winner(msgspec.Struct, frozen=True):
    """A candidate of a study.

    Attributes:
        id: of its values.
        values: by parameter.
        note: what was changed last, and why.
        parents: ids of those it was made from.
    """

    id: str
    values: dict[str, Any]
    note: str = ""
    parents: list[str] = []


class Means(msgspec.Struct, frozen=True):
    """How start and winner did on one set of examples, the same for both but for what is missing.

    Scores in [0, 1] have intervals in [0, 1] (see `intervals.spread`), a world's are not bounded.

    Attributes:
        start: the task as it is; `None` if it was not measured there.
        best: the winner.
        gain: the winner's score less the start's, example by example.
    """

    start: Interval | None
    best: Interval | None
    gain: Interval | None


class StudyResult(msgspec.Struct, frozen=True):
    """What a study came to; intervals are of 95 %.

    Attributes:
        optimizer: who proposed.
        parameters: what could change.
        reason: why it ended: `finished`, `target`, `patience`, `examples`, `calls`, `tokens`, `usd`, `seconds`,
            `failed`; or `interrupted`, `crashed`.
        start: the task as it is.
        best: the last candidate that was kept; the start if none was.
        changed: the parameters whose value is not the start's.
        train: on the examples to learn from.
        validate: on those to choose by.
        held_out: on those that were scored once, at the end; `None` if there are none, or they were not reached.
        tried: how many candidates were evaluated.
        kept: how often a new best one was kept.
        examples: how many were run.
        missing: how many of these have no score.
        inflation: by how much the winner reads too high on average on the examples it was chosen by, from luck alone.
        evaluating: what running candidates cost.
        asking: what critic and editor cost.
        parts: the folder of the winner's parts; `None` if nothing was better than the start.
    """

    optimizer: str
    parameters: list[str]
    reason: str
    start: Winner
    best: Winner | None = None
    changed: list[str] = []
    train: Means | None = None
    validate: Means | None = None
    held_out: Means | None = None
    tried: int = 0
    kept: int = 0
    examples: int = 0
    missing: int = 0
    inflation: float | None = None
    evaluating: Spending | None = None
    asking: Spending | None = None
    parts: str | None = None


class Workers(msgspec.Struct, frozen=True):
    """Processes that took part in the last session of a run.

    Attributes:
        engine: what had them: `processes` or `ray`.
        count: how many there were at once.
        nodes: on how many machines.
        lost: how many were lost on the way; what they had was given to others.
    """

    engine: str
    count: int
    nodes: int
    lost: int = 0


class Result(msgspec.Struct, frozen=True):
    """A run's outcome.

    Attributes:
        run_id: the last part of the folder's name.
        name: what the run is called.
        status: `finished`; `stopped` at a budget's wall; `failed` under its failure policy; `interrupted`; `crashed`.
        output: what the topology returned; for a world its last frame; for a data set a list.
        score: a world's own units, else in [0, 1]; `None` if nothing was scored.
        usage: calls, tokens and money; `None` is unknown.
        charged: what the budget was charged: `usage`, with the worst case for what is unknown or was lost in a crash.
        coverage: what became of every ask.
        seconds: that the run took on the wall, all sessions together.
        makespan_seconds: on the run's clock, from the first effect to the last; under the virtual clock the simulated
            time, unless there were workers.
        folder: where everything is.
        seed: the master seed.
        models: who answered.
        topology: who heard whom.
        stopped: the limit that ended it, or `None`.
        undone: what was left undone, in words, or `None`.
        error: why it failed, or `None`.
        failures: of agents, by kind.
        metrics: what a world measured, and what the topology last recorded under `metrics`.
        warnings: what a person should know about these numbers.
        served: what each server did, of the last session.
        workers: who took part in other processes; `None` if nobody did.
        lag: how late the event loop was, of the last session; `None` on a virtual clock, where nobody waits for it.
        study: what a study came to; `None` for any other run.
        eval: the table of an eval; `None` for any other run.
    """

    run_id: str
    name: str
    status: Status
    output: Any
    score: float | None
    usage: Usage
    charged: Cost
    coverage: Coverage
    seconds: float
    makespan_seconds: float
    folder: str
    seed: int
    models: list[str]
    topology: str
    version: str
    stopped: str | None = None
    undone: str | None = None
    error: str | None = None
    failures: list[Grievance] = []
    metrics: dict[str, float] = {}
    warnings: list[str] = []
    served: list[Served] = []
    workers: Workers | None = None
    lag: Lag | None = None
    study: StudyResult | None = None
    eval: Table | None = None

    @property
    def path(self) -> Path:
        """The run's folder."""
        return Path(self.folder)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; every field of usage is there, unknown as `None`."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        usage = self.usage
        data["usage"] = {name: getattr(usage, name) for name in usage.__struct_fields__}
        return data
