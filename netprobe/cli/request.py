"""What was typed for a scan, read, checked and turned into targets; aliases of ssh_config are looked up here."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from netprobe import targets
from netprobe.addresses import Network
from netprobe.errors import CannotMeasure, UsageError
from netprobe.options import ScanOptions
from netprobe.suggest import meant, unknown
from netprobe.targets import Target

Notice = Callable[[str], None]

UNTIL = ("up", "down", "open", "closed", "filtered", "unknown")
_SLOWEST_RATE = 0.1
_FASTEST_RATE = 10_000.0
_LONGEST_WAIT_S = 600.0
_USER = r"[^\W-][\w.@+\\-]{0,254}\$?"


def families(*, only_v4: bool, only_v6: bool) -> tuple[int, ...]:
    """The address families asked for; both flags mean both."""
    return tuple(family for family, asked in ((4, only_v4), (6, only_v6)) if asked) or (4, 6)


def read_list(name: str) -> tuple[str, ...]:
    """The entries of a list file; `-` is standard input. Raises CannotMeasure."""
    try:
        if name == "-":
            return targets.lines(sys.stdin.read())
        return targets.lines(Path(name).read_text("utf-8", "surrogateescape"))
    except OSError as error:
        raise CannotMeasure(f"{name}: {error.strerror}", "name a readable file, or - for standard input") from error


def exclusions(entries: Iterable[str], files: Iterable[Path]) -> tuple[Network, ...]:
    """All that must never be touched, from the command line and from files."""
    return targets.exclusions([*entries, *(entry for file in files for entry in read_list(str(file)))])


def with_aliases(found: Iterable[Target], *, explicit_ports: bool, notice: Notice) -> tuple[Target, ...]:
    """The targets after ssh_config had its say; who asks for ports by -p gets those."""
    from netprobe.wire import sshconfig

    known = tuple(found)
    aliases = sshconfig.resolve([(target.host, target.user) for target in known if not target.is_address])
    result: dict[Target, None] = {}
    for target in known:
        alias = aliases.get((target.host, target.user))
        if alias is None:
            result[target] = None
            continue
        port = None if explicit_ports else alias.port
        result[targets.with_alias(target, alias.host, port)] = None
        if alias.changed:
            notice(f"{target.host} is {alias.host} port {target.port or alias.port} in your ssh configuration")
        if alias.proxy:
            notice(f"{target.host}: ssh goes through {alias.proxy}; this scan goes straight to the host")
    return tuple(result)


def check(options: ScanOptions) -> ScanOptions:
    """The same options, if their numbers and words make sense. Raises UsageError."""
    if options.expect is not None and options.expect not in targets.EXPECTATIONS:
        guess = meant(options.expect, targets.EXPECTATIONS)
        raise UsageError(
            f"--expect {options.expect}: not known", f"{guess and guess + ' '}one of {', '.join(targets.EXPECTATIONS)}"
        )
    if options.auth_methods and options.expect not in (None, "ssh"):
        raise UsageError(f"--auth-methods is about SSH, --expect {options.expect} is not", "leave out one of them")
    if options.user is not None and not re.fullmatch(_USER, options.user):
        raise UsageError(f"--user {options.user!a}: no user name", "letters, digits and ._@-, as in --user admin")
    if options.source_port is not None and not 1 <= options.source_port <= 65535:
        raise UsageError(f"--source-port {options.source_port}: out of range", "ports go from 1 to 65535")
    if not 0 < options.banner_wait_s <= _LONGEST_WAIT_S:
        raise UsageError(
            f"--banner-wait {options.banner_wait_s:g}: out of range",
            f"more than 0 and up to {_LONGEST_WAIT_S:g} seconds",
        )
    if not _SLOWEST_RATE <= options.rate <= _FASTEST_RATE:
        raise UsageError(
            f"--rate {options.rate:g}: out of range", f"from {_SLOWEST_RATE:g} to {_FASTEST_RATE:g} packets a second"
        )
    if options.write is not None and options.write.is_dir():
        raise UsageError(f"-w {options.write}: a directory", f"name a file, as in {options.write / 'scan.pcapng'}")
    if options.auth_methods and options.expect is None:
        return replace(options, expect="ssh")
    return options


def pairs(options: ScanOptions) -> int:
    """How many pairs of host and port a scan has before names are resolved."""
    return sum(len(targets.ports_of(target, options.ports)) for target in options.targets)


def find_targets(
    texts: Sequence[str],
    *,
    input_list: str | None,
    ports: tuple[int, ...] | None,
    families: tuple[int, ...],
    exclude: tuple[Network, ...],
    consent: bool,
    interface: str | None,
    notice: Notice,
) -> tuple[Target, ...]:
    """Every target of the command line and the list file, each once."""
    listed = read_list(input_list) if input_list is not None else ()
    found = targets.expand(
        [*texts, *listed], ports=ports, families=families, exclude=exclude, consent=consent, zone=interface
    )
    return with_aliases(found, explicit_ports=ports is not None, notice=notice)


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 365 * 86400.0


def duration(text: str, option: str) -> float:
    """Seconds, of `90`, `90s`, `5m`, `1.5h`. Raises UsageError."""
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]*)\s*", text.lower())
    if found is None or found[2] not in _UNITS:
        raise UsageError(f"{option} {text}: no time", f"write it like {option} 90, 90s, 5m or 1h")
    seconds = float(found[1]) * _UNITS[found[2]]
    if not 0 < seconds <= _LONGEST_S:
        raise UsageError(f"{option} {text}: out of range", "more than nothing and up to a year")
    return seconds


def until(texts: Sequence[str]) -> tuple[str, ...]:
    """What is waited for; nothing said means `up`. Raises UsageError."""
    words = tuple(dict.fromkeys(word for text in texts for word in re.split(r"[,|\s]+", text.lower()) if word))
    if texts and not words:
        raise UsageError("--until: nothing given", "write --until up, for example")
    from netprobe.rules import RULES

    causes = sorted({rule.cause for rule in RULES})
    for word in words:
        if word not in UNTIL and word not in causes:
            raise UsageError(f"--until {word}: neither a state nor a cause", unknown(word, [*UNTIL, *causes]))
    return words or ("up",)
