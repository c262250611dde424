"""Agents that judge each other's answers: better than counting heads, no better than chance with coin judges.

The world of the experiment: an agent is right with p; wrong answers fall on one popular distractor with .7. A judge who
sees one right and one wrong answer picks the right one with j, and tosses a coin between equals. Colluders all give the
distractor, pick it wherever they see it alone, and toss a coin otherwise. Nobody knows more than its prompt says.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, get_args

from swarmmind.agents.answers import plurality
from swarmmind.effects import Agent, Ask, Program, Record
from swarmmind.evals.scorers import exact
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.topologies import TOPOLOGIES, Lesson, Society
from swarmmind.topologies.peer_ranking import Ballot, Reputation, Rule, draw, recount
from swarmmind.topologies.peer_ranking.papers import Paper
from tests.runtime.stage import play

from .experiment import Experiment
from .paired import WORKERS

POPULAR = 0.7
SEED = 42
EXAM = " (exam)"
_SHOWN = re.compile(r"^> By (\S+)\n> ANSWER: (\S+)", re.MULTILINE)
_SCORER = exact()


class Setting(NamedTuple):
    """One run.

    Attributes:
        agents, right, judge: n, p and j of the spec.
        problems: how many.
        colluders: the first so many agents.
        rule: the run's own.
        exams: calibration items can be recognized, and colluders behave there.
        narcissists: the last so many agents give a wrong answer of their own and prefer it to any other.
        sybils: so many each colluder is split into, when the verdicts are recounted.
        selfish: judges are given their own answers too (a fake: the product never does).
    """

    agents: int
    right: float
    judge: float
    problems: int
    colluders: int = 0
    rule: Rule = "none"
    exams: bool = False
    narcissists: int = 0
    sybils: int = 0
    selfish: bool = False

    def lessons(self) -> list[Lesson]:
        """The data set; with exams, only every tenth problem has a target, and says so."""
        texts = [f"What is secret {at}?" for at in range(self.problems)]
        if not self.exams:
            return [Lesson(text, _right(text)) for text in texts]
        return [Lesson(t + EXAM, _right(t)) if at % 10 == 0 else Lesson(t) for at, t in enumerate(texts)]


def _right(question: str) -> str:
    return f"right-{question.split()[3].rstrip('?')}"


def _voice(index: int) -> str:
    """By which an agent, and nobody else, knows its own words."""
    return f"voice-{(37 * index + 11) % 101}"


class Peers:
    """The agents.

    Attributes:
        said: by problem and agent, what it answered.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting, self._streams = setting, Streams(SEED)
        self.said: dict[str, dict[str, str]] = defaultdict(dict)

    def answer(self, request: Request, rng: random.Random) -> str:
        """What an agent says to its prompt."""
        prompt, index = request.messages[-1].content, request.agent.index
        question = prompt.split("\n", 1)[0]
        if "[answer A]" in prompt:
            return json.dumps({"reason": "I compared both.", "choice": self._choice(index, question, prompt, rng)})
        luck = self._streams.rng(f"{question}/{index}")  # all settings share who is right
        said = self.said[question][request.agent.id] = self._said(index, question, luck)
        return f"By {_voice(index)}\nANSWER: {said}"

    def _said(self, index: int, question: str, rng: random.Random) -> str:
        right, popular = rng.random() < self._setting.right, rng.random() < POPULAR
        if self._is_narcissist(index):
            return f"odd-{index}"
        if self._colludes(index, question):
            return "popular"
        return _right(question) if right else "popular" if popular else f"odd-{index}"

    def _choice(self, index: int, question: str, prompt: str, rng: random.Random) -> str:
        (by_a, a), (by_b, b) = _SHOWN.findall(prompt)
        coin, held = rng.random() < 0.5, rng.random() < self._setting.judge
        if self._is_narcissist(index) and _voice(index) in (by_a, by_b):
            return "A" if by_a == _voice(index) else "B"
        colludes = self._colludes(index, question)
        better = "popular" if colludes else _right(question)
        if (a == better) == (b == better):
            return "A" if coin else "B"
        return "A" if (a == better) == (held or colludes) else "B"

    def _colludes(self, index: int, question: str) -> bool:
        return index < self._setting.colluders and not (self._setting.exams and question.endswith(EXAM))

    def _is_narcissist(self, index: int) -> bool:
        return index >= self._setting.agents - self._setting.narcissists


class Played(NamedTuple):
    """One run, problem by problem in the order in which they were worked on.

    Attributes:
        right: by rule, whether the answer that the verdicts on record elect under it is right.
        majority: whether the most frequent of the same answers is.
        reputation: by rule, every agent's at the end.
        same: whether the run's own outputs are those that its verdicts elect when they are recounted under its rule.
        split: as `right`, had each colluder become several after the first half, who all say what it says.
        calls, planned: made, and as the topology says beforehand.
        asked: a digest of all prompts, in the order of their keys.
        judged: journaled prompts of judges; `own`: those that hold the judge's own words; `named`: a name of an agent.
    """

    right: dict[Rule, list[bool]]
    majority: list[bool]
    reputation: dict[Rule, dict[str, float]]
    same: bool
    split: dict[Rule, list[bool]]
    calls: int
    planned: int
    asked: str
    judged: int
    own: int
    named: int

    def late(self, rule: Rule) -> float:
        """Accuracy over the second half."""
        return _late(self.right[rule])


def _late(right: Sequence[bool]) -> float:
    return fmean(right[len(right) // 2 :])


def perform(setting: Setting) -> Played:
    """A run through the driver, and its verdicts, read from the journal, recounted under every rule."""
    peers, lessons = Peers(setting), setting.lessons()
    members = [Agent(f"node-{at}", "solver", model="m", index=at) for at in range(setting.agents)]
    society = Society(members, Window(0), lessons=lessons, judge=_SCORER.score)
    topology = TOPOLOGIES["peer-ranking"]
    given = {"reputation": setting.rule, "calibration_share": 1.0 if setting.exams else 0.1}
    program = _selfish if setting.selfish else topology.program
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        seen = play(lambda ctx: program(ctx, society, **given), path, model=ScriptedFunction(peers.answer), seed=SEED)
        assert seen.outcome.ok, seen.outcome
        with closing(sqlite3.connect(path)) as db:
            ballots = [Ballot.read(json.loads(data)) for (data,) in db.execute(_BALLOTS)]
            asked = blake2b(b"".join(key.encode() + digest for key, digest in db.execute(_ASKED))).hexdigest()
            prompts = [(int(name.split("-")[1]), text) for name, text in db.execute(_JUDGED)]
    said = [peers.said[lesson.text] for lesson in lessons]
    truth = [_right(lesson.text) for lesson in lessons]
    counted = {rule: _counted(ballots, rule, said, truth) for rule in get_args(Rule)}
    elected = counted[setting.rule].elected
    assert topology.calls is not None
    return Played(
        {rule: each.right for rule, each in counted.items()},
        [plurality(said[ballot.lesson].values()) == truth[ballot.lesson] for ballot in ballots],
        {rule: each.reputation for rule, each in counted.items()},
        all(output.endswith(f"ANSWER: {elected[at]}") for at, output in enumerate(seen.outcome.value)),
        {rule: _counted(_split(ballots, setting), rule, said, truth).right for rule in counted if setting.sybils},
        len(seen.asked),
        topology.calls(society, **given),
        asked,
        len(prompts),
        sum(f"> By {_voice(index)}\n" in text for index, text in prompts),
        sum("node-" in text for _, text in prompts),
    )


_BALLOTS = "SELECT data FROM records WHERE name='verdicts' ORDER BY id"
_ASKED = "SELECT key, request FROM results ORDER BY key"
_JUDGED = (
    "SELECT agent, content FROM results JOIN requests ON requests.digest = request JOIN messages "
    "ON messages.digest = requests.messages WHERE content LIKE '%[answer A]%'"
)


Said = Sequence[Mapping[str, str]]
"""By problem, the answer of each agent."""


class _Counted(NamedTuple):
    """What ballots came to: rightness in their order, the answers elected by problem, reputations at the end."""

    right: list[bool]
    elected: dict[int, str]
    reputation: dict[str, float]


def _counted(ballots: Sequence[Ballot], rule: Rule, said: Said, truth: Sequence[str]) -> _Counted:
    batches = list(recount(ballots, rule))
    winners = {ranking.lesson: ranking.winner or "" for rankings, _ in batches for ranking in rankings}
    elected = {at: said[at][winner] for at, winner in winners.items()}
    return _Counted([elected[at] == truth[at] for at in elected], elected, batches[-1][1])


def _split(ballots: Sequence[Ballot], setting: Setting) -> list[Ballot]:
    """The same ballots, had each colluder become several after the first half."""
    ring = {f"node-{at}" for at in range(setting.colluders)}
    after = ballots[len(ballots) // 2].batch
    found: list[Ballot] = []
    for ballot in ballots:
        voices = [
            verdict._replace(judge=f"{verdict.judge}/{each}")
            for verdict in ballot.verdicts
            if verdict.judge in ring
            for each in range(setting.sybils)
        ]
        honest = [verdict for verdict in ballot.verdicts if verdict.judge not in ring]
        found.append(ballot._replace(verdicts=[*honest, *voices]) if ballot.batch >= after else ballot)
    return found


def _selfish(ctx: Context, society: Society, **_: Any) -> Program:
    """The fake: the same protocol, problem after problem, but everybody judges its own answers too."""
    agents = {agent.id: agent for agent in society.agents}
    outputs: list[Any] = []
    for at, lesson in enumerate(society.lessons):
        question = society.question._replace(text=lesson.text)
        replies = yield [Ask(agent, (question.prompt(),)) for agent in society.agents]
        paper = Paper(at, question, dict(zip(agents, replies, strict=True)))
        for agent in agents:
            duels = draw(["nobody"], list(agents), 3 * len(agents), ctx.rng(f"{at}/{agent}"))
            paper.duels = [*paper.duels, *(duel._replace(judge=agent) for duel in duels)]
        ballot = paper.ballot(at, iter((yield list(paper.judging(society, agents)))), None)
        yield [Record("verdicts", ballot.record())]
        [ranking] = Reputation("none").settle([ballot])
        outputs.append(paper.output(ranking))
    return outputs


TABLE = (Setting(7, 0.4, 0.75, 300), *(Setting(15, p, j, 120) for p, j in ((0.4, 0.75), (0.3, 0.75), (0.4, 0.6))))
NULL = Setting(15, 0.4, 0.5, 400)
CLIQUES = {
    size: Setting(15, 0.5, 0.8, 400, size, "calibration", sybils=10 if size == 3 else 0) for size in (0, 3, 5, 6, 7, 9)
}
EXAMS = CLIQUES[7]._replace(exams=True)
LIVE = {rule: CLIQUES[6]._replace(problems=40, rule=rule) for rule in get_args(Rule)}
FAIR = Setting(5, 0.4, 0.75, 400, narcissists=2)
SELFISH = FAIR._replace(selfish=True)


def run() -> Experiment:
    """Both tables of the spec, the null, colluders, Sybils, and three fakes."""
    columns = ["setting", "flat", "agreement", "calibration", "majority"]
    experiment = Experiment("fortytwo", "agents judge pairs of each other's answers", columns)
    settings = [*TABLE, NULL, *CLIQUES.values(), EXAMS, *LIVE.values(), FAIR, SELFISH]
    with ProcessPoolExecutor(WORKERS) as pool:
        played = dict(zip(settings, pool.map(perform, settings), strict=True))
    _expect_table(experiment, played)
    _expect_cliques(experiment, played)
    _expect_fakes(experiment, played)
    _expect_log(experiment, played)
    return experiment


Results = Mapping[Setting, Played]


def _expect_table(experiment: Experiment, played: Results) -> None:
    for setting in (*TABLE, NULL):
        found = played[setting]
        name = f"n={setting.agents}, p={setting.right}, j={setting.judge}"
        ranked, majority = fmean(found.right["none"]), fmean(found.majority)
        experiment.row(name, ranked, "", "", majority)
        if setting is NULL:
            experiment.expect(f"{name} (null): distance from p", abs(ranked - setting.right), "<=", 0.05)
            experiment.expect(f"{name} (null): below the majority", ranked, "<", majority)
        else:
            experiment.expect(name, ranked, ">=", 0.9)


def _expect_cliques(experiment: Experiment, played: Results) -> None:
    for size, setting in CLIQUES.items():
        found = played[setting]
        late = [found.late(rule) for rule in get_args(Rule)]
        experiment.row(f"{size} colluders of 15, second half", *late, _late(found.majority))
        experiment.expect(f"{size} colluders, calibration", late[2], ">=", 0.9)
    alone, six, seven, nine = (played[CLIQUES[size]] for size in (0, 6, 7, 9))
    experiment.expect("0 colluders, flat", alone.late("none"), ">=", 0.95)
    experiment.expect("6 colluders, agreement with the outcome collapses", six.late("agreement"), "<=", 0.05)
    for size, found in ((7, seven), (9, nine)):
        experiment.expect(f"{size} colluders, weights ignored", found.late("none"), "<=", 0.2)
    relations: dict[Rule, str] = {"agreement": ">", "calibration": "<"}
    for rule, relation in relations.items():
        ring, honest = _reputations(six, 6, rule)
        experiment.row(f"6 colluders: reputation by {rule}", "", f"colluders {ring:.2f}", f"honest {honest:.2f}", "")
        experiment.expect(f"6 colluders: their reputation by {rule}, and that of the honest", ring, relation, honest)
    split = played[CLIQUES[3]].split
    flat, weighed = _late(split["none"]), _late(split["calibration"])
    experiment.row("3 colluders, each split into 10", flat, _late(split["agreement"]), weighed, "")
    experiment.expect("3 colluders that become 30: flat", flat, "<=", 0.2)
    experiment.expect("3 colluders that become 30: calibration", weighed, ">=", 0.95)


def _reputations(found: Played, colluders: int, rule: Rule) -> tuple[float, float]:
    values = [found.reputation[rule][f"node-{at}"] for at in range(15)]
    return fmean(values[:colluders]), fmean(values[colluders:])


def _expect_fakes(experiment: Experiment, played: Results) -> None:
    exams = played[EXAMS]
    experiment.row("7 colluders, recognizable calibration", *[exams.late(rule) for rule in get_args(Rule)], "")
    experiment.expect("7 colluders who know the tests: calibration fails", exams.late("calibration"), "<=", 0.2)
    fair, selfish = (fmean(played[setting].right["none"]) for setting in (FAIR, SELFISH))
    experiment.row("2 narcissists of 5", fair, "", "", fmean(played[FAIR].majority))
    experiment.row("2 narcissists of 5, everybody judges itself too", selfish, "", "", "")
    experiment.expect("2 narcissists: what judging oneself costs", fair - selfish, ">=", 0.05)


def _expect_log(experiment: Experiment, played: Results) -> None:
    honest = [found for setting, found in played.items() if not setting.selfish]
    planned = all(found.calls == found.planned for found in honest)
    experiment.expect("as many calls as the topology says beforehand", planned, "==", True)
    judged = {found.calls - found.judged - setting.agents * setting.problems for setting, found in played.items()}
    experiment.expect("calls that are neither answers nor journaled prompts of judges", judged, "==", {0})
    experiment.expect("of these, with the judge's own words", sum(found.own for found in honest), "==", 0)
    experiment.expect("of these, with the name of an agent", sum(found.named for found in honest), "==", 0)
    experiment.expect("the same check where everybody judges itself", played[SELFISH].own, ">", 0)
    same = all(found.same for found in honest)
    experiment.expect("verdicts from the journal, recounted, elect what the run elected", same, "==", True)
    live = [played[setting] for setting in LIVE.values()]
    experiment.expect("prompts under the three rules, byte for byte", len({found.asked for found in live}), "==", 1)
    equal = all(found.right[rule] == live[0].right[rule] for found in live for rule in ("none", "agreement"))
    experiment.expect("any rule can be recounted from a run under any other", equal, "==", True)
