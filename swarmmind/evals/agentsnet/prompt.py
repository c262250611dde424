"""What agents are told, in words of our own with the original's information (spec section 3): published scores of
language models were reached with others.

The rules open the first prompt; the system message is the role card's, whatever card that is.

What neighbors said is quoted, so that nobody can pass for the rules; no more than some thousand characters of one text
stand in a prompt (see `agents.prompts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from swarmmind.agents.prompts import quoted
from swarmmind.evals.agentsnet.problems import Problem
from swarmmind.evals.agentsnet.reading import MARKER


class Observation(msgspec.Struct, frozen=True):
    """Everything an agent may know now: its prompt, unrendered, and nothing of who knows whom beyond its neighbors.

    Attributes:
        problem: `coloring`, `vertex_cover`, `matching`, `leader_election`, `consensus` or `consensus-bits`.
        name: its own.
        neighbors: their names; nobody else can be reached.
        agents: how many there are.
        rounds: how often messages are delivered in all.
        round: how often they have been, from 0; in the last one, the answer is due.
        inbox: what each neighbor who wrote to it said in the last round, in the order of `neighbors`; empty before
            the first delivery, and where it is asked again.
        silent: neighbors who said nothing to it in the last round.
        question: what is asked at the end.
        answers: what may be answered then.
        input: its own input bit; empty in problems without inputs.
        again: whether its last reply could not be read and it is asked once more.
    """

    problem: str
    name: str
    neighbors: tuple[str, ...]
    agents: int
    rounds: int
    round: int
    question: str
    answers: tuple[str, ...]
    inbox: Mapping[str, str] = {}
    silent: tuple[str, ...] = ()
    input: str = ""
    again: bool = False

    @property
    def rounds_left(self) -> int:
        """How often messages will still be delivered."""
        return self.rounds - self.round

    @property
    def final(self) -> bool:
        """Whether the answer is due now."""
        return self.round == self.rounds


_RULES = """\
You are one of several agents in a network. You can talk to your neighbors only; they have neighbors of their own. \
Together you solve one task.

Task: {task}

Rules:
- There are {agents} agents. Each has a name that nobody else has.
- An agent can write to its neighbors and to nobody else. To reach others, somebody has to pass it on.
- Time goes in rounds, the same for all. What is written in one round is read by its receivers in the next. There are \
{rounds} rounds.
- What you tell whom is up to you. {thinking}Give your messages as JSON.
- Messages are one JSON object, from the names of neighbors to texts, for example \
{{"James": "a text for James", "Mary": "a text for Mary"}}. You may leave neighbors out.
- After {rounds} rounds everybody is asked: {question}"""

_THINK_EACH_ROUND = "Think step by step in every round. "
_THINK_FIRST = "Think step by step first, then give"
_JUST = "Without further text, give"


def rules(problem: Problem, seen: Observation, *, groups: int, reasoning: bool) -> str:
    """The rules, equal for all of a network byte for byte, and at their end what is this agent's alone."""
    shared = _RULES.format(
        task=problem.task.format(groups=groups),
        agents=seen.agents,
        rounds=seen.rounds,
        thinking=_THINK_EACH_ROUND if reasoning else "",
        question=seen.question,
    )
    own = f"\n\nYour name is {seen.name}. Your neighbors are: {_listed(seen.neighbors)}."
    return shared + own + (f" Your input is {seen.input}." if seen.input else "")


def request(seen: Observation, *, reasoning: bool) -> str:
    """What an agent is told now: what it was sent, and what it should answer with."""
    give = _THINK_FIRST if reasoning else _JUST
    if seen.again:
        wanted = _answer(seen, give) if seen.final else f"{give} your messages as one JSON object, as the rules say."
        return f"Your last reply could not be read. {wanted}"
    blocks = [quoted(name, text) for name, text in seen.inbox.items()]
    if seen.silent:
        blocks.append(f"No message came from: {_listed(seen.silent)}.")
    if seen.final:
        blocks.append(f"The exchange of messages is over. {seen.question} {_answer(seen, give)}")
        return "\n\n".join(blocks)
    if seen.round == 0:
        blocks.append("The first round begins.")
    elif seen.rounds_left == 1:
        blocks.append("Rounds left: 1. These are the last messages that your neighbors will get.")
    else:
        blocks.append(f"Rounds left: {seen.rounds_left}.")
    blocks.append(f"{give} your messages to your neighbors ({_listed(seen.neighbors)}) as one JSON object.")
    return "\n\n".join(blocks)


def _answer(seen: Observation, give: str) -> str:
    return f"{give} your answer in the form\n\n{MARKER} ANSWER\n\nwhere ANSWER is one of: {_listed(seen.answers)}."


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
