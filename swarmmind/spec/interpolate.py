"""`${NAME}` and `${NAME:-default}` in a task's text values, for what differs between machines and is no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping

from swarmmind.spec.secrets import secret_variable

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{(?=[A-Za-z_])")


class Malformed(ValueError):
    """A reference cannot be filled; the message says which and why."""


def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """The text with references filled; the default stands in for an unset or empty variable, `$${` means `${`.

    A `${` that no letter follows is left as it is.

    Raises:
        Malformed: a variable is unset and has no default, its name looks secret, or a reference is not closed.
    """

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match[1], match[2]
        if name is None:
            raise Malformed("write ${NAME} or ${NAME:-default}, or $${ if the text itself is meant")
        if secret_variable(name):
            raise Malformed(
                f"${{{name}}} looks like a secret, which would be stored with the run; name it in api_key_env"
            )
        value = environment.get(name, "")
        if value or default is not None:
            return value or default
        if name in environment:
            return ""
        raise Malformed(
            f"environment variable {name!r} is not set; set it, or write ${{{name}:-default}}, "
            f"or $${{{name}}} if the text itself is meant"
        )

    return _REFERENCE.sub(fill, text)


def escape(text: str) -> str:
    """The text such that `interpolate` gives it back unchanged."""
    return text.replace("${", "$${")
