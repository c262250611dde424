"""The check of optimizers: an honest one passes it, and each promise that is broken is the one it names."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from swarmmind.effects import TEXT, Ask, Message, Nested, Program
from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.requests import criticize, critiques, edit, edited, propose, unread
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Most, Optimizer, Scored, Split, Study
from swarmmind.ports import Context
from swarmmind.testing import check_optimizer
from swarmmind.testing.optimizer_check import PROMISES
from swarmmind.testing.studies import Team, study_for
from tests.optimizers.hills import Function

STEPS, BATCH = 3, 3
KINDS = frozenset({"text"})


def climb(ctx: Context, study: Study) -> Program:
    """Honest: criticize the best on a batch, have a text edited, keep what is better on validation."""
    best = study.start[0]
    [before] = yield [Evaluate(best, study.validate, study.validate.ids)]
    yield [Keep(best, before)]
    batches = study.train.batches(BATCH, ctx.rng("batches"))
    for _ in range(STEPS):
        [seen] = yield [Evaluate(best, study.train, next(batches))]
        child = yield from descend(study, seen)
        if child is not None:
            [after] = yield [Evaluate(child, study.validate, study.validate.ids)]
            if strict(after, before):
                best, before = child, after
                yield [Keep(best, before)]


def descend(study: Study, seen: Evaluation) -> Program:
    parameters = study.of("text")
    [reply] = yield [criticize(study, parameters, seen.candidate, seen.cases)]
    found = critiques(reply, parameters, seen.cases)
    if not found:
        yield [unread("a critique")]
        return None
    parameter = study.parameter(found[0].parameter)
    [reply] = yield [edit(study, parameter, seen.candidate, found)]
    new = edited(reply, parameter)
    if new is None:
        yield [unread("an edit")]
        return None
    return (yield from propose(study, seen.candidate, {parameter.name: new.value}, new.note))


def climb_most(study: Study) -> Most:
    return Most(STEPS * BATCH + (1 + STEPS) * len(study.validate.ids), 2 * STEPS)


HONEST = Optimizer(climb, climb_most, KINDS)


def test_the_honest_one_passes() -> None:
    check_optimizer(HONEST)


def test_so_does_one_that_asks_nobody_with_a_study_and_an_evaluator_of_its_own() -> None:
    def walk(ctx: Context, study: Study, steps: int) -> Program:
        best, rng = study.start[0], ctx.rng("walk")
        for rep in range(steps):
            child = best.child({"temperature": rng.random()})
            seen, other = yield [Evaluate(one, study.train, study.train.ids, rep) for one in (child, best)]
            yield [Keep(child, seen)] if strict(seen, other) else []
            best = child if strict(seen, other) else best

    study = study_for({"float"}, train=3, validate=0)
    function = Function(lambda values, example, rep: values["temperature"])
    check_optimizer(walk, study, function, parameters={"steps": 4})


# --- broken promises --------------------------------------------------------------------------------------------------

COUNTER = itertools.count()
LOCK: list[str] = []


def asked(study: Study, text: str) -> Ask:
    return Ask(study.critic, (Message("user", text),), TEXT, observation={})


def noting(note: Callable[[], str]) -> Callable[..., Program]:
    """The honest one, which first asks something that it should not know."""

    def program(ctx: Context, study: Study) -> Program:
        yield [asked(study, note())]
        yield from climb(ctx, study)

    return program


def forgetful(ctx: Context, study: Study) -> Program:
    """Finds on a resume what it left behind when it was killed."""
    found = len(LOCK)
    LOCK.append(ctx.path)
    try:
        yield [asked(study, f"{found} were here")]
        yield from climb(ctx, study)
    except GeneratorExit:
        raise
    LOCK.clear()


def peeking(ctx: Context, study: Study) -> Program:
    """Copies what validation runs say, which it can see only because it was given the wrong split."""
    quotable = Split("validate", study.validate.ids, quotable=True)
    study = study._replace(validate=quotable)
    yield from climb(ctx, study)


def leaking(ctx: Context, study: Study) -> Program:
    """Picks the lock of a split, which never changes otherwise."""
    object.__setattr__(study.validate, "quotable", True)
    try:
        [seen] = yield [Evaluate(study.start[0], study.validate, study.validate.ids)]
        yield [asked(study, seen.cases[0].run.question)]
        yield from climb(ctx, study)
    finally:
        object.__setattr__(study.validate, "quotable", False)


def stubborn(ctx: Context, study: Study) -> Program:
    """Asks until it is told something that it can read."""
    parameter = study.of("text")[0]
    for _ in range(50):
        [reply] = yield [edit(study, parameter, study.start[0], [])]
        new = edited(reply, parameter)
        if new is not None and not parameter.check(new.value):
            break
        yield [unread("an edit")]
    yield from climb(ctx, study)


def silent(ctx: Context, study: Study) -> Program:
    """Says nothing of what it could not use."""
    inner, results = climb(ctx, study), None
    while True:
        try:
            wanted: Any = inner.send(results)
        except StopIteration:
            return
        kept = [effect for effect in wanted if getattr(effect, "name", "") != "refused"]
        results = (yield kept) if kept else [None]


def credulous(ctx: Context, study: Study) -> Program:
    """Takes whatever was said for a value."""
    parameter = study.of("text")[0]
    [reply] = yield [asked(study, "Say something.")]
    placeholders = " ".join(f"{{{{ {name} }}}}" for name in sorted(parameter.placeholders))  # type: ignore[union-attr]
    child = study.start[0].child({parameter.name: f"{reply.text} {placeholders}"})
    yield [Evaluate(child, study.train, study.train.ids), Evaluate(study.start[0], study.train, study.train.ids)]
    yield [unread("nothing")]


def assuming(ctx: Context, study: Study) -> Program:
    """Forgets that a score may be missing."""
    [seen] = yield [Evaluate(study.start[0], study.train, study.train.ids)]
    assert sum(score for score in seen.scores.values()) >= 0  # type: ignore[misc]
    yield from climb(ctx, study)


def nesting(ctx: Context, study: Study) -> Program:
    def inner(at: Context) -> Program:
        return climb(at, study)

    yield [Nested(inner, "climb")]


def endless(ctx: Context, study: Study) -> Program:
    """Asks until it likes the answer."""
    parameter, new = study.of("text")[0], None
    while new is None:
        [reply] = yield [edit(study, parameter, study.start[0], [])]
        new = edited(reply, parameter)
    yield from climb(ctx, study)


def secretive(ctx: Context, study: Study) -> Program:
    """Keeps nothing."""
    inner = climb(ctx, study)
    results: Any = None
    while True:
        try:
            wanted: Any = inner.send(results)
        except StopIteration:
            return
        rest = [effect for effect in wanted if not isinstance(effect, Keep)]
        results = (yield rest) if rest else [None]


def lists(study: Study) -> Most:
    return climb_most(study)._replace(asks=STEPS)


BROKEN: dict[str, tuple[Any, str]] = {
    "determinism": (noting(lambda: f"number {next(COUNTER)}"), "two runs with one seed differ, first at run/1/critic"),
    "chance": (noting(lambda: f"roll {random.random()}"), "with other global seeds, first at run/1/critic"),
    "resume": (forgetful, "killed at call 1, it"),
    "cache": (assuming, "missing at first, it raised TypeError"),
    "splits": (leaking, "holds words of a validation run"),
    "budget": (secretive, "a run keeps nothing"),
    "most": (HONEST._replace(most=lists), "a run asks 6 times, and said 3"),
}
EDITS: dict[str, tuple[Callable[..., Program], str]] = {
    "silent": (silent, "with answers that nobody can read it records nothing as refused"),
    "credulous": (credulous, "with answers that nobody can read drafter became"),
    "endless": (endless, "with answers that nobody can read it raised RuntimeError: after 5,000 lists"),
    "stubborn": (stubborn, "with answers that nobody can read it asks 5[0-9] times, and said 7"),
}


def boundless(study: Study) -> Most:
    return Most(10**6, 10**6)


def few_asks(study: Study) -> Most:
    return climb_most(study)._replace(asks=7)


def only(promise: str) -> list[str]:
    return [name for name in PROMISES if name != promise]


@pytest.mark.parametrize("promise", BROKEN)
def test_a_broken_promise_is_the_one_that_is_named(promise: str) -> None:
    LOCK.clear()
    broken, where = BROKEN[promise]
    one = broken if isinstance(broken, Optimizer) else Optimizer(broken, boundless, KINDS)
    with pytest.raises(AssertionError, match=f"^{promise}: .*{where}"):
        check_optimizer(one, excused=only(promise))


@pytest.mark.parametrize("kind", EDITS)
def test_what_goes_wrong_with_edits_is_found(kind: str) -> None:
    program, where = EDITS[kind]
    one = Optimizer(program, few_asks, KINDS)
    with pytest.raises(AssertionError, match=f"^edits: {where}"):
        check_optimizer(one, excused=only("edits"))


class Racing(Team):
    """An evaluator whose scores hang on who is faster."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self._done: list[str] = []

    def __call__(self, one: Candidate, example: str, rep: int) -> Callable[[Context], Program]:
        if example == "validate-0" and not one.parents:
            self._done.clear()  # a study begins
        inner = super().__call__(one, example, rep)

        def program(ctx: Context) -> Program:
            yield from inner(ctx)
            self._done.append(example)
            return Scored(len(self._done) % 5 / 4)

        return program


class Cheap(Team):
    """An evaluator that costs more than it says."""

    def calls(self, one: Candidate) -> int:
        return super().calls(one) - 1


def test_an_evaluator_can_break_promises_too() -> None:
    study = study_for(KINDS)
    with pytest.raises(AssertionError, match=r"^workers: with 1 calls at once and other latencies"):
        check_optimizer(HONEST, study, Racing(study), excused=only("workers"))
    with pytest.raises(AssertionError, match=r"^budget: with a budget of \d+ of \d+ calls it "):
        check_optimizer(HONEST, study, Cheap(study), excused=only("budget"))


def test_an_optimizer_yields_nothing_else() -> None:
    with pytest.raises(AssertionError, match=r"^determinism: a run raised TypeError: .* got Nested"):
        check_optimizer(nesting)
    with pytest.raises(AssertionError, match=r"^splits: a run raised ValueError: .* may not evaluate"):
        check_optimizer(peeking)


def test_one_that_tries_nothing_is_not_checked() -> None:
    def idle(ctx: Context, study: Study) -> Program:
        yield [Evaluate(study.start[0], study.train, study.train.ids)]

    with pytest.raises(AssertionError, match="a run tried 1 candidates; there is nothing to check"):
        check_optimizer(idle)


def test_a_promise_that_is_not_known_cannot_be_excused() -> None:
    with pytest.raises(ValueError, match="did you mean 'resume'"):
        check_optimizer(HONEST, excused=["resumee"])
