"""Parameters from a task file to a function: unknown names and wrong types are the user's mistakes, said as such."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from swarmmind.errors import SpecError, UserError, near

Complain = Callable[[str, str], SpecError]
"""From a parameter's name and a message to an error that knows the place."""

_STRICT = ConfigDict(strict=True)


def checked(function: Callable[..., Any], given: Mapping[str, Any], skip: int, complain: Complain) -> dict[str, Any]:
    """The keyword arguments for a call, checked against the function's signature and type hints.

    Args:
        function: what will be called; its first `skip` parameters are not the user's.
        given: from the file.
        skip: how many leading parameters the caller fills in.
        complain: makes the error.

    Raises:
        SpecError: a name is unknown, a value has the wrong type, or a parameter without default is missing.
    """
    bound = function.func if isinstance(function, partial) else function
    leading = skip + (len(function.args) if isinstance(function, partial) else 0)
    parameters = list(inspect.signature(bound).parameters.values())[leading:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return dict(given)
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise complain(name, f"unknown parameter{near(name, list(known))}")
    hints = _hints(bound)
    for parameter in parameters:
        if parameter.name not in given and parameter.default is parameter.empty:
            raise complain(parameter.name, "is missing")
    return {name: _value(name, value, hints.get(name, Any), complain) for name, value in given.items()}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function.__init__ if inspect.isclass(function) else function
    try:
        return get_type_hints(target, include_extras=True)
    except NameError:  # a user's function whose annotations are not importable: take its values as they are
        return {}


def _value(name: str, value: Any, hint: Any, complain: Complain) -> Any:
    try:
        return TypeAdapter(hint, config=None if inspect.isclass(hint) and hasattr(hint, "model_config") else _STRICT)\
            .validate_python(value)  # fmt: skip
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
        raise complain(name, f"{message[:1].lower()}{message[1:]}, got {value!r:.60}") from None
    except PydanticSchemaGenerationError:
        return value


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
