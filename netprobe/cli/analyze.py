"""netprobe analyze: what was typed becomes AnalyzeOptions."""

from __future__ import annotations

from typing import Annotated

import typer

from netprobe.cli.choices import Bundle, Color, Html, Json, Jsonl, Quiet, Redact, RedactKey, Verbose, Xml


def analyze(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Captures: pcap or pcapng, plain or compressed (gzip, zstd, lz4, xz); - is standard input. "
            "Several are analyzed one by one, see --together. Or one bundle: its sums are checked first.",
            show_default=False,
        ),
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option(
            "--server",
            metavar="ADDR",
            help="Only attempts to this server: ADDR, ADDR:PORT or a block. With --client FILE: the server's capture.",
            show_default=False,
        ),
    ] = None,
    client_address: Annotated[
        list[str] | None,
        typer.Option(
            "--client-address", metavar="ADDR", help="Only attempts from this client, or block.", show_default=False
        ),
    ] = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--port", "--ports", metavar="PORTS", help="Only to these ports, as in 22,80-90.", show_default=False
        ),
    ] = None,
    cause: Annotated[
        list[str] | None,
        typer.Option("--cause", metavar="CAUSE", help="Only these causes, as in dropped,up.", show_default=False),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="STATE", help="open, closed, filtered or unknown.", show_default=False),
    ] = None,
    display_filter: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="EXPR",
            help="Only attempts of which at least one packet matches this Wireshark display filter (needs tshark).",
            show_default=False,
        ),
    ] = None,
    cross_check: Annotated[
        bool, typer.Option("--cross-check", help="Compare the decoding of the decisive packets with tshark's.")
    ] = False,
    together: Annotated[
        bool, typer.Option("--together", help="Read the files as one stream in time order, as rotated captures are.")
    ] = False,
    client: Annotated[
        str | None,
        typer.Option(
            "--client",
            metavar="FILE",
            help="The client's capture, to compare with that of --server FILE: what left, what arrived?",
            show_default=False,
        ),
    ] = None,
    tunnels: Annotated[
        bool, typer.Option("--tunnels", help="Look inside tunnels: GRE, IP in IP, VXLAN, ERSPAN ...")
    ] = False,
    vantage: Annotated[
        str, typer.Option("--vantage", metavar="SIDE", help="Taken at the client, server, middle, or auto.")
    ] = "auto",
    everything: Annotated[
        bool, typer.Option("-a", "--all", help="List every attempt, where there are many, not only the first failures.")
    ] = False,
    as_json: Json = False,
    as_jsonl: Jsonl = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One CSV line per verdict as it settles.")] = False,
    annotate: Annotated[
        str | None,
        typer.Option(
            "--annotate", metavar="OUT.pcapng", show_default=False,
            help="Also write a copy of the capture with comments on the decisive packets, for Wireshark.",
        ),
    ] = None,
    xml: Xml = None,
    html: Html = None,
    bundle: Bundle = None,
    redact: Redact = False,
    redact_key: RedactKey = None,
    zeek: Annotated[
        str | None,
        typer.Option(
            "--zeek", metavar="FILE", help="Also write Zeek's conn.log, causes as columns at its end.",
            show_default=False,
        ),
    ] = None,
    parquet: Annotated[
        str | None,
        typer.Option(
            "--parquet", metavar="DIR", show_default=False,
            help="Also write tables, partitioned by day and server, for DuckDB and the like.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j", "--jobs", metavar="N", show_default=False,
            help="Analyze the files by N processes at the same time; 0: one for each core.",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask", metavar="ADDRESS", show_default=False,
            help="Analyze the files on a Dask cluster: its scheduler, as in tcp://192.0.2.1:8786.",
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    color: Color = "auto",
    compiled: Annotated[
        bool | None,
        typer.Option("--compiled/--interpreted", help="How packets are read (default: what is faster).", hidden=True),
    ] = None,
) -> None:
    """Say why the TCP connections in a capture failed: every attempt, its cause, and the packets that prove it.

    \b
    Examples:
      netprobe analyze capture.pcap
      netprobe analyze --server 192.0.2.1:22 -v capture.pcapng.gz
      netprobe analyze --cause dropped,reset-on-path --all capture.pcap
      netprobe analyze --filter 'tcp.analysis.retransmission' capture.pcap
      netprobe analyze --csv capture.pcap > attempts.csv
      netprobe analyze --annotate commented.pcapng capture.pcap
      netprobe analyze --zeek conn.log capture.pcap
      netprobe analyze --html report.html capture.pcap
      netprobe analyze --bundle evidence.zip --redact capture.pcap
      netprobe analyze evidence.zip
      netprobe analyze --together ring_*.pcapng
      netprobe analyze --jobs 0 --parquet tables/ *.pcap
      sudo tcpdump -i any -w - 'tcp or icmp or icmp6' | netprobe analyze --jsonl -
      netprobe analyze --client on-the-client.pcap --server on-the-server.pcap
    """
    from netprobe import analyze as driver
    from netprobe.bundle.settings import Settings
    from netprobe.cli import captures, processes
    from netprobe.cli.bundle import BundleFile, of_analysis, wanted
    from netprobe.cli.exports import Exports
    from netprobe.cli.presentation import Presentation
    from netprobe.cli.unbundle import merged, unpacked
    from netprobe.options import AnalyzeOptions
    from netprobe.urls import place

    pair, servers = captures.pair(client, server or (), files or ())
    if pair is not None:
        captures.alone(
            filter=display_filter is not None, cross_check=cross_check, together=together, vantage=vantage != "auto",
            bundle=bundle is not None,
        )  # fmt: skip
    asked = wanted(bundle, redact_key, redact=redact)
    given = Settings(
        server=tuple(servers), client_address=tuple(client_address or ()), port=tuple(port or ()),
        cause=tuple(cause or ()), state=tuple(state or ()), tunnels=tunnels, vantage=vantage, filter=display_filter,
    )  # fmt: skip
    with unpacked(captures.files(files or (), pair)) as (names, opened):
        settings = merged(given, opened)
        options = AnalyzeOptions(
            files=tuple(place(name) for name in names), selection=captures.selected(settings), together=together,
            pair=pair, tunnels=settings.tunnels, vantage=captures.vantage(settings.vantage),
            display_filter=captures.display_filter(settings.filter), cross_check=cross_check, compiled=compiled,
        )  # fmt: skip
        each = processes.each(options, jobs, dask, parquet)
        special = {} if each is None else {"each": each}
        exports = Exports(xml=xml, zeek=zeek, annotate=annotate, html=html, inputs=(*options.files, *(pair or ())))
        asked = of_analysis(asked, options, settings)
        opened.keep(xml, zeek, annotate, html, bundle)
        shown = Presentation(
            as_json=as_json, as_jsonl=as_jsonl, as_csv=as_csv, quiet=quiet, verbose=verbose, color=color, many=True,
            everything=everything, instead=exports.instead,
        )  # fmt: skip
        notice = opened.telling(shown.notice)
        exports.notice = notice
        with exports, BundleFile(asked, notice, options.files) as made, shown.reading() as progress:
            made.heard = progress.read
            outlets = driver.Outlets(
                lines=shown.on_lines, outlines=shown.on_outlines, clients=everything, also=opened.also(made.also),
                sinks=exports.sinks, read=progress.read,
            )  # fmt: skip
            report = driver.run(options, shown.on_verdict, notice, outlets, made.packed, **special)
            report = opened.told(made.finish(exports.finish(report)))
        raise typer.Exit(shown.finish(report))
