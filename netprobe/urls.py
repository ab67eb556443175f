"""Captures that are named by a URL: they stand where a path does, and are opened through fsspec (netprobe.wire.remote).

House rules of this file:
1. Nothing is fetched or looked up here; a URL is no file of this machine, whatever its text looks like.
"""

from __future__ import annotations

import re
from pathlib import Path, PosixPath
from typing import Any, Self

# What stands before `://`: RFC 3986 3.1, and fsspec's chains (`simplecache::s3://...`).
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]+://.")


class Url(PosixPath):
    """A URL, kept letter by letter."""

    _text: str

    def __new__(cls, text: str) -> Self:
        """The URL of this text."""
        made = super().__new__(cls, text)
        made._text = text
        return made

    def __init__(self, text: str) -> None:
        super().__init__(*([text] if PosixPath.__init__ is not object.__init__ else []))
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __fspath__(self) -> str:
        return self._text

    def __reduce__(self) -> Any:
        return Url, (self._text,)

    def exists(self, **_: Any) -> bool:
        """Nothing of this machine."""
        return False

    def is_file(self, **_: Any) -> bool:
        """Nothing of this machine."""
        return False

    def is_dir(self, **_: Any) -> bool:
        """Nothing of this machine."""
        return False


def is_url(text: str) -> bool:
    """Whether a URL is meant, and no path."""
    return _URL.match(text) is not None


def place(text: str) -> Path:
    """What somebody typed: a URL or a path."""
    return Url(text) if is_url(text) else Path(text)
