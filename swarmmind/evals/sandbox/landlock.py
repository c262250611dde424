"""Landlock: this process opens files below a few directories only, for reading. Linux 6.2 and later."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_BY_VERSION = {3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}  # before 3 files could be cut, before 5 there was no right to ioctl
_READ = 0b1101  # execute, read a file, read a directory
_A_FILE = 0b110  # read, write
_NETWORK, _SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals


def landlock(readable: Iterable[str], devices: Iterable[str] = (), writable: Iterable[str] = ()) -> None:
    """Open nothing else from now on (`seccomp.renounce` goes first).

    Args:
        readable: directories whose files may be read.
        devices: files that may be read and written.
        writable: directories where all may be done.

    Raises:
        OSError: the kernel has no Landlock, or one that does not protect enough.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 3:
        raise OSError(errno.ENOSYS, "Landlock is missing or too old (Linux 6.2 has it)")
    every = _BY_VERSION.get(version, _BY_VERSION[5])
    attributes = struct.pack("=QQQ", every, _NETWORK, _SCOPES)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _done(libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), 0))
    try:
        for rights, paths in ((_READ, readable), (_A_FILE, devices), (every, writable)):
            for path in filter(os.path.exists, paths):
                _allow(libc, rules, path, rights)
        _done(libc.syscall(_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _done(libc.syscall(_ADD, rules, 1, struct.pack("=Qi", rights, at), 0))
    finally:
        os.close(at)


def _done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
