"""Multi-agent debate (Du et al. 2023): everybody revises after reading everybody else's previous answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from swarmmind.effects import Agent, Ask, Message, Program, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.society import Society
from swarmmind.topologies.vote import elected, tally

_ALONE = "Look at your answer again, check it step by step, and answer once more."
_ADVICE = "Use these opinions as additional advice; check them, keep what is right, and answer once more."


def debate(ctx: Context, society: Society, rounds: Annotated[int, Field(ge=1)] = 3) -> Program:
    """Answer independently, then revise with the others' previous answers in view; the most frequent answer wins.

    Rounds have barrier semantics: what an agent reads in round r are the answers of round r - 1, never of round r.
    An agent's own words come back to it through the swarm's memory, or, where that holds nothing, as its last answer.

    Args:
        ctx: the program's place.
        society: all of its agents take part.
        rounds: at least 1; 1 is a vote.

    Raises:
        Failed: too few agents answered (see `Policy`).
    """
    question, agents, memory = society.question, society.agents, society.memory
    prompts = {agent.id: question.prompt() for agent in agents}
    answers: Sequence[Reply] = []
    try:
        for number in range(1, rounds + 1):
            if number > 1:
                prompts = {a.id: _revision(agents, answers, at) for at, a in enumerate(agents)}
            replies = yield [_ask(society, a, at, prompts[a.id], answers) for at, a in enumerate(agents)]
            society.policy.check(replies)
            answers = _latest(answers, replies)
            for agent, reply in zip(agents, replies, strict=True):
                if reply.ok:
                    memory.deposit(agent.id, prompts[agent.id])
                    memory.deposit(agent.id, Message("assistant", reply.text or ""))
            yield [Record("votes", {"round": number, **tally(question, answers)})]
    except Stop as stop:
        answers = _latest(answers, stop.results)
    society.policy.check(answers)
    return elected(question, answers)


def debate_calls(society: Society, rounds: int = 3) -> int:
    """Calls of a run in which every answer is readable at once."""
    return rounds * len(society.agents)


def _ask(society: Society, agent: Agent, at: int, prompt: Message, answers: Sequence[Reply]) -> Ask:
    remembered = society.memory.sense(agent.id)
    if not remembered and answers:
        own = answers[at].text or "(no answer)"
        remembered = (society.question.prompt(), Message("assistant", own))
    messages = (*society.system(agent), *remembered, prompt)
    return Ask(agent, messages, society.question.output, observation={"question": society.question.text})


def _latest(before: Sequence[Reply], results: Sequence[Any]) -> Sequence[Reply]:
    """Each agent's last answer: who failed this time stands by what it said before."""
    replies = [result for result in results if isinstance(result, Reply)]
    if not before or not replies:
        return before or replies
    return [new if new.ok else old for new, old in zip(replies, before, strict=True)]


def _revision(agents: Sequence[Agent], answers: Sequence[Reply], at: int) -> Message:
    others = [
        f"<answer from={agents[i].id!r}>\n{_quoted(reply.text or '')}\n</answer>"
        for i, reply in enumerate(answers)
        if i != at and reply.ok
    ]
    if not others:
        return Message("user", _ALONE)
    return Message("user", "These are the answers of the others:\n\n" + "\n\n".join(others) + "\n\n" + _ADVICE)


def _quoted(text: str) -> str:
    """What an agent said cannot close the tag that says whose words these are."""
    return text.replace("</answer", "<\\/answer").replace("<answer", "<\\answer")
