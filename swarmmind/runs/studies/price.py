"""What a study takes at most, before it is started, and what its held-out test will take of the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from swarmmind.effects import Limits, Usage
from swarmmind.models.prices import Price
from swarmmind.runs.models import embedder_price, prices
from swarmmind.runs.plan import Plan
from swarmmind.runs.price import Estimate, estimate
from swarmmind.runs.problems import many
from swarmmind.runs.studies.plan import StudyPlan

_SAMPLED = 3  # examples that are rehearsed
_QUOTED_CASES = 3  # in a critic's prompt
_ASK_COMPLETION_TOKENS = 500  # of a critic or editor, typically
_MARGIN = 1.5  # the winner's prompts may be longer than the start's
_CHARS_PER_TOKEN = 4
_STRUCTURES = ("workflow", "graph", "edges")
_GROWTH = 3  # by which a winner's structure is taken to have grown, where nobody can tell


class StudyPrice(msgspec.Struct, frozen=True):
    """What a study takes at most: as far as calls are counted, with the largest team that numbers and choices allow.

    Attributes:
        examples: that are run; the optimizer's own bound, or the task's wall if that is lower. `None`: nobody says.
        asks: of critic and editor; `None`: nobody says.
        held_out: examples of the final test, start and winner together.
        calls_each: of one example, at most.
        counted: whether `calls_each` is a bound; else it is what the task's own team takes, and a workflow, a graph or
            drawn edges may grow.
        calls: model calls, all together, if none is repeated because a server failed or nobody could read an answer;
            `None`: nobody says.
        prompt_tokens: read, all together, roughly.
        completion_tokens: written, roughly.
        cost_usd: of these; `None` without prices.
        test_calls: what is set aside for the final test.
        test_tokens: likewise, of tokens read and written.
        test_usd: likewise, of money.
    """

    examples: int | None
    asks: int | None
    held_out: int
    calls_each: int
    counted: bool
    calls: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    test_calls: int
    test_tokens: int
    test_usd: float | None


async def price_study(study: StudyPlan) -> StudyPrice:
    """Rehearse a few examples of the task as it is, and price the study by them.

    Raises:
        Exception: what its program raises; a topology that fails here would fail in the study.
    """
    sample = _sample(study)
    count = max(1, len(sample.items))
    known = prices(study.plan(sample.program))
    found = await estimate(sample, known, embedder_price(sample))
    own, largest = found.calls / count, study.teams.largest
    grows = bool(study.study.of(*_STRUCTURES))
    each = math.ceil(own) if largest is None else largest
    scale = each / own / count if own else 1 / count
    read, written = found.prompt_tokens * scale, found.completion_tokens * scale
    usd = None if found.cost_usd is None else found.cost_usd * scale
    examples, asks = _most(study)
    held_out = 2 * len(study.examples.test.ids)
    tested = (1 + _GROWTH) * len(study.examples.test.ids) if grows else held_out
    one_ask = _ask(study, found, count, known)
    total = None if examples is None or asks is None else examples + held_out
    shares = (0, 0) if total is None or asks is None else (total, asks)
    money = None if usd is None or one_ask.cost_usd is None else shares[0] * usd + shares[1] * one_ask.cost_usd
    return StudyPrice(
        examples,
        asks,
        held_out,
        each,
        largest is not None and not grows,
        None if total is None else shares[0] * each + shares[1],
        None if total is None else round(shares[0] * read + shares[1] * (one_ask.prompt_tokens or 0)),
        None if total is None else round(shares[0] * written + shares[1] * (one_ask.completion_tokens or 0)),
        None if total is None else money,
        tested * each,
        round(tested * (read + written)),
        None if usd is None else tested * usd,
    )


def _sample(study: StudyPlan) -> Plan:
    """The task as it is, on a few of the examples."""
    base = study.base
    if base.society.environment is not None:
        return base
    crew = study.teams.crew(study.study.start[0].values)
    items = [example.item for example in study.examples.by_id.values() if example.item is not None][:_SAMPLED]
    program = many(crew.team.run, study.teams.society(crew, items[0].text, None), items, base.scoring)
    return base._replace(items=items, program=program, calls=None if crew.calls is None else crew.calls * len(items))


def _most(study: StudyPlan) -> tuple[int | None, int | None]:
    wall, most = study.stops.examples, study.most
    if most is None:
        return wall, None
    return (most.examples if wall is None else min(wall, most.examples)), most.asks


def _ask(study: StudyPlan, found: Estimate, count: int, known: Mapping[str, Price | None]) -> Usage:
    """What one critic or editor costs, roughly: it is shown the values, and a few runs."""
    values = sum(len(str(value)) for value in study.study.start[0].values.values()) // _CHARS_PER_TOKEN
    read = values + _QUOTED_CASES * round((found.prompt_tokens + found.completion_tokens) / count)
    price = known.get(study.study.editor.model)
    usage = Usage(1, read, 0, _ASK_COMPLETION_TOKENS)
    return msgspec.structs.replace(usage, cost_usd=price.cost_usd(usage) if price else None)


def set_aside(price: StudyPrice) -> Limits:
    """What is kept back of a budget for the held-out test, as far as can be told before the start."""
    tokens, usd = round(price.test_tokens * _MARGIN), (price.test_usd or 0.0) * _MARGIN
    return Limits(price.test_calls, tokens, usd) if price.held_out else Limits()


def search_limits(study: StudyPlan, price: StudyPrice) -> Limits:
    """The task's budget, less what is set aside.

    Raises:
        SpecError: the test alone would take all of it; with the place of the budget.
    """
    budget = study.base.task.budget.limits()
    if not price.held_out:
        return budget
    left: dict[str, float | None] = {"calls": None, "tokens": None, "usd": None}
    aside = set_aside(price)
    for name in left:
        wall, needed = getattr(budget, name), getattr(aside, name)
        if wall is not None and wall - needed <= 0:
            shown = f"{needed:g}" if name == "usd" else f"{round(needed):,}"
            message = f"the held-out test alone takes about {shown} of {wall:,}; raise it, or lower 'optimize.test'"
            raise study.base.loaded.error(("budget", name), message)
        left[name] = None if wall is None else wall - needed
    seconds = budget.seconds
    if seconds is not None:
        searched = price.examples or 10 * price.held_out
        seconds *= searched / (searched + price.held_out)
    calls, tokens = left["calls"], left["tokens"]
    return Limits(
        None if calls is None else round(calls), None if tokens is None else round(tokens), left["usd"], seconds
    )


def concerns(study: StudyPlan, price: StudyPrice) -> list[str]:
    """What a person should know before a study is started."""
    limits, found = study.base.task.budget.limits(), list[str]()
    if price.calls is None and limits == Limits():
        found.append("nothing bounds this study: set 'budget', or 'optimize.max_examples'")
    if price.calls is not None and limits.calls is not None and price.calls > limits.calls:
        found.append(f"the study may take {price.calls:,} calls, the budget allows {limits.calls:,}; it stops there")
    if not price.held_out:
        found.append("no held-out test: set 'optimize.test', or nobody can tell a gain from luck")
    if study.examples.shared:
        found.append(f"{study.examples.shared} problems of the test are also among the others")
    if price.cost_usd is None and price.calls is not None:
        found.append("money is unknown: no price for every model; add it under 'prices'")
    return found
