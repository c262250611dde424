"""Mixture-of-Agents and rankings (coordination.md, section 3): prompts, call counts, makespans, exact oracles.

Proposers are right with a known probability, and whoever sees a right answer among its references takes it over with
another; both read the prompt, so that what is not quoted is not known. Then every layer has a closed form. Judges
compare what the answers in their prompt are worth, without error, by a coin, or by which stands first.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from swarmmind.agents.prompts import quoted, speakers
from swarmmind.effects import Agent, Message, Nested, Program
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.topologies import TOPOLOGIES, Question, Society
from swarmmind.topologies.turns import turn
from tests.runtime.stage import play

from .experiment import Experiment
from .paired import over, paired, rehearse

PROPOSERS, ALONE, TAKES_OVER = 4, 0.5, 0.8
BATCH, BATCHES = 250, 8  # questions per run, and runs
SHAPES = ((4, 2), (4, 3), (6, 4), (1, 3), (3, 1))  # proposers and layers
SIZES, SEEDS = (3, 5, 8), 20
K, TRIALS = 4, 2000


def society(proposers: int, last: str = "", text: str = "Which one?") -> Society:
    agents = [Agent(f"s{at}", "solver", model="m", index=at) for at in range(proposers)]
    last_one = [Agent(f"{last}-0", last, model="m", index=proposers)] if last else []
    return Society([*agents, *last_one], Window(0), Question(text))


# --- what a run of each shape looks like ------------------------------------------------------------------------------


class Prompt(NamedTuple):
    """One ask in the journal: in which step, by whom, and the text of its last message."""

    step: int
    agent: str
    text: str


class Seen(NamedTuple):
    """A run: its value, what was asked, how long it took, and what it recorded."""

    value: Any
    prompts: list[Prompt]
    seconds: float
    records: dict[str, Any]


def watch(program: Callable[[Context], Program], model: Any, seed: int = 7) -> Seen:
    """Run a program under the virtual clock and read its journal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        played = play(program, path, model=model, seed=seed)
        assert played.outcome.ok, played.outcome
        rows = list(content(path))
    prompts: list[Prompt] = []
    for row in rows:
        if row[0] == "result" and row[2] == "Ask":
            [messages, _] = msgspec.json.decode(row[5])
            prompts.append(Prompt(int(row[1].split("/")[1]), row[3], messages[-1]["content"]))
    records = {row[2]: msgspec.json.decode(row[3]) for row in rows if row[0] == "record"}
    return Seen(played.outcome.value, prompts, played.seconds, records)


def echo(request: Request, rng: random.Random) -> str:
    """A text that nobody else says: who says it, and in which layer."""
    return f"<<{request.agent.id} in {request.observation.get('layer')}>>"


def whole(seen: Seen, proposers: int) -> float:
    """The share of prompts that hold all answers of the step before, numbered, with their authors, and no others."""
    good = 0
    for prompt in seen.prompts:
        before = [f"s{at}" for at in range(proposers)] if prompt.step > 1 else []
        marks = re.findall(r"^> <<(\w+) in (\d+)>>$", prompt.text, re.MULTILINE)
        heads = [f"[{name}, reference {number}]" for number, name in enumerate(before, 1)]
        good += (
            marks == [(name, str(prompt.step - 1)) for name in before]
            and [line for line in prompt.text.splitlines() if line.startswith("[")] == heads
            and list(speakers(prompt.text)) == before
        )
    return good / len(seen.prompts)


def forgetful(ctx: Context, society: Society, layers: int, kept: int = 1) -> Program:
    """The cheapest fake: as many calls in as many layers, but of the references only the first `kept` are passed on."""
    *proposers, aggregator = society.agents
    references: list[str] = []
    replies: Sequence[Any] = []
    for layer in range(1, layers + 1):
        agents = proposers if layer < layers else [aggregator]
        prompt = Message("user", "\n\n".join((society.question.text, *references[:kept])))
        views = [{"question": society.question.text, "layer": layer}] * len(agents)
        replies = yield from turn(society, agents, [prompt] * len(agents), observations=views)
        said = zip(agents, replies, strict=True)
        references = [quoted(a.id, r.text or "", f"reference {at}") for at, (a, r) in enumerate(said, 1)]
    return replies[0].value


def _shapes(experiment: Experiment) -> None:
    topology = TOPOLOGIES["moa"]
    assert topology.calls is not None
    for proposers, layers in SHAPES:
        who = society(proposers, "aggregator")
        seen = watch(partial(topology.program, society=who, layers=layers), ScriptedFunction(echo, 1.0))
        name = f"{proposers} proposers, {layers} layers"
        share = whole(seen, proposers)
        experiment.row(name, "", len(seen.prompts), f"{share:.0%} whole", "100% whole", seen.seconds)
        calls = proposers * (layers - 1) + 1
        experiment.expect(
            f"{name}: calls", (len(seen.prompts), topology.calls(who, layers=layers)), "==", (calls, calls)
        )
        experiment.expect(f"{name}: prompts with all references of the layer before, no others", share, "==", 1.0)
        experiment.expect(f"{name}: makespan", seen.seconds, "==", float(layers))
    fake = watch(partial(forgetful, society=society(4, "aggregator"), layers=3), ScriptedFunction(echo, 1.0))
    experiment.row(
        "fake: passes on one reference", "", len(fake.prompts), f"{whole(fake, 4):.0%} whole", "", fake.seconds
    )
    experiment.expect("the fake: prompts with all references", whole(fake, 4), "<", 1.0)


# --- what the references are worth ------------------------------------------------------------------------------------


def reader(takes_over: float) -> ScriptedFunction:
    """Right on its own with `ALONE`; else, if a right answer is quoted to it, right with `takes_over`."""

    def say(request: Request, rng: random.Random) -> str:
        alone, taken = rng.random() < ALONE, rng.random() < takes_over
        told = "\n> ANSWER: right" in request.messages[-1].content
        return "ANSWER: right" if alone or (told and taken) else "ANSWER: wrong"

    return ScriptedFunction(say)


def closed_form(layers: int, takes_over: float) -> float:
    """How often the aggregator is right: through the chance that anybody in the layer before is."""
    told = ALONE + (1 - ALONE) * takes_over
    anybody = 0.0
    for _ in range(layers - 1):
        one = 1 - (1 - ALONE) ** PROPOSERS
        anybody = anybody * (1 - (1 - told) ** PROPOSERS) + (1 - anybody) * one
    return anybody * told + (1 - anybody) * ALONE


def batch(arm: str, layers: int, takes_over: float, seed: int) -> tuple[list[bool], int]:
    """`BATCH` questions in one run: which were answered right, and how many asks that took."""

    def one(number: int) -> Callable[[Context], Program]:
        who = society(PROPOSERS, "aggregator", f"Question {number}.")
        if arm == "moa":
            return partial(TOPOLOGIES["moa"].program, society=who, layers=layers)
        return partial(forgetful, society=who, layers=layers, kept=0)

    def many(ctx: Context) -> Program:
        outcomes = yield [Nested(one(number), f"q{number}") for number in range(BATCH)]
        return ["right" in outcome.value for outcome in outcomes]

    played = rehearse(many, reader(takes_over), seed)
    return played.value, played.asks


def _worth(experiment: Experiment) -> None:
    hits: dict[str, list[bool]] = {}
    arms = {
        "2 layers": ("moa", 2, TAKES_OVER, closed_form(2, TAKES_OVER)),
        "3 layers": ("moa", 3, TAKES_OVER, closed_form(3, TAKES_OVER)),
        "3 layers, no references (ablation)": ("ablation", 3, TAKES_OVER, ALONE),
        "3 layers, nobody recognizes (null)": ("moa", 3, 0.0, ALONE),
    }
    for name, (arm, layers, takes_over, oracle) in arms.items():
        played = over(range(BATCHES), batch, arm, layers, takes_over)
        hits[name] = [hit for batch_hits, _ in played for hit in batch_hits]
        questions, asks = len(hits[name]), sum(asks for _, asks in played)
        got = sum(hits[name]) / questions
        experiment.row(name, questions, asks, got, oracle, "")
        away = abs(got - oracle) / sqrt(oracle * (1 - oracle) / questions)
        experiment.expect(f"{name}: standard errors from {oracle:.4f}", away, "<=", 3.0)
        experiment.expect(f"{name}: asks", asks, "==", questions * (PROPOSERS * (layers - 1) + 1))
    gain, half = paired(hits["3 layers"], hits["3 layers, no references (ablation)"])
    experiment.expect("3 layers over the same calls without references", gain - half, ">=", 0.3)


# --- rankings ---------------------------------------------------------------------------------------------------------


def judging(kind: str, worth: dict[str, float]) -> ScriptedFunction:
    """Authors who say what they are worth, and judges who read that: `true`, by a `coin`, or always the `first`."""

    def say(request: Request, rng: random.Random) -> str:
        do, text = request.observation["do"], request.messages[-1].content
        if do in ("draft", "fuse"):
            return f"ANSWER: worth {worth[request.agent.id]:.6f}" if do == "draft" else f"fused {text}"
        read = [float(value) for value in re.findall(r"^> ANSWER: worth ([\d.]+)$", text, re.MULTILINE)]
        if do == "score":
            return msgspec.json.encode({"score": read[0] if kind == "true" else rng.random()}).decode()
        first = {"true": read[0] > read[1], "coin": rng.random() < 0.5, "first": True}[kind]
        return "A" if first else "B"

    return ScriptedFunction(say, 1.0)


def _drawn(count: int, seed: int) -> dict[str, float]:
    rng = random.Random(f"{count}/{seed}")
    return {f"s{at}": rng.random() for at in range(count)}


def ranked(count: int, mode: str, kind: str, role: str, seed: int) -> tuple[list[str], list[str], Seen]:
    """Names in the true order, and as they were ranked, the best first."""
    worth = _drawn(count, seed)
    program = TOPOLOGIES["rank-fuse"].program
    parameters = {"candidates": count, "mode": mode, "fuse": 0}
    seen = watch(partial(program, society=society(count, role), **parameters), judging(kind, worth), seed)
    order = [name for name, _ in seen.records["ranking"]["wins"]]
    return sorted(worth, key=lambda name: -worth[name]), order, seen


def fair(seen: Seen, worth: dict[str, float]) -> bool:
    """Whether no judge compared its own answer, or was told whose answers it compares."""
    for prompt in seen.prompts:
        if prompt.step > 1:
            told = speakers(prompt.text)
            own = f"{worth.get(prompt.agent, -1.0):.6f}"
            if (
                set(told) != {"answer A", "answer B"}
                or own in prompt.text
                or any(name in prompt.text for name in worth)
            ):
                return False
    return True


def _rankings(experiment: Experiment) -> None:
    counts: dict[str, Callable[[int], int]] = {
        "pairs": lambda n: n * (n - 1) // 2,
        "both-orders": lambda n: n * (n - 1),
        "bubble": lambda n: n - 1,
    }
    for mode, comparisons in counts.items():
        for n in SIZES:
            runs = [ranked(n, mode, "true", role, seed) for role in ("judge", "") for seed in range(SEEDS)]
            right = sum(true[:1] == order[:1] if mode == "bubble" else true == order for true, order, _ in runs)
            calls = {len(seen.prompts) for *_, seen in runs}
            name = f"{mode} of {n}"
            what = "the true best" if mode == "bubble" else "the true order"
            experiment.row(f"{name}: {what}", len(runs), calls, right / len(runs), 1.0, "")
            experiment.expect(f"{name}: {what}, of {len(runs)} runs", right, "==", len(runs))
            experiment.expect(f"{name}: calls", calls, "==", {n + comparisons(n)})
            makespans = {seen.seconds for *_, seen in runs}
            experiment.expect(f"{name}: makespan", makespans, "==", {float(n if mode == "bubble" else 2)})
            judged = all(fair(seen, _drawn(n, at % SEEDS)) for at, (*_, seen) in enumerate(runs))
            experiment.expect(f"{name}: nobody judged its own answer, or a name", judged, "==", True)
    blind = [ranked(5, "both-orders", "first", "judge", seed) for seed in range(SEEDS)]
    wins = {wins for *_, seen in blind for _, wins in seen.records["ranking"]["wins"]}
    experiment.row("both-orders of 5, by place alone: wins of each", len(blind), 25, str(wins), "{4}", "")
    experiment.expect("a judge that goes by place gives everybody as many wins", wins, "==", {4})


def chosen(kind: str, seed: int) -> list[bool]:
    """Best-of-`K` over a batch of questions: whether the best candidate was returned."""
    worths = [_drawn(K, 1000 * seed + number) for number in range(BATCH)]

    def many(ctx: Context) -> Program:
        run = TOPOLOGIES["best-of"].program
        nested: list[Nested] = []
        for number, worth in enumerate(worths):
            who = society(K, "judge", f"Question {number}.")
            agents = [msgspec.structs.replace(a, parameters={"worth": worth.get(a.id, 0.0)}) for a in who.agents]
            nested.append(Nested(partial(run, society=who._replace(agents=agents), candidates=K), f"q{number}"))
        outcomes = yield nested
        return [outcome.value for outcome in outcomes]

    def say(request: Request, rng: random.Random) -> str:
        return judging(kind, {request.agent.id: request.agent.parameters["worth"]}).reply(request, rng)

    played = rehearse(many, ScriptedFunction(say), seed)
    assert played.asks == 2 * K * BATCH
    return [f"{max(worth.values()):.6f}" in value for value, worth in zip(played.value, worths, strict=True)]


def _best(experiment: Experiment) -> None:
    for kind, oracle in (("true", 1.0), ("coin", 1 / K)):
        hits = [hit for batch_hits in over(range(TRIALS // BATCH), chosen, kind) for hit in batch_hits]
        got = sum(hits) / len(hits)
        name = f"best of {K}, judged {'truly' if kind == 'true' else 'by a coin (null)'}"
        experiment.row(name, len(hits), 2 * K * len(hits), got, oracle, "")
        near = 3 * sqrt(oracle * (1 - oracle) / len(hits))
        experiment.expect(f"{name}: the best candidate, off by", abs(got - oracle), "<=", near)


def run() -> Experiment:
    """Shapes, worth, rankings."""
    columns = ["arm", "runs", "asks", "got", "oracle", "makespan"]
    experiment = Experiment("moa", "do layers hear all of the layer before, and rankings find the order?", columns)
    _shapes(experiment)
    _worth(experiment)
    _rankings(experiment)
    _best(experiment)
    return experiment
