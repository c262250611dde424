"""What every transport has in common: what it sends, how much it reads, how it says that it failed."""

from __future__ import annotations

from swarmmind.ports import TransportError
from swarmmind.version import __version__

MAX_BODY_BYTES = 16 * 2**20
CONNECT_SECONDS = 60.0  # generous: on a busy loop the kernel has long connected when the client looks (users.md 4g)
KEEP_ALIVE_SECONDS = 4.0  # shorter than the 5 s after which vLLM's server closes an idle connection (users.md 4g)


class NotSent(TransportError):
    """The request never left this machine: refused, no such host, no TLS. It cost nothing."""


def request_headers(key: str | None) -> dict[str, str]:
    """The headers of every request; the key is in them and nowhere else."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": f"swarmmind/{__version__}",
    }
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return headers


def probing(seconds: float) -> float:
    """How long a probe of so many seconds may take to connect: who is off is told from who is slow."""
    return 0.75 * seconds


def join(base_url: str, path: str) -> str:
    """`path` below `base_url`, with one slash between them."""
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"


def beside(base_url: str, path: str) -> str:
    """`path` below the root of the server whose API is at `base_url`: beside `/v1`, where vLLM has its own pages."""
    return join(base_url.rstrip("/").removesuffix("/v1"), path)


def check_size(size: int) -> None:
    """Refuse a body that would fill the memory.

    Raises:
        TransportError: it is over the cap.
    """
    if size > MAX_BODY_BYTES:
        raise TransportError("connection", f"response larger than {MAX_BODY_BYTES} bytes")


def describe(error: BaseException) -> str:
    """A short line about a library's exception: its type and text, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
