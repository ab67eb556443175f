"""netprobe wait: what was typed becomes WaitOptions; each change is shown as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from netprobe.cli.choices import Color, Json, Jsonl, Quiet

if TYPE_CHECKING:
    from netprobe.model import Verdict
    from netprobe.options import WaitOptions
    from netprobe.wait import Change, Waited


def wait(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="HOST[:PORT]", help="Name, address, [v6]:port, ssh://user@host:port, or an alias of ssh_config.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        list[str] | None,
        typer.Option(
            "--until",
            metavar="WHAT",
            help="up, down, open, closed, filtered, or causes, as in no-listener,dropped (default: up).",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            "-t", "--timeout", metavar="TIME", help="Give up after this long: 90, 90s, 5m, 1h (default: never).",
            show_default=False,
        ),
    ] = None,
    interval: Annotated[
        str,
        typer.Option("--interval", metavar="TIME", help="Look this often, if politeness allows (5 SYNs in 30 s)."),
    ] = "6s",
    ports: Annotated[
        str | None,
        typer.Option("-p", "--port", "--ports", metavar="PORT", help="One port (default: 22, or the alias's).",
                     show_default=False),
    ] = None,
    only_v4: Annotated[bool, typer.Option("-4", help="IPv4 addresses only.")] = False,
    only_v6: Annotated[bool, typer.Option("-6", help="IPv6 addresses only.")] = False,
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect", metavar="WHAT", help="What should answer: ssh, any, http ... (default: ssh on 22, else any).",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    as_jsonl: Jsonl = False,
    quiet: Quiet = False,
    color: Color = "auto",
    interface: Annotated[
        str | None,
        typer.Option("-i", "--interface", metavar="NAME", help="Send from this interface.", show_default=False),
    ] = None,
    source_port: Annotated[
        int | None, typer.Option("--source-port", metavar="N", help="Connect from this port.", show_default=False)
    ] = None,
    connect: Annotated[bool, typer.Option("--connect", help="Ordinary connections only, as without root.")] = False,
) -> None:
    """Wait until a port is as wished, and tell each change of cause on the way: host-unreachable, no-listener, up.

    It looks with one connection attempt at a time, never more than 5 SYNs and one full connection in 30 s, and makes a
    whole diagnosis where a change leaves room for it. Of a host with several addresses, one is enough.

    \b
    Examples:
      netprobe wait server.example.com && ssh server.example.com
      netprobe wait --timeout 5m server.example.com:2222
      netprobe wait --until down 192.0.2.1; netprobe wait 192.0.2.1    through a reboot
      netprobe wait --until dropped,reset-by-host-firewall 192.0.2.1   until a rule takes effect
      netprobe wait --jsonl -t 1h server.example.com >> changes.jsonl

    Exit codes: 0 it is so, 1 not within the time, 2 usage, 3 could not measure, 130 interrupted.
    """
    from netprobe import wait as driver
    from netprobe.cli.presentation import Presentation

    shown = Presentation(as_json=as_json, as_jsonl=as_jsonl, quiet=quiet, verbose=0, color=color)
    options = _options(
        target, until or (), timeout, interval, ports, expect, shown.notice,
        only_v4=only_v4, only_v6=only_v6, interface=interface, source_port=source_port, connect=connect,
    )  # fmt: skip
    form = "json" if as_json else "jsonl" if as_jsonl else "text"
    lines = _Lines(options, form, color)
    with shown.looking(lines.progress) as progress:
        waited = driver.run(options, lambda change: lines.change(change, progress), lines.look, shown.notice)
    raise typer.Exit(lines.finish(waited, quiet=quiet))


def _options(
    target: str | None, until: Any, timeout: str | None, interval: str, ports: str | None, expect: str | None,
    notice: Any, *, only_v4: bool, only_v6: bool, interface: str | None, source_port: int | None, connect: bool,
) -> WaitOptions:  # fmt: skip
    from netprobe.cli import request
    from netprobe.errors import UsageError
    from netprobe.options import ScanOptions, WaitOptions
    from netprobe.ports import parse_ports
    from netprobe.targets import ports_of

    if target is None:
        raise UsageError("no host given", "write netprobe wait HOST")
    port_list = parse_ports(ports) if ports is not None else None
    families = request.families(only_v4=only_v4, only_v6=only_v6)
    found = request.find_targets(
        [target], input_list=None, ports=port_list, families=families, exclude=(), consent=True, interface=interface,
        notice=notice,
    )  # fmt: skip
    if len(found) != 1 or len(ports_of(found[0], port_list)) != 1:
        raise UsageError(f"{target} with its ports is more than one place to wait for", "name one host and one port")
    request.check(ScanOptions(targets=found, expect=expect, source_port=source_port, interface=interface))
    seconds = request.duration(timeout, "--timeout") if timeout is not None else None
    return WaitOptions(
        target=found[0], port=ports_of(found[0], port_list)[0], until=request.until(until), timeout_s=seconds,
        interval_s=request.duration(interval, "--interval"), families=families, expect=expect, interface=interface,
        source_port=source_port, force_connect=connect,
    )  # fmt: skip


class _Lines:
    """How the changes are shown."""

    def __init__(self, options: WaitOptions, form: str, color: str) -> None:
        import os
        import sys

        from netprobe.cli.output import terminal_width, wants_colour

        self._width = terminal_width(sys.stdout) if sys.stdout is not None else None
        self._options = options
        self._form = form
        self._colour = sys.stdout is not None and wants_colour(color, sys.stdout, os.environ)
        self._headed = False
        self._last: Verdict | None = None
        self._looks = 0

    def look(self, looks: int) -> None:
        """One more look is over."""
        self._looks = looks

    def change(self, change: Change, progress: Any) -> None:
        """The port is not as it was."""
        from netprobe.cli.output import show

        self._last = change.verdict
        if self._form == "json":
            return
        progress.clear()
        if self._form == "jsonl":
            from netprobe.report import json

            show(json.line(change.verdict, self._times(change)))
            return
        from netprobe.report import waiting

        if not self._headed:
            self._headed = True
            head = waiting.head(self._width)
            show(head and f"{head}\n")
        show(
            waiting.line(
                change.verdict, change.time_ns, change.after_ns, zone=_here(), colour=self._colour,
                address=not self._options.target.is_address, width=self._width,
            ) + "\n"
        )  # fmt: skip

    def progress(self, elapsed_s: float) -> str:
        """What is told while nothing changes."""
        from netprobe.report.waiting import duration

        now = self._last.cause if self._last is not None else "not known yet"
        timeout_s = self._options.timeout_s
        left = f", {duration(int((timeout_s - elapsed_s) * 1e9))} left" if timeout_s and timeout_s > elapsed_s else ""
        looks = f"{self._looks} look{'s' if self._looks != 1 else ''}"
        return f"{now}; waiting for {' or '.join(self._options.until)}, {duration(int(elapsed_s * 1e9))}, {looks}{left}"

    def finish(self, waited: Waited, *, quiet: bool) -> int:
        """Say how it ended; gives the exit code."""
        from netprobe.cli.output import tell

        if self._form != "text":
            self._finish_json(waited)
        if waited.interrupted:
            tell("interrupted")
            return 130
        if waited.reached:
            return 0
        if not quiet:
            last = waited.changes[-1].verdict if waited.changes else None
            wanted = " or ".join(self._options.until)
            tell(f"not {wanted} within the time; {_last_words(last, self._options.target.text)}")
        return 1

    def _finish_json(self, waited: Waited) -> None:
        from netprobe.cli.output import show
        from netprobe.report import Report, json

        report = Report(
            command="wait", started_ns=waited.started_ns, finished_ns=waited.finished_ns, mode=waited.mode,
            verdicts=tuple(change.verdict for change in waited.changes), interrupted=waited.interrupted,
        )  # fmt: skip
        more = {
            "wait": {
                "until": list(self._options.until),
                "reached": waited.reached,
                "waited_s": round((waited.finished_ns - waited.started_ns) / 1e9, 3),
                "looks": waited.looks,
            }
        }
        if self._form == "jsonl":
            show(json.summary_line(report, more))
        else:
            show(json.document(report, more, [self._times(change) for change in waited.changes]))

    @staticmethod
    def _times(change: Change) -> dict[str, Any]:
        from netprobe.report.json import timestamp

        return {"changed": timestamp(change.time_ns), "after_s": round(change.after_ns / 1e9, 3)}


def _last_words(last: Verdict | None, target: str) -> str:
    if last is None:
        return "nothing was heard of it"
    sure = "" if str(last.certainty) == "certain" else f", {last.certainty}"
    return f"it is {last.state} ({last.cause}{sure}). To see why: netprobe scan {target}"


def _here() -> Any:
    """The zone of this machine's clock."""
    from datetime import datetime

    return datetime.now().astimezone().tzinfo
