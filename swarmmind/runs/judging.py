"""The judge of a task that is scored by a model: who it is, and that it is nobody who answers."""

from __future__ import annotations

from functools import partial

from swarmmind.effects import Agent, Sampling
from swarmmind.evals.judge import Chair, judge
from swarmmind.evals.scoring import Scoring
from swarmmind.runs.parameters import Complain, build
from swarmmind.runs.teams import authors, model_of
from swarmmind.spec import LoadedTask, Score
from swarmmind.spec.cards import GIVEN, load_card

CARD = "examiner"
"""The role card that judges, from the task's folder or the box."""


def make_judge(loaded: LoadedTask, score: Score, complain: Complain) -> Scoring:
    """The scoring of a task whose `score` uses `judge`.

    Raises:
        SpecError: a parameter is wrong, the model is unknown or also one that answers, or the card cannot be read.
    """
    card = load_card(CARD, loaded.folder)
    for error in card.body.missing(GIVEN):
        raise error
    instructions = card.render({"id": CARD, "index": 0, "role": CARD})
    sampling = card.sampling.over(loaded.task.sampling.over(Sampling()))

    def identity(name: str) -> str:
        spec = model_of(loaded, name)
        return name if spec.provider == "scripted" else spec.name  # pretended models differ by what they are called

    chair = Chair(Agent(CARD, CARD, instructions, sampling=sampling), {*map(identity, authors(loaded))}, identity)
    return build(partial(judge, chair), score.parameters, complain)
