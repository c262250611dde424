"""Namespaces, and in them a file tree that holds the interpreter, read-only, and an empty /tmp of 16 MB."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_NEW_FILES, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_KEPT_FLAGS = ((os.ST_NOSUID, _NOSUID), (os.ST_NODEV, _NODEV), (os.ST_NOEXEC, _NOEXEC))
DEVICES = ("/dev/null", "/dev/urandom", "/dev/zero")
SCRATCH = "/tmp"  # noqa: S108 - of the new tree, where nothing else is
_NOBODY = 65534


def libraries() -> list[str]:
    """The directories that an interpreter reads: its own, and those of the shared objects that it has loaded."""
    found = {os.path.realpath(path) for path in sys.path if os.path.isdir(path)}
    with Path("/proc/self/maps").open() as maps:
        mapped = [line.split(maxsplit=5)[-1].strip() for line in maps]
    found |= {os.path.dirname(path) for path in mapped if path.startswith("/") and ".so" in path}
    return sorted(path for path in found if not any(path != other and inside(path, other) for other in found))


def inside(path: str, folder: str) -> bool:
    """Whether a path lies in a folder."""
    return path.startswith(folder.rstrip("/") + "/")


def part() -> None:
    """Leave the system's namespaces: files, network, processes (of children), users unless this is root.

    Raises:
        OSError: the system does not let this user.
    """
    own, group = os.geteuid(), os.getegid()
    flags = _NEW_FILES | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET
    _call("unshare", flags if own == 0 else flags | _NEW_USER)
    if own:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{_NOBODY} {own} 1")
        Path("/proc/self/gid_map").write_text(f"{_NOBODY} {group} 1")


def move_in(root: str, machine: str) -> None:
    """Make the tree on a directory and take it for the root; all that was mounted is gone (see `part`).

    Args:
        root: an empty directory.
        machine: as `platform.machine` says.

    Raises:
        OSError: it cannot be made.
    """
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
    os.makedirs(root + SCRATCH)
    _mount("tmpfs", root + SCRATCH, "tmpfs", _NOSUID | _NODEV | _NOEXEC, "size=16m,nr_inodes=1000,mode=1777")
    for path in libraries():
        os.makedirs(root + path, exist_ok=True)
        _bind(path, root + path)
    for link in ("/lib", "/lib64", "/usr/lib64"):
        if os.path.islink(link) and not os.path.lexists(root + link):
            os.makedirs(os.path.dirname(root + link), exist_ok=True)
            os.symlink(os.readlink(link), root + link)
    os.makedirs(root + "/dev")
    for device in DEVICES:
        Path(root + device).touch()
        _mount(device, root + device, None, _BIND)
    os.chdir(root)
    _call("syscall", _PIVOT_ROOT[machine], b".", b".")
    _call("umount2", b".", _DETACH)
    os.chdir("/")
    _mount("none", "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _bind(path: str, at: str) -> None:
    flags = sum(flag for known, flag in _KEPT_FLAGS if os.statvfs(path).f_flag & known)  # they may be locked
    _mount(path, at, None, _BIND | _RECURSIVE)
    _mount("none", at, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | flags)


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    encoded = [os.fsencode(text) if text else None for text in (source, target, kind, data)]
    _call("mount", encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
