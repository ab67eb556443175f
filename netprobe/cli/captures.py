"""What was typed for an analysis, read and checked: files, pairs of files, selections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netprobe import selection as selections
from netprobe.addresses import parse_address
from netprobe.bundle.settings import Settings
from netprobe.errors import UsageError
from netprobe.selection import Selection
from netprobe.suggest import meant

VANTAGES = ("client", "server", "middle")


def pair(
    client: str | None, servers: Sequence[str], files: Sequence[str]
) -> tuple[tuple[Path, Path] | None, Sequence[str]]:
    """The two captures of --client FILE and --server FILE, and the servers to select. Without --client, --server
    selects. Raises UsageError."""
    if client is None:
        for text in servers:
            if _is_file(text):
                raise UsageError(
                    f"--server {text}: a file, where an address selects attempts",
                    f"to compare two captures write --client CLIENTS.pcap --server {text}",
                )
        return None, servers
    if parse_address(client.strip("[]")) is not None and not _is_file(client):
        raise UsageError(
            f"--client {client}: the client's capture file is meant",
            f"to select a client write --client-address {client}",
        )
    if files:
        raise UsageError(
            f"--client {client} and --server name the two captures to compare; {files[0]} would be a third",
            "leave it out, or leave --client out",
        )
    captures = [text for text in servers if _is_file(text) or not _is_address(text)]
    if len(captures) != 1:
        raise UsageError(
            f"--client {client} needs the capture taken on the server, too"
            if not captures
            else f"--client {client} is compared with one capture of the server, not with {len(captures)}",
            f"write --client {client} --server SERVERS.pcap",
        )
    if client == captures[0] == "-":
        raise UsageError("both captures can't come from standard input", "save one of them")
    return (Path(client), Path(captures[0])), [text for text in servers if text != captures[0]]


def alone(**wanted: bool) -> None:
    """Refuse options that are about one capture beside --client and --server: true are those that were given."""
    for option, given in wanted.items():
        if given:
            raise UsageError(
                f"--{option.replace('_', '-')} is about one capture, and --client and --server name two to compare",
                "leave it out, or analyze each file for itself",
            )


def files(names: Sequence[str], both: tuple[Path, Path] | None) -> Sequence[str]:
    """The files given, checked. Raises UsageError."""
    if both is None and not names:
        raise UsageError("no capture given", "name a file, or - for standard input")
    if list(names).count("-") > 1:
        raise UsageError("standard input (-) can be read only once", "name it once")
    return names


def selection(
    servers: Sequence[str], clients: Sequence[str], ports: Sequence[str], causes: Sequence[str], states: Sequence[str]
) -> Selection:
    """What of the captures is wanted."""
    known: tuple[str, ...] = ()
    if causes:
        from netprobe.rules import RULES

        known = tuple(rule.cause for rule in RULES)
    return selections.select(
        servers=servers, clients=clients, ports=ports, causes=causes, states=states, known_causes=known
    )


def selected(settings: Settings) -> Selection:
    """The same of these words."""
    return selection(settings.server, settings.client_address, settings.port, settings.cause, settings.state)


def vantage(side: str) -> str | None:
    """Where the capture was taken; None: to be found out."""
    if side == "auto":
        return None
    if side not in VANTAGES:
        guess = meant(side, (*VANTAGES, "auto"))
        right = "write --vantage client, server, middle or auto"
        raise UsageError(f"--vantage {side}: not known", f"{right}; {guess}" if guess else right)
    return side


def display_filter(text: str | None) -> str | None:
    """A display filter that says something."""
    if text is not None and not text.strip():
        raise UsageError("--filter: empty", "write --filter 'tcp.port == 22', for example")
    return text


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _is_address(text: str) -> bool:
    try:
        selections.parse_place(text, "--server")
    except UsageError:
        return False
    return True
