"""Paths that a task names stay in the task's folder: somebody's file must not reach into the rest of the machine."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath


def inside(folder: Path, text: str) -> Path:
    """The path that `text` names relative to `folder`; it need not exist.

    Raises:
        ValueError: it is absolute, climbs out with `..`, leaves the folder through a link, or is no path at all.
    """
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive or text.startswith(("\\", "~")):
        raise ValueError("must be a path inside the task's folder, not an absolute one")
    if ".." in PureWindowsPath(text).parts:
        raise ValueError("must stay inside the task's folder; '..' leads out of it")
    path = folder / text
    try:
        stays = path.resolve().is_relative_to(folder.resolve())
        path.exists()  # a name that is too long is noticed here
    except (OSError, RuntimeError, ValueError) as error:  # too long, links in a circle, a NUL
        reason = getattr(error, "strerror", None) or "it holds a NUL character"
        raise ValueError(f"is not a usable path: {reason}") from error
    if not stays:
        raise ValueError("must stay inside the task's folder; a link leads out of it")
    return path


def existing_file(folder: Path, text: str) -> Path:
    """The same for a file that must be there.

    Raises:
        ValueError: as `inside`, or there is no such file.
    """
    path = inside(folder, text)
    if not path.is_file():
        raise ValueError(f"no such file in {str(folder)!r}: {text[:100]!r}")
    return path
