"""reasoning-gym (Stojanovski et al. 2025, arXiv 2505.24760): more than 100 generators of puzzles that score themselves.

`problem: {dataset: reasoning-gym/tower_of_hanoi, size: 20, max_disks: 4}`. Keys beside `size` and `seed` are the
generator's own. Needs the extra `reasoning-gym`.

Some of its verifiers evaluate the answer as Python. What a model says never becomes code here: such verifiers see
numbers, lists and formulas only (`evals.untrusted`), everything else scores 0. Four others give 1.0 to wrong answers,
too; here they do not (`NEEDED`).
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import fields
from fractions import Fraction
from io import StringIO
from types import MappingProxyType
from typing import Any, NamedTuple

from swarmmind.effects import Program
from swarmmind.errors import MissingExtra, UserError, near
from swarmmind.evals.datasets import Dataset, Item
from swarmmind.evals.scoring import Answer, Mark, Scoring
from swarmmind.evals.untrusted import Guard, harmless_formula, harmless_literal
from swarmmind.ports import Context

ASK = "Give your final answer, and nothing else, between <answer> and </answer>."
"""As reasoning-gym's own prompts say it."""

MAX_SIZE = 100_000
MAX_ANSWER_CHARS = 20_000

_LITERALS = ("binary_matrix", "n_queens", "spiral_matrix", "string_insertion")
_FORMULAS = (
    "countdown",
    "intermediate_integration",
    "polynomial_multiplication",
    "puzzle24",
    "simple_integration",
)
GUARDS: Mapping[str, Guard] = MappingProxyType(
    {**dict.fromkeys(_LITERALS, harmless_literal), **dict.fromkeys(_FORMULAS, harmless_formula)}
)
"""The generators whose verifiers evaluate an answer (by `eval`, or by sympy's `parse_expr`), and what each may see."""


def _same_word(text: str, entry: Mapping[str, Any]) -> bool:
    return text.casefold().strip(" .") == entry["answer"].casefold()


def _near(text: str, entry: Mapping[str, Any]) -> bool:
    found, wanted = (Fraction(number.replace(",", "")) for number in (text, entry["answer"]))
    return abs(found - wanted) <= min(_NEAR, abs(wanted) / 100)


def _same_numbers(text: str, entry: Mapping[str, Any]) -> bool:
    return sorted(map(int, re.findall(r"\b\d+\b", text))) == sorted(entry["metadata"]["numbers"])


def _a_number(text: str, _: Mapping[str, Any]) -> bool:
    return "nan" not in text.casefold()


_NEAR = Fraction(1, 10_000)
NEEDED: Mapping[str, Callable[[str, Mapping[str, Any]], bool]] = MappingProxyType(
    {
        "coin_flip": _near,
        "complex_arithmetic": _a_number,
        "game_of_life_halting": _same_word,
        "puzzle24": _same_numbers,
    }
)
"""What has to hold of an answer for 1.0, where the verifier of reasoning-gym 0.1.25 gives that to wrong ones, too: for
a probability of which the first digit is right, for `nan`, for any text, for any four numbers that make 24."""

_SETS = ("codeio", "intermediate_integration", "isomorphic_strings", "knight_swap")
HASHED = frozenset([*_SETS, "polynomial_multiplication", "ransom_note", "word_ladder"])
"""The generators that go through sets of texts, whose order Python changes from process to process."""

_EXAMPLES = ("example_answer", "example_correct_answer", "possible_answer")
_TAGGED = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.DOTALL | re.IGNORECASE)
_MARKED = re.compile(r"\b(?:ANSWER[*_]{0,2}\s{0,3}[:=](?:\*\*|__)?|answer is[ :])", re.IGNORECASE)


_HUGE = re.compile(r"\de[-+]?\d{4}", re.IGNORECASE)
"""A number that takes for ever where it is read as a fraction: `1e99999999`."""


class Verifier(NamedTuple):
    """Scores answers to the problems of one generator.

    Attributes:
        name: the generator's.
        data: reasoning-gym's data set.
        entries: its problems by the text that is asked.
        by_target: the same by target, for whoever does not know the question.
    """

    name: str
    data: Any
    entries: dict[str, dict[str, Any]]
    by_target: dict[str | None, list[dict[str, Any]]]

    def grade(self, _: Context, answer: Answer) -> Program:
        """Judge an answer by the entry that was asked; see `evals.scoring.Grade`."""
        yield []
        entry = self.entries.get(answer.question)
        return Mark(self.score(answer.output, answer.target) if entry is None else self._verified(answer.output, entry))

    def score(self, output: Any, target: Any) -> float:
        """The same without the question: the worst over all problems that have this target."""
        entries = self.by_target.get(target, [])
        return min((self._verified(output, entry) for entry in entries), default=0.0)

    def _verified(self, output: Any, entry: dict[str, Any]) -> float:
        return max(self._one(text, entry) for text in readings(output))

    def _one(self, text: str, entry: dict[str, Any]) -> float:
        guard = GUARDS.get(self.name)
        refused = len(text) > MAX_ANSWER_CHARS or _HUGE.search(text) or (guard is not None and not guard(text))
        if not text or refused:
            return float(text == entry["answer"])
        try:
            with _silence():
                found = float(self.data.score_answer(text, entry))
        except Exception:  # a verifier that cannot read an answer says so by whatever exception comes of it
            return 0.0
        if found >= 1.0 and self.name in NEEDED and not NEEDED[self.name](text, entry):
            return 0.0
        return min(max(found, 0.0), 1.0) if found == found else 0.0


@contextmanager
def _silence() -> Generator[None]:
    """Some of reasoning-gym's code warns of answers, or prints what it thinks of them on standard output."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        yield


def readings(output: Any) -> list[str]:
    """What may be meant as the answer: what stands in the last tags, else what follows the last mark, else all of it.

    `<answer>4</answer>`, `ANSWER: 4`, `The answer is 4.`. After a mark, a closing full stop may be part of it or not.
    """
    text = str(output)
    tagged = _TAGGED.findall(text)
    if tagged:
        return [tagged[-1].strip()]
    marks = list(_MARKED.finditer(text))
    if not marks:
        return [text.strip()]
    rest = text[marks[-1].end() :].strip()
    return [rest, rest.removesuffix(".").strip()] if rest.endswith(".") else [rest]


def _read(output: Any) -> str | None:
    return None if output is None else " ".join(readings(output)[-1].split()) or None


def dataset(name: str, size: int = 50, seed: int = 0, **config: Any) -> Dataset:
    """Puzzles of one of reasoning-gym's generators, scored by its own verifier.

    Args:
        name: the generator's.
        size: how many.
        seed: of all of its chance.
        config: the generator's own keys, e.g. `max_disks`.

    Raises:
        MissingExtra: the package is not installed.
        UserError: there is no such generator, or it does not take a key or a value; or it makes other problems in each
            process, and nothing holds it to one.
    """
    _check_numbers(size, seed)
    known = generators()
    if name not in known:
        close = near(name, known)
        raise UserError(
            f"unknown generator {name!r}{close if 'did you mean' in close else f'; {len(known)} are known'}"
        )
    if name in HASHED and sys.flags.hash_randomization and not os.environ.get("PYTHONHASHSEED", "").isdigit():
        raise UserError(f"{name!r} makes other problems in each process; set PYTHONHASHSEED=0 in the environment")
    data, rows = _made(name, {"size": size, "seed": seed, **_config(name, config)})
    items: list[Item] = []
    verifier = Verifier(name, data, {}, {})
    for entry in rows:
        target = _target(entry)
        text = f"{entry['question'].strip()}\n\n{ASK}"
        verifier.entries[text] = entry
        verifier.by_target.setdefault(target, []).append(entry)
        items.append(Item(text, target, name))
    return Dataset(items, Scoring(verifier.score, _read, marked=False, grade=verifier.grade))


def _check_numbers(size: Any, seed: Any) -> None:
    if type(size) is not int or not 1 <= size <= MAX_SIZE:
        raise UserError(f"size must be between 1 and {MAX_SIZE:,}, got {size!r:.40}")
    if type(seed) is not int:
        raise UserError(f"seed must be a whole number, got {seed!r:.40}")


def _factory() -> Any:
    try:
        from reasoning_gym import factory
    except ImportError:
        raise MissingExtra("a data set of reasoning-gym", "reasoning-gym") from None
    return factory


def generators() -> list[str]:
    """The names of all generators that can be had, in order.

    Two cannot: `composite` only puts others together, and `list_functions` draws from chance that no seed reaches.

    Raises:
        MissingExtra: the package is not installed.
    """
    return sorted(set(_factory().DATASETS) - {"composite", "list_functions"})


def _config(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The generator's own keys, checked; lists stand for its tuples."""
    known = {field.name: field for field in fields(_factory().DATASETS[name][1])}
    config: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise UserError(f"{key}: unknown parameter of {name!r}{near(key, list(known))}")
        default = known[key].default
        config[key] = tuple(value) if isinstance(value, list) and isinstance(default, tuple) else value
    return config


def _made(name: str, config: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """The data set and its entries."""
    try:
        factory = _factory()
        with redirect_stdout(StringIO()):
            data = factory.create_dataset(name, **config)
            return data, [data[at] for at in range(config["size"])]
    except (AssertionError, TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{name!r} cannot be made so: {reason:.200}") from error


def _target(entry: dict[str, Any]) -> str | None:
    """A right answer as text, if the generator tells one."""
    if entry["answer"] is not None:
        return str(entry["answer"])
    found = next((entry["metadata"][key] for key in _EXAMPLES if key in entry["metadata"]), None)
    return None if found is None else json.dumps(found) if isinstance(found, dict) else str(found)
