"""Keeps Python importable after privileges are dropped, where its files lie in root's home.

A Python (or a checkout) below a folder of mode 0700 can be read by root alone; every module imported later would be
missing, down to the text codecs. A descriptor opened before leads past that folder: /proc/self/fd/N is a folder like
any other (proc(5)).
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path


def keep(as_caller: Callable[[], AbstractContextManager[None]]) -> None:
    """Let the folders of sys.path and of imported packages stay readable. `as_caller` acts as the user that we will
    be. Files that are themselves unreadable for that user (mode 0600) can't be helped."""
    folders = _folders()
    with as_caller():
        hidden = {f for f in folders if not os.access(f, os.R_OK | os.X_OK, effective_ids=True)}
    ways = {}
    for folder in hidden:
        try:
            ways[folder] = f"/proc/self/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)}"
        except OSError:
            continue
    if not ways:
        return
    sys.path[:] = [_way(ways, entry) for entry in sys.path]
    for module in list(sys.modules.values()):
        path = getattr(module, "__path__", None)
        if isinstance(path, list):
            path[:] = [_way(ways, entry) for entry in path]
    importlib.invalidate_caches()


def _folders() -> list[str]:
    """The folders of sys.path that exist."""
    return [f for f in dict.fromkeys(entry or str(Path.cwd()) for entry in sys.path) if Path(f).is_dir()]


def _way(ways: dict[str, str], entry: str) -> str:
    """The same folder by a way that stays open."""
    full = entry or str(Path.cwd())
    for folder in sorted(ways, key=len, reverse=True):
        if full == folder:
            return ways[folder]
        if full.startswith(folder + os.sep):
            return ways[folder] + full[len(folder) :]
    return entry
