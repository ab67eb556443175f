"""netprobe doctor: on the server, why clients can't get in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netprobe.cli.choices import Color

if TYPE_CHECKING:
    from netprobe.doctor.facts import Asked, Facts


def doctor(
    port: Annotated[
        int | None,
        typer.Option("-p", "--port", metavar="N", help="The port that clients dial (22).", show_default=False),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("-u", "--user", metavar="NAME", help="The account that can't log in.", show_default=False),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="ADDR", help="The address that the client comes from.", show_default=False),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--facts", metavar="FILE", help="Save what was found, without any secret.", show_default=False),
    ] = None,
    saved: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Work from saved facts, on any machine.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of the report.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="The five reasons only.")] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            metavar="",
            help="-v every check with its evidence, -vv also those that don't apply.",
            show_default=False,
        ),
    ] = 0,
    color: Color = "auto",
) -> None:
    """Find out, on the server, why clients can't get in: daemon, port, firewall, account. Changes nothing.

    \b
    Examples:
      sudo netprobe doctor
      sudo netprobe doctor --user alice --source 198.51.100.7
      sudo netprobe doctor --port 2222 --facts facts.json
      netprobe doctor --from facts.json -v
      sudo netprobe doctor --json > doctor.json
    """
    import os
    import sys

    from netprobe.cli.output import show, terminal_width, wants_colour
    from netprobe.doctor.diagnose import diagnose
    from netprobe.errors import UsageError

    if quiet and verbose:
        raise UsageError("-q and -v contradict each other", "give one of them")
    if color not in {"auto", "always", "never"}:
        raise UsageError(f"--color {color}: not known", "write --color auto, always or never")
    facts = _facts(port, user, source, saved)
    if save is not None:
        _save(facts, save)
    found = diagnose(facts)
    if as_json:
        from netprobe.report import doctor_json

        show(doctor_json.document(found))
    else:
        from netprobe.report import doctor as report

        colour = wants_colour(color, sys.stdout, os.environ) if sys.stdout else False
        width = terminal_width(sys.stdout) if sys.stdout else None
        show(report.render(found, width=width, verbosity=-1 if quiet else verbose, colour=colour))
    raise typer.Exit(1 if found.findings else 0 if found.measured else 3)


def _facts(port: int | None, user: str | None, source: str | None, saved: Path | None) -> Facts:
    from netprobe.errors import UsageError

    if saved is None:
        from netprobe.doctor.collect import collect

        return collect(_asked(port, user, source))
    if user is not None or source is not None:
        raise UsageError(
            "--user and --source decide what is collected", "give them where the facts are saved, with --facts"
        )
    from dataclasses import replace

    facts = read_facts(saved)
    return facts if port is None else replace(facts, asked=replace(facts.asked, port=_port(port)))


def read_facts(path: Path) -> Facts:
    """The facts of a file. Raises BadFacts."""
    from netprobe.doctor.saved import BadFacts, load

    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadFacts(f"{path}: {error.strerror}", "name a file that `netprobe doctor --facts` saved") from None
    except UnicodeDecodeError:
        raise BadFacts(f"{path} is no text", "name a file that `netprobe doctor --facts` saved") from None
    return load(text, str(path))


def _asked(port: int | None, user: str | None, source: str | None) -> Asked:
    import ipaddress

    from netprobe.doctor.facts import Asked
    from netprobe.errors import UsageError

    if source is not None:
        try:
            source = str(ipaddress.ip_address(source.strip("[]")))
        except ValueError:
            raise UsageError(f"--source {source}: no address", "write it like 198.51.100.7 or 2001:db8::7") from None
    if user is not None and (not user or user.startswith("-") or not user.isprintable()):
        raise UsageError(f"--user {user}: no name of an account", "write it as in ssh NAME@host")
    return Asked(port=22 if port is None else _port(port), user=user, source=source)


def _port(port: int) -> int:
    from netprobe.errors import UsageError

    if not 1 <= port <= 65535:
        raise UsageError(f"--port {port}: out of range", "ports go from 1 to 65535")
    return port


def _save(facts: Facts, path: Path) -> None:
    from netprobe.doctor.saved import dump
    from netprobe.errors import NetprobeError

    try:
        path.write_text(dump(facts), "ascii")
    except OSError as error:
        raise NetprobeError(
            f"--facts {path}: {error.strerror}", "name a file in a folder that can be written"
        ) from None
