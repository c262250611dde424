"""Agent symbolic learning: requirements go back along a chain, and a team's structure is edited by operations."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

from swarmmind.effects import Program
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import TextParameter
from swarmmind.optimizers.study import Case, Scored, Study
from swarmmind.optimizers.textual_backprop.backward import Backward
from swarmmind.optimizers.textual_backprop.requirements import requirements
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams

from . import carried, pipelines, routing
from .experiment import Experiment, interval
from .paired import over, paired

# --- structure: a hidden pipeline ------------------------------------------------------------------------------------

PIPELINES = range(40, 120)
STEPS = 14  # about what lets all operations together end where the spec says


class Structured(NamedTuple):
    """A run on a hidden pipeline.

    Attributes:
        start: the score at first.
        final: at last, of the candidate that was kept.
        illegal: how many candidates were evaluated that are no legal workflow.
        answered: how many answers of the editor were illegal.
        refused: how many refusals were recorded.
        same: whether after each illegal answer the value was what it had been, byte for byte.
    """

    start: float
    final: float
    illegal: int
    answered: int
    refused: int
    same: bool


def structured(arm: str, seed: int) -> Structured:
    """All arms meet the same pipelines."""
    operations = {"no add": ("delete", "move"), "no ops": ()}.get(arm, ("add", "delete", "move"))
    unchecked = arm == "no validation"
    world = pipelines.World(seed)
    editor = pipelines.Editor(operations, sees=arm != "blind", whole=unchecked)
    parameter: Any = pipelines.Unchecked("team") if unchecked else pipelines.TEAM
    given = routing.study({"team": pipelines.chained(world.start)}, (parameter,), examples=1)
    accept = "always" if arm == "no gate" else "strict"
    end, played = routing.optimized(
        given, world, editor, seed, with_journal=True, backward="requirements", accept=accept, steps=STEPS, batch=1
    )
    refused = [json.loads(row[3]) for row in played.journal if row[0] == "record" and row[2] == "refused"]
    illegal = sum(not world.legal(one) for one in end.candidates.values())
    seen = list(zip(editor.was_illegal, editor.values, editor.values[1:], strict=False))
    same = all(before == after for was_illegal, before, after in seen if was_illegal)
    final = world(end.best, "validate-0", 0).score or 0.0
    start = world(given.start[0], "validate-0", 0).score or 0.0
    problems = sum(bool(one["problems"]) for one in refused)
    return Structured(start, final, illegal, sum(editor.was_illegal), problems, same)


# --- requirements: the routing world, in a chain ---------------------------------------------------------------------

CHAINS = range(20, 32)
CHAIN_STEPS = 14


def first_to_last(ctx: Context, study: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
    """The same pass, from the first step to the last: whoever was heard is taken for who heard."""
    return requirements(ctx, study, candidate, [_turned(case) for case in cases])


def _turned(case: Case) -> Case:
    steps, last = case.run.steps, len(case.run.steps) - 1
    hearers = [tuple(last - at for at, step in enumerate(steps) if one in step.heard) for one in range(len(steps))]
    turned = tuple(steps[at]._replace(heard=tuple(sorted(hearers[at]))) for at in range(last, -1, -1))
    run = case.run
    return Case(case.id, Scored(run.score, run.output, run.feedback, turned, question=run.question))


class Chained(NamedTuple):
    """A run in the chain.

    Attributes:
        final: the score at last.
        losses: how many outputs were judged.
        edits: how many texts were edited.
        asked: of each role, how often it was asked for a suggestion.
        without: how many of these prompts hold no requirement.
    """

    final: float
    losses: int
    edits: int
    asked: dict[str, int]
    without: int


def in_chain(arm: str, seed: int) -> Chained:
    """All arms meet the same needs."""
    crew = carried.Crew(passes_on=arm != "blanked", looks=arm != "broadcast", speaks=arm != "blind")
    backward: Backward | str = first_to_last if arm == "first to last" else "requirements"
    end, played = routing.optimized(
        routing.study(routing.bare()), carried.World(seed, carried.CHAIN), crew, seed,
        with_journal=True, backward=backward, accept="strict", steps=CHAIN_STEPS, batch=1,
    )  # fmt: skip
    prompts = carried.said(played.journal, "critic")
    steps = [prompt for prompt in prompts if "Below is one step of a run" in prompt]
    asked = {role: sum(f"\n[{role}, {role}]\n" in prompt for prompt in steps) for role in routing.ROLES}
    without = sum("\n[requirement, " not in prompt for prompt in steps)
    final = end.evaluation.mean if end.evaluation else 0.0
    edits = len(carried.said(played.journal, "editor"))
    assert len(prompts) + edits == played.asks
    return Chained(final, len(prompts) - len(steps), edits, asked, without)


# --- placeholders -----------------------------------------------------------------------------------------------------

REWRITES, KEPT = 1000, 100
HELD = ("problem", "answers", "role")
_WORDS = ("read", "write", "check", "answer", "think", "never", "always", "first", "then", "last")


def rewritten(seed: int, harm: bool, count: int) -> tuple[int, int]:
    """Random rewrites of a template, each of which drops or adds placeholders, or none does; how many were refused,
    and how many of them became candidates."""
    drawn = Streams(seed).rng(f"rewrites/{harm}")

    def rewrite() -> str:
        kept = list(HELD)
        if harm:
            dropped = drawn.sample(HELD, drawn.randrange(0, 3))
            added = drawn.sample(["target", "secret", "problems", "Role"], drawn.randrange(0 if dropped else 1, 3))
            kept = [name for name in HELD if name not in dropped] + added
        parts = [f"{{{{ {name} }}}}" for name in kept] + drawn.choices(_WORDS, k=drawn.randrange(2, 12))
        return " ".join(drawn.sample(parts, len(parts)))

    def say(request: Request, rng: random.Random) -> str:
        do = request.observation["do"]
        if do == "judge":
            return json.dumps({"critique": "bad", "kind": "", "subject": "", "requirement": "better"})
        if do == "suggest":
            return json.dumps({"suggestion": "better", "kind": "other", "subject": "all", "requirement": ""})
        return json.dumps({"value": rewrite(), "note": "a rewrite"})

    parameter = TextParameter("worker", role=routing.ROLES[0], placeholders=frozenset(HELD))
    given = routing.study({"worker": " ".join(f"{{{{ {name} }}}}" for name in HELD)}, (parameter,), examples=1)
    end, played = routing.optimized(
        given, _Spoken(), say, seed, with_journal=True, backward="requirements", accept="always", steps=count, batch=1
    )
    refused = [json.loads(row[3]) for row in played.journal if row[0] == "record" and row[2] == "refused"]
    return sum("worker" in one["problems"] for one in refused), end.tried - 1


class _Spoken(carried.World):
    """Everybody spoke, in vain."""

    def __init__(self) -> None:
        super().__init__(0, {routing.ROLES[0]: ()})

    def score(self, values: Mapping[str, str]) -> float:
        """Never anything."""
        return 0.0

    def missing(self, values: Mapping[str, str]) -> dict[str, list[int]]:
        """Nothing that anybody knows."""
        return {}


# --- the experiment ---------------------------------------------------------------------------------------------------

STRUCTURE = {"all ops": 0.638, "no add": 0.298, "no gate": 0.284, "no ops": 0.216, "no validation": "", "blind": ""}
ROUTES = ("requirements", "blanked", "first to last", "broadcast", "blind")


def run() -> Experiment:
    """All arms on the same worlds."""
    experiment = Experiment(
        "symbolic-structure", f"{len(CHAINS)} chains of {len(routing.ROLES)}, {len(PIPELINES)} hidden pipelines",
        ["arm", "final score", "spec", "what was asked, or illegal"],
    )  # fmt: skip
    _structure(experiment, {arm: over(PIPELINES, structured, arm) for arm in STRUCTURE})
    _chains(experiment, {arm: over(CHAINS, in_chain, arm) for arm in ROUTES})
    refused, tried = rewritten(1, True, REWRITES)
    experiment.expect(f"of {REWRITES} rewrites that lose or add a placeholder, refused", refused, "==", REWRITES)
    experiment.expect("of these, evaluated", tried, "==", 0)
    refused, tried = rewritten(2, False, KEPT)
    experiment.expect(f"of {KEPT} rewrites that keep them, refused", refused, "==", 0)
    experiment.expect("of these, evaluated", tried, ">=", KEPT - 5)
    return experiment


def _structure(experiment: Experiment, played: Mapping[str, Sequence[Structured]]) -> None:
    final = {arm: [one.final for one in runs] for arm, runs in played.items()}
    for arm, runs in played.items():
        seen = f"illegal seen in {mean(one.illegal > 0 for one in runs):.0%} of runs"
        experiment.row(f"pipeline: {arm}", interval(final[arm]), STRUCTURE[arm], seen)
    start = mean(one.start for one in played["all ops"])
    experiment.row("pipeline: start", start, 0.22, "")
    experiment.expect("all ops - no gate", mean(final["all ops"]) - mean(final["no gate"]), ">=", 0.25)
    for arm in ("no add", "no ops", "blind"):
        gain, half = paired(final["all ops"], final[arm])
        experiment.expect(f"all ops over {arm}, lower end", gain - half, ">", 0.0)
    experiment.expect("no ops: off the start", abs(mean(final["no ops"]) - start), "<=", 1e-9)
    checked = [one for arm, runs in played.items() if arm != "no validation" for one in runs]
    experiment.expect("illegal candidates, validated", sum(one.illegal for one in checked), "==", 0)
    unchecked = mean(one.illegal > 0 for one in played["no validation"])
    experiment.expect("runs with illegal candidates, not validated", unchecked, ">=", 0.95)
    answered = sum(one.answered for one in checked)
    experiment.expect("illegal answers of the editor", answered, ">=", 100)
    experiment.expect("illegal answers refused", sum(one.refused for one in checked), "==", answered)
    experiment.expect("values after them byte-identical", all(one.same for one in checked), "==", True)


def _chains(experiment: Experiment, played: Mapping[str, Sequence[Chained]]) -> None:
    final = {arm: [one.final for one in runs] for arm, runs in played.items()}
    first, last = routing.ROLES[0], routing.ROLES[-1]
    for arm, runs in played.items():
        asked = mean(sum(one.asked.values()) / max(one.losses, 1) for one in runs)
        experiment.row(f"chain: {arm}", interval(final[arm]), "", f"{asked:.1f} steps a case")
    experiment.expect("requirements passed back, worst run", min(final["requirements"]), ">=", 0.98)
    for arm in ROUTES[1:]:
        experiment.expect(f"{arm}, mean", mean(final[arm]), "<=", 0.15)
    everything = [one for runs in played.values() for one in runs]
    experiment.expect("steps asked without a requirement", sum(one.without for one in everything), "==", 0)
    others = {role: sum(one.asked[role] for one in played["blanked"]) for role in routing.ROLES[:-1]}
    experiment.expect("blanked: asked before the last step", sum(others.values()), "==", 0)
    reached = [one.asked[first] > 0 and one.asked[last] == one.losses for one in played["requirements"]]
    experiment.expect("passed back, the first step is reached", all(reached), "==", True)
    one = played["broadcast"][0]  # everybody passes on and is criticized: B + B S critics, S editors
    experiment.expect("calls a step of learning, all asked", set(one.asked.values()), "==", {CHAIN_STEPS})
    experiment.expect("judged and edited", (one.losses, one.edits), "==", (CHAIN_STEPS, CHAIN_STEPS * len(one.asked)))
