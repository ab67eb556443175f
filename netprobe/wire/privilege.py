"""Privilege: whether there is enough of it, and giving it away for good.

House rules of this file:
1. All privileged sockets are opened first; then `drop`; only then is a packet of a stranger looked at.
2. What the user names is opened with the user's own permissions, and belongs to the user.
3. A drop that can't be verified is an error: nothing goes on as root by mistake.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import struct
from collections.abc import Iterator

from netprobe.errors import CannotMeasure
from netprobe.wire import imports

_NOBODY = 65534
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522


def can_capture() -> bool:
    """Whether a capture socket can be opened here and now (CAP_NET_RAW)."""
    try:
        # Asks for the same capability as a packet socket, and closes without waiting for every processor.
        socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW).close()
    except OSError:
        return False
    return True


def how_to_gain() -> str:
    """The command that gives this program what it lacks, as one line."""
    return 'sudo "$(command -v netprobe)" …'


def caller() -> tuple[int, int]:
    """The user and group on whose behalf we run: who called sudo, else who we are; nobody for root itself."""
    uid, gid = os.getuid(), os.getgid()
    if uid != 0:
        return uid, gid
    try:
        return int(os.environ["SUDO_UID"]) or _NOBODY, int(os.environ["SUDO_GID"]) or _NOBODY
    except (KeyError, ValueError):
        return _NOBODY, _NOBODY


def drop() -> None:
    """Become the caller for good, without capabilities and without a way to new ones (execve of a setuid program
    included). CannotMeasure when that can't be verified. Threads started before keep their identity: drop before
    starting any."""
    uid, gid = caller()
    try:
        if os.getuid() == 0:
            imports.keep(lambda: _effective(uid, gid, []))
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        _forget_capabilities()
    except OSError as error:
        raise CannotMeasure(
            f"Root privileges could not be given away: {error.strerror}. Run as an ordinary user, or with --connect."
        ) from error
    if _regained():
        raise CannotMeasure(
            "Root privileges were given away but could be taken back. Run as an ordinary user, or with --connect."
        )


def open_output(path: str | os.PathLike[str]) -> int:
    """A descriptor of a new file, for reading and writing where it can be read. With the caller's permissions and
    ownership when called by sudo. CannotMeasure when it can't be made."""
    with as_caller():
        try:
            return _create(os.fspath(path))
        except OSError as error:
            raise CannotMeasure(
                f"{os.fspath(path)} can't be written: {error.strerror}. Name a file in a folder of yours."
            ) from error


def _create(path: str) -> int:
    flags = os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags, 0o644)
    except OSError:  # write-only: a pipe, a file of mode 0200
        return os.open(path, os.O_WRONLY | flags, 0o644)


@contextlib.contextmanager
def as_caller() -> Iterator[None]:
    """The effective user is who called sudo; root itself stays root (its files are its own)."""
    if os.geteuid() != 0 or "SUDO_UID" not in os.environ:
        yield
        return
    uid, gid = caller()
    groups = []
    with contextlib.suppress(KeyError):
        groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    with _effective(uid, gid, groups):
        yield


@contextlib.contextmanager
def _effective(uid: int, gid: int, groups: list[int]) -> Iterator[None]:
    before = os.getgroups()
    try:
        os.setgroups(groups)
        os.setegid(gid)
        os.seteuid(uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def _forget_capabilities() -> None:
    """No capabilities in any set, and no new privileges (capset(2), prctl(2))."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)  # fails on kernels before 4.3, which have no such set
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if libc.capset(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _regained() -> bool:
    """Whether root or a raw socket can still be had. Leaves nothing behind when they can't."""
    if can_capture():
        return True
    if os.getuid() == 0:  # a user namespace where nobody else exists
        return True
    try:
        os.setuid(0)
    except OSError:
        return False
    return True
