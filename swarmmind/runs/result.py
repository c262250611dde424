"""What a run came to: the record that `--json` prints and `result.json` holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from swarmmind.effects import Usage
from swarmmind.runtime.budget import Cost
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
        makespan_seconds: on the run's clock; under the virtual clock the simulated time.
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
