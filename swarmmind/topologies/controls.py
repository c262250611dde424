"""What one agent does with a swarm's tokens: the control that says whether the swarm helped, or only its tokens did.

No task names it (it has no `TOPOLOGY`): `compare: [solo, vote]` of an eval plays it beside an arm, on the same problems
and seeds, with what the arm spent on each of them. Self-consistency (arXiv 2203.11171) at equal cost is the baseline
that debates, for one, did not reach (arXiv 2310.01798).

Calls are large next to what is to be spent, so every control spends too much or too little. Over many problems that
must come to nothing. The budget ends within some call, and a long call is more likely to be that one than a short one:
its expected cost is E[c^2] / E[c], not E[c] (the inspection paradox of renewal theory). One more call is made if more
is left than `dither` times that; with a dither uniform in [0, 1) the expected total is then what was to be spent, in
the limit of many calls. Two calls or fewer whose costs differ much from one another still spend some percent too much,
because the first is always made.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import sqrt
from statistics import fmean
from typing import Literal

from swarmmind.agents.prompts import tokens as about
from swarmmind.effects import Ask, Message, Program, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.society import Society
from swarmmind.topologies.vote import elected, tally

BARREN = 3
"""After so many steps in a row that nobody answered there is no next one: a dead server costs no tokens."""

_CAUTION = 1.4  # standard deviations of what all the rest may cost, where a call may deviate by the whole of its cost
_AGAIN = (
    "Read your answer once more as if somebody else had written it: is a step wrong, or was something overlooked? Then "
    "answer the question anew.",
    "Check your answer by another way of solving the problem, and compare. Where the two disagree, find out which is "
    "right, and answer the question anew.",
    "Suppose your answer is wrong: where would the mistake be? Correct it if there is one, and answer anew.",
)


def control(
    ctx: Context, society: Society, kind: Literal["solo", "vote"], tokens: int | None, calls: int, dither: float
) -> Program:
    """Let the first agent work on the question until the tokens are spent; the result is its answer.

    It has its instructions and its model, and no memory. Failures and a spent budget are as of any topology: what was
    answered before counts.

    Args:
        ctx: the program's place.
        society: of the arm; of its agents only the first takes part.
        kind: `vote` asks for independent answers, one to learn what they cost, then most of the others at once, and
            returns the most frequent; `solo` answers, then goes over its own last answer again and again, and returns
            the last one that can be read.
        tokens: to be spent, prompts included: what the arm spent on this very problem. `None` (nobody knows) or 0, and
            agents whose servers do not count them: `calls` are counted instead.
        calls: that the arm made. An arm of a single call is worth a single call, unless it was twice as large.
        dither: in [0, 1); evenly spread over the problems of an eval, it makes their total right.

    Raises:
        Failed: too few answers came (see `Policy`).
    """
    question, account = society.question, Account(tokens, calls, dither)
    replies: list[Reply] = []
    answers: list[Hashable | None] = []
    stopped = False
    while not stopped:
        latest = _latest(replies, answers) if kind == "solo" else None
        ask = _ask(society, latest, len(replies))
        count = account.worth(about("".join(each.content for each in ask.messages[-2:])) if latest else None)
        if not count:
            break
        try:
            said: list[Reply] = yield [ask] * (count if kind == "vote" else 1)
        except Stop as stop:
            said, stopped = list(stop.results), True
        replies += said
        answers += map(question.answer, said)
        account.pay(said)
        if society.policy.kind == "fail":
            society.policy.check(said)
    society.policy.check(replies)
    if kind == "vote":
        yield [Record("votes", tally(answers))]
        return elected(answers, replies)
    final = _latest(replies, answers)
    return final.value if final else None


class Account:
    """What is to be spent, what is spent, and how many calls the rest is worth.

    Args:
        tokens: as of `control`.
        calls: likewise.
        dither: likewise.
    """

    def __init__(self, tokens: int | None, calls: int, dither: float) -> None:
        self._tokens, self._calls, self._dither = tokens, calls, dither
        self._costs: list[float] = []  # call by call
        self._barren = 0

    def pay(self, replies: Sequence[Reply]) -> None:
        """Book a step's replies, failures among them: a refused connection costs nothing."""
        for reply in replies:
            cost = _cost(reply)
            if reply.ok and not cost and not any(self._costs):
                self._tokens = None  # the server does not count, or is free
            known = [one for one in self._costs if one]
            self._costs.append(cost if cost is not None else fmean(known) if reply.ok and known else 0)
        self._barren = 0 if any(reply.ok for reply in replies) else self._barren + 1

    def worth(self, more: int | None = None) -> int:
        """How many calls may be made at once now; 0 if that is all.

        Args:
            more: where the first call is of another kind than all that follow: by how many tokens these are larger, as
                far as one can tell before any was made.
        """
        made, known = len(self._costs), [cost for cost in self._costs if cost]
        if self._barren >= BARREN:
            return 0
        if not self._tokens:
            return max(self._calls - made, 0 if made else 1)
        if not known:
            return 1
        if self._calls == 1 and self._tokens < 2 * known[0]:
            return 0
        typical = known if more is None else known[1:] or [known[0] + more]
        each, count = fmean(typical), len(typical)
        spread = (fmean(cost * cost for cost in typical) - each * each) * count / max(count - 1, 1)
        last = each + spread / each
        left = self._tokens - sum(known)
        if left <= self._dither * last:
            return 0
        many = left / each
        return max(1, int(many - _CAUTION * sqrt(many + many * many / count)))


def _cost(reply: Reply) -> int | None:
    """Tokens, prompt included; `None` if they are unknown."""
    usage = reply.usage
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return usage.prompt_tokens + usage.completion_tokens


def _ask(society: Society, latest: Reply | None, number: int) -> Ask:
    """The question, or, with an answer to go over, that answer as the agent's own and what to do with it."""
    agent, question = society.agents[0], society.question
    messages = (*society.system(agent), question.prompt())
    if latest is None:
        return Ask(agent, messages, question.output, observation={"question": question.text, "do": "answer"})
    words = " ".join(filter(None, (_AGAIN[number % len(_AGAIN)], question.closing)))
    own = (Message("assistant", latest.text or ""), Message("user", words))
    seen = {"question": question.text, "do": "reconsider", "previous": latest.value}
    return Ask(agent, (*messages, *own), question.output, observation=seen)


def _latest(replies: Sequence[Reply], answers: Sequence[Hashable | None]) -> Reply | None:
    """The last reply with an answer in it; if none has one, the last one at all."""
    there = [(reply, answer) for reply, answer in zip(replies, answers, strict=True) if reply.ok]
    read = [reply for reply, answer in there if answer is not None]
    return read[-1] if read else there[-1][0] if there else None
