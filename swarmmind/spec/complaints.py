"""Pydantic's errors as sentences: what was expected, what was found, and where it stands in the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails

from swarmmind.errors import SpecError, near
from swarmmind.spec.secrets import hide
from swarmmind.spec.source import Fault, KeyPath, Source, raise_faults, show

M = TypeVar("M", bound=BaseModel)

_MISSING = "is required but missing"

# What was expected, by the type of pydantic's error.
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "none_required": "nothing",
    "finite_number": "a finite number",
}
_SENTENCES = {
    "greater_than_equal": "must be at least {ge}, got {found}",
    "greater_than": "must be more than {gt}, got {found}",
    "less_than_equal": "must be at most {le}, got {found}",
    "less_than": "must be less than {lt}, got {found}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries, got {actual_length}",
    "literal_error": "must be {expected}, got {found}",
    "string_pattern_mismatch": "must be a name of letters, digits, '_', '-' and '.', got {found}",
}


class _Problem(NamedTuple):
    path: KeyPath
    expected: str
    found: Any
    sentence: str
    is_key: bool


def validated(source: Source, model: type[M], hint: str) -> M:
    """The data of a file as a model.

    Args:
        source: the file.
        model: what it should be.
        hint: what the file has at least, in case it is empty.

    Raises:
        SpecError: it is empty, holds a secret, or is not what it should be; the first place, and how many follow.
    """
    if source.data is None:
        raise SpecError(f"is empty; {hint}", file=source.name, line=1, column=1)
    raise_faults(source.secret_faults())
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        raise_faults(faults(source, error, model))
        raise


def faults(source: Source, error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """One fault per place; the branches of a union are told as one.

    Args:
        source: what was validated.
        error: what pydantic says of it.
        model: what it was validated as.
    """
    problems = [_problem(source, model, detail) for detail in error.errors(include_url=False)]
    problems = [problem for problem in problems if not _misspelled(problem, problems)]
    told: list[Fault] = []
    for path in dict.fromkeys(problem.path for problem in problems):
        here = [problem for problem in problems if problem.path == path]
        plain = [problem for problem in here if problem.sentence]
        deeper = any(len(other.path) > len(path) and other.path[: len(path)] == path for other in problems)
        if plain:
            told += [source.fault(path, problem.sentence, key=problem.is_key) for problem in plain]
        elif not deeper:  # else another branch of a union came further, and says more
            told.append(source.fault(path, _mismatch(here)))
    return told


def _misspelled(problem: _Problem, problems: Sequence[_Problem]) -> bool:
    """Whether a key is missing only because it is there misspelled, which is told already."""
    *parent, name = problem.path or ("",)
    return problem.sentence == _MISSING and any(
        other.is_key and other.path[:-1] == tuple(parent) and get_close_matches(str(other.path[-1]), [str(name)])
        for other in problems
    )


def _mismatch(problems: Sequence[_Problem]) -> str:
    kinds = list(dict.fromkeys(problem.expected for problem in problems))
    if "a number" in kinds and "a whole number" in kinds:
        kinds.remove("a whole number")
    expected = " or ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))
    found = problems[0].found
    hint = "; put it in quotes" if expected == "text" and isinstance(found, (bool, int, float)) else ""
    if "true or false" in expected and isinstance(found, str) and found.lower() in ("yes", "no", "on", "off", "y", "n"):
        hint = "; write true or false"
    return f"must be {expected}, got {show(found)}{hint}"


def _problem(source: Source, model: type[BaseModel], detail: ErrorDetails) -> _Problem:
    kind, found = detail["type"], detail["input"]
    path = source.deepest(detail["loc"])
    if kind == "missing":
        return _Problem((*path, str(detail["loc"][-1])), "", found, _MISSING, False)
    if kind == "extra_forbidden":
        return _Problem(path, "", found, _unknown(str(path[-1]), model, detail["loc"]), True)
    if kind in _EXPECTED:
        return _Problem(path, _EXPECTED[kind], found, "", False)
    context = detail.get("ctx", {})
    if kind == "value_error":
        return _Problem(path, "", found, _line(str(context["error"])), False)
    is_key = detail["loc"][-1:] == ("[key]",)
    if kind == "too_short" and context["min_length"] > 1:
        return _Problem(path, "", found, "must have at least {min_length} entries".format(**context), is_key)
    if kind in _SENTENCES:
        bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
        return _Problem(path, "", found, _SENTENCES[kind].format(**bounds, found=show(found)), is_key)
    return _Problem(path, "", found, f"{_line(detail['msg'])}, got {show(found)}", is_key)


def _line(text: str) -> str:
    return hide(" ".join(text.split()))


def _unknown(key: str, model: type[BaseModel], loc: Sequence[str | int]) -> str:
    strict = [known for known in _models_at(model, loc[:-1]) if known.model_config.get("extra") == "forbid"]
    known = sorted({name for known in strict for name in _keys(known)})
    return f"unknown key{near(key, known)}"


def _models_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models that may stand at a loc: field names lead on, indices and keys of mappings do not."""
    candidates = [model]
    for step in loc:
        fields = [
            field
            for candidate in candidates
            for name, field in candidate.model_fields.items()
            if step == (field.alias or name)
        ]
        found = [inner for field in fields for inner in _models_in(field.annotation, *field.metadata)]
        candidates = found or candidates
    return candidates


def _models_in(*annotations: Any) -> Iterator[type[BaseModel]]:
    for annotation in annotations:
        if isinstance(annotation, BeforeValidator):
            yield from _models_in(annotation.json_schema_input_type)
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        else:
            yield from _models_in(*get_args(annotation))


def _keys(model: type[BaseModel]) -> Iterator[str]:
    return (field.alias or name for name, field in model.model_fields.items())
