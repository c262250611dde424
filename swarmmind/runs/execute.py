"""A run from its first effect to its result, in its folder; a second session of it goes on where the first stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import anyio
import anyio.to_thread

from swarmmind import report
from swarmmind.agents.asker import Asker
from swarmmind.effects import Ask, Outcome, Usage
from swarmmind.errors import RunError
from swarmmind.evals.sandbox.handler import Sandbox
from swarmmind.evals.sandbox.tests import RunTests
from swarmmind.memory.store import Stores
from swarmmind.models.embedding import Embeddings
from swarmmind.models.endpoints import Endpoints
from swarmmind.models.served import Served
from swarmmind.ports import Embedder
from swarmmind.runs import folder as folders
from swarmmind.runs.job import Crowd
from swarmmind.runs.models import Models, unpriced
from swarmmind.runs.plan import Plan
from swarmmind.runs.prefix_cache import misses
from swarmmind.runs.result import Coverage, Result, Status, Workers
from swarmmind.runs.rows import doubts
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import RealClock, VirtualClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.remote.head import Head
from swarmmind.runtime.watchdog import Watchdog
from swarmmind.runtime.world import World
from swarmmind.traces import Embed, Load, Persist
from swarmmind.version import __version__


class Progress(NamedTuple):
    """A run that is going on, for whoever watches: read it as often as you like, nothing is called back.

    Attributes:
        folder: the run's folder.
        plan: what is being run.
        meter: the counters.
        elapsed: seconds on the run's clock so far.
        episodes: of an eval: how many are over, and how many there are.
    """

    folder: Path
    plan: Plan
    meter: Meter
    elapsed: Callable[[], float]
    episodes: Callable[[], tuple[int, int]] | None = None


Watch = Callable[[Progress], None]
"""Called once, when a run begins."""


class Servants(Protocol):
    """What answers the agents of a run (see `Models`)."""

    @property
    def embedder(self) -> Embedder:
        """What turns its texts into vectors."""
        ...

    @property
    def endpoints(self) -> Endpoints:
        """The servers that they ask."""
        ...

    def running(self, folder: Path | None = None) -> AbstractAsyncContextManager[None]:
        """For as long as the run in a folder goes on; at its end nothing is in flight, and everything is closed."""
        ...

    def served(self) -> list[Served]:
        """What each server has done for it so far."""
        ...


class Session(NamedTuple):
    """One process's turn at a run.

    Attributes:
        plan: what is run.
        folder: where.
        journal: what was said and done.
        meter: the counters.
        driver: what runs it.
        models: what answers its agents.
        began: when, on this process's clock.
        seconds_before: that earlier sessions took.
        watchdog: how the event loop fared.
        crowd: workers in other processes.
        head: who gives them work.
    """

    plan: Plan
    folder: Path
    journal: Journal
    meter: Meter
    driver: Driver
    models: Servants
    began: float
    seconds_before: float
    watchdog: Watchdog
    crowd: Crowd | None = None
    head: Head | None = None

    def hiring(self) -> AbstractAsyncContextManager[Any]:
        """Workers, for as long as the run goes on."""
        if self.crowd is None or self.head is None:
            return nullcontext()
        return self.crowd.engine.running(self.head, self.crowd.order(self.folder.name, self.models.endpoints))


Tell = Callable[[Session, Outcome | None, Status, str | None], Result]
"""What makes the result of a session: see `result_of`."""


class Manner(NamedTuple):
    """What a study or an eval does in another way than a plain run.

    Attributes:
        tell: makes the result.
        handlers: who executes which effects, of a plan and its stores; `handlers` with the run's models if left out.
        looks_up: whether most of a journal is never asked for again.
        with_report: whether `report.html` is made; `swarmmind view` makes it at any later time.
        episodes: see `Progress`.
        begin: writes what describes the run, and what of its journal is to be done anew, once the folder is this
            process's alone.
        crowd: workers in other processes that execute parts of it.
    """

    tell: Tell
    handlers: Callable[[Plan, Stores], dict[type, Handler]] | None = None
    looks_up: bool = False
    with_report: bool = False
    episodes: Callable[[], tuple[int, int]] | None = None
    begin: Callable[[Journal], None] | None = None
    crowd: Crowd | None = None


def plain(crowd: Crowd | None = None) -> Manner:
    """That of a run that is neither study nor eval.

    Args:
        crowd: workers in other processes.
    """
    return Manner(result_of, with_report=True, crowd=crowd)


async def execute(
    plan: Plan, folder: Path, models: Servants, watch: Watch | None = None, manner: Manner | None = None
) -> Result:
    """Run a plan in a folder, or go on with the run that the folder holds.

    Whatever happens, `result.json` and the journal say what was done; only a bug or an interruption is raised on.

    Args:
        plan: what is run.
        folder: where.
        models: what answers its agents; closed at its end.
        watch: called once when the run begins.
        manner: how, if it is no plain run.

    Raises:
        RunError: the folder's run is going on elsewhere, damaged, or of another seed.
        Diverged: the task or its code changed since the run was started.
        JournalError: the disk cannot be written.
    """
    manner = manner or plain()
    with ExitStack() as stack:
        journal = Journal(folder / folders.JOURNAL)
        stack.callback(journal.close)
        if manner.looks_up:
            journal.look_up()
        crowd = manner.crowd
        clock = VirtualClock() if plan.rehearsable and crowd is None else RealClock()
        meter = Meter()
        purse = Purse(plan.task.budget.limits())
        stores = _stores(plan, models, folder)
        stack.callback(stores.close)
        work = (
            handlers(plan, cast("Models", models), stores) if manner.handlers is None else manner.handlers(plan, stores)
        )
        head = None if crowd is None else crowd.head(journal, models.endpoints)
        if crowd is not None and head is not None:
            work = crowd.handed_out(head, plan, work)
        driver = Driver(World(journal, clock, plan.streams, purse, meter), work)
        before = journal.meta("seconds") or 0.0
        watchdog = Watchdog(watching=not clock.virtual)
        session = Session(plan, folder, journal, meter, driver, models, time.monotonic(), before, watchdog, crowd, head)
        _check_same(session, models)
        if manner.begin is not None:
            manner.begin(journal)
        journal.start()
        if watch is not None:
            watch(Progress(folder, plan, meter, driver.elapsed, manner.episodes))
        result = await _run(session, models, manner.tell)
    if manner.with_report:
        await anyio.to_thread.run_sync(report.render, folder)
    return result


def _stores(plan: Plan, models: Servants, folder: Path) -> Stores:
    """A run is known to its stores by its folder's name, from wherever it is resumed."""
    embedder = models.embedder.name
    return Stores(plan.loaded.folder, folder.resolve().name, at_once=plan.rehearsable, embedder=embedder)


def handlers(plan: Plan, models: Models, stores: Stores) -> dict[type, Handler]:
    """Who executes which effects of a run."""
    return {
        Ask: Asker(models.by_name, plan.societies, models.reasks),
        Embed: Embeddings(models.embedder, plan.task.embedder.batch),
        Load: stores,
        Persist: stores,
        RunTests: Sandbox(on_loop=plan.rehearsable),
    }


async def _run(session: Session, models: Servants, tell: Tell) -> Result:
    outcome: Outcome | None = None
    status: Status = "interrupted"
    error: str | None = None
    try:
        before = session.driver.elapsed()
        async with models.running(session.folder), session.hiring():
            session.driver.purse.since += session.driver.elapsed() - before  # loading a model takes none of its minutes
            with session.watchdog:
                outcome = await session.driver.run(session.plan.program)
        status = "stopped" if outcome.stopped else "failed" if outcome.failure else "finished"
        error = outcome.failure.message if outcome.failure else None
    except Exception as bug:
        status, error = "crashed", f"{type(bug).__name__}: {bug}"
        raise
    finally:
        result = tell(session, outcome, status, error)
        session.journal.note("status", status)
        session.journal.note("seconds", result.seconds)
        folders.write_json(session.folder / folders.RESULT, result.to_dict())
    return result


def _check_same(session: Session, models: Servants) -> None:
    """A folder's journal belongs to one seed, embedder and program; say so before anything diverges."""
    journal, plan = session.journal, session.plan
    seed = journal.meta("seed")
    if seed is not None and seed != plan.task.seed:
        raise RunError(f"{session.folder}: was run with seed {seed}, not {plan.task.seed}; start a new run instead")
    embedder, name = journal.meta("embedder"), models.embedder.name
    if embedder is not None and embedder != name:
        raise RunError(f"{session.folder}: its vectors are of {embedder!r}, not {name!r}; start a new run instead")
    journal.note("embedder", name)
    journal.note("seed", plan.task.seed)
    journal.note("status", "running")
    journal.note("task", blake2b(plan.loaded.text.encode(), digest_size=16).hexdigest())


def result_of(session: Session, outcome: Outcome | None, status: Status, error: str | None) -> Result:
    """The result of a session that is over.

    Args:
        session: the session.
        outcome: of its program; `None` if there is none.
        status: how it ended.
        error: why it failed.
    """
    plan, meter, driver = session.plan, session.meter, session.driver
    environment = plan.society.environment
    value = outcome.value if outcome else None
    coverage = Coverage.of(meter)
    stopped = outcome.stopped if outcome else None
    served, lag = session.models.served(), session.watchdog.lag()
    return Result(
        run_id=session.folder.name,
        name=plan.name,
        status=status,
        output=value if value is not None or environment is None else environment.frame(),
        score=plan.score(value, meter.outermost.get("score")),
        usage=meter.usage,
        charged=driver.purse.spent,
        coverage=coverage,
        seconds=round(session.seconds_before + time.monotonic() - session.began, 3),
        makespan_seconds=round(driver.elapsed(), 6),
        folder=str(session.folder),
        seed=plan.task.seed,
        models=list(plan.specs),
        topology=plan.loaded.topology.name,
        version=__version__,
        stopped=stopped,
        undone=_undone(plan, coverage) if status in ("stopped", "interrupted", "crashed") else None,
        error=error,
        failures=list(meter.failures.values()),
        metrics={**_measured(meter.outermost.get("metrics")), **(environment.metrics() if environment else {})},
        warnings=[
            *_warnings(plan, meter.usage),
            *(warning for one in [*served, lag] if one for warning in one.warnings),
            *misses(served, session.folder / folders.JOURNAL),
        ],
        served=served,
        lag=lag,
        workers=_workers(session),
    )


def _workers(session: Session) -> Workers | None:
    crowd, head = session.crowd, session.head
    if crowd is None or head is None:
        return None
    engine = crowd.engine
    return Workers(engine.name, engine.workers, engine.nodes, head.lost)


def _measured(recorded: Any) -> dict[str, float]:
    """The numbers in the last record `metrics` of a topology."""
    found = recorded.items() if isinstance(recorded, dict) else ()
    return {str(name): float(value) for name, value in found if isinstance(value, (int, float))}


def _undone(plan: Plan, coverage: Coverage) -> str | None:
    if plan.calls is None:
        return f"{coverage.cancelled} planned calls were not made; how many more were to come is not known"
    left = max(plan.calls - coverage.finished - coverage.failed, 0)
    return f"{left:,} of {plan.calls:,} calls were not made"


def _warnings(plan: Plan, usage: Usage) -> list[str]:
    warnings: list[str] = []
    if usage.cost_usd is None:
        names = ", ".join(unpriced(plan) or plan.specs)
        warnings.append(f"money is unknown: no price for {names}; add it under 'prices'")
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        warnings.append("tokens are unknown: the server did not report them for every call")
    return warnings + doubts(plan.items)
