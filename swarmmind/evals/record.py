"""What an eval is and what came of it, as data: arms, cases, instances, seeds, and every episode that was played.

An eval plays each arm on each instance with each seed; one such play is an episode. `manifest.json` in the run's folder
says what they are, the journal holds a row per finished episode; everything that a person reads is made from the two.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec

from swarmmind.effects import Failure, Usage
from swarmmind.errors import RunError

MANIFEST = "manifest.json"


class Played(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of an episode.

    Attributes:
        score: as the scorer, or the world, says; `None` is missing: its servers failed, or its budget ended.
        output: what was answered, as text, cut to some thousand characters; empty for a world.
        reason: why it was scored so, if the scorer says.
        usage: calls, tokens and money; `None` is unknown.
        planned: asks of it: planned = finished + failed + cancelled.
        finished: answered and read.
        failed: given up, after retries.
        cancelled: not made or not waited for.
        seconds: how long it took, on the run's clock.
        error: why it has no score, or no answer; empty if nothing went wrong.
        metrics: what its world or topology measured.
        failure: why it was not played at all (no budget is left); such an episode is not journaled.
        judging: of its usage, what judging the answer took.
    """

    score: float | None = None
    output: str = ""
    reason: str = ""
    usage: Usage = Usage()
    planned: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    seconds: float = 0.0
    error: str = ""
    metrics: dict[str, float] = {}
    failure: Failure | None = None
    judging: Usage = Usage()

    @property
    def tokens(self) -> int | None:
        """What its agents read and wrote, judges aside; `None` if that is unknown."""
        parts = [self.usage.prompt_tokens, self.usage.completion_tokens]
        judged = [self.judging.prompt_tokens, self.judging.completion_tokens]
        if None in parts or None in judged:
            return None
        return sum(part or 0 for part in parts) - sum(part or 0 for part in judged)

    @property
    def calls(self) -> int:
        """The calls of its agents, judges aside."""
        return self.usage.calls - self.judging.calls


class Episode(msgspec.Struct, frozen=True):
    """Play one arm on one instance with one seed; an effect, whose result is `Played`.

    It is known by its label: one that was played is not played again, whatever its arm has spent since.

    Attributes:
        play: the digest of arm and case: of everything that shapes what happens. Arms that are called differently and
            are the same share their episodes, and one that was changed has new ones.
        instance: the instance's id.
        seed: of the world, and of all chance, which all arms share.
        tokens: of a control: what it may spend; `None` if nobody knows what the arm spent.
        calls: of a control: how many calls the arm made.
        dither: of a control: how much of a call must be left for one more (see `topologies.controls`).
    """

    result: ClassVar[Any] = Played

    kept: ClassVar[bool] = True

    play: str
    instance: str
    seed: int
    tokens: int | None = None
    calls: int = 0
    dither: float = 0.0

    def label(self) -> str:
        """The last element of its key."""
        return f"{self.play}.{self.instance}.{self.seed}"


Kind = Literal["arm", "control", "baseline", "floor"]


class Arm(msgspec.Struct, frozen=True):
    """What is compared: a row of the table.

    Attributes:
        id: unique within the eval.
        name: as people read it, e.g. `vllm/Qwen3-8B · debate`.
        kind: `arm` is what the eval is about; `control` spends an arm's tokens on something simpler; `baseline` is
            rule-based or exact; `floor` is chance or silence.
        axes: its value on each axis of the grid, by the axis's path.
        of: the id of the arm whose tokens a control spends.
    """

    id: str
    name: str
    kind: Kind = "arm"
    axes: dict[str, Any] = {}
    of: str = ""


class Case(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the arms are tried on: a combination of the values of `eval.cases`.

    Attributes:
        id: unique within the eval.
        axes: its value on each axis, by the axis's path.
        column: the column of the table it belongs to; empty if there are none.
    """

    id: str
    axes: dict[str, Any] = {}
    column: str = ""


class Instance(msgspec.Struct, frozen=True, omit_defaults=True):
    """One problem of a case: a row of its data set; a world is a single one, played with several seeds.

    Attributes:
        id: unique within the eval, and the same in every eval that holds the same problem.
        case: the id of its case.
        text: the problem, cut to some hundred characters; empty for a world.
        target: what is right, as text, cut likewise; empty if nobody says.
        kind: of which kind it is, if the data set says.
    """

    id: str
    case: str
    text: str = ""
    target: str = ""
    kind: str = ""


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an eval is.

    Attributes:
        name: of the suite or file.
        arms: the rows, in the order of the table.
        cases: what they are tried on.
        instances: the problems of all cases.
        seeds: with which each is played.
        plays: the digest of each pair of arm and case that is played, by `arm.id + " " + case.id`.
        description: one line.
        columns: the axis whose values are the columns; empty if the table has none.
        curve: an axis with numbers, over which curves are drawn; empty if there is none.
        headline: how columns are put together: their `mean`, or their `sum`.
        units: by what the scores of a column are multiplied, where that is not 1.
        bounds: between what scores lie, if they are bounded.
        also: metrics shown beside the scores.
        published: the name of published results that stand beside (see `evals.published`); empty if there are none.
        threshold: the headline that an arm must reach; `None` if none is asked for.
        guess: what the answer to another problem scores on average, by column and under `""` in all.
        notes: what a person should know of it.
    """

    name: str
    arms: list[Arm]
    cases: list[Case]
    instances: list[Instance]
    seeds: list[int]
    plays: dict[str, str]
    description: str = ""
    columns: str = ""
    curve: str = ""
    headline: Literal["mean", "sum"] = "mean"
    units: dict[str, float] = {}
    bounds: tuple[float, float] | None = None
    also: list[str] = []
    published: str = ""
    threshold: float | None = None
    guess: dict[str, float] = {}
    notes: list[str] = []


class Row(NamedTuple):
    """An episode in its place; `played` is `None` while it is missing from the journal."""

    arm: Arm
    case: Case
    instance: Instance
    seed: int
    played: Played | None
    label: str = ""


class Recorded(NamedTuple):
    """An eval with its episodes.

    Attributes:
        manifest: what it is.
        played: every journaled episode, by its label.
    """

    manifest: Manifest
    played: dict[str, Played]

    def planned(self) -> dict[str, Played | None]:
        """Every episode of the eval by its label, those that arms share once."""
        return {row.label: row.played for row in self.rows()}

    def rows(self) -> Iterator[Row]:
        """Every episode that the eval plans: arm by arm, instance by instance, seed by seed."""
        manifest = self.manifest
        cases = {case.id: case for case in manifest.cases}
        for arm in manifest.arms:
            for instance in manifest.instances:
                play = manifest.plays.get(f"{arm.id} {instance.case}")
                if play is None:
                    continue
                for seed in manifest.seeds:
                    label = Episode(play, instance.id, seed).label()
                    yield Row(arm, cases[instance.case], instance, seed, self.played.get(label), label)


def read(folder: Path) -> Recorded:
    """An eval as its run's folder holds it; it may still go on.

    Raises:
        RunError: the folder holds no eval, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise RunError(f"{folder}: is no eval: it holds no {MANIFEST}") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error
    return Recorded(manifest, _journaled(folder / "journal.sqlite"))


def _journaled(path: Path) -> dict[str, Played]:
    decode = msgspec.json.Decoder(Played).decode
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT key, value, seconds FROM results WHERE kind='Episode' ORDER BY id")
            return {
                key.rpartition("/")[2]: msgspec.structs.replace(decode(value), seconds=seconds)
                for key, value, seconds in rows
            }
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error
