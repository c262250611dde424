"""Mixture-of-Agents (Wang et al. 2024, arXiv 2406.04692): layers of proposers that read all of the layer before, and
one aggregator at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from swarmmind.effects import Agent, Message, Program
from swarmmind.errors import UserError
from swarmmind.ports import Context
from swarmmind.topologies.drafts import Draft, agreed, attempt, drafted, numbered
from swarmmind.topologies.society import Question, Society, Topology

_REFERENCES = "Here are answers that others gave to this question. Some of them may be wrong or one-sided."
_SYNTHESIS = (
    "Weigh them critically and write one answer of your own that is better than each of them: do not merely repeat or "
    "average them."
)


def moa(ctx: Context, society: Society, layers: Annotated[int, Field(ge=1)] = 3) -> Program:
    """Layer 1 answers the question; layer k answers it with all answers of layer k - 1 in view; the last is one agent.

    The aggregator is the agent with the role `aggregator`; without one the first agent aggregates, and proposes too.
    An agent that fails is missing from the references. If the aggregator fails, or the budget ends the run, the most
    frequent answer of the last layer that said anything is returned.

    Args:
        ctx: the program's place.
        society: everybody but the aggregator proposes.
        layers: the aggregator's included; 1 is the aggregator alone.

    Raises:
        Failed: too few agents answered (see `Policy`).
    """
    proposers, aggregator = _cast(society)
    question = society.question
    drafts: list[Draft] = []
    for layer in range(1, layers + 1):
        agents = proposers if layer < layers else [aggregator]
        seen = {
            "question": question.text,
            "do": "propose" if layer < layers else "aggregate",
            "layer": layer,
            "references": [draft.text for draft in drafts],
        }
        prompt, everybody = _prompt(question, drafts), len(agents)
        said = yield from attempt(
            society, agents, [prompt] * everybody, observations=[seen] * everybody, first=not drafts
        )
        drafts = drafted(agents, said) or drafts
        if said.stopped:
            break
    return agreed(question, drafts)


def moa_calls(society: Society, layers: int = 3) -> int:
    """Calls of a run in which every answer is readable at once.

    Raises:
        UserError: there is more than one aggregator.
    """
    proposers, _ = _cast(society)
    return len(proposers) * (layers - 1) + 1


def _cast(society: Society) -> tuple[list[Agent], Agent]:
    aggregators = society.members("aggregator")
    if len(aggregators) > 1:
        raise UserError(f"moa: needs at most one agent with the role aggregator, got {len(aggregators)}")
    proposers = [agent for agent in society.agents if agent.role != "aggregator"]
    return proposers or aggregators, (aggregators or proposers)[0]


def _prompt(question: Question, drafts: Sequence[Draft]) -> Message:
    """The question with numbered references: the same for everybody in a layer, so that servers read it once."""
    if not drafts:
        return question.prompt()
    parts = (question.text, _REFERENCES, *numbered(drafts, "reference"), _SYNTHESIS)
    return question._replace(text="\n\n".join(parts)).prompt()


TOPOLOGY = Topology(moa, moa_calls)
