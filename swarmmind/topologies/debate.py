"""Multi-agent debate (Du et al. 2023): everybody revises after reading everybody else's previous answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from swarmmind.agents.prompts import cut, quoted, remembered
from swarmmind.effects import Agent, Ask, Message, Program, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.recall import exchange, passed, recall, remember
from swarmmind.topologies.society import Society, Topology
from swarmmind.topologies.vote import elected, tally
from swarmmind.traces import ANSWER, PROMPT, Trace

_ALONE = "Look at your answer again, check it step by step, and answer once more."
_ADVICE = "Use these opinions as additional advice; check them, keep what is right, and answer once more."


def debate(
    ctx: Context, society: Society, rounds: Annotated[int, Field(ge=1)] = 3, stop_on_agreement: bool = False
) -> Program:
    """Answer independently, then revise with the others' previous answers in view; the most frequent answer wins.

    Rounds have barrier semantics: what an agent reads in round r are the answers of round r - 1, never of round r.
    An agent's own words come back to it through the swarm's memory, or, where that holds nothing, as its last answer.
    The paper (arXiv 2305.14325) ran 2 agents for 3 rounds on arithmetic, 3 agents for 2 rounds on GSM8K.

    Args:
        ctx: the program's place.
        society: all of its agents take part.
        rounds: at least 1; 1 is a vote.
        stop_on_agreement: whether it ends after a round in which the latest answers of all agents could be read and
            are equal; the calls of the rounds that are left are saved.

    Raises:
        Failed: too few agents answered (see `Policy`).
    """
    question, agents = society.question, society.agents
    prompts = {agent.id: question.prompt() for agent in agents}
    answers: Sequence[Reply] = []
    try:
        for number in range(1, rounds + 1):
            if number > 1:
                opinions = [quoted(a.id, r.text or "") if r.ok else "" for a, r in zip(agents, answers, strict=True)]
                prompts = {a.id: _revision(opinions, at) for at, a in enumerate(agents)}
            shown = yield from recall(society, agents, [question.text] * len(agents))
            replies = yield [
                _ask(society, a, prompts[a.id], shown[at], answers[at : at + 1]) for at, a in enumerate(agents)
            ]
            answers = _latest(answers, replies)
            society.policy.check(answers if society.policy.kind == "skip" else replies)
            given = [question.answer(reply) for reply in answers]
            told = zip(agents, replies, given, strict=True)
            turns = [turn for a, reply, answer in told for turn in exchange(a, prompts[a.id], reply, answer)]
            yield from remember(society, turns)
            yield from passed(society.memory, number)
            yield [Record("votes", {"round": number, **tally(given)})]
            if stop_on_agreement and None not in given and len(set(given)) == 1:
                break
    except Stop as stop:
        answers = _latest(answers, stop.results)
    society.policy.check(answers)
    return elected([question.answer(reply) for reply in answers], answers)


def debate_calls(society: Society, rounds: int = 3, stop_on_agreement: bool = False) -> int:
    """Calls of a run in which every answer is readable at once, to the last round."""
    return rounds * len(society.agents)


def _ask(society: Society, agent: Agent, prompt: Message, shown: tuple[Trace, ...], own: Sequence[Reply]) -> Ask:
    if own and not any(trace.kind == ANSWER for trace in shown):
        last = Trace(cut(own[0].text or "(no answer)"), agent.id, ANSWER)
        shown = (*shown, Trace(society.question.prompt().content, agent.id, PROMPT), last)
    messages = (*society.system(agent), *remembered(shown, prompt))
    return Ask(agent, messages, society.question.output, observation={"question": society.question.text})


def _latest(before: Sequence[Reply], results: Sequence[Any]) -> Sequence[Reply]:
    """Each agent's last answer: who failed this time stands by what it said before."""
    replies = [result for result in results if isinstance(result, Reply)]
    if not before or not replies:
        return before or replies
    return [new if new.ok else old for new, old in zip(replies, before, strict=True)]


def _revision(opinions: Sequence[str], at: int) -> Message:
    others = [opinion for i, opinion in enumerate(opinions) if i != at and opinion]
    if not others:
        return Message("user", _ALONE)
    return Message("user", "These are the answers of the others:\n\n" + "\n\n".join(others) + "\n\n" + _ADVICE)


TOPOLOGY = Topology(debate, debate_calls)
