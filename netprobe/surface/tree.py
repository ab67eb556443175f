"""Typer's commands become plain data."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from netprobe import __version__
from netprobe.cli.command import opposite
from netprobe.cli.common import COMMON

FILE = "file"  # what a value is completed with: a name of the file system


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `words`: how it may be written; `value`: its placeholder, empty for a switch; `choices`: the values
    that make sense, FILE for names of files; `many`: it may be given several times."""

    words: tuple[str, ...]
    value: str
    help: str
    choices: tuple[str, ...] | str = ()
    many: bool = False

    @property
    def told(self) -> str:
        """As a help page heads its line: `-p, --ports PORTS`."""
        return ", ".join(self.words) + (f" {self.value}" if self.value else "")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `about`: paragraphs, wrapped by whoever shows them; a paragraph of several lines is shown as it is.
    `examples`: a command line and what it is for, which may be empty. `choices`: see Option."""

    name: str
    short: str
    about: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]
    argument: str
    argument_help: str
    options: tuple[Option, ...]
    choices: tuple[str, ...] | str = ()
    codes: str = ""


@dataclass(frozen=True, slots=True)
class Surface:
    """The whole command line. `top` is `netprobe` itself."""

    version: str
    top: Command
    commands: tuple[Command, ...]


def surface() -> Surface:
    """What `netprobe` takes today."""
    from typer.main import get_command

    from netprobe.cli.app import app

    group: Any = get_command(app)
    commands = tuple(_command(name, one) for name, one in group.commands.items() if not one.hidden)
    return Surface(__version__, _command("", group), commands)


def _command(name: str, one: Any) -> Command:
    about, examples, codes = _parts(inspect.cleandoc(one.help or ""))
    argument = next((p for p in one.params if p.param_type_name == "argument"), None)
    options = [_option(name, p) for p in one.params if p.param_type_name == "option" and not p.hidden]
    options += [Option(("-h", "--help"), "", "-h one screen, --help everything.")]
    options += [Option(words, value, text, FILE if value == "FILE" else ()) for words, value, text in COMMON]
    return Command(
        name=name,
        short=(one.short_help or "").strip(),
        about=about,
        examples=examples,
        argument=str(argument.metavar or argument.name.upper()) if argument is not None else "",
        argument_help=str(argument.help or "") if argument is not None else "",
        options=tuple(options),
        choices=_argument_choices(name, argument),
        codes=codes,
    )


def _option(command: str, param: Any) -> Option:
    said = [word for word in param.secondary_opts if word not in {opposite(one) for one in param.opts}]
    words = tuple(sorted((*param.opts, *said), key=lambda word: word.startswith("--")))
    switch = param.is_flag or param.count
    value = "" if switch else str(param.metavar or param.name.upper())
    text = str(param.help or "")
    default = param.default
    shown = getattr(param, "show_default", True)
    if not switch and shown and default is not None and default != "" and not callable(default):
        text = f"{text} [{f'{default:g}' if isinstance(default, float) else default}]"
    return Option(words, value, text, _option_choices(command, words, value), bool(param.multiple or param.count))


def _parts(text: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], str]:
    """A help text taken apart: its paragraphs, its examples, its exit codes."""
    about: list[str] = []
    examples: list[tuple[str, str]] = []
    codes = ""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line for line in paragraph.split("\n") if line.strip() != "\b"]
        verbatim = len(lines) < len(paragraph.split("\n"))
        if lines and lines[0].strip() == "Examples:":
            examples += [_example(line) for line in lines[1:]]
        elif lines and lines[0].startswith("Exit codes: "):
            codes = " ".join(" ".join(lines).split())
        elif lines:
            about.append("\n".join(lines) if verbatim else " ".join(" ".join(lines).split()))
    return tuple(about), tuple(examples), codes


def _example(line: str) -> tuple[str, str]:
    command, _, what = line.strip().partition("  ")
    return command, what.strip()


# ---------------------------------------------------------------------- values

_FILES = frozenset({"FILE", "PATH", "FACTS", "FILE|-", "OLD NEW", "OUT.pcapng"})


def _option_choices(command: str, words: Iterable[str], value: str) -> tuple[str, ...] | str:
    if value in _FILES:
        return FILE
    known = _known()
    for word in words:
        for name in (f"{command} {word}", word):
            if name in known:
                return known[name]
    return ()


def _argument_choices(command: str, argument: Any) -> tuple[str, ...] | str:
    if argument is None:
        return ()
    if str(argument.metavar) in _FILES:
        return FILE
    return _known().get(command, ())


def _known() -> dict[str, tuple[str, ...]]:
    """The values that make sense, by option or by command."""
    from netprobe.cli.captures import VANTAGES
    from netprobe.rules import RULES
    from netprobe.targets import EXPECTATIONS

    causes = tuple(sorted({rule.cause for rule in RULES}))
    states = ("open", "closed", "filtered", "unknown")
    return {
        "--color": ("auto", "always", "never"),
        "--expect": tuple(EXPECTATIONS),
        "--vantage": ("auto", *VANTAGES),
        "--cause": causes,
        "--state": states,
        "--until": ("up", "down", *states[:3], *causes),
        "explain": (*causes, *(rule.id for rule in RULES), *_checks()),
    }


def _checks() -> Iterator[str]:
    """The ids of doctor's checks."""
    from netprobe.doctor.checks import CHECKS

    yield from (check.id for check in CHECKS)
