"""Help as text that was written before: `-h` is one screen, `--help` is everything; neither loads the commands.

House rules of this file:
1. Nothing is imported that a help page doesn't need: this is the whole way of `netprobe --help`.
2. The pages lie in netprobe/help/ and are generated (`make pages`); a test holds them to the commands.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

HELP = ("-h", "--help")
# os.path, for pathlib alone takes 5 ms
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "help")  # noqa: PTH100, PTH118, PTH120


def asked(arguments: Sequence[str]) -> str | None:
    """The page that a command line asks for, where that is plain without reading it whole; else None.

    `netprobe`, `netprobe -h`, `netprobe help scan`, `netprobe scan -h`: the option must come first or last, where it
    can't be the value of another one.
    """
    words = list(arguments)
    if words[:1] == ["help"]:
        return page(words[1] if len(words) > 1 else "", whole=True)
    if len(words) == 1 and words[0] in HELP:
        return page("", whole=words[0] == "--help")
    if len(words) == 2 and words[1] in HELP and not words[0].startswith("-"):
        return page(words[0], whole=words[1] == "--help")
    return None


def page(command: str, *, whole: bool) -> str | None:
    """The page of a command (empty: of netprobe itself); None where there is none."""
    if not all(c.isascii() and c.isalpha() for c in command):
        return None
    try:
        name = f"{command or 'netprobe'}{'' if whole else '.short'}.txt"
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            return file.read()
    except FileNotFoundError:
        return None
