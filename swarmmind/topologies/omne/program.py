"""Work on a data set in order, be judged, remember, consolidate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from swarmmind.agents.prompts import remembered
from swarmmind.effects import TEXT, Agent, Ask, Message, Program, Record, Reply
from swarmmind.errors import Stop, UserError
from swarmmind.ports import Context
from swarmmind.topologies.omne import curator as curators
from swarmmind.topologies.omne.clusters import Clusters
from swarmmind.topologies.omne.curator import Episode, Pattern
from swarmmind.topologies.recall import Steps, embedded, persisted
from swarmmind.topologies.society import Lesson, Question, Society
from swarmmind.traces import Query, Trace, Vector

_LEAVE = (
    "Before that line you may leave what you learned: lines of the form `FACT: subject | relation | object` for "
    "everybody, and `NOTE: ...` for yourself alone."
)
_LEFT = re.compile(r"^\s*(FACT|NOTE):\s*(.+)$", re.MULTILINE)
_MOST_LEFT = 3  # lines of one answer
_RIGHT = 0.5  # a score from here on is a success
_WIN, _LOSS = 2.0, 0.5

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class _Step(NamedTuple):
    """One problem in work."""

    at: int
    lesson: Lesson
    agent: Agent
    key: str
    vector: Vector | None
    shown: tuple[Trace, ...]


class _Settings(NamedTuple):
    patterns: int
    facts: int
    episodes: int
    consolidate_every: int


def omne(
    ctx: Context,
    society: Society,
    batch: Positive = 1,
    patterns: Count = 3,
    facts: Count = 3,
    episodes: Count = 0,
    consolidate_every: Count = 5,
    alike: Annotated[float, Field(gt=-1, lt=1)] = 0.8,
) -> Program:
    """Work on the problems in order, in turns, with what was learned from the earlier ones in view.

    An agent reads the problem with the nearest patterns and their record, and facts; it answers and is judged by the
    task's scorer, never by an agent. The attempt becomes an episode with its outcome, the verdict is credited to what
    was shown, and what the answer leaves in lines `FACT:` and `NOTE:` becomes a fact of everybody or of its author.
    After every `consolidate_every` episodes, and at the end, each kind with new ones is consolidated: agents of role
    `curator` are asked for its pattern; without one, the latest success is it. A problem whose agent failed is left
    out of memory, score and output. Works with any memory; one that outlives the run makes the next run start here.

    Args:
        ctx: the program's place.
        society: its lessons are worked on; agents of role `curator` only consolidate.
        batch: how many problems at once; those of one batch do not learn from each other.
        patterns: how many patterns an agent reads at most.
        facts: how many facts.
        episodes: how many episodes.
        consolidate_every: episodes between two consolidations; 0 is never.
        alike: how near two problems are of one kind, as the inner product of their vectors, where the data set does
            not say the kind.

    Returns (from the program):
        The output of each problem, in order; `None` for those without.

    Raises:
        UserError: there is no data set, no scorer, or nobody but curators.
        Failed: an agent failed under the policy `fail` or `quorum`; the embedder or a store failed.
    """
    work = _Work(society, _Settings(patterns, facts, episodes, consolidate_every), alike)
    outputs: list[Any] = []
    stopped = False
    try:
        while len(outputs) < len(society.lessons) and not stopped:
            steps = yield from work.begun(len(outputs), batch)
            try:
                replies: Sequence[Reply] = yield [work.ask(step) for step in steps]
            except Stop as stop:  # what was paid for counts; nothing more can be learned from it
                replies, stopped = stop.results, True
            if society.policy.kind != "skip" and not stopped:
                society.policy.check(replies)
            outputs += [reply.value for reply in replies]
            yield from work.judged(steps, replies)
            if not stopped:
                yield from work.learned(last=len(outputs) == len(society.lessons))
    except Stop:
        pass
    yield [Record("metrics", work.metrics())]
    return [*outputs, *[None] * (len(society.lessons) - len(outputs))]


class _Work:
    """What a run of it holds."""

    def __init__(self, society: Society, settings: _Settings, alike: float) -> None:
        self._curators = [agent for agent in society.agents if agent.role == curators.ROLE]
        self._workers = [agent for agent in society.agents if agent.role != curators.ROLE]
        if not society.lessons or society.judge is None:
            what = "a data set (`problem: {dataset: ...}`)" if not society.lessons else "a `score`"
            raise UserError(f"swarm.topology: 'omne' learns from judged attempts; the task needs {what}")
        if not self._workers:
            raise UserError("swarm.agents: 'omne' needs at least one agent that is no curator")
        self._judge = society.judge
        self._society, self._settings = society, settings
        self._clusters = Clusters(society.memory, alike)
        self._new: dict[str, list[Episode]] = {}
        self._deposits: list[tuple[str, Trace, Vector | None]] = []
        self._verdicts: list[tuple[str, str, float]] = []
        self._scores: list[float] = []
        self._since = self._consolidations = self._revised = 0

    # --- asking ------------------------------------------------------------------------------------------------------

    def begun(self, at: int, batch: int) -> Steps[list[_Step]]:
        """The next problems, with what their agents are shown."""
        lessons = self._society.lessons[at : at + batch]
        vectors: Sequence[Vector | None] = [None] * len(lessons)
        if self._society.memory.embeds:
            vectors = yield from embedded([lesson.text for lesson in lessons])
        keys = yield from self._clusters.keys(lessons, vectors)
        steps: list[_Step] = []
        for place, (lesson, key, vector) in enumerate(zip(lessons, keys, vectors, strict=True), at):
            agent = self._workers[place % len(self._workers)]
            steps.append(_Step(place, lesson, agent, key, vector, self._shown(agent, lesson, vector)))
        return steps

    def _shown(self, agent: Agent, lesson: Lesson, vector: Vector | None) -> tuple[Trace, ...]:
        shown: list[Trace] = []
        for kind, limit in (
            ("pattern", self._settings.patterns),
            ("fact", self._settings.facts),
            ("episode", self._settings.episodes),
        ):
            if limit:
                found = self._society.memory.sense(agent.id, Query(lesson.text, vector, limit, (kind,)))
                shown += [trace for trace in found if trace.kind == kind][:limit]
        return tuple(shown)

    def ask(self, step: _Step) -> Ask:
        """The problem, behind what is remembered about its like."""
        question = self._question(step.lesson)
        prompt = question.prompt()
        if self._settings.facts and question.output == TEXT:
            prompt = Message("user", f"{prompt.content}\n{_LEAVE}")
        messages = (*self._society.system(step.agent), *remembered(step.shown, prompt))
        shown = [{"kind": trace.kind, "key": trace.key, "text": trace.text} for trace in step.shown]
        return Ask(step.agent, messages, question.output, observation={"question": step.lesson.text, "shown": shown})

    def _question(self, lesson: Lesson) -> Question:
        return self._society.question._replace(text=lesson.text)

    # --- being judged ------------------------------------------------------------------------------------------------

    def judged(self, steps: Sequence[_Step], replies: Sequence[Reply]) -> Steps[None]:
        """Score the answers and note what they teach; nothing is remembered yet."""
        for step, reply in zip(steps, replies, strict=True):
            if not reply.ok:
                continue
            score = self._judge(reply.value, step.lesson.target)
            self._scores.append(score)
            self._note(step, reply, score >= _RIGHT)
            shown = [trace.key for trace in step.shown]
            yield [Record("lesson", {"lesson": step.at, "kind": step.key, "score": score, "shown": shown})]

    def _note(self, step: _Step, reply: Reply, right: bool) -> None:
        episode = Episode(step.lesson.text, reply.text or "", right, step.agent.id)
        kept = Trace(episode.text(), step.agent.id, "success" if right else "failure", step.key)
        self._deposits.append(("", kept, step.vector))
        known = dict.fromkeys(trace.key for trace in step.shown if trace.kind != "episode" and trace.key)
        self._verdicts += [(step.agent.id, key, _WIN if right else _LOSS) for key in known]
        self._new[step.key] = [*self._new.get(step.key, []), episode][-curators.BATCH :]
        self._since += 1
        if self._settings.facts and right and self._society.question.output == TEXT:
            for word, text in _LEFT.findall(reply.text or "")[:_MOST_LEFT]:
                scope, about = ("", text.partition("|")[0].strip()) if word == "FACT" else (step.agent.id, text)
                self._deposits.append((scope, Trace(text, step.agent.id, word.lower(), about), None))

    # --- learning ----------------------------------------------------------------------------------------------------

    def learned(self, last: bool) -> Steps[None]:
        """Remember what was noted, and consolidate if it is time."""
        yield from self._remembered()
        every = self._settings.consolidate_every
        if every and self._new and (last or self._since >= every):
            self._since = 0
            yield from self._consolidated()

    def _remembered(self) -> Steps[None]:
        memory = self._society.memory
        deposits, self._deposits = self._deposits, []
        verdicts, self._verdicts = self._verdicts, []
        if memory.embeds:
            without = [at for at, (_, _, vector) in enumerate(deposits) if vector is None]
            vectors = yield from embedded([_head(deposits[at][1].text) for at in without])
            for at, vector in zip(without, vectors, strict=True):
                deposits[at] = (*deposits[at][:2], vector)
        for scope, key, factor in verdicts:
            memory.reinforce(scope, key, factor)
        for scope, trace, vector in deposits:
            memory.deposit(scope, trace, vector)
        yield from persisted(memory)

    def _consolidated(self) -> Steps[None]:
        kinds, self._new = self._new, {}
        current = {key: curators.current(self._society, key) for key in kinds}
        found: list[Pattern | None]
        authors = [self._curators[at % len(self._curators)] if self._curators else None for at in range(len(kinds))]
        if self._curators:
            asks = [
                curators.question(self._society, agent, kinds[key], current[key])
                for key, agent in zip(kinds, authors, strict=True)
                if agent is not None
            ]
            found = [curators.revised(reply) for reply in (yield asks)]
        else:
            found = [curators.by_rule(kinds[key], current[key]) for key in kinds]
        self._consolidations += len(kinds)
        for key, agent, pattern in zip(kinds, authors, found, strict=True):
            if pattern is not None:
                self._revised += 1
                trace = Trace(pattern.text(), agent.id if agent else curators.ROLE, "pattern", key)
                self._deposits.append(("", trace, None))
        yield from self._remembered()

    def metrics(self) -> dict[str, float]:
        """How it went: the mean score, of all and of the first and last third, and what was consolidated."""
        scores = self._scores
        third = max(len(scores) // 3, 1)
        return {
            "judged": len(scores),
            "mean": fmean(scores) if scores else 0.0,
            "first third": fmean(scores[:third]) if scores else 0.0,
            "last third": fmean(scores[-third:]) if scores else 0.0,
            "consolidated": self._consolidations,
            "revised": self._revised,
        }


def _head(text: str) -> str:
    """What a text is found by: of a pattern its situation, of a fact all of it."""
    return text.partition("\n=> ")[0]
