"""Do intervals hold what they say: simulated studies, equal arms, effects of a detectable size, and a real eval."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import numpy as np
import numpy.typing as npt
from scipy import special, stats

import swarmmind
from swarmmind.evals.record import Arm, Case, Episode, Instance, Manifest, Played, Recorded, Row, read
from swarmmind.evals.statistics import (
    Moments,
    Scores,
    detectable,
    mean_interval,
    paired_difference,
    pass_at_k,
    seeds_needed,
    tabulate,
)
from swarmmind.evals.table import Difference, Estimate
from swarmmind.runtime.journal import content

from .experiment import Experiment

STUDIES = 2_000
EQUAL_STUDIES = 4_000  # chance alone moves a rate of 5 % by 1 in one of twenty sets of 2,000
_Rng = np.random.Generator
_Values = npt.NDArray[np.float64]

EQUAL = "equal arms seem to differ (%)"
UNEQUAL = [1] * 10 + [2] * 10 + [3] * 10 + [10] * 10


class World(NamedTuple):
    """Values that clusters may have in common, by a normal copula: every cluster adds a part of its own.

    Attributes:
        name: of the distribution.
        values: from standard normals.
        truth: the mean.
        bounds: between what values lie.
    """

    name: str
    values: Callable[[_Values], _Values]
    truth: float
    bounds: tuple[float, float] | None = None


class Study(NamedTuple):
    """A row.

    Attributes:
        world: what values are drawn from.
        sizes: of the clusters.
        common: the share of the underlying variance that is between clusters.
        most: what coverage may reach; 100 where so few shares near 0 or 1 have no interval that is as close.
    """

    world: World
    sizes: Sequence[int]
    common: float
    most: float = 97.0


def _as_is(x: _Values) -> _Values:
    return x


def _exponential(x: _Values) -> _Values:
    return -special.log_ndtr(-x)


def _share(p: float) -> World:
    def values(x: _Values) -> _Values:
        return np.asarray(x < special.ndtri(p), dtype=np.float64)

    return World(f"shares, p {p}", values, p, (0.0, 1.0))


def _beta(a: float, b: float) -> World:
    def values(x: _Values) -> _Values:
        return special.betaincinv(a, b, special.ndtr(x))

    return World(f"beta({a:g}, {b:g})", values, a / (a + b), (0.0, 1.0))


NORMAL = World("normal", _as_is, 0.0)
SKEWED = World("exponential", _exponential, 1.0)
BETA, HIGH = _beta(2, 5), _beta(8, 1)

STUDIED = [
    Study(NORMAL, [1] * 5, 0.0),
    Study(NORMAL, [3] * 5, 0.5),
    Study(NORMAL, [3] * 20, 0.8),
    Study(NORMAL, UNEQUAL, 0.3),
    Study(SKEWED, [3] * 5, 0.0),
    Study(SKEWED, [1] * 20, 0.0),
    Study(SKEWED, [3] * 10, 0.3),
    Study(SKEWED, [3] * 20, 0.8),
    Study(SKEWED, UNEQUAL, 0.3),
    Study(_share(0.05), [5] * 100, 0.3),
    Study(_share(0.1), [3] * 40, 0.0),
    Study(_share(0.1), UNEQUAL, 0.8),
    Study(_share(0.3), [3] * 10, 0.3),
    Study(_share(0.5), [1] * 40, 0.0),
    Study(_share(0.5), [3] * 20, 0.8),
    Study(_share(0.9), [5] * 40, 0.3),
    Study(_share(0.95), [5] * 100, 0.0),
    Study(_share(0.05), [3] * 5, 0.3, most=100.0),
    Study(_share(0.95), [1] * 20, 0.0, most=100.0),
    Study(BETA, [1] * 5, 0.0),
    Study(BETA, UNEQUAL, 0.5),
    Study(HIGH, [3] * 5, 0.0),
    Study(HIGH, [3] * 20, 0.8),
]

PAIRED: list[tuple[int, int, float, float | None]] = [
    (5, 3, 1.0, None),
    (40, 3, 1.0, None),
    (1, 10, 0.0, None),
    (10, 3, 0.0, 0.5),
    (40, 3, 1.0, 0.7),
    (100, 3, 0.0, 0.9),
]
"""Equal arms: instances, seeds, by how much an arm is better or worse at an instance, and p of shares."""


def draw(world: World, sizes: Sequence[int], common: float, rng: _Rng) -> list[list[float]]:
    """One study: the values of each cluster."""
    own = np.repeat(rng.standard_normal(len(sizes)), sizes)
    flat = world.values(math.sqrt(common) * own + math.sqrt(1 - common) * rng.standard_normal(len(own)))
    return [part.tolist() for part in np.split(flat, np.cumsum(sizes)[:-1])]


def naive(values: Sequence[float]) -> tuple[float, float]:
    """The fake: Student's interval as if all values were independent."""
    half = float(special.stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def _holds(found: Estimate | Difference, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def coverage(study: Study, rng: _Rng) -> tuple[float, float]:
    """How often (%) our interval holds the truth, and how often the naive one does."""
    held = fooled = 0
    for _ in range(STUDIES):
        clusters = draw(study.world, study.sizes, study.common, rng)
        found = mean_interval(clusters, study.world.bounds)
        held += _holds(found, study.world.truth)
        low, high = naive([value for cluster in clusters for value in cluster])
        fooled += low <= study.world.truth <= high
    return 100 * held / STUDIES, 100 * fooled / STUDIES


# --- tables -----------------------------------------------------------------------------------------------------------


def eval_of(scores: _Values, headline: Any) -> Recorded:
    """An eval of one arm, whose scores are by column, instance and seed."""
    columns, instances, seeds = scores.shape
    cases = [Case(f"c{at}", {}, f"column {at}") for at in range(columns)]
    problems = [Instance(f"{case.id}-{at}", case.id) for case in cases for at in range(instances)]
    plays = {f"arm {case.id}": case.id for case in cases}
    manifest = Manifest("e", [Arm("arm", "arm")], cases, problems, list(range(seeds)), plays, columns="x",
                        headline=headline)  # fmt: skip
    flat = scores.reshape(columns * instances, seeds)
    return Recorded(
        manifest,
        {
            Episode(one.case, one.id, seed).label(): Played(float(flat[at, seed]))
            for at, one in enumerate(problems)
            for seed in range(seeds)
        },
    )


def of_totals(headline: str, instances: int, seeds: int, rng: _Rng) -> float:
    """How often (%) the interval of a total holds the truth: columns differ in mean and spread by far."""
    means, held = np.array([0.0, 10.0, 100.0, 3.0]), 0
    spreads = np.array([1.0, 5.0, 2.0, 0.1])
    truth = means.sum() if headline == "sum" else means.mean()
    for _ in range(STUDIES // 2):
        shape = (4, instances, seeds)
        noise = rng.standard_normal(shape) + (rng.standard_normal((4, instances, 1)) if instances > 1 else 0.0)
        score = tabulate(eval_of(means[:, None, None] + spreads[:, None, None] * noise, headline)).lines[0].total.score
        assert score is not None
        held += _holds(score, truth)
    return 100 * held / (STUDIES // 2)


# --- two arms ---------------------------------------------------------------------------------------------------------


def arms(instances: int, seeds: int, mixed: float, effect: float, rng: _Rng, p: float | None = None) -> list[Scores]:
    """Two arms on the same instances; `mixed` is the deviation of what an arm is better or worse at in an instance.

    Binary with `p`: instances differ in difficulty, and arms share it.
    """
    hard = rng.standard_normal((instances, 1))
    found: list[Scores] = []
    for shift in (effect, 0.0):
        values = hard + mixed * rng.standard_normal((instances, 1)) + rng.standard_normal((instances, seeds))
        if p is not None:
            values = (values < special.ndtri(p) * math.sqrt(2 + mixed**2)).astype(float)
        else:
            values += shift
        found.append({(f"i{at}", seed): float(values[at, seed]) for at in range(instances) for seed in range(seeds)})
    return found


def differ(
    instances: int, seeds: int, mixed: float, effect: float, rng: _Rng, p: float | None = None, naively: bool = False
) -> float:
    """In how many studies (%) two arms seem to differ, the first for the better if there is an effect."""
    count, studies = 0, STUDIES if effect else EQUAL_STUDIES
    for _ in range(studies):
        first, second = arms(instances, seeds, mixed, effect, rng, p)
        if naively:
            low, high = naive([first[key] - second[key] for key in first])
        else:
            found = paired_difference(first, second, bounds=None if p is None else (0, 1))
            assert found.low is not None
            assert found.high is not None
            low, high = found.low, found.high
        count += low > 0 or (high < 0 and not effect)
    return 100 * count / studies


def truly(instances: int, seeds: int, mixed: float) -> Moments:
    """The true moments of the mean difference of `arms`."""
    between, within = 2 * mixed**2, 2.0
    if instances == 1:
        return Moments(0.0, within / seeds, seeds - 1, 0.0, within / seeds, 1.0, seeds, seeds, share=False)
    variance = (between + within / seeds) / instances
    shrinks = within / seeds / instances
    return Moments(0.0, variance, instances - 1, 0.0, shrinks, 1.0, instances * seeds, instances, share=False)


def run() -> Experiment:
    """Coverage, equal arms, detectable effects, seeds needed, pass@k, and an eval through the real runtime."""
    experiment = Experiment(
        "intervals", f"{STUDIES:,} simulated studies a row",
        ["what", "clusters", "correlation", "ours", "as if independent"],
    )  # fmt: skip
    rng = np.random.default_rng(20_260)
    _expect_coverage(experiment, rng)
    _expect_equal(experiment, rng)
    _expect_power(experiment, rng)
    _expect_pass(experiment, rng)
    _expect_real(experiment)
    return experiment


def _expect_coverage(experiment: Experiment, rng: _Rng) -> None:
    least = 100.0
    for study in STUDIED:
        ours, fooled = coverage(study, rng)
        least = min(least, fooled if study.most < 100 else least)
        sizes = f"{len(study.sizes)} x {study.sizes[0] if len(set(study.sizes)) == 1 else '1 to 10'}"
        experiment.row(f"{study.world.name}: coverage (%)", sizes, study.common, ours, fooled)
        what = f"{study.world.name}, {sizes}, correlation {study.common}: coverage"
        experiment.expect(what, ours, ">=", 93.0)
        experiment.expect(what, ours, "<=", study.most)
        if study.common == 0.8:
            experiment.expect(f"{what} of the naive interval (fake)", fooled, "<", 85.0)
    experiment.expect("coverage of the naive interval (fake), at worst", least, "<", 70.0)
    for headline, instances, seeds in (("mean", 8, 3), ("sum", 1, 5)):
        held = of_totals(headline, instances, seeds, rng)
        experiment.row(f"{headline} of 4 columns: coverage (%)", f"{instances} x {seeds}", "", held, "")
        experiment.expect(f"{headline} of 4 columns, {instances} x {seeds}: coverage", held, ">=", 93.0)
        experiment.expect(f"{headline} of 4 columns, {instances} x {seeds}: coverage", held, "<=", 97.0)


def _expect_equal(experiment: Experiment, rng: _Rng) -> None:
    for instances, seeds, mixed, p in PAIRED:
        ours = differ(instances, seeds, mixed, 0.0, rng, p)
        fooled = differ(instances, seeds, mixed, 0.0, rng, p, naively=True)
        values = "normal" if p is None else f"p {p}"
        experiment.row(f"{EQUAL}: {values}", f"{instances} x {seeds}", mixed, ours, fooled)
        experiment.expect(f"{EQUAL}, {values}, {instances} x {seeds}", abs(ours - 5), "<=", 1.0)
        if p is None and mixed:
            experiment.expect(f"{EQUAL}, {values}, {instances} x {seeds}, naively (fake)", fooled, ">", 10.0)


def _expect_power(experiment: Experiment, rng: _Rng) -> None:
    for instances, seeds, mixed in ((5, 3, 0.5), (40, 3, 0.5), (1, 8, 0.0)):
        effect = detectable(truly(instances, seeds, mixed))
        assert effect is not None
        found = differ(instances, seeds, mixed, effect, rng)
        half = differ(instances, seeds, mixed, effect / 2, rng)
        experiment.row("the detectable effect is found (%); half of it", f"{instances} x {seeds}", mixed, found, half)
        experiment.expect(f"{instances} x {seeds}: the detectable effect is found, off 80", abs(found - 80), "<=", 3.0)
        experiment.expect(f"{instances} x {seeds}: half of it is found", half, "<", 50.0)
    for instances, mixed, effect in ((40, 0.2, 0.25), (1, 0.0, 0.9)):
        few = truly(instances, 2, mixed)
        needed = seeds_needed(few, 2, effect, worlds=instances == 1)
        assert needed is not None
        enough = differ(instances, needed, mixed, effect, rng)
        less = differ(instances, max(needed // 2, 2), mixed, effect, rng)
        experiment.row(f"{effect} is found with {needed} seeds; with half", f"{instances}", mixed, enough, less)
        experiment.expect(f"{instances} x {needed} seeds needed: found", enough, ">=", 77.0)
        experiment.expect(f"{instances} x {needed // 2} seeds, too few: found", less, "<", 70.0)
    never = seeds_needed(truly(10, 2, 1.0), 2, 0.25)
    experiment.expect("no number of seeds shows what differs between 10 instances", never, "==", None)


def _expect_pass(experiment: Experiment, rng: _Rng) -> None:
    right = rng.binomial(8, 0.3, 20_000)
    ours = float(np.mean([pass_at_k(8, int(count), 4) for count in right]))
    plain = float(np.mean(1 - (1 - right / 8) ** 4))
    experiment.row("pass@4 of 8, p 0.3; the plug-in", "", "", ours, plain)
    experiment.expect("pass@4, off the closed form", abs(ours - (1 - 0.7**4)), "<=", 0.005)
    experiment.expect("pass@4 by plugging in (fake), off it", abs(plain - (1 - 0.7**4)), ">", 0.015)


# --- the real runtime -------------------------------------------------------------------------------------------------

ACCURACY, PROBLEMS, SEEDS, BATCH = 0.7, 1_000, 4, 20


def _expect_real(experiment: Experiment) -> None:
    """One eval of a scripted model, cut into many small ones: batches of problems with half of the seeds each."""
    with tempfile.TemporaryDirectory() as folder:
        result = anyio.run(_evaluated, Path(folder))
        rows = list(read(result.path).rows())
        asks = [row for row in content(Path(result.path) / "journal.sqlite") if row[0] == "result" and row[2] == "Ask"]
    assert result.eval is not None
    score = result.eval.lines[0].total.score
    assert score is not None
    held = seem = batches = 0
    for at in range(0, PROBLEMS, BATCH):
        first, second = _halves(rows, at)
        values = [[score for (name, _), score in first.items() if name == own] for own, _ in first]
        found = mean_interval(values[:: SEEDS // 2], (0, 1))
        difference = paired_difference(first, second, bounds=(0, 1))
        held += found.low is not None and found.high is not None and found.low <= ACCURACY <= found.high
        seem += (
            difference.low is not None and difference.high is not None and not difference.low <= 0 <= difference.high
        )
        batches += 1
    experiment.row("a scripted model of .7, real runtime: coverage (%)", f"{BATCH} x 2", "", 100 * held / batches, "")
    experiment.row(EQUAL + ", real runtime", f"{BATCH} x 2", "", 100 * seem / batches, "")
    error = 3 * math.sqrt(0.05 * 0.95 / batches)
    experiment.expect("real runtime: share of evals whose interval holds .7", held / batches, ">=", 0.95 - error)
    experiment.expect("real runtime: equal arms seem to differ, share", seem / batches, "<=", 0.05 + error)
    experiment.expect("real runtime: .7 is in the table's interval", _holds(score, ACCURACY), "==", True)
    wilson = stats.binomtest(round(score.mean * score.n), score.n).proportion_ci(method="wilson")
    off = max(abs((score.low or 0) - wilson.low), abs((score.high or 0) - wilson.high))
    experiment.expect("real runtime: the table's interval, off scipy's for independent answers", off, "<=", 0.003)
    experiment.expect("real runtime: answers in the journal", len(asks), "==", PROBLEMS * SEEDS)
    experiment.expect("real runtime: planned episodes", result.eval.planned, "==", PROBLEMS * SEEDS)


async def _evaluated(folder: Path) -> swarmmind.Result:
    problems = [{"problem": f"What is {at} + {at}?", "target": str(2 * at)} for at in range(PROBLEMS)]
    (folder / "sums.jsonl").write_text("".join(json.dumps(one) + "\n" for one in problems))
    task = {
        "problem": {"dataset": "sums.jsonl"},
        "model": {"name": "scripted", "accuracy": ACCURACY},
        "swarm": {"agents": {"solver": 1}, "topology": {"use": "vote", "samples": 1}},
        "score": {"use": "number"},
        "eval": {"seeds": SEEDS},
    }
    (folder / "task.yaml").write_text(json.dumps(task))
    return await swarmmind.evaluate(folder / "task.yaml", runs=folder / "runs", env={})


def _halves(rows: Sequence[Row], start: int) -> tuple[Scores, Scores]:
    """Two equal arms on a batch of problems: one has the first half of the seeds, one the second."""
    found: tuple[dict[tuple[str, int], float], ...] = ({}, {})
    for row in rows[start * SEEDS : (start + BATCH) * SEEDS]:
        at = (row.seed - rows[0].seed) * 2 // SEEDS
        assert row.played is not None
        assert row.played.score is not None
        found[at][row.instance.id, (row.seed - rows[0].seed) % (SEEDS // 2)] = row.played.score
    return found[0], found[1]
