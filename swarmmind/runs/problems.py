"""What a task asks, as programs: one question, a data set of them, or a world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swarmmind.effects import Nested, Outcome, Program, Record
from swarmmind.errors import Failed, Stop
from swarmmind.evals.datasets import Item
from swarmmind.ports import Context
from swarmmind.topologies import Lesson, Question, Society
from swarmmind.topologies.recall import opened, with_stores


def one(topology: Callable[[Context, Society], Program], society: Society) -> Callable[[Context], Program]:
    """The program of a single problem or world."""
    return lambda ctx: begun(topology, society, ctx)


def begun(topology: Callable[[Context, Society], Program], society: Society, ctx: Context) -> Program:
    """A program that begins with what the task's memory holds and leaves that as it is: it may be run again."""
    society = society._replace(memory=society.memory.fork())
    return with_stores(society.memory, topology(ctx, society))


def school(society: Society, items: Sequence[Item], score: Callable[[Any, Any], float] | None) -> Society:
    """A society with a data set to learn from, and a judge."""
    return society._replace(lessons=[Lesson(*item) for item in items], judge=score)


def whole(
    topology: Callable[[Context, Society], Program],
    society: Society,
    items: Sequence[Item],
    score: Callable[[Any, Any], float] | None,
) -> Callable[[Context], Program]:
    """The program of a data set for a topology that takes it whole (see `school`) and returns an output per problem."""

    def program(ctx: Context) -> Program:
        outputs = yield from begun(topology, society, ctx)
        rows = zip(items, outputs, strict=True)
        yield [Record("item", _row(at, item, Outcome(output), score)) for at, (item, output) in enumerate(rows)]
        return outputs

    return program


def many(
    topology: Callable[[Context, Society], Program],
    society: Society,
    items: Sequence[Item],
    score: Callable[[Any, Any], float] | None,
) -> Callable[[Context], Program]:
    """The program of a data set: every problem on its own, all at once, each with a memory of its own.

    All of them begin with the same: what is kept for later runs is loaded once.
    """

    def program(ctx: Context) -> Program:
        common = society._replace(memory=society.memory.fork())
        yield from opened(common.memory)
        nested = [Nested(_for_item(topology, common, item), f"item-{at}") for at, item in enumerate(items)]
        try:
            outcomes = yield nested
        except Stop as stop:
            outcomes = stop.results
        yield [
            Record("item", _row(at, item, out, score))
            for at, (item, out) in enumerate(zip(items, outcomes, strict=True))
        ]
        if all(outcome.failure is not None and outcome.stopped is None for outcome in outcomes):
            raise Failed(f"all {len(items)} problems failed; the first: {outcomes[0].failure.message}")
        return [outcome.value for outcome in outcomes]

    return program


def _for_item(
    topology: Callable[[Context, Society], Program], society: Society, item: Item
) -> Callable[[Context], Program]:
    question: Question = society.question._replace(text=item.text)
    return one(topology, society._replace(question=question))


def _row(at: int, item: Item, outcome: Outcome, score: Callable[[Any, Any], float] | None) -> Mapping[str, Any]:
    row: dict[str, Any] = {"item": at, "output": outcome.value}
    if outcome.failure is not None:
        row["failure"] = outcome.failure.message
    if score is not None and outcome.value is not None:
        row["score"] = score(outcome.value, item.target)
    return row
