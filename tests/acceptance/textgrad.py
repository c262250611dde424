"""TextGrad: a critique for every edge of what happened, the chain that carries them, and what the editor is shown."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import TextParameter
from swarmmind.optimizers.study import Scored, Step
from swarmmind.ports import Request

from . import carried, routing
from .experiment import Experiment, interval
from .paired import over

# --- who is asked what, and in which order ----------------------------------------------------------------------------

TOKEN = "tangerine"
DIAMOND: dict[str, tuple[int, ...]] = {"a": (), "b": (0,), "c": (0,), "d": (1, 2)}
CUT_ONE: dict[str, tuple[int, ...]] = {**DIAMOND, "c": ()}
CUT_BOTH: dict[str, tuple[int, ...]] = {**DIAMOND, "b": (), "c": ()}
TWO_CALLS: dict[str, tuple[int, ...]] = {"a": (), "a again": (0,)}
ONE_CALL: dict[str, tuple[int, ...]] = {"a": ()}


class Spoken:
    """An evaluator for which agents spoke, in vain."""

    def __init__(self, heard: Mapping[str, tuple[int, ...]]) -> None:
        self._steps = tuple(Step(name, name[0], f"told {name}", f"said {name}", of) for name, of in heard.items())

    def __call__(self, one: Candidate, example: str, rep: int) -> Scored:
        """Whatever the candidate, the same was said."""
        return Scored(0.0, "nothing", "It is wrong.", self._steps, question=example)

    def calls(self, one: Candidate) -> int:
        """None: it is a function."""
        return 0


class Echo:
    """A critic who passes on what it is told, with its own name; an editor who adds a line to what there is.

    Args:
        speaks: whether the editor answers with anything that can be read.
    """

    def __init__(self, speaks: bool = True) -> None:
        self._speaks = speaks
        self.edges: list[tuple[str, str]] = []
        self.prompts: list[str] = []
        self._edits = 0

    def __call__(self, request: Request, rng: random.Random) -> str:
        """An answer to any request."""
        seen, prompt = request.observation, request.messages[-1].content
        if seen["do"] == "edit":
            self._edits += 1
            return json.dumps({"value": f"{seen['value']}\nline {self._edits}", "note": ""}) if self._speaks else "Hm."
        if seen["do"] == "judge":
            edge, text = ("loss", seen["role"]), TOKEN
        else:
            of = seen["of"]
            edge = (seen["role"], f"text of {of['role']}" if of["instructions"] else of["role"])
            text = f"{seen['role']}({', '.join(re.findall(r'^> (.*' + TOKEN + '.*)$', prompt, re.MULTILINE))})"
        self.edges.append(edge)
        self.prompts.append(prompt)
        return json.dumps({"critique": text, "kind": "other", "subject": "all"})


class Echoed(NamedTuple):
    """A step of learning with the echo.

    Attributes:
        edges: what was criticized: from whom, and what of it.
        leaf: how often the critique of the loss stands in the prompt about a's instructions; `None` without one.
        asks: of the critic, as the journal has them.
        changed: whether a's text is another one.
        refused: why, if it is not.
    """

    edges: list[tuple[str, str]]
    leaf: int | None
    asks: int
    changed: bool
    refused: list[str]


def echoed(heard: Mapping[str, tuple[int, ...]], tracked: str = "abcd", batch: int = 1, speaks: bool = True) -> Echoed:
    """One step of learning, through the real driver."""
    echo = Echo(speaks)
    parameters = tuple(TextParameter(f"text-{name}", role=name) for name in tracked)
    start = {one.name: f"Be {one.role}." for one in parameters}
    given = routing.study(start, parameters, examples=max(batch, 1))
    end, played = routing.optimized(
        given, Spoken(heard), echo, 1, with_journal=True, backward="graph", accept="always", steps=1, batch=batch
    )
    leaf = [
        prompt.count(TOKEN) for edge, prompt in zip(echo.edges, echo.prompts, strict=True) if edge[1] == "text of a"
    ]
    refused = [json.loads(row[3])["note"] for row in played.journal if row[0] == "record" and row[2] == "refused"]
    asks = len(carried.said(played.journal, "critic"))
    changed = end.best.values != start
    return Echoed(echo.edges, leaf[0] if leaf else None, asks, changed, refused)


# --- what the editor is shown -----------------------------------------------------------------------------------------

LONG = "\n".join(f"Instruction {number} of many." for number in range(500))
SHOWN_STEPS = 6
_EARLIER = re.compile(r"^\[earlier value\]\n((?:>.*\n)+)\[said of it, 1 of 1\]\n> (.*)$", re.MULTILINE)
_VALUE = re.compile(r"^\[text-a\]\n((?:>.*\n)+)", re.MULTILINE)


def shown(momentum: int) -> tuple[int, int]:
    """Over several steps with a long text: how many editor's prompts hold all of it, and how many hold, as earlier
    values with what was said of them, exactly the last so many of the steps before, in order."""
    echo = Echo()
    given = routing.study({"text-a": LONG}, (TextParameter("text-a", role="a"),), examples=1)
    _, played = routing.optimized(
        given, Spoken(ONE_CALL), echo, 1, with_journal=True,
        backward="graph", accept="always", steps=SHOWN_STEPS, batch=1, history=momentum,
    )  # fmt: skip
    values = ["\n".join([LONG, *(f"line {number}" for number in range(1, step + 1))]) for step in range(SHOWN_STEPS)]
    past = [(value, f"a({TOKEN})") for value in values]
    prompts = {_unquoted(_VALUE.findall(prompt)[0]): prompt for prompt in carried.said(played.journal, "editor")}
    earlier = [
        [(_unquoted(value), said) for value, said in _EARLIER.findall(prompts[value])] if value in prompts else None
        for value in values
    ]
    wanted = [past[max(0, at - momentum) : at] for at in range(SHOWN_STEPS)]
    pairs = sum(got == want for got, want in zip(earlier, wanted, strict=True))
    return sum(value in prompts for value in values), pairs


def _unquoted(block: str) -> str:
    return "\n".join(line.removeprefix("> ") for line in block.strip("\n").split("\n"))


# --- the routing world ------------------------------------------------------------------------------------------------

SEEDS = range(60, 76)
STEPS = 14
ROUTES = ("graph", "blind", "broken chain", "broadcast")


class Routed(NamedTuple):
    """A run in the routing world.

    Attributes:
        final: the score at last.
        asks: of the critic.
        steps: how many steps had a failing case.
    """

    final: float
    asks: int
    steps: int


def routed(arm: str, seed: int) -> Routed:
    """All arms meet the same needs."""
    crew = carried.Crew(passes_on=arm != "broken chain", looks=arm != "broadcast", speaks=arm != "blind")
    end, played = routing.optimized(
        routing.study(routing.bare()), carried.World(seed, carried.LAYERED), crew, seed,
        with_journal=True, backward="graph", accept="strict", steps=STEPS, batch=1,
    )  # fmt: skip
    prompts = carried.said(played.journal, "critic")
    losses = sum("Judge the last answer" in prompt for prompt in prompts)
    return Routed(end.evaluation.mean if end.evaluation else 0.0, len(prompts), losses)


# --- the experiment ---------------------------------------------------------------------------------------------------


def run() -> Experiment:
    """Counts and orders, then what comes of them."""
    experiment = Experiment(
        "textgrad", f"diamonds, and {len(SEEDS)} teams of {len(carried.LAYERED)}",
        ["arm", "final score", "critiques a case"],
    )  # fmt: skip
    _edges(experiment)
    _counts(experiment)
    for momentum in (0, 1, 3):
        whole, pairs = shown(momentum)
        experiment.expect(f"momentum {momentum}: editor's prompts with the whole value", whole, "==", SHOWN_STEPS)
        experiment.expect(f"momentum {momentum}: with exactly the last {momentum} pairs", pairs, "==", SHOWN_STEPS)
    played = {arm: over(SEEDS, routed, arm) for arm in ROUTES}
    for arm, runs in played.items():
        each = mean(one.asks / one.steps for one in runs)
        experiment.row(arm, interval([one.final for one in runs]), each)
    experiment.expect("graph, worst run", min(one.final for one in played["graph"]), ">=", 1 - 1e-9)
    for arm in ROUTES[1:]:
        experiment.expect(f"{arm}, mean", mean(one.final for one in played[arm]), "<=", 0.15)
    edges = sum(map(len, carried.LAYERED.values())) + len(routing.ROLES) + 1
    experiment.expect(
        "broadcast: critiques a case, one for each edge and the loss",
        {one.asks / one.steps for one in played["broadcast"]}, "==", {float(edges)},
    )  # fmt: skip
    return experiment


def _edges(experiment: Experiment) -> None:
    """A diamond a -> b, c -> d."""
    whole = echoed(DIAMOND)
    of_a = [edge for edge in whole.edges if edge[1] == "a"]
    experiment.expect("critiques of a's answer", sorted(of_a), "==", [("b", "a"), ("c", "a")])
    order = [("loss", "d"), *sorted(edge for edge in whole.edges if edge[0] == "d" and len(edge[1]) == 1)]
    at = [whole.edges.index(edge) for edge in [*order, *of_a]]
    experiment.expect("d's before b's and c's, these before a's", max(at[1:3]) < min(at[3:]) and at[0] == 0, "==", True)
    experiment.expect("the loss's critique in the leaf's prompt", whole.leaf, "==", 2)
    experiment.expect("with one edge cut", echoed(CUT_ONE).leaf, "==", 1)
    cut = echoed(CUT_BOTH)
    experiment.expect("with both cut", (cut.leaf, sum(edge[0] == "a" for edge in cut.edges)), "==", (None, 0))
    unread = echoed(ONE_CALL, "a", speaks=False)
    experiment.expect("an unreadable edit changes", unread.changed, "==", False)
    experiment.expect("and is recorded", unread.refused, "==", ["the edit of text-a"])
    experiment.expect("a readable one changes", echoed(ONE_CALL, "a").changed, "==", True)


def _counts(experiment: Experiment) -> None:
    """One call for each pair of a result and what it came from that leads to a parameter; the loss is a result."""
    cases: Sequence[tuple[str, Mapping[str, tuple[int, ...]], str, int, int]] = (
        ("two chained calls, one text", TWO_CALLS, "a", 1, 4),
        ("a batch of 3 on one call", ONE_CALL, "a", 3, 6),
        ("the diamond", DIAMOND, "abcd", 1, 9),
        ("the diamond, only d tracked", DIAMOND, "d", 1, 2),
        ("the diamond, only a tracked", DIAMOND, "a", 1, 6),
        ("nobody there is tracked", DIAMOND, "x", 1, 0),
    )
    for what, heard, tracked, batch, calls in cases:
        got: Any = echoed(heard, tracked, batch)
        experiment.expect(f"{what}: backward calls", (got.asks, len(got.edges)), "==", (calls, calls))
