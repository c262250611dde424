"""Bandits that find the best of sixteen with few pulls, and a beam whose critiques of errors beat blind rewrites."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from math import sqrt
from statistics import mean
from typing import Any, NamedTuple

from swarmmind.effects import Nested, Outcome, Program
from swarmmind.models.local import ScriptedFunction
from swarmmind.optimizers.bandits import Bandit, Draws, select
from swarmmind.optimizers.beam import beam, beam_most
from swarmmind.optimizers.conduct import conduct
from swarmmind.optimizers.parameters import ChoiceParameter, TextParameter
from swarmmind.optimizers.study import Scored, Study
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.testing.play import echo
from tests.optimizers.hills import Function, document, study

from .experiment import Experiment
from .paired import over, paired, rehearse

BATCHES, PROBLEMS = range(500, 516), 50  # of problems of sixteen arms
ARMS, BEST, REST = 16, 0.75, (0.45, 0.65)
EXAMPLES = 60  # fewer than an arm may be pulled: they are measured afresh then


class Found(NamedTuple):
    """What a bandit did on one problem.

    Attributes:
        kept: whether the best arm is among those it returned.
        pulls: evaluations it took, as the arms counted them.
        twice: how many of these were made before.
    """

    kept: bool
    pulls: int
    twice: int


def problem(seed: int) -> tuple[Study, Function, int]:
    """Sixteen arms in an order of chance, their payoffs, and which of them is the best."""
    streams = Streams(seed)
    rng = streams.rng("arms")
    best = rng.randrange(ARMS)
    pays = [BEST if at == best else rng.uniform(*REST) for at in range(ARMS)]

    def pull(values: Mapping[str, Any], example: str, rep: int) -> float:
        at = values["arm"]
        luck = blake2b(f"{seed}/{at}/{example}/{rep}".encode(), digest_size=7).digest()
        return float(int.from_bytes(luck, "big") / 2**56 < pays[at])

    arm = ChoiceParameter("arm", tuple(range(ARMS)))
    given = study((arm,), *({"arm": at} for at in range(ARMS)), train=EXAMPLES)
    return given, Function(pull), best


def pulled(bandit: Bandit, budget: int, keep: int, seed: int) -> list[Found]:
    """A batch of problems in one run; each is a study of its own."""
    problems = [problem(seed * PROBLEMS + at) for at in range(PROBLEMS)]
    found: dict[int, list[int]] = {}

    def one(at: int) -> Callable[[Context], Program]:
        def search(ctx: Context, given: Study) -> Program:
            draws = Draws(given.train, ctx.rng("draws"))
            chosen = yield from select(given.start, draws, budget, keep, bandit)
            found[at] = [one.values["arm"] for one in chosen]

        return lambda ctx: conduct(ctx, problems[at][0], search, problems[at][1])

    def program(ctx: Context) -> Program:
        outcomes: list[Outcome] = yield [Nested(one(at), f"problem-{at}") for at in range(PROBLEMS)]
        assert all(outcome.ok for outcome in outcomes)
        return [outcome.value.examples for outcome in outcomes]

    spent = rehearse(program, ScriptedFunction(echo), seed).value
    counted = [
        Found(best in found[at], len(function.asked), len(function.asked) - len(set(function.asked)))
        for at, (_, function, best) in enumerate(problems)
    ]
    assert spent == [one.pulls for one in counted]
    return counted


SPEC: dict[tuple[Bandit, int, int], float | None] = {
    ("uniform", 512, 1): 0.60,
    ("ucb", 512, 1): 0.79,
    ("successive-rejects", 512, 1): 0.78,
    ("halving", 512, 1): None,
    ("uniform", 256, 1): 0.42,
    ("ucb", 256, 1): 0.54,
    ("successive-rejects", 256, 1): 0.61,
    ("uniform", 128, 1): 0.27,
    ("ucb", 128, 1): 0.26,
    ("successive-rejects", 128, 1): 0.45,
    ("uniform", 512, 4): 0.93,
    ("ucb", 512, 4): 0.94,
    ("successive-rejects", 512, 4): 0.88,
}
"""What the spec measured, by bandit, budget, and how many are kept."""


def all_pulled(seed: int) -> dict[tuple[Bandit, int, int], list[Found]]:
    """A batch of problems for every bandit."""
    return {setting: pulled(*setting, seed) for setting in SPEC}


# --- the beam ---------------------------------------------------------------------------------------------------------

SEEDS = range(40, 56)
KNOWN, NEEDED = 200, 8  # rules that there are, and those that some example needs
WITH, WITHOUT = 0.9, 0.2  # how often an example comes out well with its rule, and without it
MINIBATCH, BUDGET = 32, 600
SPOILS = 0.2  # how often an editor loses a rule
FORGOTTEN = 4  # rules that a careless one loses besides


def rules(text: str) -> list[str]:
    """The rules that a prompt (or a critique) names, in its order."""
    return list(dict.fromkeys(re.findall(r"rule-[0-9]+", text)))


class Team:
    """Examples that need a rule each; a scorer that says which; a critic and an editor.

    Args:
        reads: whether the critic reads the errors that it is shown; otherwise it names rules at random.
        noisy: whether examples come out well or badly by luck, too.
        careless: how often the editor loses many rules.
        emptied: so many of its first rewrites lose all.
        seed: of the rules that are needed.
    """

    def __init__(self, reads: bool, noisy: bool, careless: float, emptied: int, seed: int) -> None:
        self._reads, self._careless, self._emptied = reads, careless, emptied
        self._with, self._without = (WITH, WITHOUT) if noisy else (1.0, 0.0)
        self._streams = Streams(seed)
        self.needed = [f"rule-{at}" for at in self._streams.rng("needed").sample(range(KNOWN), NEEDED)]

    def score(self, values: Mapping[str, Any], example: str, rep: int) -> Scored:
        """An example, run; the same luck for all prompts."""
        rule = self.needed[int(example.split("-")[1]) % NEEDED]
        likely = self._with if rule in rules(values["prompt"]) else self._without
        well = self._streams.rng(f"{example}/{rep}").random() < likely
        return Scored(float(well), "ok" if well else "odd", "" if well else f"It should have kept to {rule}.")

    def share(self, text: str) -> float:
        """Of the needed rules, those that a prompt has: its true quality."""
        return sum(rule in rules(text) for rule in self.needed) / NEEDED

    def say(self, request: Request, rng: random.Random) -> str:
        """What critic and editor say."""
        seen = request.observation
        if seen["do"] == "criticize":
            said = Counter(rule for case in seen["cases"] for rule in rules(case["feedback"]))
            named = [rule for rule, _ in said.most_common(2)]
            if not self._reads:
                named = [f"rule-{rng.randrange(KNOWN)}" for _ in named]
            text = f"It should say: {', '.join(named)}."
            one = {"parameter": "prompt", "kind": "missing rule", "subject": named[0], "text": text}
            return document(critiques=[one])
        have = rules(seen["value"])
        if seen["do"] == "edit":
            have += [rule for one in seen["critiques"] for rule in rules(one["text"])]
            if len(have) > 2 and rng.random() < SPOILS:
                have.remove(rng.choice(have))
            if rng.random() < self._careless:
                have = rng.sample(have, max(len(have) - FORGOTTEN, 0))
            have, self._emptied = ([] if self._emptied > 0 else have), self._emptied - 1
        return document(value=f"Keep to {', '.join(have)} ({rng.getrandbits(32):08x}).", note="")


class Searched(NamedTuple):
    """What a beam search came to.

    Attributes:
        quality: of its result, the true one.
        asks: of critic and editor.
        examples: evaluations.
        read: the scores of the runs in each prompt that the critic got, if the journal was read.
    """

    quality: float
    asks: int
    examples: int
    read: list[list[str]]


def team_study(start: str) -> Study:
    """A prompt, 80 examples to learn from, 80 to choose by."""
    return study((TextParameter("prompt"),), {"prompt": start}, train=80, validate=80)


class Variant(NamedTuple):
    """A search; see `Team`.

    Attributes:
        reads: whether the critic does.
        begun: how many of the needed rules there are to begin with.
        noisy: whether there is noise.
        careless: how often the editor is.
        emptied: of its first rewrites.
        rounds: of the search.
    """

    reads: bool = True
    begun: int = 0
    noisy: bool = True
    careless: float = 0.0
    emptied: int = 0
    rounds: int = 6


def searched(variant: Variant, seed: int) -> Searched:
    """A beam search in a run of its own, from a prompt that has the first of the needed rules."""
    reads, begun, noisy, careless, emptied, rounds = variant
    team = Team(reads, noisy, careless, emptied, seed)
    given = team_study(f"Keep to {', '.join(team.needed[:begun]) or 'nothing'}.")
    optimizer = partial(beam, rounds=rounds, minibatch=MINIBATCH, budget=BUDGET)

    def program(ctx: Context) -> Program:
        return conduct(ctx, given, optimizer, Function(team.score))

    done = rehearse(program, ScriptedFunction(team.say), seed, with_journal=seed == SEEDS[0])
    quality = team.share(done.value.best.values["prompt"])
    return Searched(quality, done.asks, done.value.examples, _read(done.journal))


VARIANTS = {
    "critiques of errors": Variant(),
    "blind rewrites": Variant(reads=False),
    "nothing is wrong (null)": Variant(begun=NEEDED, noisy=False),
    "careless editor": Variant(careless=0.88),
    "first rewrites emptied": Variant(begun=NEEDED // 2, emptied=4, rounds=3),
}
"""With a careless editor it matters who is chosen; if all first children are worse, that the old beam competes."""


def all_searched(seed: int) -> dict[str, Searched]:
    """A search in every variant."""
    return {name: searched(variant, seed) for name, variant in VARIANTS.items()}


# --- the experiment ---------------------------------------------------------------------------------------------------


def run() -> Experiment:
    """Bandits on the same problems, then whole searches on the same teams."""
    experiment = Experiment(
        "beam", f"{len(BATCHES) * PROBLEMS} problems of {ARMS} arms; {len(SEEDS)} searches",
        ["variant", "budget", "kept", "best is kept, or true quality", "spec", "evaluations at most"],
    )  # fmt: skip
    kept = _bandits(experiment)
    for better in ("successive-rejects", "ucb"):
        gain, half = paired(kept[better, 512, 1], kept["uniform", 512, 1])
        experiment.expect(f"{better} over uniform at 512", gain, ">=", 0.12)
        experiment.expect(f"{better} over uniform at 512, lower end", gain - half, ">", 0.0)
    gain, half = paired(kept["successive-rejects", 128, 1], kept["uniform", 128, 1])
    experiment.expect("successive-rejects over uniform at 128, lower end", gain - half, ">", 0.0)
    _searches(experiment)
    return experiment


def _bandits(experiment: Experiment) -> dict[tuple[Bandit, int, int], list[float]]:
    kept: dict[tuple[Bandit, int, int], list[float]] = {}
    batches = over(BATCHES, all_pulled)
    for (bandit, budget, keep), spec in SPEC.items():
        found = [one for batch in batches for one in batch[bandit, budget, keep]]
        share = kept[bandit, budget, keep] = [float(one.kept) for one in found]
        most = max(one.pulls for one in found)
        experiment.row(bandit, budget, keep, mean(share), spec or "", most)
        name = f"{bandit}, {budget} for {keep}"
        experiment.expect(f"{name}: pulls at most", most, "<=", budget)
        experiment.expect(f"{name}: pulls made twice", sum(one.twice for one in found), "==", 0)
        if bandit == "uniform" and spec:
            error = 3 * sqrt(spec * (1 - spec) / len(share)) + 0.01  # the spec rounds, and has an error of its own
            experiment.expect(f"{name}: off the spec", abs(mean(share) - spec), "<=", error)
    return kept


def _searches(experiment: Experiment) -> None:
    played = over(SEEDS, all_searched)
    quality: dict[str, float] = {}
    for name, variant in VARIANTS.items():
        searches = [one[name] for one in played]
        quality[name] = mean(one.quality for one in searches)
        asks, examples = max(one.asks for one in searches), max(one.examples for one in searches)
        experiment.row(name, BUDGET, 4, quality[name], "", examples)
        if not variant.noisy:
            experiment.expect(f"{name}: asks", asks, "==", 0)
            continue
        most = beam_most(team_study(""), rounds=variant.rounds, minibatch=MINIBATCH, budget=BUDGET)
        experiment.expect(f"{name}: asks at most", asks, "<=", most.asks)
        experiment.expect(f"{name}: evaluations at most", examples, "<=", most.examples)
        read = [runs for one in searches for runs in one.read]
        experiment.expect(f"{name}: errors in a critic's prompt", max(map(len, read)), "==", 4)
        experiment.expect(f"{name}: their scores", {score for runs in read for score in runs}, "==", {"0.0"})
    experiment.expect("critiques of errors: true quality", quality["critiques of errors"], ">=", 0.95)
    experiment.expect("blind rewrites: true quality", quality["blind rewrites"], "<=", 0.5)
    experiment.expect("careless editor: true quality", quality["careless editor"], ">=", 0.6)
    experiment.expect("first rewrites emptied: true quality", quality["first rewrites emptied"], ">=", 0.8)


def _read(journal: Sequence[Sequence[str]]) -> list[list[str]]:
    """The scores that each of the critic's journaled prompts shows, one per run."""
    asked = [json.loads(row[5])[0][-1]["content"] for row in journal if row[0] == "result" and row[3] == "critic"]
    return [re.findall(r"^\[output, score ([0-9.]+)\]$", prompt, re.MULTILINE) for prompt in asked]
