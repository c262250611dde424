"""Studies to look at: small ones through the real driver, large and hostile ones as rows of a journal."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from swarmmind.effects import Program
from swarmmind.optimizers.archives.grid import Descriptor
from swarmmind.optimizers.map_elites import map_elites
from swarmmind.optimizers.parameters import NumberParameter, TextParameter
from swarmmind.optimizers.requests import criticize, critiques, propose, unread
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Scored, Study
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import Journal
from tests.optimizers import hills

from . import runs

PROMPT = TextParameter("prompts.worker", "instructions", "worker", frozenset({"task"}))
ROUNDS = NumberParameter("swarm.rounds", 1, 9, integer=True)
START = {"prompts.worker": "Do {{ task }}.\nBe brief.", "swarm.rounds": 1}


def score(values: Mapping[str, Any], example: str, rep: int) -> Scored:
    """A quarter for each rule in the prompt, and a tenth more or less for even and odd examples."""
    luck = 0.1 if int(example.rpartition("-")[2]) % 2 == 0 else -0.1
    rules = values["prompts.worker"].count("Rule") / 4
    return Scored(rules + luck, measures={"depth": values["swarm.rounds"], "calls": 3.0})


def rules(ctx: Context, given: Study) -> Program:
    """Adds three rules, one by one; tries what is refused, what is worse, and at last a merge."""
    best = given.start[0]
    [before] = yield [Evaluate(best, given.validate, given.validate.ids)]
    yield [Keep(best, before)]
    [asked] = yield [criticize(given, given.of("text"), best, [])]
    assert critiques(asked, given.of("text"), [])
    lesser: list[Evaluation] = []
    for step in range(3):
        text = best.values["prompts.worker"]
        yield from propose(given, best, {"prompts.worker": f"Rule {step}, without the placeholder."}, "lost it")
        yield [unread("the edit of prompts.worker")]
        worse = best.child({"swarm.rounds": step + 2}, f"more rounds: {step + 2}")
        child = best.child({"prompts.worker": f"{text}\n- Rule {step}."}, f"rule {step} was missing")
        [_, low, seen] = yield [
            Evaluate(child, given.train, given.train.ids[:4]),
            Evaluate(worse, given.validate, given.validate.ids),
            Evaluate(child, given.validate, given.validate.ids),
        ]
        lesser.append(low)
        if seen.mean > before.mean:
            best, before = child, seen
            yield [Keep(best, before)]
    both = best.child({"swarm.rounds": 4}, "merged", lesser[-1].candidate)
    yield [Evaluate(both, given.train, given.train.ids)]


def critic(request: Request, rng: random.Random) -> str:
    """One critique of the worker."""
    wrong = {"parameter": "prompts.worker", "kind": "missing rule", "subject": "rules", "text": "Add rules."}
    return hills.document(critiques=[wrong])


def small(folder: Path, **told: Any) -> Path:
    """Eight candidates, four of them kept; see `rules`. `told` goes into its `result.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    given = hills.study((PROMPT, ROUNDS), START)
    end, _ = hills.conducted(rules, given, hills.Function(score), folder / "journal.sqlite", answers=critic)
    first = given.start[0]
    study = {
        "optimizer": "rules",
        "reason": end.reason,
        "start": {"id": first.id, "values": dict(first.values)},
        "best": {"id": end.best.id, "values": dict(end.best.values)},
        "tried": end.tried,
        "examples": end.examples,
        "missing": end.missing,
        **told,
    }
    return runs.result(folder, name="rules", status="finished", study=study, usage={"calls": 1}, seconds=3.2)


def means(start: float, best: float, low: float | None, high: float | None, n: int = 100) -> dict[str, Any]:
    """How start and winner did, as `result.json` says it."""
    around = {"n": n, "low": None if low is None else -0.1, "high": None if high is None else 0.1}
    shifted = [{**around, "mean": mean} | _moved(around, mean) for mean in (start, best)]
    gain = {"mean": best - start, "low": low, "high": high, "n": n}
    return {"start": shifted[0], "best": shifted[1], "gain": gain}


def _moved(around: Mapping[str, Any], mean: float) -> dict[str, Any]:
    return {end: None if around[end] is None else mean + around[end] for end in ("low", "high")}


def archive(folder: Path, axes: int = 2, steps: int = 6) -> Path:
    """A grid of elites over `depth`, `calls` and `width`, filled by MAP-Elites itself."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = tuple(NumberParameter(name, 0, 10) for name in ("depth", "calls", "width"))

    def bumpy(values: Mapping[str, Any], example: str, rep: int) -> Scored:
        return Scored(1 - abs(values["depth"] - 7) / 10 - abs(values["calls"] - 2) / 20, measures=dict(values))

    given = hills.study(numbers, dict.fromkeys(("depth", "calls", "width"), 1.0), train=4, validate=4)
    grid = [Descriptor(measure=number.name, low=0.0, high=10.0, bins=5) for number in numbers[:axes]]
    hills.conducted(
        map_elites, given, hills.Function(bumpy), folder / "journal.sqlite", descriptors=grid, steps=steps, batch=8
    )
    return folder


def large(folder: Path, count: int, seed: int = 3, words: int = 300) -> Path:
    """So many candidates, most of them made from the best so far, with prompts of some hundred words."""
    rng = random.Random(seed)
    lexicon = [f"word{at}" for at in range(400)]

    def write(kept: Journal) -> Iterator[None]:
        texts = {0: rng.choices(lexicon, k=words)}
        quality = {0: 0.3}
        best = 0
        for one in range(count):
            parent = best if rng.random() < 0.7 else rng.randrange(max(1, one))
            if one:
                texts[one] = list(texts[parent])
                texts[one][rng.randrange(words)] = f"new{one}"
                quality[one] = quality[parent] + rng.gauss(-0.01, 0.01)
            data = {"id": f"{one:012x}", "parents": [f"{parent:012x}"] if one else [], "note": f"changed word in {one}",
                    "values": {"prompts.worker": " ".join(texts[one]), "swarm.rounds": one % 9}}  # fmt: skip
            kept.record(f"run/0/search/{one}/candidate", "candidate", data)
            for split, n in (("train", 8), ("validate", 50)):
                seen = {"candidate": data["id"], "split": split, "mean": quality[one] + rng.gauss(0, 0.4 / n**0.5),
                        "n": n, "sd": 0.4, "asked": n, "measures": {"calls": 3.0}}  # fmt: skip
                kept.record(f"run/0/search/{one}/{split}", "evaluation", seen)
            if one == 0 or quality[one] > quality[best]:
                best = one
                row = {"id": data["id"], "mean": quality[one], "split": "validate"}
                kept.record(f"run/0/search/{one}/best", "best", row)
            if one % 7 == 0:
                wrong = {"prompts.worker": [f"must have at most 20,000 characters, got {20_000 + one:,}"]}
                kept.record(f"run/0/search/{one}/refused", "refused", {"note": "too long", "problems": wrong})
            if one % 100 == 0:
                yield
        yield

    return runs.journal(folder, write)


def written(folder: Path, *rows: tuple[str, Any], program: str = "run/0/search") -> Path:
    """A journal of these records `(name, data)`, in order, of one program."""

    def write(kept: Journal) -> Iterator[None]:
        for at, (name, data) in enumerate(rows):
            kept.record(f"{program}/{at}/{name.replace('/', '|')}", name, data)
        yield

    return runs.journal(folder, write)
