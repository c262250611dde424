"""Parameters from a task file to a function: unknown names and wrong types are the user's mistakes, said as such."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast, get_type_hints

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from swarmmind.errors import SpecError, UserError, near
from swarmmind.spec.source import show, show_path

Complain = Callable[[str, str], SpecError]
"""From a parameter's name and a message to an error that knows the place."""

_STRICT = ConfigDict(strict=True)


def checked(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    skip: int,
    complain: Complain,
    folder: Path | None = None,
    beside: Sequence[str] = (),
) -> dict[str, Any]:
    """The keyword arguments for a call, checked against the function's signature and type hints.

    Args:
        function: what will be called; its first `skip` parameters are not the user's.
        given: from the file.
        skip: how many leading parameters the caller fills in.
        complain: makes the error.
        folder: the task's, for types that read files in it: they find it in the context of their validation.
        beside: names that may stand beside these, and may have been meant by one that is unknown.

    Raises:
        SpecError: a name is unknown, a value has the wrong type, or a parameter without default is missing; or
            whatever a type that read a file found wrong with that.
    """
    bound = function.func if isinstance(function, partial) else function
    leading = skip + (len(function.args) if isinstance(function, partial) else 0)
    parameters = list(inspect.signature(bound).parameters.values())[leading:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return dict(given)
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise complain(name, f"unknown parameter{near(name, [*known, *beside])}")
    hints = _hints(bound)
    for parameter in parameters:
        if parameter.name not in given and parameter.default is parameter.empty:
            raise complain(parameter.name, "is missing")
    return {name: _value(name, value, hints.get(name, Any), complain, folder) for name, value in given.items()}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function.__init__ if inspect.isclass(function) else function
    try:
        return get_type_hints(target, include_extras=True)
    except NameError:  # a user's function whose annotations are not importable: take its values as they are
        return {}


def _value(name: str, value: Any, hint: Any, complain: Complain, folder: Path | None) -> Any:
    config = None if inspect.isclass(hint) and hasattr(hint, "model_config") else _STRICT
    try:
        return TypeAdapter(hint, config=config).validate_python(value, context={"folder": folder})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        path, found = _within(value, problem["loc"])
        message = f"{path}{_sentence(problem, list(getattr(hint, 'model_fields', {})))}"
        told = problem["type"] in ("value_error", "extra_forbidden")  # the first by our own types, which say it all
        raise complain(name, message if told else f"{message}, got {show(found)}") from None
    except PydanticSchemaGenerationError:
        return value


def _within(value: Any, loc: tuple[str | int, ...]) -> tuple[str, Any]:
    """Where in a value something is wrong, as the head of a message, and what is there; names of branches left out."""
    path: list[str | int] = []
    for step in loc:
        if step in value if isinstance(value, dict) else isinstance(step, int) and isinstance(value, list):
            value = cast("Any", value)[step]
            path.append(step)
    return f"{show_path(tuple(path))}: " if path else "", value


def _sentence(problem: ErrorDetails, known: list[str]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown parameter{near(str(problem['loc'][-1]), known)}"
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{message[:1].lower()}{message[1:]}"


def build(function: Callable[..., Any], given: Mapping[str, Any], complain: Complain) -> Any:
    """Call a factory with checked parameters; a `UserError` it raises gets the place of the parameter it names."""
    arguments = checked(function, given, 0, complain)
    try:
        return function(**arguments)
    except SpecError:
        raise
    except UserError as error:
        named = [name for name in given if name in str(error)]
        raise complain(named[0] if named else "", str(error)) from error
