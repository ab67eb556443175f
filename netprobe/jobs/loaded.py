"""What every process of a pool needs, loaded once: imported by the fork server, and by nobody else."""

from __future__ import annotations

import contextlib
import gc

from netprobe.jobs import work
from netprobe.settling import engines

__all__ = ["work"]

with contextlib.suppress(Exception):  # whoever needs it will say what is wrong
    engines.load()
gc.freeze()  # what is shared is not looked through, and so stays shared
