"""The `gepa` package as an optimizer (optional): its engine, its pool and its chance, our evaluations and editor.

The package calls its adapter and waits, while an optimizer here yields what it wants and is sent the result. So it is
replayed: the engine is run with what is known so far, breaks off where it wants something new, and is run again from
its start once that is there. It is a function of its seed and these results, so nothing is asked twice; the replays
cost about a hundredth of a second each after a thousand evaluations, and no thread is needed.

Merging is left out: there the package walks over a set of names, in an order that differs from process to process, and
a resumed study would go another way. `pareto` has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from swarmmind.effects import Program
from swarmmind.errors import MissingExtra
from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.pareto import Components, Count, Score, Select, pareto_most, reflected
from swarmmind.optimizers.reflection import texts
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Optimizer, Split, Study
from swarmmind.ports import Context

Accept: TypeAlias = Literal["strict", "not-worse"]

_SELECT = {"pareto": "pareto", "best": "current_best", "epsilon-greedy": "epsilon_greedy", "top-k": "top_k_pareto"}
_ACCEPT = {"strict": "strict_improvement", "not-worse": "improvement_or_equal"}


def gepa(
    ctx: Context,
    study: Study,
    steps: Count = 100,
    select: Select = "pareto",
    batch: Count = 3,
    components: Components = "round-robin",
    accept: Accept = "strict",
    perfect: Score = 1.0,
) -> Program:
    """Evolve a study's texts with the package; keeps what does best on validation.

    A missing score counts as the lowest that the candidate got beside it, so it wins nothing, and a parent with one in
    its batch is not reflected on: the package knows numbers only. What is kept goes by the scores there are.

    Args:
        ctx: the program's place.
        study: its texts change, everything else stays; the package begins with the first start, and only with that.
        steps: how many iterations the package makes.
        select: where parents come from, as in `pareto`.
        batch: examples that a parent is reflected on and its child compared on.
        components: which texts a reflection changes.
        accept: whether a child that did so on the few examples is scored on validation.
        perfect: a score that leaves nothing to learn.

    Raises:
        MissingExtra: the package is not installed.
        UserError: the study has no text, or no examples for training or validation.
    """
    engine, batches = _package()
    port = _Port(study, batches)
    seed = ctx.rng("gepa").getrandbits(32)

    def over(state: Any) -> bool:
        return state.i + 1 >= steps

    while True:
        port.rewind()
        try:
            engine(
                seed_candidate=port.seed(),
                trainset=[(study.train, id_) for id_ in study.train.ids],
                valset=[(study.validate, id_) for id_ in study.validate.ids],
                adapter=port,
                candidate_selection_strategy=_SELECT[select],
                module_selector=components.replace("-", "_"),
                acceptance_criterion=_ACCEPT[accept],
                reflection_minibatch_size=min(batch, len(study.train.ids)),
                perfect_score=perfect,
                stop_callbacks=over,
                logger=_Silent(),
                track_best_outputs=False,
                seed=seed,
            )
        except _Wanted as wanted:
            program = wanted.program
        else:
            return
        port.learn((yield from program))


def _package() -> tuple[Any, Any]:
    """The engine, and what it calls a batch that was evaluated; their types do not say what they take."""
    try:
        from gepa.api import optimize
        from gepa.core.adapter import EvaluationBatch
    except ModuleNotFoundError as error:
        raise MissingExtra("the gepa optimizer", "gepa") from error
    return optimize, EvaluationBatch


class _Wanted(BaseException):
    """The engine needs what is not known yet; not an `Exception`, for these the engine handles."""

    def __init__(self, program: Program) -> None:
        self.program = program


class _Silent:
    def log(self, message: str) -> None: ...


class _Port:
    """The package's adapter: answers what it is asked in the order of asking, as long as it knows more.

    Args:
        study: what the optimizer is given.
        batch: the package's type of a result.

    Raises:
        UserError: the study is of no use here.
    """

    def __init__(self, study: Study, batch: Any) -> None:
        self._texts = texts(study, study.train, study.validate)
        self._study, self._batch = study, batch
        self._answers: list[Any] = []
        self._next = 0
        self._best: Evaluation | None = None
        self._candidates = {self._key(study.start[0].values): study.start[0]}

    # --- for the optimizer ---

    def rewind(self) -> None:
        """The engine is about to be run from its start."""
        self._next = 0

    def learn(self, answer: Any) -> None:
        """What the engine wanted last."""
        self._answers.append(answer)

    def seed(self) -> dict[str, str]:
        """What the engine begins with."""
        return {parameter.name: self._study.start[0].values[parameter.name] for parameter in self._texts}

    # --- for the engine ---

    def evaluate(self, batch: Sequence[tuple[Split, str]], candidate: Mapping[str, str], capture_traces: bool) -> Any:
        """Scores in the order of a batch, which may hold an example twice, and the cases of a training batch."""
        split, ids = batch[0][0], tuple(dict.fromkeys(id_ for _, id_ in batch))
        seen: Evaluation = self._answer(lambda: self._evaluated(self._candidates[self._key(candidate)], split, ids))
        known = [score for score in seen.scores.values() if score is not None]
        scores = [min(known) if seen.scores[id_] is None else seen.scores[id_] for _, id_ in batch]
        whole = len(known) == len(seen.scores)
        return self._batch(outputs=scores, scores=scores, trajectories=list(seen.cases) if whole else None)

    def make_reflective_dataset(
        self, candidate: Mapping[str, str], eval_batch: Any, components_to_update: Sequence[str]
    ) -> dict[str, list[dict[str, Any]]]:
        """The cases, for the editor's request is our own."""
        return {name: [{"case": case} for case in eval_batch.trajectories] for name in components_to_update}

    def propose_new_texts(
        self, candidate: Mapping[str, str], dataset: Mapping[str, Any], components_to_update: Sequence[str]
    ) -> dict[str, str]:
        """The texts that an editor changed; none if it changed nothing that may be."""
        parent = self._candidates[self._key(candidate)]
        cases = [record["case"] for record in dataset[components_to_update[0]]]
        parameters = [self._study.parameter(name) for name in components_to_update]
        child: Candidate | None = self._answer(lambda: reflected(self._study, parameters, parent, cases))
        if child is None:
            return {}
        self._candidates.setdefault(self._key(child.values), child)
        return {name: child.values[name] for name in components_to_update}

    def _answer(self, program: Callable[[], Program]) -> Any:
        """What the program comes to.

        Raises:
            _Wanted: it has yet to be run, outside of the engine.
        """
        if self._next == len(self._answers):
            raise _Wanted(program())
        self._next += 1
        return self._answers[self._next - 1]

    def _evaluated(self, candidate: Candidate, split: Split, ids: tuple[str, ...]) -> Program:
        [seen] = yield [Evaluate(candidate, split, ids)]
        if split is self._study.validate and (self._best is None or strict(seen, self._best)):
            self._best = seen
            yield [Keep(candidate, seen)]
        return seen

    def _key(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(values[parameter.name] for parameter in self._texts)


OPTIMIZER = Optimizer(gepa, pareto_most, frozenset({"text"}))
