"""Captures that don't lie on this machine: read through fsspec (s3://, gs://, http://, memory://, file:// and others).

House rules of this file:
1. fsspec is imported here and nowhere else, and only where a URL was given.
2. Whatever the other side does wrong is an OSError, or UnreadableCapture before the first byte.
"""

from __future__ import annotations

import re
from typing import Any

from netprobe.errors import UnreadableCapture

_AT_ONCE = 1 << 22  # bytes asked for in one request; fsspec's own read-ahead does the rest


def is_remote(name: str) -> bool:
    """Whether a name is a URL."""
    return "://" in name[1:]


def shown(url: str) -> str:
    """The URL without what is nobody's business: user, password, signed query."""
    return re.sub(r"://[^/@]*@", "://", url.partition("?")[0])


class Remote:
    """A capture at a URL, read forwards."""

    def __init__(self, url: str) -> None:
        """Raises UnreadableCapture."""
        self.name = shown(url)
        try:
            import fsspec
        except ImportError as error:
            raise UnreadableCapture(
                f"{self.name} is a URL, for which the Python package fsspec is missing",
                "install it (pip install 'netprobe-wire[cluster]'), or copy the file here",
            ) from error
        try:
            self._file: Any = fsspec.open(url, "rb").open()
            self.size = int(getattr(self._file, "size", None) or 0)
        except Exception as error:
            raise UnreadableCapture(f"{self.name} can't be read: {_why(error)}", "check the URL") from error
        self.taken = 0

    def readinto(self, room: memoryview) -> int:
        """As io.RawIOBase.readinto; 0 at the end. Raises OSError."""
        try:
            data = self._file.read(min(len(room), _AT_ONCE))
        except OSError:
            raise
        except Exception as error:
            raise OSError(_why(error)) from error
        room[: len(data)] = data
        self.taken += len(data)
        return len(data)

    def close(self) -> None:
        """Close it."""
        try:
            self._file.close()
        except Exception as error:
            raise OSError(_why(error)) from error


def _why(error: Exception) -> str:
    """What happened, in a line."""
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
    if isinstance(error, ImportError | ValueError):
        return text.splitlines()[0]
    return f"{type(error).__name__}: {text.splitlines()[0]}"


def create(url: str) -> Any:
    """A file to be written at a URL, as a context. Raises OSError."""
    try:
        import fsspec

        filesystem, path = fsspec.core.url_to_fs(url)
        filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
        return filesystem.open(path, "wb")
    except Exception as error:
        raise OSError(_why(error)) from error
