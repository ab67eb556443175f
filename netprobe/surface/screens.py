"""Help pages: `-h` fits a screen of 80 columns and 24 lines, with its prompt; `--help` tells everything."""

from __future__ import annotations

import re
import textwrap

from netprobe.surface.tree import Command, Option, Surface

WIDTH = 80
SHORT_LINES = 23
EXAMPLES = 5
_WIDEST_HEAD = 24

# Of a command with more options than a screen has room for: those that are told on it, the most wanted first. Others
# follow while there is room, the rest is only named.
FIRST: dict[str, tuple[str, ...]] = {
    "scan": ("--ports", "--verbose", "--write", "--json", "--html", "-iL"),
    "analyze": ("--server", "--filter", "--verbose", "--cause", "--json", "--all", "--html"),
    "doctor": ("--port", "--user", "--source", "--verbose", "--facts", "--watch"),
    "replay": ("--accept", "--verbose", "--live", "--junit", "--json"),
    "wait": ("--until", "--timeout", "--ports", "--jsonl"),
}


def whole(surface: Surface, command: Command) -> str:
    """Everything there is to know of a command, or of netprobe itself."""
    top = command is surface.top
    lines = [*_usage(command), ""]
    for paragraph in command.about:
        lines += [*_paragraph(paragraph), ""]
    if top:
        lines += ["Commands:", *_table([(one.name, one.short) for one in surface.commands]), ""]
    if command.examples:
        lines += ["Examples:", *_examples(command.examples), ""]
    if command.argument_help:
        lines += [*_table([(command.argument, command.argument_help)]), ""]
    lines += ["Options:", *_table([(one.told, one.help) for one in command.options])]
    if command.codes:
        lines += ["", *textwrap.wrap(command.codes, WIDTH)]
    if top:
        lines += textwrap.wrap(_MORE, WIDTH)
    return "\n".join(lines) + "\n"


_MORE = "netprobe COMMAND -h: a command on one screen; --help: all of it; man netprobe."


def short(surface: Surface, command: Command) -> str:
    """One screen: what it does, five examples, the options that most people want."""
    if command is surface.top:
        return _top(surface, command)
    head = [*_usage(command), "", *_paragraph(command.about[0]), "", "Examples:"]
    head += [*_examples(command.examples[:EXAMPLES]), "", "Options:"]
    tail = [f"Everything: netprobe {command.name} --help"]
    wanted = FIRST.get(command.name, ())
    order = sorted(command.options, key=lambda one: _rank(one, wanted))
    shown: list[Option] = []
    for one in order:
        trial = sorted([*shown, one], key=command.options.index)
        if len(head) + len(_listing(command, trial)) + len(tail) > SHORT_LINES:
            break
        shown = trial
    return "\n".join([*head, *_listing(command, shown), *tail]) + "\n"


def _top(surface: Surface, top: Command) -> str:
    """The first screen: what there is to call, five examples, the names of the options."""
    head = [*_usage(top), "", *_paragraph(top.about[0]), "", "Commands:"]
    head += [*_table([(one.name, one.short) for one in surface.commands]), "", "Examples:"]
    head += [*_examples(top.examples[:EXAMPLES]), ""]
    names = ", ".join(one.told for one in top.options)
    tail = textwrap.wrap(f"Options: {names}.", WIDTH, break_on_hyphens=False, break_long_words=False)
    return "\n".join([*head, *tail, _MORE]) + "\n"


def _rank(option: Option, wanted: tuple[str, ...]) -> int:
    return min((wanted.index(word) for word in option.words if word in wanted), default=len(wanted))


def _listing(command: Command, shown: list[Option]) -> list[str]:
    """The options that are told, then the names of the others."""
    lines = _table([(one.told, _first(one.help)) for one in shown])
    others = [one.words[-1] for one in command.options if one not in shown]
    if others:
        lines += textwrap.wrap(
            f"  and {', '.join(others)}", WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
        )
    return lines


def _first(text: str) -> str:
    """The first sentence."""
    return re.split(r"(?<=\.) (?=[A-Z-])", text, maxsplit=1)[0]


def _usage(command: Command) -> list[str]:
    words = ["Usage: netprobe", command.name or "COMMAND", "[OPTIONS]" if command.name else "[OPTIONS] [ARGUMENTS]"]
    if command.argument:
        words.append(f"{command.argument}..." if command.argument.isalpha() else command.argument)
    return [" ".join(words)]


def _paragraph(text: str) -> list[str]:
    return text.split("\n") if "\n" in text else textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def _examples(examples: tuple[tuple[str, str], ...]) -> list[str]:
    """Command lines, and beside them what they are for; what has no room there goes without."""
    column = max((len(line) for line, what in examples if what and len(line) + len(what) + 4 <= WIDTH), default=0) + 4
    lines = []
    for line, what in examples:
        told = f"  {line}".ljust(max(column, len(line) + 4)) + what
        lines.append(told if what and len(told) <= WIDTH else f"  {line}")
    return lines


def _table(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns; a head that is too wide for its column has a line of its own."""
    column = min(max((len(head) for head, _ in rows), default=0), _WIDEST_HEAD) + 4
    lines: list[str] = []
    for head, text in rows:
        wrapped = textwrap.wrap(text, WIDTH - column) or [""]
        if len(head) + 2 > column - 2:
            lines.append(f"  {head}")
        else:
            lines.append(f"  {head}".ljust(column) + wrapped.pop(0))
        lines += [" " * column + line for line in wrapped]
    return [line.rstrip() for line in lines]
