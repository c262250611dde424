"""Did a swarm help, or only its tokens: verdicts against one agent and its votes for as many tokens.

Agents are simulated, arms and controls are the product's: their generators are driven in a plain loop for the 200
comparisons of each world, and through `swarmmind eval`'s path, with journal and table, for some more of them.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import anyio
import msgspec

from swarmmind.agents.prompts import tokens as about
from swarmmind.effects import Agent, Ask, Message, Program, Reply, Usage
from swarmmind.evals.record import Recorded, read
from swarmmind.evals.statistics import paired_difference
from swarmmind.evals.table import Table
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.runs import folder as folders
from swarmmind.runs.evals.execute import Roster, run_eval
from swarmmind.runs.evals.plan import dither, make_eval
from swarmmind.runtime.journal import content
from swarmmind.spec import load_task_data
from swarmmind.topologies import TOPOLOGIES, Question, Society
from swarmmind.topologies.controls import control

from .experiment import Experiment
from .paired import over

COMPARISONS = 200
KINDS = ("solo", "vote")
AGENTS = [Agent(f"solver-{at}", "solver", "You solve problems.", "m", index=at) for at in range(3)]

_PROBLEM = re.compile(r"Problem (\d+)")
_READ = re.compile(r"^> ANSWER: (\d+)", re.MULTILINE)
_OWN = re.compile(r"ANSWER: (\d+)")
_FILLER = "So far so good, and on we go. " * 400


class World(NamedTuple):
    """Problems, and what agents know of them.

    Attributes:
        rights: how often an agent alone is right; problems take these in turn.
        lure: of the wrong answers, so many are the same one.
        recognizes: how often an agent sees that an answer it reads is right; it keeps its own if not.
        keeps: how often an agent that goes over its own answer, and reads no other, gives it again.
    """

    rights: tuple[float, ...]
    lure: float
    recognizes: float
    keeps: float = 0.7

    def say(self, messages: Sequence[Message], rng: random.Random) -> str:
        """An answer at the end of a text, whose length is lognormal: median 150 tokens, one in forty above 330."""
        problem = _number(messages)
        last, own = messages[-1].content, _own(messages)
        read = _READ.findall(last)
        right = str(target(problem))
        if read and (right in read or own == right) and rng.random() < self.recognizes:
            said = right
        elif own is not None and (read or rng.random() < self.keeps):
            said = own
        else:
            said = self._fresh(problem, rng)
        return f"{_FILLER[: round(600 * rng.lognormvariate(0.0, 0.4))]}\nANSWER: {said}"

    def _fresh(self, problem: int, rng: random.Random) -> str:
        if rng.random() < self.rights[problem % len(self.rights)]:
            return str(target(problem))
        off = 1 if rng.random() < self.lure else rng.randint(2, 12)
        return str(target(problem) + off)


def target(problem: int) -> int:
    """What is right."""
    return 100 + 37 * problem


def text(problem: int) -> str:
    """As it is asked."""
    return f"Problem {problem}: how many are there, if all that was said before holds?"


def _number(messages: Sequence[Message]) -> int:
    found = next(match for message in messages if (match := _PROBLEM.search(message.content)))
    return int(found[1])


def _own(messages: Sequence[Message]) -> str | None:
    said = [_OWN.findall(message.content) for message in messages if message.role == "assistant"]
    return said[-1][-1] if said and said[-1] else None


# --- arms, in a plain loop --------------------------------------------------------------------------------------------


class Spent(NamedTuple):
    """An episode: whether its answer is right, and what it cost."""

    right: float
    tokens: int
    calls: int


class _Place:
    """Where a program stands; these use no chance of their own."""

    path = "run"

    def rng(self, name: str) -> random.Random:
        raise AssertionError(name)


def spend(program: Callable[[Context, Society], Program], world: World, problem: int, rng: random.Random) -> Spent:
    """Drive a program to its end."""
    question = Question(text(problem))
    running: Any = program(_Place(), Society(AGENTS, Window(0), question))
    tokens = calls = 0
    sent: Any = None
    while True:
        try:
            effects = running.send(sent)
        except StopIteration as done:
            value = done.value
            break
        sent = []
        for effect in effects:
            if not isinstance(effect, Ask):
                sent.append(None)
                continue
            said = world.say(effect.messages, rng)
            usage = Usage(1, about("".join(each.content for each in effect.messages)), None, about(said))
            tokens, calls = tokens + (usage.prompt_tokens or 0) + (usage.completion_tokens or 0), calls + 1
            sent.append(Reply(said, said, usage=usage))
    right = float(question.read(value) == str(target(problem)))
    return Spent(right, tokens, calls)


def wasteful(ctx: Context, society: Society) -> Program:
    """The cheapest fake of a swarm: five answers are paid for, and the first is taken."""
    agent, question = society.agents[0], society.question
    replies: list[Reply] = yield [Ask(agent, (*society.system(agent), question.prompt()), question.output)] * 5
    return replies[0].value


class Scene(NamedTuple):
    """A comparison that is made many times.

    Attributes:
        world: where.
        arm: the swarm.
        problems: how many.
        seeds: with how many each is played.
        wanted: the verdicts against votes at equal tokens that are right.
    """

    world: World
    arm: Callable[[Context, Society], Program]
    problems: int
    seeds: int
    wanted: tuple[str, ...]


def _debate(ctx: Context, society: Society) -> Program:
    return TOPOLOGIES["debate"].program(ctx, society, rounds=2)


def _vote(ctx: Context, society: Society) -> Program:
    return TOPOLOGIES["vote"].program(ctx, society, samples=9)


def _single(ctx: Context, society: Society) -> Program:
    return TOPOLOGIES["solo"].program(ctx, society)


SEEN = World((0.3, 0.45, 0.35), lure=0.8, recognizes=0.9)
"""Most who are wrong are wrong alike, so votes do not help; who reads the right answer knows it for what it is."""
UNSEEN = World((0.7, 0.7, 0.05), lure=0.1, recognizes=0.0)
"""Errors differ, so votes help; nobody knows a right answer when reading it, so talk does not."""
EASY = World((0.85, 0.85, 0.0), lure=0.1, recognizes=0.0)
"""Nine votes are all that it takes, and where they are not, nothing is."""
BLURRED = SEEN._replace(recognizes=0.05)
"""The swarm helps, by .08."""
SCENES: dict[str, Scene] = {
    "debate that helps": Scene(SEEN, _debate, 40, 2, ("better",)),
    "votes, nothing but tokens": Scene(EASY, _vote, 200, 1, ("no difference",)),
    "debate nobody learns from": Scene(UNSEEN, _debate, 90, 2, ("no difference", "worse")),
    "fake: five times the tokens": Scene(UNSEEN, wasteful, 90, 2, ("no difference", "worse")),
    "too few problems to tell": Scene(BLURRED, _debate, 6, 1, ("cannot tell",)),
}


class Compared(NamedTuple):
    """A comparison: verdicts by what the swarm was compared with, and what everybody spent and got right."""

    verdicts: dict[str, str]
    tokens: dict[str, int]
    calls: dict[str, int]
    right: dict[str, float]


def compare(scene: Scene, seed: int) -> Compared:
    """Play the swarm, the controls for its tokens, and, as who does not care for tokens would, a single answer."""
    rng = Streams(seed).rng("equal-tokens")
    scores: dict[str, dict[tuple[str, int], float]] = {name: {} for name in ("arm", *KINDS, "single")}
    tokens, calls = Counter[str](), Counter[str]()
    for number in range(scene.problems * scene.seeds):
        problem, at = divmod(number, scene.seeds)
        arm = spend(scene.arm, scene.world, problem, rng)
        played = {"arm": arm, "single": spend(_single, scene.world, problem, rng)}
        for kind in KINDS:
            played[kind] = spend(_control(kind, arm, number), scene.world, problem, rng)
        for name, one in played.items():
            scores[name][f"p{problem}", at] = one.right
            tokens[name] += one.tokens
            calls[name] += one.calls
    verdicts = {
        name: paired_difference(scores["arm"], scores[name], bounds=(0.0, 1.0)).verdict for name in (*KINDS, "single")
    }
    return Compared(verdicts, tokens, calls, {name: fmean(found.values()) for name, found in scores.items()})


def _control(kind: Any, arm: Spent, number: int) -> Callable[[Context, Society], Program]:
    return lambda ctx, society: control(ctx, society, kind, arm.tokens, arm.calls, dither(number))


# --- through the eval -------------------------------------------------------------------------------------------------


def evaluated(world: World, topologies: Sequence[Any], problems: int, seeds: int, work: Path) -> Path:
    """An eval of these topologies with both controls, in a folder of its own; agents are the world's."""
    rows = "".join(json.dumps({"problem": text(at), "target": str(target(at))}) + "\n" for at in range(problems))
    work.joinpath("problems.jsonl").write_text(rows)
    task = {
        "schema": "swarmmind/v1",
        "name": "equal-tokens",
        "problem": {"dataset": "problems.jsonl"},
        "model": "scripted",
        "swarm": {"agents": {"solver": 3}, "topology": "solo"},
        "score": {"use": "exact"},
        "grid": {"swarm.topology": list(topologies)},
        "compare": list(KINDS),
        "eval": {"seeds": seeds},
    }
    loaded = load_task_data(task, work)
    plan = make_eval(loaded)
    roster = Roster(plan, {})

    def say(request: Request, rng: random.Random) -> str:
        return world.say(request.messages, rng)

    for models in roster.by_play.values():
        models.by_name.update(dict.fromkeys(models.by_name, ScriptedFunction(say)))
    folder = folders.create(work, "equal-tokens", loaded.text, {"kind": "eval"})
    result = anyio.run(lambda: run_eval(plan, folder, {}, roster=roster))
    assert result.status == "finished", result.error
    return folder


# --- the experiment ---------------------------------------------------------------------------------------------------


def run() -> Experiment:
    """200 comparisons of each scene; then two swarms in one eval."""
    experiment = Experiment(
        "equal-tokens", f"{COMPARISONS} comparisons a scene: the verdict against votes for the same tokens",
        ["scene", "swarm", "solo", "vote", "one answer", "calls", "solo's tokens", "vote's", "verdicts", "right"],
    )  # fmt: skip
    for name, scene in SCENES.items():
        _expect_verdicts(experiment, name, scene, over(range(COMPARISONS), compare, scene))
    with tempfile.TemporaryDirectory() as folder:
        _expect_eval(experiment, Path(folder))
    return experiment


def _expect_verdicts(experiment: Experiment, name: str, scene: Scene, compared: Sequence[Compared]) -> None:
    spent = {kind: _total(compared, kind) / _total(compared, "arm") for kind in KINDS}
    verdicts = Counter(one.verdicts["vote"] for one in compared)
    share = sum(verdicts[wanted] for wanted in scene.wanted) / len(compared)
    means = [fmean(one.right[who] for one in compared) for who in ("arm", *KINDS, "single")]
    calls = fmean(one.calls["arm"] for one in compared) / scene.problems / scene.seeds
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    experiment.row(name, *means, calls, *spent.values(), told, share)
    experiment.expect(f"{name}: verdicts that are {' or '.join(map(repr, scene.wanted))}", share, ">=", 0.95)
    for kind, ratio in spent.items():
        experiment.expect(f"{name}: tokens of {kind} over the swarm's, off 1", abs(ratio - 1), "<=", 0.02)
    if scene.seeds * scene.problems >= 80:
        off = max(abs(one.tokens["vote"] / one.tokens["arm"] - 1) for one in compared)
        experiment.expect(f"{name}: and of vote in the worst of the {len(compared)} comparisons", off, "<=", 0.04)
    if scene.arm is _vote:
        wrong = fmean(one.verdicts["single"] == "better" for one in compared)
        experiment.expect(f"{name}: verdicts 'better' against a single answer, the tokens aside", wrong, ">=", 0.95)
    if scene.arm is wasteful:
        better = fmean(one.verdicts["vote"] == "better" for one in compared)
        experiment.expect(f"{name}: verdicts 'better'", better, "==", 0.0)


def _total(compared: Sequence[Compared], who: str) -> int:
    return sum(one.tokens[who] for one in compared)


def _expect_eval(experiment: Experiment, work: Path) -> None:
    """Through plan, journal and table: a swarm that helps, and one that does not, in the world of the first."""
    folder = evaluated(SEEN, [{"use": "debate", "rounds": 2}, {"use": "vote", "samples": 9}], 60, 2, work)
    recorded = read(folder)
    table = msgspec.convert(folders.read_json(folder / folders.RESULT)["eval"], Table)
    tokens: dict[str, list[int]] = {}
    for row in recorded.rows():
        assert row.played is not None
        tokens.setdefault(row.arm.id, []).append(row.played.tokens or 0)
    arms = [arm for arm in recorded.manifest.arms if arm.kind == "arm"]
    verdicts = {(one.first, one.second): one.verdict for one in table.differences}
    for arm, wanted in zip(arms, (("better",), ("no difference", "cannot tell")), strict=True):
        for kind in KINDS:
            ratio = sum(tokens[f"{arm.id}-{kind}"]) / sum(tokens[arm.id])
            experiment.expect(f"eval, {arm.name}: tokens of {kind}, off 1", abs(ratio - 1), "<=", 0.02)
        said = verdicts[arm.id, f"{arm.id}-vote"]
        experiment.expect(f"eval, {arm.name}: the table's verdict {said!r} is right", said in wanted, "==", True)
    _expect_prompts(experiment, recorded, folder)


def _expect_prompts(experiment: Experiment, recorded: Recorded, folder: Path) -> None:
    """What controls were really told: votes the bare question, a lone agent its own last answer and nobody else's."""
    plays = recorded.manifest.plays
    of = {kind: {play for pair, play in plays.items() if f"-{kind} " in pair} for kind in KINDS}
    told: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    agents: set[str] = set()
    for row in content(folder / "journal.sqlite"):
        if row[0] != "result" or row[2] != "Ask":
            continue
        play = row[1].split("/")[2].partition(".")[0]
        for kind in KINDS:
            if play in of[kind]:
                told[kind].append(json.loads(row[5])[0])
                agents.add(row[3])
    votes = {tuple(message["role"] for message in prompt) for prompt in told["vote"]}
    experiment.expect("eval: prompts of votes", votes, "==", {("system", "user")})
    alone = Counter(tuple(message["role"] for message in prompt) for prompt in told["solo"])
    again = ("system", "user", "assistant", "user")
    experiment.expect("eval: prompts of a lone agent: the first", alone[("system", "user")], "==", 2 * 60 * 2)
    experiment.expect("eval: and those that hold its last answer", alone[again], "==", len(told["solo"]) - 240)
    quoted = sum(any("> ANSWER" in message["content"] for message in prompt) for prompt in told["solo"])
    experiment.expect("eval: prompts of a lone agent that quote others", quoted, "==", 0)
    experiment.expect("eval: agents who take part in controls", len(agents), "==", 1)
