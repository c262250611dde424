"""A run of peer ranking: batch by batch, everybody answers, everybody judges, the verdicts are counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmmind.effects import Ask, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.peer_ranking.ballots import Ballot, draw
from swarmmind.topologies.peer_ranking.papers import Paper
from swarmmind.topologies.peer_ranking.reputation import Reputation, Rule
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Lesson, Society


class Ranker:
    """Which problems calibrate, what the judges are worth, and what was found so far.

    Args:
        ctx: chance: the order of the problems, those that calibrate, and the pairs.
        society: who answers and judges what.
        pairs: how many each agent judges.
        rule: where reputation comes from.
        share: of the problems with a target, so many calibrate; at least one.
    """

    def __init__(self, ctx: Context, society: Society, pairs: int, rule: Rule, share: float) -> None:
        self._ctx, self._society, self._pairs = ctx, society, pairs
        self._agents = {agent.id: agent for agent in society.agents}
        self._lessons = society.lessons or [Lesson(society.question.text)]
        self._order = ctx.rng("order").sample(range(len(self._lessons)), len(self._lessons))
        known = [at for at in self._order if self._lessons[at].target is not None] if society.lessons else []
        count = max(1, round(share * len(known))) if known and rule == "calibration" else 0
        self._hidden = frozenset(ctx.rng("calibration").sample(known, count))
        self._reputation = Reputation(rule)
        self._outputs: dict[int, Any] = {}
        self._strict = society.policy.kind != "skip"
        self._stopped = False
        self._given = self._missing = 0

    def run(self, batch: int) -> Steps[list[Any]]:
        """Work on all problems; returns an output for each, `None` where nobody answered.

        Raises:
            Failed: too few agents answered or judged (see `Policy`).
        """
        for number, at in enumerate(range(0, len(self._order), batch)):
            if not self._stopped:
                papers = yield from self._answered(number, self._order[at : at + batch])
                yield from self._counted(papers, (yield from self._judged(number, papers)))
        reputations = {judge: round(value, 4) for judge, value in sorted(self._reputation.of.items())}
        facts = {"verdicts": self._given, "missing": self._missing, "reputation": reputations}
        yield [Record("metrics", facts)]
        return [self._outputs.get(at) for at in range(len(self._lessons))]

    def _answered(self, number: int, places: Sequence[int]) -> Steps[list[Paper]]:
        """Ask everybody; draw who judges which of the answers that came."""
        society = self._society
        questions = [society.question._replace(text=self._lessons[place].text) for place in places]
        replies = yield from self._asked(
            [
                Ask(
                    agent,
                    (*society.system(agent), question.prompt()),
                    question.output,
                    observation={"question": question.text, "do": "answer"},
                )
                for question in questions
                for agent in society.agents
            ]
        )
        if not self._stopped and (self._strict or not number):
            society.policy.check(replies)
        left = iter(replies)
        papers = [
            Paper(place, question, dict(zip(self._agents, left, strict=False)))
            for place, question in zip(places, questions, strict=True)
        ]
        for paper in papers if not self._stopped else ():
            rng = self._ctx.rng(f"pairs/{paper.lesson}")
            paper.duels = list(draw(list(self._agents), list(paper.answers), self._pairs, rng))
        return papers

    def _judged(self, number: int, papers: Sequence[Paper]) -> Steps[list[Ballot]]:
        """Have the answers judged; what was not judged is missing."""
        society = self._society
        asks = [ask for paper in papers for ask in paper.judging(society, self._agents)]
        replies = yield from self._asked(asks)
        if self._strict and not self._stopped:
            society.policy.check(replies)
        left = iter(replies)
        ballots = [paper.ballot(number, left, self._marks(paper)) for paper in papers]
        given = sum(len(ballot.verdicts) for ballot in ballots)
        self._given, self._missing = self._given + given, self._missing + len(asks) - given
        return ballots

    def _marks(self, paper: Paper) -> dict[str, float] | None:
        if paper.lesson not in self._hidden:
            return None
        return paper.score(self._society, self._lessons[paper.lesson].target)

    def _counted(self, papers: Sequence[Paper], ballots: Sequence[Ballot]) -> Steps[None]:
        """Elect, put the verdicts on record, and learn from them for the batches that follow."""
        rankings = self._reputation.settle(ballots)
        for paper, ranking in zip(papers, rankings, strict=True):
            self._outputs[paper.lesson] = paper.output(ranking)
        yield [Record("verdicts", ballot.record()) for ballot in ballots]
        yield [Record("ranking", {**ranking._asdict(), "winner": ranking.winner}) for ranking in rankings]

    def _asked(self, asks: Sequence[Ask]) -> Steps[Sequence[Reply]]:
        """All at once; a spent budget leaves what was answered, and nothing is asked any more."""
        if self._stopped or not asks:
            return []
        try:
            return (yield asks)
        except Stop as stop:
            self._stopped = True
            return stop.results
