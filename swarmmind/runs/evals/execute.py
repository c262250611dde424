"""An eval in its folder: played, resumed, and told."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path

import anyio.to_thread
import msgspec

from swarmmind import report
from swarmmind.effects import Ask, Outcome, Program, Reply, Usage
from swarmmind.evals.record import MANIFEST, Episode, Played, Recorded, read
from swarmmind.evals.statistics import tabulate
from swarmmind.memory.store import Stores
from swarmmind.models.make import Endpoints
from swarmmind.models.served import Served
from swarmmind.ports import Context
from swarmmind.runs import folder as folders
from swarmmind.runs.evals.episode import NOBODYS_FAULT, ByPlay, Player
from swarmmind.runs.evals.plan import EvalPlan, dither
from swarmmind.runs.execute import Manner, Session, Watch, execute, handlers, result_of
from swarmmind.runs.job import Crowd
from swarmmind.runs.models import Models
from swarmmind.runs.plan import Plan
from swarmmind.runs.result import Coverage, Result, Status
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.journal import Journal
from swarmmind.traces import Embed


class Roster:
    """The models of all arms: each arm has its own by name, and all share their endpoints.

    Args:
        plan: the eval.
        env: where keys and base URLs come from.
        endpoints: their limiters and connection pools; its own if left out.

    Attributes:
        embedder: the first arm's.
        endpoints: the same.

    Raises:
        UserError: see `Models`.
    """

    def __init__(self, plan: EvalPlan, env: Mapping[str, str], endpoints: Endpoints | None = None) -> None:
        self.endpoints = endpoints or Endpoints()
        self.by_play = {play: Models(crew.plan, env, self.endpoints) for play, crew in plan.crews.items()}
        self.embedder = next(iter(self.by_play.values())).embedder

    @asynccontextmanager
    async def running(self, folder: Path | None = None) -> AsyncGenerator[None]:
        """See `Models.running`."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.endpoints.running(folder))
            for models in self.by_play.values():
                await stack.enter_async_context(models.running())
            yield

    def served(self) -> list[Served]:
        """What each server has done for it so far."""
        return self.endpoints.served()


async def run_eval(
    plan: EvalPlan,
    folder: Path,
    env: Mapping[str, str],
    watch: Watch | None = None,
    *,
    allow_code: bool = False,
    roster: Roster | None = None,
    begin: Callable[[], None] | None = None,
    crowd: Crowd | None = None,
) -> Result:
    """Play an eval in a folder, or go on with the one that it holds (see `runs.execute.execute`).

    Only what the folder's journal does not hold is played, whatever it was that the eval was begun with, and what has
    no score there, because a server or a scorer failed: with the answers that are there.

    Args:
        plan: what is played.
        folder: where.
        env: where keys and base URLs come from.
        watch: called once when it begins.
        allow_code: whether the user allowed the task to name Python code.
        roster: the models, if they were made; closed at its end.
        begin: called once the folder is this process's alone, before anything in it is changed.
        crowd: workers in other processes that play its episodes.
    """
    roster = roster or Roster(plan, env)
    player = Player(plan, allow_code=allow_code)
    episodes, controls = plan.episodes(), plan.episodes(controls=True)
    base = plan.base
    known = [crew.plan.calls for crew in plan.crews.values()]
    root = base._replace(
        society=base.society._replace(environment=None),
        program=partial(_root, plan, episodes, controls),
        calls=_calls(plan, episodes) if not controls and None not in known else None,
        specs=plan.specs(),
    )
    manner = Manner(
        tell=partial(_told, plan),
        handlers=partial(playing, plan, roster, player),
        looks_up=True,
        episodes=lambda: (player.played, len(episodes) + len(controls)),
        begin=partial(_begin, plan, folder, begin),
        crowd=crowd,
    )
    result = await execute(root, folder, roster, watch, manner)
    await anyio.to_thread.run_sync(report.render_eval, folder)
    return result


def _begin(plan: EvalPlan, folder: Path, begin: Callable[[], None] | None, journal: Journal) -> None:
    """Say what the eval is; episodes that have no score are played again, with the answers that are there."""
    if begin is not None:
        begin()
    folders.write_text(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(plan.manifest)).decode())
    unscored = [row for row in read(folder).rows() if row.played is not None and row.played.score is None]
    keys = {f"run/{2 if row.arm.kind == 'control' else 1}/{row.label}" for row in unscored}
    journal.reopen(sorted(keys), NOBODYS_FAULT)


def _root(plan: EvalPlan, episodes: list[Episode], controls: list[Episode], ctx: Context) -> Program:
    """All arms first, then who spends what they have spent."""
    played: list[Played] = yield episodes
    if controls:
        spent = {episode.label(): one for episode, one in zip(episodes, played, strict=True)}
        yield _funded(plan, controls, spent)
    return None


def _funded(plan: EvalPlan, controls: list[Episode], spent: Mapping[str, Played]) -> list[Episode]:
    """Each control with what its arm spent on the same instance and seed; without the arm's score it is of no use."""
    funded: list[Episode] = []
    places = _places(plan)
    for episode in controls:
        arm = spent[Episode(plan.crews[episode.play].of, episode.instance, episode.seed).label()]
        if arm.score is None:
            continue
        share = dither(places[episode.instance], episode.seed)
        funded.append(msgspec.structs.replace(episode, tokens=arm.tokens, calls=arm.calls, dither=share))
    return funded


def _places(plan: EvalPlan) -> dict[str, int]:
    """The place of each instance in its case."""
    found: dict[str, int] = {}
    counts: Counter[str] = Counter()
    for instance in plan.manifest.instances:
        found[instance.id] = counts[instance.case]
        counts[instance.case] += 1
    return found


def _calls(plan: EvalPlan, episodes: list[Episode]) -> int:
    """Of all episodes without failures."""
    each = {play: _once(crew.plan) for play, crew in plan.crews.items()}
    return sum(each[episode.play] for episode in episodes)


def _once(plan: Plan) -> int:
    return (plan.calls or 0) // (1 if plan.team.whole else max(1, len(plan.items)))


def playing(evaluation: EvalPlan, roster: Roster, player: Player, plan: Plan, stores: Stores) -> dict[type, Handler]:
    """Who executes which effects of an eval: arms ask their own models, everything else is the same for all.

    Args:
        evaluation: the eval.
        roster: the models of its arms.
        player: plays its episodes.
        plan: the eval as a run.
        stores: what executes `Load` and `Persist`.
    """
    crews = evaluation.crews
    by_play = {play: handlers(crews[play].plan, own, stores) for play, own in roster.by_play.items()}
    own = {kind: ByPlay({play: known[kind] for play, known in by_play.items()}) for kind in (Ask, Embed)}
    return {**handlers(plan, next(iter(roster.by_play.values())), stores), **own, Episode: player}


def _begun(folder: Path, recorded: Recorded) -> Usage:
    """What was paid for in episodes that did not come to their end."""
    left = [label for label, played in recorded.planned().items() if played is None]
    query = "SELECT value FROM results WHERE kind='Ask' AND key>? AND key<?"
    usage = Usage()
    with closing(sqlite3.connect(f"file:{folder / folders.JOURNAL}?mode=ro", uri=True)) as db:
        for head in (f"run/{step}/{label}" for label in left for step in (1, 2)):  # arms, and then controls
            for (value,) in db.execute(query, (f"{head}/", f"{head}0")):  # 0 comes after /
                usage += msgspec.json.decode(value, type=Reply).usage
    return usage


def _told(plan: EvalPlan, session: Session, outcome: Outcome | None, status: Status, error: str | None) -> Result:
    """The result of a session: its table is made of everything that the journal holds."""
    recorded = read(session.folder)
    table = tabulate(recorded)
    table = msgspec.structs.replace(table, warnings=[*table.warnings, *plan.manifest.notes])
    rows = [played for played in recorded.planned().values() if played is not None]
    usage = sum((played.usage for played in rows), Usage()) + _begun(session.folder, recorded)
    coverage = Coverage(
        sum(played.planned for played in rows),
        sum(played.finished for played in rows),
        sum(played.failed for played in rows),
        sum(played.cancelled for played in rows),
    )
    made = result_of(session, None, status, error)
    undone = f"{table.cancelled:,} of {table.planned:,} episodes were not played" if table.cancelled else None
    return msgspec.structs.replace(
        made,
        output=None,
        score=None,
        usage=usage,
        coverage=coverage,
        stopped=outcome.stopped if outcome else None,
        undone=undone,
        eval=table,
    )
