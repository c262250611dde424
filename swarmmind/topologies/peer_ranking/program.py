"""Everybody answers, everybody judges pairs of the others' answers, and a weighted Bradley-Terry fit elects one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from swarmmind.effects import Program
from swarmmind.errors import UserError
from swarmmind.ports import Context
from swarmmind.topologies.peer_ranking.ranker import Ranker
from swarmmind.topologies.peer_ranking.reputation import Rule
from swarmmind.topologies.society import Society

_Some = Annotated[int, Field(ge=1)]


def peer_ranking(
    ctx: Context,
    society: Society,
    pairs: _Some | None = None,
    reputation: Rule = "calibration",
    calibration_share: Annotated[float, Field(gt=0, le=1)] = 0.1,
    batch: _Some = 4,
) -> Program:
    """Answer, judge, rank: the protocol of Fortytwo (arXiv 2510.24801), for one problem or a data set.

    Every agent answers. Then every agent judges pairs of the others' answers, never its own, without their authors'
    names; the answer that the verdicts make strongest wins. Missing answers are not judged and missing verdicts not
    counted; where no verdict counts (there are fewer than three agents, say), the most frequent answer wins. Over a
    data set, a share of the problems, drawn in secret and asked like all others, tests the judges against the targets;
    what they are worth weighs their verdicts on later problems. So a score is that of a swarm which learns who judges
    well from the targets of other problems. All verdicts are on record (`verdicts`; see `recount`).

    Args:
        ctx: the program's place.
        society: all of its agents answer and judge; a data set is taken whole, in a random order.
        pairs: how many each agent judges; by default three times the number of agents.
        reputation: what verdicts weigh over a data set: all the same (`none`), by `calibration`, or by `agreement`
            with the outcome, which colluders can take over.
        calibration_share: of the problems with a target, so many test the judges; at least one.
        batch: how many problems at once; those of one batch do not learn from each other.

    Returns (from the program):
        What the author of the best answer said, or `None` where nobody answered; a list of these for a data set.

    Raises:
        UserError: calibration lacks targets or a score.
        Failed: too few agents answered or judged (see `Policy`).
    """
    _check(society, reputation)
    ranker = Ranker(ctx, society, pairs or _default(society), reputation, calibration_share)
    outputs = yield from ranker.run(batch)
    return outputs if society.lessons else outputs[0]


def peer_ranking_calls(society: Society, pairs: int | None = None, reputation: Rule = "calibration", **_: Any) -> int:
    """Calls of a run in which every answer is readable at once."""
    _check(society, reputation)
    count = len(society.agents)
    judged = (pairs or _default(society)) if count > 2 else 0
    return max(1, len(society.lessons)) * count * (1 + judged)


def _default(society: Society) -> int:
    return 3 * len(society.agents)


def _check(society: Society, rule: Rule) -> None:
    """See that there is what this rule needs."""
    known = society.judge is not None and any(lesson.target is not None for lesson in society.lessons)
    if society.lessons and rule == "calibration" and not known:
        raise UserError(
            "reputation: 'calibration' tests judges on problems whose answer is known: the data set needs targets and "
            "the task a `score`; without them say `reputation: none`"
        )
