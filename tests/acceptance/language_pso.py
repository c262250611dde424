"""SwarmAgentic's swarm (arXiv 2506.15672): what each term of its velocity is worth, where everything can be counted.

A system is ten rules. Each is mended by exactly one of a few remedies, and the example of that number passes once it
is. The critic says which rules fail; the editor proposes remedies and writes them into the system. Both are scripts
that answer real asks; the optimizer alone remembers what failed, and shows whoever does better.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

from swarmmind.effects import Agent
from swarmmind.models.local import ScriptedFunction
from swarmmind.optimizers.candidate import candidate
from swarmmind.optimizers.conduct import conduct
from swarmmind.optimizers.language_pso import language_pso
from swarmmind.optimizers.parameters import TextParameter
from swarmmind.optimizers.study import Scored, Split, Study
from swarmmind.ports import Request
from swarmmind.rng import Streams
from tests.optimizers.hills import Function

from .experiment import Experiment, interval
from .paired import over, paired, rehearse

RULES = 10
BREAKS = 0.15
UNTOUCHED = "none"
_RULE = re.compile(r"^rule (\d+): (\w+)$", re.MULTILINE)


class Arm(NamedTuple):
    """A variant.

    Attributes:
        name: of the row.
        spec: what the spec measured, if it did.
        particles: of the swarm.
        iterations: scorings.
        remedies: per rule; one of them is right.
        at_once: how many flaws the editor mends in one move.
        invents: how many rules an editor can find the remedy of by itself; the particles' shares are disjoint.
        lost: the share of edits that the editor forgets to make, though it says that it made them.
        notes: whether it writes these down where no rule is: the words are there, to no effect.
        heeds: whether it uses what others do better.
        critic: `true` flaws with their examples; `sloppy`: true flaws, each blamed for all failures; `random` flaws.
        hopeless: whether no remedy is right.
        given: the optimizer's parameters.
    """

    name: str
    spec: float | None = None
    particles: int = 5
    iterations: int = 10
    remedies: int = 4
    at_once: int = 4
    invents: int = RULES
    lost: float = 0.0
    notes: bool = False
    heeds: bool = True
    critic: str = "true"
    hopeless: bool = False
    given: Mapping[str, Any] = {}


class World:
    """Rules, their right remedies, and who talks about them."""

    def __init__(self, arm: Arm, seed: int) -> None:
        self._arm, luck = arm, Streams(seed).rng("right")
        self._right = [f"r{luck.randrange(arm.remedies)}" for _ in range(RULES)]
        self._order = luck.sample(range(RULES), RULES)

    def passes(self, rules: str, rule: int) -> bool:
        """Whether the rule is mended."""
        return not self._arm.hopeless and dict(_RULE.findall(rules))[str(rule)] == self._right[rule]

    def score(self, values: Mapping[str, Any], example: str, rep: int) -> Scored:
        return Scored(float(self.passes(values["rules"], int(example))), question=f"Case {example}")

    def say(self, request: Request, rng: random.Random) -> str:
        seen = request.observation
        return {"cause": self._cause, "flaws": self._flaws, "fuse": self._fuse, "apply": self._apply}[seen["do"]](
            seen, rng
        )

    def _cause(self, seen: Mapping[str, Any], rng: random.Random) -> str:
        return f"rule {seen['case']['id']} is of no help"

    def _flaws(self, seen: Mapping[str, Any], rng: random.Random) -> str:
        failing = list(seen["causes"])
        rules = [re.findall(r"\d+", cause)[0] for cause in seen["causes"].values()]
        if self._arm.critic == "random":
            rules = [str(rule) for rule in rng.sample(range(RULES), len(failing))]
        flaws = [
            {
                "parameter": "rules",
                "kind": "weak role policy",
                "subject": f"rule {rule}",
                "text": f"rule {rule} does not help",
                "examples": failing if self._arm.critic == "sloppy" else [case],
            }
            for rule, case in zip(rules, failing, strict=True)
        ]
        return json.dumps({"flaws": flaws})

    def _fuse(self, seen: Mapping[str, Any], rng: random.Random) -> str:
        arm, at = self._arm, seen["particle"]
        own = self._order[at * arm.invents : (at + 1) * arm.invents] if arm.invents < RULES else self._order
        plan = []
        for k in rng.sample(range(len(seen["flaws"])), min(arm.at_once, len(seen["flaws"]))):
            rule = seen["flaws"][k]["subject"].split()[1]
            hints = [dict(_RULE.findall(one["values"]["rules"]))[rule] for one in seen["guidance"] if k in one["flaws"]]
            remedy = hints[0] if hints and arm.heeds else self._invented(seen["flaws"][k], int(rule) in own, rng)
            if remedy is not None and remedy != UNTOUCHED:
                plan.append({"flaw": k, "adjustment": f"let rule {rule} have {remedy}"})
        return json.dumps({"adjustments": plan})

    def _invented(self, flaw: Mapping[str, Any], able: bool, rng: random.Random) -> str | None:
        rule = flaw["subject"].split()[1]
        open_ones = [
            remedy
            for remedy in (f"r{k}" for k in range(self._arm.remedies))
            if f"let rule {rule} have {remedy}" not in flaw["failed"] and (able or remedy != self._right[int(rule)])
        ]
        return rng.choice(open_ones) if open_ones else None

    def _apply(self, seen: Mapping[str, Any], rng: random.Random) -> str:
        rules, done, notes = dict(_RULE.findall(seen["values"]["rules"])), [], list[str]()
        before = seen["values"]["rules"].partition("\n\n")[2]
        for k, one in enumerate(seen["adjustments"]):
            _, _, rule, _, remedy = one["adjustment"].split()
            done.append({"adjustment": k, "excerpt": f"rule {rule}: {remedy}"})
            if rng.random() >= self._arm.lost:
                rules[rule] = remedy
            elif self._arm.notes:
                notes.append(f"tried rule {rule}: {remedy}")
        if rng.random() < BREAKS:
            broken = rng.randrange(RULES)
            rules[str(broken)] = rng.choice(
                [f"r{k}" for k in range(self._arm.remedies) if f"r{k}" != self._right[broken]]
            )
        text = "\n".join(f"rule {rule}: {remedy}" for rule, remedy in rules.items())
        noted = "\n".join(filter(None, (before, *notes)))
        return json.dumps({"values": {"rules": f"{text}\n\n{noted}" if noted else text}, "done": done})


def study(arm: Arm) -> Study:
    """All particles begin where nothing is mended."""
    critic, editor = (Agent(name, name, model="m") for name in ("critic", "editor"))
    start = candidate({"rules": "\n".join(f"rule {k}: {UNTOUCHED}" for k in range(RULES))})
    train = Split("train", [str(k) for k in range(RULES)], quotable=True)
    return Study((TextParameter("rules"),), (start,) * arm.particles, train, Split("validate", ()), critic, editor)


def reached(arm: Arm, seed: int) -> float:
    """The score of the best system that a study comes to."""
    return _played(arm, seed).value.evaluation.mean


def _played(arm: Arm, seed: int, journal: bool = False) -> Any:
    world = World(arm, seed)
    given: dict[str, Any] = {"particles": arm.particles, "iterations": arm.iterations, **arm.given}
    return rehearse(
        lambda ctx: conduct(ctx, study(arm), lambda at, one: language_pso(at, one, **given), Function(world.score)),
        ScriptedFunction(world.say),
        seed,
        with_journal=journal,
    )


# --- the experiment -------------------------------------------------------------------------------------------------

MANY, FEWER = range(300), range(100)
"""Seeds: of arms of one particle, and of arms of five, which take twenty times as many calls."""

_TRANSFER = Arm("global best: full", 0.783, invents=2)
_MEMORY = Arm("memory: unlimited", 0.821, 1, 6, 6, RULES, given={"guidance": "none"})
_LOSSY = Arm("attribution: edits lost, not blamed", 0.953, lost=0.5)
_HOPELESS = Arm("null: nothing helps", hopeless=True)

ARMS: dict[str, Arm] = {
    "full": _TRANSFER,
    "alone": _TRANSFER._replace(name="global best: without", spec=0.2, given={"guidance": "personal"}),
    "unfiltered": _TRANSFER._replace(
        name="global best: hints for all flaws, no memory", spec=0.185, critic="sloppy", given={"memory": 0}
    ),
    "fake": _TRANSFER._replace(name="global best: shown, never used (fake)", spec=None, heeds=False),
    "unlimited": _MEMORY,
    "one": _MEMORY._replace(name="memory: 1", spec=0.645, given={"guidance": "none", "memory": 1}),
    "none": _MEMORY._replace(name="memory: none", spec=0.578, given={"guidance": "none", "memory": 0}),
    "lost": _LOSSY,
    "blamed": _LOSSY._replace(name="attribution: blamed anyway", spec=0.86, notes=True),
    "true": Arm("feedback: true flaws", 1.0),
    "random": Arm("feedback: random flaws", 0.545, critic="random"),
}


def run() -> Experiment:
    """All arms, those of a mechanism on the same seeds; then what the prompts of one run of the full arm hold."""
    experiment = Experiment(
        "language-pso",
        f"ten flaws, {len(MANY)} seeds of one particle, {len(FEWER)} of five",
        ["arm", "reached", "spec", "seeds"],
    )
    found = {key: over(MANY if arm.particles == 1 else FEWER, reached, arm) for key, arm in ARMS.items()}
    for key, arm in ARMS.items():
        experiment.row(arm.name, interval(found[key]), arm.spec or "", len(found[key]))
    _expect(experiment, found)
    _expect_prompts(experiment)
    _expect_null(experiment)
    return experiment


def _expect(experiment: Experiment, found: Mapping[str, Sequence[float]]) -> None:
    reach = {key: mean(values) for key, values in found.items()}
    experiment.expect("with a global best", reach["full"], ">=", 0.65)
    experiment.expect("without", reach["alone"], "<=", 0.25)
    experiment.expect("shown, never used (fake)", reach["fake"], "<=", 0.25)
    experiment.expect("memory: unlimited less none", reach["unlimited"] - reach["none"], ">=", 0.15)
    experiment.expect("edits lost, not blamed", reach["lost"], ">=", 0.92)
    experiment.expect("told true flaws", reach["true"], ">=", 0.95)
    experiment.expect("told random flaws", reach["random"], "<=", 0.65)
    for what, better, worse in (
        ("hints where a best does better over hints for all flaws", "full", "unfiltered"),
        ("memory: unlimited over 1", "unlimited", "one"),
        ("memory: 1 over none", "one", "none"),
        ("not blamed over blamed anyway", "lost", "blamed"),
    ):
        gain, half = paired(found[better], found[worse])
        experiment.expect(f"{what}, lower end", gain - half, ">", 0.0)


def _prompts(journal: Sequence[Sequence[str]]) -> list[tuple[str, str | None]]:
    """Of every journaled ask for a velocity: the system, and the global best if it is quoted."""
    asks = [json.loads(row[5]) for row in journal if row[0] == "result" and row[2] == "Ask"]
    found: list[tuple[str, str | None]] = []
    for messages, body in asks:
        if '"velocity"' not in body:
            continue
        quotes = re.findall(r"^\[(rules|global best, rules)\]\n((?:>.*\n?)+)", messages[-1]["content"], re.M)
        texts = {author: re.sub("^> ?", "", text, flags=re.M) for author, text in quotes}
        found.append((texts["rules"], texts.get("global best, rules")))
    return found


def _expect_prompts(experiment: Experiment) -> None:
    """The journaled prompts quote the global best exactly where it passes what the particle fails."""
    played, world = _played(_TRANSFER, 0, journal=True), World(_TRANSFER, 0)
    prompts = _prompts(played.journal)
    passed = [
        (best, [k for k in range(RULES) if world.passes(best, k) and not world.passes(own, k)])
        for own, best in prompts
        if best is not None
    ]
    records = [(row[2], json.loads(row[3])) for row in played.journal if row[0] == "record"]
    rules = {data["id"]: data["values"]["rules"] for name, data in records if name == "candidate"}
    swarms = sorted((data for name, data in records if name == "swarm"), key=lambda data: data["iteration"])
    wanted, best, record = 0, "", -1
    for swarm in swarms:
        states = [{k for k in range(RULES) if world.passes(rules[one], k)} for one in swarm["positions"]]
        for one, state in zip(swarm["positions"], states, strict=True):
            if len(state) >= record:
                best, record = one, len(state)
        ahead = {k for k in range(RULES) if world.passes(rules[best], k)}
        wanted += sum(bool(ahead - state) for state in states) if swarm is not swarms[-1] else 0
    experiment.expect("journaled velocities that quote the global best", len(passed), "==", wanted)
    experiment.expect("of these, where it passes nothing that fails", sum(not gain for _, gain in passed), "==", 0)
    experiment.expect("velocities that do not quote it", len(prompts) - wanted, ">", 0)


def _expect_null(experiment: Experiment) -> None:
    """Where nothing helps, nobody is better than anybody: with guidance and without, the same is asked and answered."""
    both = _played(_HOPELESS, 0, journal=True).journal
    none = _played(_HOPELESS._replace(given={"guidance": "none"}), 0, journal=True).journal
    prompts = _prompts(both)
    experiment.expect("null: velocities asked for", len(prompts), "==", 5 * 9)
    experiment.expect("null: that quote a global best", sum(best is not None for _, best in prompts), "==", 0)
    experiment.expect("null: journals with and without guidance are equal", both == none, "==", True)
