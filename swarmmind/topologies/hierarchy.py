"""Societies in a tree, to 129 members and beyond (NLSOM, arXiv 2305.17066): groups report to leaders, and so on up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from swarmmind.effects import Program, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.flow import Part, Signal, flow
from swarmmind.topologies.governance import chosen, votes
from swarmmind.topologies.society import Policy, Society, Topology
from swarmmind.topologies.statements import Statement, heard, statements, told

Rule: TypeAlias = Literal["advised-monarchy", "democracy"]
Branching: TypeAlias = Annotated[int, Field(ge=1)]

_LEAD = "You lead this group and answer for it. Weigh what its members report, check it, and give one answer."


def hierarchy(ctx: Context, society: Society, branching: Branching = 8, rule: Rule = "advised-monarchy") -> Program:
    """Leaves answer, every leader reads what its own group reports and reports upward; the top's report is the answer.

    The agents stand in a heap-shaped tree, in the order of the task file: the first one is the top, and number i leads
    numbers branching * i + 1 to branching * i + branching. Everybody speaks once, a leader as soon as its own group has
    reported: a slow branch delays its ancestors alone, and the makespan is that of the slowest path to the top.

    What a group reports: under `advised-monarchy` its leader's answer; under `democracy` the most frequent of its
    members' reports and its leader's vote, counted here, on ties the one reported first (the leader's last). A report
    goes up under the name of the one who said it, never in other words.

    Under the policy `skip` a group whose leader fails reports by democracy, one in which nobody answered not at all. So
    it is with what a spent budget leaves unasked.

    Args:
        ctx: the program's place.
        society: all of its agents take part.
        branching: members of a group, its leader not counted; 1 is a chain.
        rule: what a group reports.

    Raises:
        Failed: too few of all agents answered (see `Policy`), as soon as that is certain.
    """
    tree = _Tree(society, branching, rule)
    stopped = False
    try:
        yield from flow({f"member-{at}": tree.member(at) for at in range(len(society.agents))})
    except Stop:
        stopped = True
    yield [Record("votes", votes([each for each in tree.said if each]))]
    top = tree.top()
    if top is None and not stopped:
        society.policy.check([reply for reply in tree.replies if reply])
    return top.reply.value if top else None


def hierarchy_calls(society: Society, branching: int = 8, rule: Rule = "advised-monarchy") -> int:
    """Calls of a run in which every answer is readable at once: everybody speaks once."""
    return len(society.agents)


class _Tree:
    def __init__(self, society: Society, branching: int, rule: Rule) -> None:
        count = len(society.agents)
        self._society, self._branching, self._rule = society, branching, rule
        self._each = society._replace(policy=Policy("skip"))  # what failures mean is decided over the whole tree
        self.replies: list[Reply | None] = [None] * count
        self.said: list[Statement | None] = [None] * count
        self._reports = [Signal() for _ in range(count)]
        self._sizes = [1] * count  # of the tree below each, itself included
        for at in range(count - 1, 0, -1):
            self._sizes[(at - 1) // branching] += self._sizes[at]

    def member(self, at: int) -> Part:
        society, agent = self._society, self._society.agents[at]
        reports, lines = list[Statement](), list[str]()
        for below in self._group(at):
            report: Statement | None = yield self._reports[below]
            if report:
                reports.append(report)
                lines.append(report.quoted(f"for a group of {size}" if (size := self._sizes[below]) > 1 else ""))
        prompt = told(society.question, *(("Your group reports:", *lines, _LEAD) if lines else ()))
        try:
            [reply] = yield from heard(self._each, [agent], prompt, "lead" if lines else "answer")
        except Stop as stop:  # it may be that all it could not do was to remember
            self._hear(at, stop.results)
            raise
        self.replies[at] = reply
        if not reply.ok and society.policy.kind != "skip":  # whoever has not spoken yet is taken to answer
            society.policy.check([each or Reply() for each in self.replies])
        self._hear(at, [reply])
        self._reports[at].set(self._reported(at, reports))

    def _hear(self, at: int, replies: Sequence[Any]) -> None:
        speaker, read = self._society.agents[at : at + 1], self._society.question.answer
        [self.said[at]] = statements(speaker, replies, read) or [None]

    def top(self) -> Statement | None:
        """What the whole tree reports, whoever was not asked being silent."""
        found: dict[int, Statement | None] = {}
        for at in range(len(self.said) - 1, -1, -1):
            signal = self._reports[at]
            below = [each for each in map(found.get, self._group(at)) if each]
            found[at] = signal.value if signal.done else self._reported(at, below)
        return found[0]

    def _reported(self, at: int, reports: list[Statement]) -> Statement | None:
        own = self.said[at]
        if own and self._rule == "advised-monarchy":
            return own
        return chosen([*reports, own] if own else reports)

    def _group(self, at: int) -> range:
        return range(len(self.said))[self._branching * at + 1 :][: self._branching]


TOPOLOGY = Topology(hierarchy, hierarchy_calls)
