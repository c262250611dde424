"""A team at the steps of its workflow: who works in them, what they are told, what they said and what became of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from swarmmind.agents.answers import final_text
from swarmmind.effects import TEXT, Agent, Message, Reply
from swarmmind.errors import Stop
from swarmmind.topologies.flow import Part, Signal
from swarmmind.topologies.governance import chosen
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Policy, Question, Society
from swarmmind.topologies.statements import Statement, paragraphs, stance, statements
from swarmmind.topologies.turns import turn
from swarmmind.topologies.workflow.past import Past
from swarmmind.topologies.workflow.steps import Step, Workflow

_BEFORE = "This was written in the steps before this one:"
_SO_FAR = "This was written in this step so far:"
_IMPROVE = "Improve it: keep what is right, mend what is wrong, and answer with the whole of it."
_NOBODY_NEEDED = Policy("quorum", 0.0)  # what failures mean is decided over a whole step


def workers(society: Society, step: Step) -> list[Agent]:
    """Who works in a step, each once."""
    return [agent for role in step.roles for agent in society.members(role)]


class _Heard(NamedTuple):
    """What is read in a step: statements with the names of their steps, and the draft that is improved there."""

    before: list[tuple[str, Statement]]
    draft: Statement | None = None

    def prompt(self, question: Question, step: Step, closing: str) -> Message:
        """What is the same for all who read it comes first."""
        quotes = [each.quoted(f"step {name}") for name, each in self.before]
        so_far = (_SO_FAR, self.draft.quoted(f"step {step.name}"), _IMPROVE) if self.draft else ()
        return paragraphs(question.text, *((_BEFORE, *quotes) if quotes else ()), *so_far, step.task, closing)

    def seen(self, question: Question, step: Step) -> dict[str, Any]:
        """The same for agents that are programs."""
        inputs = [[each.agent.id, each.reply.text or ""] for _, each in self.before]
        seen = {"question": question.text, "do": "step", "step": step.name, "task": step.task, "inputs": inputs}
        return {**seen, "draft": [self.draft.agent.id, self.draft.reply.text or ""]} if self.draft else seen


class Team:
    """A society at work.

    Args:
        society: who works, at what problem.
        plan: what they do; its roles are the society's.

    Attributes:
        order: the steps, in an order in which they may be done.
        workers: who works in each, by its name.
        said: what was said in each until now.
        replies: what was answered in each whole list of asks, failures included.
        past: what they remember.
    """

    def __init__(self, society: Society, plan: Workflow) -> None:
        self._society, self.order = society, plan.in_order()
        self.workers = {step.name: workers(society, step) for step in self.order}
        self.said: dict[str, list[Statement]] = {step.name: [] for step in self.order}
        self.replies: dict[str, list[Reply]] = {step.name: [] for step in self.order}
        self._outputs = {step.name: Signal() for step in self.order}
        self.past = Past(society, self.order)

    def part(self, step: Step) -> Part:
        """A step's part in the flow."""
        heard, agents = _Heard([]), self.workers[step.name]
        for name in step.reads:
            heard.before.extend([(name, each) for each in (yield self._outputs[name])])
        society = self.past.before(step)._replace(policy=_NOBODY_NEEDED)
        for group in [[agent] for agent in agents] if step.aggregate == "refine" else [agents]:
            yield from self._ask(step, society, group, heard)
            heard = heard._replace(draft=next(reversed(self.said[step.name]), None))
        self._outputs[step.name].set(self._output(step))

    def _ask(self, step: Step, society: Society, agents: Sequence[Agent], heard: _Heard) -> Steps[None]:
        is_last, question, many = step is self.order[-1], society.question, len(agents)
        prompt = heard.prompt(question, step, question.closing if is_last else "")
        seen = heard.seen(question, step)
        try:
            replies = yield from turn(
                society, agents, [prompt] * many, None if is_last else TEXT, observations=[seen] * many
            )
        except Stop as stop:
            self.said[step.name] += statements(agents, stop.results, question.answer if is_last else _words)
            raise
        self.said[step.name] += statements(agents, replies, question.answer if is_last else _words)
        self.replies[step.name] += replies
        if self._society.policy.kind != "skip":  # whoever is still to be asked is taken to answer
            there = self.replies[step.name]
            self._society.policy.check([*there, *[Reply()] * (len(self.workers[step.name]) - len(there))])

    def _output(self, step: Step) -> list[Statement]:
        said = self.said[step.name]
        elected = chosen(said) if step.aggregate == "vote" else next(reversed(said), None)
        return said if step.aggregate == "join" else [elected] if elected else []

    def deliverable(self) -> Any:
        """What the last step came to, or the latest there is that answers the problem."""
        question = self._society.question
        for step in reversed(self.order):
            output = self._output(step)
            if step is not self.order[-1]:
                output = [each._replace(answer=stance(question, each.reply)) for each in output]
                output = [each for each in output if question.output == TEXT or each.answer is not None]
            found = chosen(output)
            if found:
                return found.value(question)
        return None


def _words(reply: Reply) -> Hashable | None:
    """What is voted over before the last step: a marked answer if there is one, else the whole text."""
    return final_text(reply.value)
