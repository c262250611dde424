"""A small world for a swarm whose velocities are words: rules that should be good, and who talks about them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from swarmmind.optimizers.conduct import Conclusion
from swarmmind.optimizers.language_pso import language_pso
from swarmmind.optimizers.parameters import TextParameter
from swarmmind.optimizers.study import Split, Study
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import Played

from .hills import Function, conducted, document, study

RULES = TextParameter("rules")
RULE = re.compile(r"^(\w+): (\w+)$", re.MULTILINE)


class Talk:
    """Critic and editor of rules such as `a: bad`: each example is a rule that should be `good`.

    Attributes:
        fuse: from the observation to adjustments by the number of the flaw.
        write: from the observation to the new rules, and excerpts by the number of the adjustment.
        asked: all requests, in order.
    """

    def __init__(
        self,
        fuse: Callable[[Any], Mapping[int, str]] | None = None,
        write: Callable[[Any], tuple[str, Mapping[int, str]]] | None = None,
    ) -> None:
        self.fuse, self.write = fuse or tries(), write or writes
        self.asked: list[Request] = []

    def __call__(self, request: Request, rng: random.Random) -> str:
        self.asked.append(request)
        seen = request.observation
        return {"cause": self._cause, "flaws": self._flaws, "fuse": self._fuse, "apply": self._apply}[seen["do"]](seen)

    def of(self, do: str) -> list[Request]:
        return [request for request in self.asked if request.observation["do"] == do]

    def _cause(self, seen: Any) -> str:
        return f"rule {seen['case']['id']} is wrong"

    def _flaws(self, seen: Any) -> str:
        flaws = [
            {"parameter": "rules", "kind": "weak role policy", "subject": case, "text": why, "examples": [case]}
            for case, why in seen["causes"].items()
        ]
        return document(flaws=flaws)

    def _fuse(self, seen: Any) -> str:
        return document(adjustments=[{"flaw": k, "adjustment": text} for k, text in self.fuse(seen).items()])

    def _apply(self, seen: Any) -> str:
        text, excerpts = self.write(seen)
        done = [{"adjustment": k, "excerpt": excerpt} for k, excerpt in excerpts.items()]
        return document(values={"rules": text}, done=done)


def ruled(*starts: str, validate: tuple[str, ...] = ()) -> Study:
    names = [name for name, _ in RULE.findall(starts[0])]
    found = study((RULES,), *({"rules": start} for start in starts))
    return found._replace(
        train=Split("train", [name for name in names if name not in validate], quotable=True),
        validate=Split("validate", validate),
    )


def good(values: Mapping[str, Any], example: str, rep: int) -> float:
    return float(dict(RULE.findall(values["rules"])).get(example) == "good")


def flown(talk: Any, given: Study, folder: Path, **more: Any) -> tuple[Conclusion, Played]:
    settings: dict[str, Any] = {"particles": 1, **more}
    return conducted(language_pso, given, Function(good), folder / "j", answers=talk, **settings)


def recorded(folder: Path, name: str) -> list[Any]:
    return [json.loads(row[3]) for row in content(folder / "j") if row[0] == "record" and row[2] == name]


def means(folder: Path) -> list[list[float]]:
    swarms = sorted(recorded(folder, "swarm"), key=lambda swarm: swarm["iteration"])
    return [swarm["means"] for swarm in swarms]


def tries(*words: str) -> Callable[[Any], dict[int, str]]:
    """Proposes, for the first flaw, one after the other of these, whatever failed."""
    rest = iter(words)

    def fuse(seen: Any) -> dict[int, str]:
        word = next(rest, None)
        return {} if word is None else {0: word}

    return fuse


def writes(seen: Any) -> tuple[str, dict[int, str]]:
    """Puts the adjustment's words in place of rule a's, and says so."""
    word = seen["adjustments"][0]["adjustment"].split()[-1]
    return f"a: {word}", {0: f"a: {word}"}
