"""Rank and fuse (LLM-Blender, Jiang et al. 2023, arXiv 2306.02561): candidates are compared in pairs, the sum of wins
ranks them, and one generation fuses the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from swarmmind.effects import Agent, Program, Record
from swarmmind.errors import UserError
from swarmmind.ports import Context
from swarmmind.topologies.drafts import Draft, Panel, attempt, drafted, in_turn, numbered, panel
from swarmmind.topologies.duels import Ranked, bubbled, duels, fought
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Society, Topology

Mode: TypeAlias = Literal["pairs", "both-orders", "bubble"]
_CANDIDATES = "Here are the best answers that others gave to this question, the best one first."
_FUSE = "Fuse them into one answer that keeps what is right in each of them and leaves out what is wrong."


def rank_fuse(
    ctx: Context,
    society: Society,
    candidates: Annotated[int, Field(ge=1)] = 4,
    mode: Mode = "pairs",
    fuse: Annotated[int, Field(ge=0)] = 3,
) -> Program:
    """Ask for candidates, compare them in pairs, and fuse the best into one answer.

    Judges are those with the role `judge`, in turn; if nobody has it, authors of neither answer. They do not see who
    wrote what. A comparison that failed is nobody's win; of equals the first is the better one. The fuser is the agent
    with the role `aggregator`, or else the first author; if it fails, or the budget ends the run, the answer is the
    best candidate.

    Args:
        ctx: the program's place.
        society: authors, in turn, judges, and perhaps a fuser.
        candidates: how many answers; each author gives at least one.
        mode: `pairs` compares every pair once, all at the same time, `both-orders` twice, each first once, so that a
            judge's liking for a place cancels out; `bubble` compares the best so far with the next one, one after
            another, and knows the best only.
        fuse: how many of the best are fused; 0 returns the best one as it is.

    Raises:
        Failed: too few agents answered (see `Policy`).
        UserError: nobody may judge a pair, or more than the best of a bubble is wanted.
    """
    who = _panel(society, mode, fuse)
    authors, prompt = in_turn(who.authors, candidates), society.question.prompt()
    seen = {"question": society.question.text, "do": "draft"}
    said = yield from attempt(society, authors, [prompt] * len(authors), observations=[seen] * len(authors), first=True)
    drafts, stopped = drafted(authors, said), said.stopped
    if len(drafts) > 1 and not stopped:
        ranked = yield from _ranked(society, who, drafts, mode)
        drafts, stopped = ranked.drafts, ranked.stopped
        shown = [[draft.author.id, wins] for draft, wins in zip(drafts, ranked.wins, strict=True)]
        yield [Record("ranking", {"wins": shown})]
    if fuse and drafts and not stopped:
        return (yield from _fused(society, _fuser(society, who), drafts[:fuse]))
    return drafts[0].reply.value if drafts else None


def rank_fuse_calls(society: Society, candidates: int = 4, mode: Mode = "pairs", fuse: int = 3) -> int:
    """Calls of a run in which every answer is readable at once: N candidates, a fusion, and comparisons.

    These are N(N - 1)/2 in mode `pairs`, twice as many in `both-orders`, and N - 1 in `bubble`.

    Raises:
        UserError: nobody may judge a pair, or more than the best of a bubble is wanted.
    """
    who = _panel(society, mode, fuse)
    authors = in_turn(who.authors, candidates)
    pairs = duels(who, authors, mode == "both-orders")  # a bubble's are among them: whoever wins, somebody may judge
    return len(authors) + (len(authors) - 1 if mode == "bubble" else len(pairs)) + bool(fuse)


def _panel(society: Society, mode: Mode, fuse: int) -> Panel:
    if mode == "bubble" and fuse > 1:
        raise UserError(f"fuse: a bubble finds only the best answer, so there are at most 1 to fuse, got {fuse}")
    return panel(society, "aggregator")


def _fuser(society: Society, who: Panel) -> Agent:
    return (society.members("aggregator") or who.authors)[0]


def _ranked(society: Society, who: Panel, drafts: Sequence[Draft], mode: Mode) -> Steps[Ranked]:
    if mode == "bubble":
        return (yield from bubbled(society, who, drafts))
    authors = [draft.author for draft in drafts]
    return (yield from fought(society, drafts, duels(who, authors, mode == "both-orders")))


def _fused(society: Society, fuser: Agent, best: list[Draft]) -> Steps[Any]:
    question = society.question
    text = "\n\n".join((question.text, _CANDIDATES, *numbered(best, "rank"), _FUSE))
    seen = {"question": question.text, "do": "fuse", "candidates": [draft.text for draft in best]}
    said = yield from attempt(society, [fuser], [question._replace(text=text).prompt()], observations=[seen])
    return (drafted([fuser], said) or best)[0].reply.value


TOPOLOGY = Topology(rank_fuse, rank_fuse_calls)
