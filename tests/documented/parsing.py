"""The command line of netprobe within a documented command, read by netprobe's own parser, without running it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

_STARTS = re.compile(r"""(?:^|[\s"/])netprobe\)?"?\s+(scan|wait|analyze|replay|diff|doctor|explain|help)\b(.*)""")


def invocations(bare: str) -> Iterator[list[str]]:
    """The arguments of each netprobe in a command: `sudo netprobe scan x | netprobe diff - y` has two."""
    for part in _simple(bare):
        found = _STARTS.search(part)
        if found is not None:
            yield [found[1], *_arguments(found[2])]


def _simple(bare: str) -> list[str]:
    """A command line cut at pipes and lists, quotes respected."""
    lexer = shlex.shlex(bare, posix=False, punctuation_chars="|&;")
    lexer.whitespace_split = True
    lexer.commenters = ""
    parts: list[list[str]] = [[]]
    try:
        found = list(lexer)
    except ValueError:  # quotes within quotes
        return [bare]
    for word in found:
        if set(word) <= set("|&;"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts]


def _arguments(text: str) -> list[str]:
    words = shlex.split(text)
    kept = []
    skip = False
    for word in words:
        if skip or re.match(r"\d?[<>]", word):
            skip = bool(re.fullmatch(r"\d?[<>]+", word)) and not skip
            continue
        kept.append(word)
    return kept


@cache
def _group() -> Any:
    from typer.main import get_command

    from netprobe.cli.app import app

    return get_command(app)


def fault(arguments: list[str]) -> str:
    """What the parser says against these arguments; empty where it takes them."""
    from netprobe.cli import common
    from netprobe.cli.doctor import spelled_out

    try:
        name, *rest = spelled_out(common.take(arguments).arguments)
        if name == "help":
            name, rest = rest[0], []
        command = _group().commands.get(name)
        if command is None:
            return f"no such command: {name}"
        command.make_context(name, rest)
    except Exception as error:  # noqa: BLE001 # typer's own classes, which have no public names
        if type(error).__name__ in {"Exit", "NoArgsIsHelpError"}:  # a page of help was asked for
            return ""
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        return str(said) or type(error).__name__
    return ""
