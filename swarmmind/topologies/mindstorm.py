"""Mindstorms of a society of mind (NLSOM, arXiv 2305.17066): interview each other in rounds, state opinions, decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from swarmmind.agents.answers import ASK_FOR_ANSWER
from swarmmind.effects import TEXT, Agent, Message, Program, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.governance import Cast, Rule, agreed, cast, chosen, votes, weights
from swarmmind.topologies.recall import Steps, passed
from swarmmind.topologies.society import Society, Topology
from swarmmind.topologies.statements import Reader, Statement, heard, paragraphs, shown, stance, statements, told

_BEFORE = "What was said in the last round:"
_ASK = "You lead the discussion. Ask the group one question whose answers help to solve the problem; do not solve it."
_STAND = "Answer what was asked in a few sentences, then say where you stand on the problem itself. " + ASK_FOR_ANSWER
_OPINE = "The discussion is over. State your own opinion on the problem."
_DECIDE = "You decide for all of them. Weigh what they say, check it, and give the group's answer."


def mindstorm(
    ctx: Context,
    society: Society,
    rounds: Annotated[int, Field(ge=0)] = 2,
    rule: Rule = "advised-monarchy",
    stop_on_agreement: bool = True,
) -> Program:
    """An organizer asks and all members answer, round by round; then each states an opinion, and the rule decides.

    In a round the organizer reads the answers of the round before and asks a question; then all members answer at once,
    in view of that question and of the answers of the round before, never of this one's (see `cast` for who is what).

    `monarchy`: the leader answers alone, told of the problem only. `advised-monarchy`: it reads all opinions, and its
    answer wins. `democracy`: the most frequent opinion, on ties the one stated first. `weighted`: likewise, by the sum
    of the agents' parameter `weight`. Under the policy `skip` a leader who fails leaves it to the votes, an organizer
    who fails leaves a round without a question. When the budget ends it, the last words of each member are counted.

    Args:
        ctx: the program's place.
        society: at least one member.
        rounds: of questions and answers; 0 is pure governance.
        rule: who decides.
        stop_on_agreement: whether agreement (see `agreed`) among all members' answers ends the rounds, which saves
            organizers + members calls for each one left, and among their opinions saves the call of an advised leader.

    Raises:
        UserError: there is no member, more than one leader, or a weight that is no number.
        Failed: too few agents answered (see `Policy`).
    """
    storm = _Mindstorm(society, cast(society, rule), stop_on_agreement)
    try:
        yield from storm.discuss(rounds)
        yield from storm.decide(rule)
    except Stop:
        pass
    last = [storm.last[agent.id] for agent in society.agents if agent.id in storm.last]
    best = chosen([*storm.decided.values()] or last, weights(rule))
    return best.value(society.question) if best else None


def mindstorm_calls(society: Society, rounds: int = 2, rule: Rule = "advised-monarchy", **_: Any) -> int:
    """Calls of a run without agreement in which every answer is readable at once."""
    organizers, members = cast(society, rule)[:2]
    return rounds * (len(organizers) + len(members)) + len(members) + rule.endswith("monarchy")


class _Mindstorm:
    def __init__(self, society: Society, parts: Cast, early: bool) -> None:
        self._society, self._parts, self._all = society, parts, len(parts.members) if early else -1
        self._said: list[Statement] = []  # in the newest step
        self.last: dict[str, Statement] = {}  # by each member
        self.decided: dict[str, Statement] = {}  # by the leader

    def discuss(self, rounds: int) -> Steps[None]:
        society, question, organizers = self._society, self._society.question, self._parts.organizers
        for number in range(1, rounds + 1):
            before = shown(_BEFORE, self._said)
            asked = yield from heard(society, organizers, paragraphs(question.text, before, _ASK), "ask", TEXT)
            interview = shown("This is asked:", statements(organizers, asked, lambda _: None))
            prompt = paragraphs(question.text, before, interview, _STAND)
            yield from self._answer(self._parts.members, prompt, "answer", lambda reply: stance(question, reply))
            yield from passed(society.memory, number)
            yield [Record("votes", {"round": number, **votes(self._said)})]
            if agreed(self._said, self._all):
                break

    def decide(self, rule: Rule) -> Steps[None]:
        question, members, advised = self._society.question, self._parts.members, rule == "advised-monarchy"
        before = shown(_BEFORE, self._said)
        prompt = told(question, before, _OPINE if before else "")
        replies = yield from self._answer(members, prompt, "opine", question.answer)
        yield [Record("votes", votes(self._said, weights(rule)))]
        if rule == "monarchy" or (advised and not agreed(self._said, self._all)):
            opinions = shown("These are the opinions of the group:", self._said) if advised else ""
            prompt = told(question, opinions, _DECIDE if opinions else "")
            yield from self._answer([self._parts.leader], prompt, "decide", question.answer)
        if not self.decided and not self.last:
            self._society.policy.check(replies)  # nobody ever said anything

    def _answer(self, agents: Sequence[Agent], prompt: Message, do: str, reader: Reader) -> Steps[Sequence[Reply]]:
        replies: Sequence[Reply] = ()
        try:
            replies = yield from heard(self._society, agents, prompt, do, TEXT if do == "answer" else None)
        except Stop as stop:
            replies = stop.results
            raise
        finally:
            self._said = statements(agents, replies, reader)
            by = self.decided if do == "decide" else self.last
            by.update((each.agent.id, each) for each in self._said)
        return replies


TOPOLOGY = Topology(mindstorm, mindstorm_calls)
