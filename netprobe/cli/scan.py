"""netprobe scan: what was typed becomes ScanOptions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from netprobe.cli.choices import Bundle, Color, Html, Json, Jsonl, Quiet, Redact, RedactKey, Verbose, Xml
from netprobe.options import DEFAULT_DIAGNOSED


def scan(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="Name, address, CIDR block, range (10.0.0-5.1-254), host:port, [v6]:port, ssh://user@host:port, "
            "or an alias of ssh_config.",
            show_default=False,
        ),
    ] = None,
    ports: Annotated[
        str | None,
        typer.Option(
            "-p",
            "--ports",
            metavar="PORTS",
            help="As in 22,80-90,ssh,- (default: 22, or the alias's).",
            show_default=False,
        ),
    ] = None,
    only_v4: Annotated[bool, typer.Option("-4", help="IPv4 addresses only.")] = False,
    only_v6: Annotated[bool, typer.Option("-6", help="IPv6 addresses only.")] = False,
    input_list: Annotated[
        str | None,
        typer.Option(
            "-iL", metavar="FILE", help="More targets from a file, or from standard input (-).", show_default=False
        ),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect",
            metavar="WHAT",
            help="What answers: ssh, any, http ... (default: on 22 ssh).",
            show_default=False,
        ),
    ] = None,
    identify: Annotated[
        bool, typer.Option("--identify", help="Ask a silent service for its name: one request.")
    ] = False,
    auth_methods: Annotated[
        bool,
        typer.Option(
            "--auth-methods", help="Ask SSH servers for methods of login; they log it."
        ),
    ] = False,
    user: Annotated[
        str | None,
        typer.Option(
            "--user", metavar="NAME", help="Whose login is meant (default: as ssh would).",
            show_default=False,
        ),
    ] = None,
    patient: Annotated[
        bool, typer.Option("--patient", help="Take longer to place a filter; sweep: ask slowly, too.")
    ] = False,
    no_elsewhere: Annotated[
        bool, typer.Option("--no-elsewhere", help="Don't look for SSH on its other usual ports.")
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "-w", "--write", metavar="FILE", help="Save every packet, with comments, as pcapng.", show_default=False
        ),
    ] = None,
    doctor: Annotated[
        Path | None,
        typer.Option(
            "--doctor",
            metavar="FACTS",
            help="Count with what `netprobe doctor --facts` saved.",
            show_default=False,
        ),
    ] = None,
    marked: Annotated[
        bool,
        typer.Option("--marked", help="First send SYNs in rounds, for `doctor --watch` there."),
    ] = False,
    as_json: Json = False,
    as_jsonl: Jsonl = False,
    xml: Xml = None,
    html: Html = None,
    bundle: Bundle = None,
    redact: Redact = False,
    redact_key: RedactKey = None,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    color: Color = "auto",
    interface: Annotated[
        str | None,
        typer.Option("-i", "--interface", metavar="NAME", help="Send from this interface.", show_default=False),
    ] = None,
    source_port: Annotated[
        int | None, typer.Option("--source-port", metavar="N", help="Connect from this port.", show_default=False)
    ] = None,
    banner_wait: Annotated[
        float, typer.Option("--banner-wait", metavar="SECONDS", help="How long to wait for a server's first words.")
    ] = 12.0,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="N", help="Packets a second (default: 500; --sweep: 1,000).",
            show_default=False,
        ),
    ] = None,
    connect: Annotated[bool, typer.Option("--connect", help="Ordinary connections only, as without root.")] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="LIST", help="Never touch these addresses or blocks.", show_default=False),
    ] = None,
    exclude_file: Annotated[
        list[Path] | None,
        typer.Option("--exclude-file", metavar="FILE", help="The same, from a file.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, more than 1,024 pairs of address and port.")] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="One SYN to each address and port of whole networks.")
    ] = False,
    retries: Annotated[
        int, typer.Option("--retries", metavar="N", help="Sweep: ask the silent again so often.")
    ] = 1,
    diagnose: Annotated[
        int,
        typer.Option(
            "--diagnose", metavar="N",
            help="Sweep: the full diagnosis of up to N answers.",
        ),
    ] = DEFAULT_DIAGNOSED,
    silent: Annotated[
        bool, typer.Option("--silent", help="Sweep: a line for each silent pair, too.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Sweep: this machine's part of N.", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="FILE", help="Sweep: note how far it is, and go on from there.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Find out why a TCP connection to TARGET fails: the cause, who made it, and the packets that prove it.

    \b
    Examples:
      sudo netprobe scan server.example.com
      sudo netprobe scan -p 22,2222 192.0.2.0/28
      netprobe scan ssh://admin@[2001:db8::1]:2222
      sudo netprobe scan -w scan.pcapng --json server.example.com
      sudo netprobe scan --auth-methods ssh://admin@server.example.com
      sudo netprobe scan --html report.html server.example.com
      sudo netprobe scan --bundle evidence.zip --redact server.example.com
      sudo netprobe scan --sweep --yes --rate 5000 -p 22 --jsonl 198.18.0.0/16
    """
    from netprobe.cli import sweeping

    if sweep:
        sweeping.without_sweep(
            {
                "--identify": identify, "--auth-methods": auth_methods, "--user": user is not None,
                "-w": write is not None, "--doctor": doctor is not None, "--marked": marked, "--connect": connect,
                "--bundle": bundle is not None, "--redact": redact, "--redact-key": redact_key is not None,
            }
        )  # fmt: skip
        sweeping.sweep(
            targets or (), as_json=as_json, as_jsonl=as_jsonl, xml=xml, html=html, quiet=quiet, verbose=verbose,
            color=color, input_list=input_list, ports=ports, only_v4=only_v4, only_v6=only_v6, exclude=exclude or (),
            exclude_file=exclude_file or (), expect=expect, rate=rate, retries=retries, part=shard, resume=resume,
            budget=diagnose, patient=patient, silent=silent, interface=interface, source_port=source_port, consent=yes,
        )  # fmt: skip
    sweeping.only_with_sweep(
        {
            "--retries": retries != 1, "--diagnose": diagnose != DEFAULT_DIAGNOSED, "--silent": silent,
            "--shard": shard is not None, "--resume": resume is not None,
        }
    )  # fmt: skip
    from netprobe import scan as driver
    from netprobe.cli import request
    from netprobe.cli.bundle import BundleFile, of_scan, wanted
    from netprobe.cli.exports import Exports
    from netprobe.cli.joining import joining
    from netprobe.cli.presentation import Presentation
    from netprobe.options import DEFAULT_RATE, ScanOptions
    from netprobe.ports import parse_ports

    exports = Exports(xml=xml, html=html)
    asked = wanted(bundle, redact_key, redact=redact, doctor=doctor is not None)
    shown = Presentation(
        as_json=as_json, as_jsonl=as_jsonl, quiet=quiet, verbose=verbose, color=color, instead=exports.instead,
    )  # fmt: skip
    port_list = parse_ports(ports) if ports is not None else None
    families = request.families(only_v4=only_v4, only_v6=only_v6)
    excluded = request.exclusions(exclude or (), exclude_file or ())
    found = request.find_targets(
        targets or (), input_list=input_list, ports=port_list, families=families, exclude=excluded, consent=yes,
        interface=interface, notice=shown.notice,
    )  # fmt: skip
    options = request.check(
        ScanOptions(
            targets=found, ports=port_list, families=families, exclude=excluded, expect=expect, identify=identify,
            patient=patient, elsewhere=not no_elsewhere, write=write, source_port=source_port, interface=interface,
            banner_wait_s=banner_wait, rate=DEFAULT_RATE if rate is None else rate, force_connect=connect,
            auth_methods=auth_methods, user=user,
        )
    )  # fmt: skip
    on_verdict, finished = joining(doctor, shown.on_verdict)
    if marked:
        from netprobe import marked as rounds

        with shown.looking(rounds.progress):
            ended = rounds.run(options, shown.notice)
        if not ended:
            raise typer.Exit(130)
    asked, keep = of_scan(asked, options.write, interface)
    with exports, BundleFile(asked, shown.notice) as made, shown.progress(request.pairs(options)) as progress:
        saved = replace(options, keep=keep)
        report = finished(driver.run(saved, on_verdict, shown.notice, outlook=progress.foresee))
        report = made.finish(exports.finish(report, given=False), given=False)
    raise typer.Exit(shown.finish(report))
