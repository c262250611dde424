"""Best-of-k: several candidates, each scored by somebody who did not write it; the best scored one is the answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Json, Message, Program, Record
from swarmmind.ports import Context
from swarmmind.topologies.drafts import Draft, Panel, attempt, drafted, in_turn, panel
from swarmmind.topologies.society import Question, Society, Topology

_SCORE = Json(
    "verdict",
    {
        "type": "object",
        "properties": {"score": {"type": "number", "minimum": 0, "maximum": 1}},
        "required": ["score"],
        "additionalProperties": False,
    },
)
_ASK = (
    'How likely is this answer to be right and complete? Answer with JSON of the form {"score": <number from 0 to 1>}: '
    "0 is certainly wrong, 1 is certainly right."
)


def best_of(ctx: Context, society: Society, candidates: Annotated[int, Field(ge=1)] = 4) -> Program:
    """Ask for candidates, let each be scored once, and return the best scored one; of equals the first.

    Judges are those with the role `judge`, in turn; if nobody has it, the other authors. They see one answer at a
    time, without its author's name. A candidate whose judge failed ranks behind those that have a score.

    Args:
        ctx: the program's place.
        society: authors, in turn, and judges.
        candidates: how many answers; each author gives at least one.

    Raises:
        Failed: too few agents answered (see `Policy`).
        UserError: nobody may judge, because everybody is the author.
    """
    question, who = society.question, panel(society)
    authors = in_turn(who.authors, candidates)
    seen = {"question": question.text, "do": "draft"}
    said = yield from attempt(
        society, authors, [question.prompt()] * len(authors), observations=[seen] * len(authors), first=True
    )
    drafts = drafted(authors, said)
    if not drafts:
        return None
    scores: list[float | None] = [None] * len(drafts)
    if not said.stopped:
        judges = _judges(who, [draft.author for draft in drafts])
        prompts = [_prompt(question, draft) for draft in drafts]
        views = [{"question": question.text, "do": "score", "candidate": draft.text} for draft in drafts]
        verdicts = yield from attempt(society, judges, prompts, _SCORE, observations=views)
        if verdicts.replies:
            scores = [float(reply.value["score"]) if reply.ok else None for reply in verdicts.replies]
    ranked = [-1.0 if score is None else score for score in scores]
    best = drafts[ranked.index(max(ranked))]
    shown = [{"author": draft.author.id, "score": score} for draft, score in zip(drafts, scores, strict=True)]
    yield [Record("scores", {"candidates": shown, "best": best.author.id})]
    return best.reply.value


def best_of_calls(society: Society, candidates: int = 4) -> int:
    """Calls of a run in which every answer is readable at once.

    Raises:
        UserError: nobody may judge, because everybody is the author.
    """
    who = panel(society)
    authors = in_turn(who.authors, candidates)
    return len(authors) + len(_judges(who, authors))


def _judges(who: Panel, authors: list[Agent]) -> list[Agent]:
    return [who.judge(number, author) for number, author in enumerate(authors)]


def _prompt(question: Question, draft: Draft) -> Message:
    return Message("user", "\n\n".join((question.text, quoted("an answer", draft.text), _ASK)))


TOPOLOGY = Topology(best_of, best_of_calls)
