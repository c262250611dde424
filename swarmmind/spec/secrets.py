"""Keys and passwords do not belong in files that are shared, stored in runs and printed: find them, never show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_NAMES = re.compile(
    r"(?:.*[_-])?(?:api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|password|passwd|secret|authorization|credentials?)"
    r"|token|(?:.*[_-])?(?:auth|access|api|bearer|hf|refresh|session)[_-]?token",
    re.IGNORECASE,
)
_VALUES = re.compile(
    r"(?<![A-Za-z0-9])sk-(?!learn)[A-Za-z0-9_-]{8,}"  # OpenAI and those who speak its protocol
    r"|(?<![A-Za-z0-9])hf_[A-Za-z0-9]{8,}"  # Hugging Face
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{12,}"  # AWS
    r"|(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{10,}"  # GitHub
    r"|(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{20,}"  # Google
    r"|(?<![A-Za-z0-9])xox[abprs]-[A-Za-z0-9-]{8,}"  # Slack
    r"|\bBearer\s+(?=[A-Za-z._~+/=-]*\d)[A-Za-z0-9._~+/=-]{8,}"  # a header
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b[a-z][a-z0-9+.-]{0,20}://[^/\s:@]*:[^/\s@]+@",  # https://user:password@host
)
_ENVIRONMENT = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)

HINT = "put it in an environment variable and name that with api_key_env"


def secret_name(key: str) -> bool:
    """Whether a mapping's key says that its value is a secret (`api_key`, `password`, ...; `api_key_env` is not)."""
    return _NAMES.fullmatch(key) is not None


def secret_value(text: str) -> bool:
    """Whether a text holds something that looks like a key, a bearer token or a URL with a password."""
    return _VALUES.search(text) is not None


def secret_variable(name: str) -> bool:
    """Whether an environment variable's name says that it holds a secret."""
    return _ENVIRONMENT.search(name) is not None


def hide(text: str) -> str:
    """The text with whatever looks like a secret replaced by `[hidden]`."""
    return _VALUES.sub("[hidden]", text)


def scan(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str, bool]]:
    """Every secret in plain data as `(path, what is wrong, whether the key is to blame)`; never the secret itself."""
    if isinstance(data, str) and secret_value(data):
        yield path, f"holds what looks like a secret (not shown here); {HINT}", False
    elif isinstance(data, dict):
        for key, value in data.items():
            if secret_value(key):
                yield (*path, key), f"looks like a secret itself (not shown here); {HINT}", True
            elif secret_name(key):
                yield (*path, key), f"secrets do not belong in files (value not shown); {HINT}", True
            else:
                yield from scan(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from scan(value, (*path, index))
