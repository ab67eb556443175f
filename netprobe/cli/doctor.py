"""netprobe doctor: on the server, why clients can't get in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netprobe.cli.choices import Color, Html, check

if TYPE_CHECKING:
    from netprobe.doctor.collect import Machine
    from netprobe.doctor.facts import Asked, Facts
    from netprobe.doctor.finding import Diagnosis
    from netprobe.interrupts import Interrupts

INTERRUPTED = 130
USUAL_S, SHORTEST_S, LONGEST_S = 60.0, 30.0, 3600.0


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
    watch: Annotated[
        float | None,
        typer.Option(
            "--watch",
            metavar="[SECONDS]",
            help="See what becomes of the SYNs of `netprobe scan --marked` (60 s at most).",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of the report.")] = False,
    html: Html = None,
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
      netprobe doctor --watch             (and on the client: netprobe scan --marked SERVER)
      sudo netprobe doctor --html doctor.html
    """
    from netprobe.cli.output import show, tell
    from netprobe.cli.paper import paper
    from netprobe.doctor.diagnose import diagnose
    from netprobe.errors import UsageError
    from netprobe.interrupts import Interrupts

    check(quiet=quiet, verbose=verbose, color=color)
    if watch is not None and not SHORTEST_S <= watch <= LONGEST_S:
        raise UsageError(f"--watch {watch:g}: out of range", f"from {SHORTEST_S:g} to {LONGEST_S:g} seconds")
    others = ["--json"] if as_json else []
    with (
        paper(html, *others, inputs=[saved] if saved is not None else []) as sheet,
        Interrupts() as interrupts,  # Ctrl-C: what is known by then is told
    ):
        if saved is not None:
            facts = _saved(saved, port, user, source, watch)
        else:
            facts = _collected(_asked(port, user, source), interrupts, quiet=quiet)
        if watch is not None and not interrupts.asked:
            facts = _watched(facts, watch, interrupts, quiet=quiet)
        if save is not None:
            _save(facts, save)
        found = diagnose(facts)
        if not sheet.alone:
            show(_text(found, as_json=as_json, verbosity=-1 if quiet else verbose, color=color))
        failure = sheet.finish(lambda: _page(found, interrupted=interrupts.asked))
    if failure is not None:
        raise failure
    if interrupts.asked:
        tell("interrupted: this is what was known by then")
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if found.findings else 0 if found.measured else 3)


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """The arguments with the number of seconds that a bare `--watch` stands for."""
    found = list(arguments)
    if found[:1] == ["doctor"]:
        for at, word in enumerate(found):
            if word == "--watch" and not _number("".join(found[at + 1 : at + 2])):
                found[at] = f"--watch={USUAL_S:g}"
    return found


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(found: Diagnosis, *, as_json: bool, verbosity: int, color: str) -> str:
    import os
    import sys

    from netprobe.cli.output import terminal_width, wants_colour

    if as_json:
        from netprobe.report import doctor_json

        return doctor_json.document(found)
    from netprobe.report import doctor as report

    colour = wants_colour(color, sys.stdout, os.environ) if sys.stdout else False
    width = terminal_width(sys.stdout) if sys.stdout else None
    return report.render(found, width=width, verbosity=verbosity, colour=colour)


def _page(found: Diagnosis, *, interrupted: bool) -> Iterable[str]:
    from netprobe.cli.page import environment
    from netprobe.report.html.doctor import render

    return render(found, environment(), interrupted=interrupted)


def _collected(asked: Asked, interrupts: Interrupts, *, quiet: bool) -> Facts:
    from netprobe.cli.progress import WaitingProgress
    from netprobe.doctor.collect import Machine, collect

    machine = Machine()
    interrupts.wake = machine.stop
    with WaitingProgress(lambda elapsed_s: _looking(machine, elapsed_s), wanted=not quiet):
        return collect(asked, machine)


def _looking(machine: Machine, elapsed_s: float) -> str:
    """What doctor waits for: the commands that run, and how long that can last."""
    programs = {str(one.args[0]) for one in list(machine.running) if isinstance(one.args, list)}
    running = ", ".join(sorted(one.rpartition("/")[2] for one in programs))
    return f"looking at this machine{running and ': '}{running}, {elapsed_s:.0f} s, at most {machine.left():.0f} s left"


def _watched(facts: Facts, seconds: float, interrupts: Interrupts, *, quiet: bool) -> Facts:
    """The facts with what the counters showed. Says first what to do at the other end."""
    from dataclasses import replace

    from netprobe.cli.output import tell
    from netprobe.cli.progress import WaitingProgress
    from netprobe.doctor import reading
    from netprobe.doctor.collect.machine import Unavailable
    from netprobe.doctor.collect.watching import watch

    own = [one for family in (4, 6) for one in reading.own_addresses(facts, family)]
    port = "" if facts.asked.port == 22 else f" -p {facts.asked.port}"
    if not quiet:
        tell(
            f"watching for {seconds:g} s at most. Within the next {max(1, int(seconds) - 28)} s, type on the client: "
            f"netprobe scan --marked{port} {own[0] if own else 'THIS-SERVER'}"
        )
    interrupts.wake = None

    def line(elapsed_s: float) -> str:
        return f"watching, {elapsed_s:.0f} s, at most {max(seconds - elapsed_s, 0):.0f} s left"

    try:
        with WaitingProgress(line, wanted=not quiet):
            return replace(facts, watch=watch(seconds, lambda: interrupts.asked))
    except Unavailable as error:
        return replace(facts, gaps={**facts.gaps, "watch": str(error)})


def _saved(path: Path, port: int | None, user: str | None, source: str | None, watch: float | None) -> Facts:
    from dataclasses import replace

    from netprobe.errors import UsageError

    if user is not None or source is not None:
        raise UsageError(
            "--user and --source decide what is collected", "give them where the facts are saved, with --facts"
        )
    if watch is not None:
        raise UsageError("--watch looks at this machine, now", "give it where the facts are saved, with --facts")
    facts = read_facts(path)
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
