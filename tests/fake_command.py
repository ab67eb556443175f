"""The whole command with tests.fake_scan as its driver, as a program.

House rules of this file:
1. Like netprobe/__main__.py it imports next to nothing: an interrupt during any later import is the command's.
"""

from __future__ import annotations

import sys
from types import ModuleType


class Late(ModuleType):
    """netprobe.scan, whose parts are imported when they are asked for."""

    def __getattr__(self, name: str) -> object:
        from tests import fake_scan

        return getattr(fake_scan, name)


if __name__ == "__main__":
    sys.modules["netprobe.scan"] = Late("netprobe.scan")
    from netprobe.__main__ import main

    sys.argv[0] = "netprobe"
    sys.exit(main())
