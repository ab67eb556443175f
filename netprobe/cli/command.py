"""A command as typer makes it, with ready-made help, a negative for each switch, and defaults from outside.

House rules of this file:
1. Words of the command line win over defaults from outside, also where they only exclude one another: `--json` beside
   a file that says `jsonl = true` is no contradiction.
2. What a switch is set to outside can be taken back: `--no-json`.
"""

from __future__ import annotations

import sys
from typing import Any

import typer.core

from netprobe.cli import pages
from netprobe.cli.common import COMMON
from netprobe.report.escape import escape
from netprobe.suggest import meant

# Of each group one may be given; one that is given on the command line takes the others' defaults away.
RIVALS = (
    frozenset({"as_json", "as_jsonl", "as_csv"}),
    frozenset({"quiet", "verbose"}),
)
# What is only about what another option writes: a default for it counts where that one is given.
BESIDE = {"bundle": frozenset({"redact", "redact_key"})}


class Command(typer.core.TyperCommand):
    """One command of netprobe."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        taken = {word for param in self.params for word in getattr(param, "opts", ())}
        for param in self.params:
            if getattr(param, "is_flag", False) and not param.secondary_opts and not getattr(param, "count", False):
                opposites = [opposite(word) for word in param.opts if word.startswith("--")]
                param.secondary_opts = [word for word in opposites if word not in taken]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words; defaults that they exclude are dropped before."""
        if ctx.default_map and not ctx.resilient_parsing:
            given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            for group in RIVALS:
                if group & given.keys():
                    for name in group - given.keys():
                        ctx.default_map.pop(name, None)
            for option, others in BESIDE.items():
                if option not in given and option not in ctx.default_map:
                    for name in others:
                        ctx.default_map.pop(name, None)
        try:
            return list(super().parse_args(ctx, args))
        except Exception as error:
            correct(error, [word for param in self.params for word in getattr(param, "opts", ())])
            raise

    def get_help(self, ctx: Any) -> str:
        """The ready-made page; typer's own where there is none."""
        return _page(self.name or "") or str(super().get_help(ctx))


class Group(typer.core.TyperGroup):
    """netprobe itself."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words before the command's name."""
        try:
            return list(super().parse_args(ctx, args))
        except Exception as error:
            correct(error, ["--version"])
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is called."""
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            correct(error, [])
            raise

    def get_help(self, ctx: Any) -> str:
        """The ready-made page; typer's own where there is none."""
        return _page("") or str(super().get_help(ctx))


def correct(error: Exception, known: list[str]) -> None:
    """Into the error about an option that isn't there goes what may have been meant: click looks at its spelling with
    more patience than sense, and doesn't know what is common to all commands. What was typed, or pasted, is shown
    harmless."""
    name = getattr(error, "option_name", None)
    if isinstance(name, str) and hasattr(error, "possibilities"):
        common = [word for words, _, _ in COMMON for word in words]
        guess = meant(name, [*known, *common, *pages.HELP])
        error.possibilities = None
        error.message = f"No such option: {name}{f'; {guess}' if guess else ''}"  # type: ignore[attr-defined]
    if isinstance(getattr(error, "message", None), str):
        error.message = escape(error.message)  # type: ignore[attr-defined]


def opposite(word: str) -> str:
    """--no-json for --json, --elsewhere for --no-elsewhere."""
    return f"--{word[5:]}" if word.startswith("--no-") else f"--no-{word[2:]}"


def _page(command: str) -> str | None:
    found = pages.page(command, whole="--help" in sys.argv)
    return found.rstrip("\n") if found else None
