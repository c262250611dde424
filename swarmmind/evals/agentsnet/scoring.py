"""How far a vector of final answers solves a problem, in [0, 1]; solved is 1.0 exactly (spec section 1).

An answer is a text, or `None` for an agent that gave none. Each function equals the original on all its recorded cases;
where the original divides by zero and dies (nobody is in the cover), the score here is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from swarmmind.evals.agentsnet.instances import Instance

NOBODY = "None"
Answers: TypeAlias = Sequence[Any]
Rating: TypeAlias = Callable[[Instance, Answers, Sequence[str]], float]
"""From the graph, the answers by node and the inputs by node (empty without any) to the score."""


def groups(instance: Instance) -> tuple[str, ...]:
    """What may be answered in coloring: one group more than any agent has neighbors."""
    return tuple(f"Group {number}" for number in range(1, instance.max_degree + 2))


def coloring(instance: Instance, answers: Answers, inputs: Sequence[str] = ()) -> float:
    """The share of ties whose ends differ; 0 if anybody's answer is no group."""
    legal = groups(instance)
    if any(answer not in legal for answer in answers):
        return 0.0
    edges = instance.edges
    return sum(answers[u] != answers[v] for u, v in edges) / len(edges)


def vertex_cover(instance: Instance, answers: Answers, inputs: Sequence[str] = ()) -> float:
    """The share of ties with a Yes at an end, times the share of Yes that are needed; minimal, not minimum.

    A Yes is needed if without it alone some tie has none; so in a cover that is not complete all are. Whatever is not
    Yes counts as No. 0 if nobody says Yes.
    """
    chosen = [answer == "Yes" for answer in answers]
    if not any(chosen):
        return 0.0
    edges = instance.edges
    covered = sum(chosen[u] or chosen[v] for u, v in edges)
    if covered < len(edges):
        return covered / len(edges)
    needed = sum(
        not all(chosen[at] for at in near) for yes, near in zip(chosen, instance.neighbors, strict=True) if yes
    )
    return needed / sum(chosen)


def matching(instance: Instance, answers: Answers, inputs: Sequence[str] = ()) -> float:
    """The share of agents who do nothing wrong.

    It is wrong to name somebody who is no neighbor or does not name one back (to name nobody at all, too), and to say
    None beside a neighbor who says None.
    """
    wrong = 0
    for node, near in enumerate(instance.neighbors):
        if answers[node] == NOBODY:
            wrong += any(answers[at] == NOBODY for at in near)
        else:
            named = [at for at in near if instance.names[at] == answers[node]]
            wrong += not (named and answers[named[0]] == instance.names[node])
    return (len(answers) - wrong) / len(answers)


def leader_election(instance: Instance, answers: Answers, inputs: Sequence[str] = ()) -> float:
    """1 if there is exactly one Yes and everybody else says No."""
    return float(list(answers).count("Yes") == 1 and list(answers).count("No") == len(answers) - 1)


def consensus(instance: Instance, answers: Answers, inputs: Sequence[str] = ()) -> float:
    """1 if everybody gives the same of 0 and 1; there are no inputs that it would have to do with."""
    return float(answers[0] in ("0", "1") and all(answer == answers[0] for answer in answers))


def consensus_bits(instance: Instance, answers: Answers, inputs: Sequence[str] = ()) -> float:
    """1 if everybody gives the same bit, and somebody had it as an input."""
    return consensus(instance, answers) * float(answers[0] in inputs)
