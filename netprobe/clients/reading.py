"""A client's output, as it was pasted: which texts it holds, how far the client came, where it wanted to go.

House rules of this file:
1. Any text may come in, also a hostile one: what is taken out of it as a host or a user has no character that a shell
   or a terminal would take for more than a name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from netprobe.clients.causes import Stage
from netprobe.clients.texts import FOLLOW_UPS, ROWS, Text

# More than this is no output of one attempt.
MOST = 200_000

# What `ssh -v` and `plink -v` say on their way, and how far they have come by then.
_PROGRESS = tuple(
    (re.compile(pattern, re.IGNORECASE), stage)
    for pattern, stage in (
        (r"^debug1: Connecting to |^Connecting to \S+ port \d+|^debug1: connect to address ", Stage.CONNECT),
        (r"^\*? *Trying ", Stage.CONNECT),
        (r"^debug1: Connection established|^Connected to |^\* Connected to |^debug1: Local version string", Stage.OPEN),
        (r"^debug1: Remote protocol version [2-9]|^debug1: SSH2_MSG_KEXINIT|^debug1: compat_banner: match", Stage.KEX),
        (r"^Remote version: SSH-2|^Using SSH protocol version 2", Stage.KEX),
        (r"^debug1: Authentications that can continue|^debug1: Next authentication method", Stage.LOGIN),
        (r"^debug1: SSH2_MSG_SERVICE_ACCEPT received|^Using username ", Stage.LOGIN),
        (r"^(debug1: )?Authenticated to |^Access granted", Stage.SESSION),
    )
)

_HOST = r"(?:\[(?P<bracketed>[A-Za-z0-9_.:%-]+)\]|(?P<host>[A-Za-z0-9_.:%-]+))"
_PORT = r"(?P<port>\d{1,5})"
# Where a client names its target, what is typed (a name) before what was found (an address).
_TARGETS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"connect to host {_HOST} port {_PORT}:",
        rf"^debug1: Connecting to {_HOST} \[[^\]]*\] port {_PORT}",
        rf'Looking up host "{_HOST}"',
        rf"^Connecting to {_HOST} port {_PORT}",
        rf"Unable to negotiate with {_HOST} port {_PORT}",
        rf"Received disconnect from {_HOST} port {_PORT}",
        rf"Disconnected from (?:\S+ )*?{_HOST} port {_PORT}",
        rf"Connection (?:closed|reset) by (?:\S+ )*?{_HOST} port {_PORT}",
        rf"Connection to {_HOST} port {_PORT}",
        rf"connect to address {_HOST} port {_PORT}",
        rf"Could not resolve hostname \"?{_HOST}\"?:",
        rf"Could not resolve host: {_HOST}$",
        rf'getaddrinfo for host "{_HOST}" port {_PORT}',
        rf"Error resolving '{_HOST}' port '{_PORT}'",
        rf"resolve host address .{_HOST}.$",
        rf"getaddrinfo E\w+ {_HOST}$",
        rf"UnknownHostException: {_HOST}$",
        rf"dial tcp: lookup {_HOST}(?: on \S+)?: ",
        rf"Server lookup failure: +{_HOST}:",
        rf"Unable to connect to port {_PORT} on {_HOST}(?: or \S+)*$",
        rf"Connect call failed \('{_HOST}', {_PORT}",
        rf"Failed to connect to {_HOST} port {_PORT}",
        rf"Failed to connect to {_HOST}:",
        rf"connect to {_HOST} (?:\(\S+\) )?port {_PORT}",
        rf"Connection to (?:\S+@)?{_HOST}:{_PORT} exited",
        rf"Connection to {_HOST} {_PORT} port \[",
        rf"dial tcp (?:\S+->)?{_HOST}:{_PORT}:",
        rf"connect E[A-Z]+ {_HOST}:{_PORT}\b",
        rf"Connecting to {_HOST}(?: \([^)]*\))?(?:\|[^|]*\|)?:{_PORT}\.\.\.",
        rf"/dev/tcp/{_HOST}/{_PORT}:",
        rf"Host key for server '{_HOST}' does not match",
        rf"Server '{_HOST}(?::{_PORT})?' not found in known_hosts",
        rf"No \S+ host key is known for {_HOST}:{_PORT}",
        rf"Host key for {_HOST}:{_PORT} has changed",
        rf"Host key for {_HOST} has changed",
        rf"@{_HOST}: Permission denied",
        rf"for user \S+ on host {_HOST}$",
        rf"Connection to {_HOST} (?:closed|timed out)",
        rf"Unable to open connection to:? +{_HOST}(?:[:\s]|$)",
        rf"telnet: connect to address {_HOST}: ",
        rf"^\*? *Trying {_HOST}:{_PORT}\.\.\.",
        rf"^\*? *Trying {_HOST}\.\.\.$",
    )
)
_USER = re.compile(r"(?:^|\s)(?P<user>[A-Za-z_][A-Za-z0-9_.-]{0,31})@[A-Za-z0-9_.:\[\]-]+(?::\d+ exited|: Permission)")
_ADDRESS = re.compile(r"connect to address (?P<address>\S+)(?: port \d+)?: (?P<said>[A-Z][A-Za-z ]+)$")


@dataclass(frozen=True, slots=True)
class Reading:
    """What an output says. `texts`: the rows found, the one that decides first; `stage`: how far the client came, and
    `stage_line` the line that shows it (None where only the text does); `host`, `port`, `user`: where it wanted to go,
    as far as it says. `addresses`: what was tried one after the other, each with what came of it; `followed`: there
    were lines that only say that the program below gave up."""

    texts: tuple[Text, ...]
    stage: Stage
    stage_line: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    addresses: tuple[tuple[str, str], ...] = ()
    followed: bool = False


def read(output: str) -> Reading:
    """Read an output of any number of lines."""
    # Whatever moves a cursor or hides comes out as a question mark.
    plain = "".join(one if one.isprintable() or one in "\r\n" else " " if one == "\t" else "?" for one in output[:MOST])
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    found = _found(lines)
    stage, stage_line = _progress(lines)
    if found and found[0].stage > stage:
        stage, stage_line = found[0].stage, None
    host, port = _target(lines)
    users = (match["user"] for line in lines if (match := _USER.search(line)))
    tried = {match["address"]: match["said"] for line in lines if (match := _ADDRESS.search(line))}
    followed = any(re.search(pattern, line, re.IGNORECASE) for line in lines for pattern in FOLLOW_UPS)
    return Reading(
        texts=tuple(found), stage=stage, stage_line=stage_line, host=host, port=port, user=next(users, None),
        addresses=tuple(tried.items()), followed=followed,
    )  # fmt: skip


def _found(lines: list[str]) -> list[Text]:
    """The rows of all lines, in the order of the table: what says most first. What ends a login or a session says less
    than how it ended."""
    found: dict[str, Text] = {}
    expecting = len(lines) > 1 and "expecting SSH2_MSG_KEX" not in lines[-1]
    for line in lines:
        row = next((row for row in ROWS if re.search(row.pattern, line, re.IGNORECASE)), None)
        # While ssh -v goes on, it only tells what it waits for.
        if row is not None and not (row.text.startswith("expecting") and expecting):
            found.setdefault(row.text, row)
    return sorted(found.values(), key=ROWS.index)


def _progress(lines: list[str]) -> tuple[Stage, str | None]:
    """How far the client says that it came."""
    stage, at = Stage.NAME, None
    for line in lines:
        for pattern, reached in _PROGRESS:
            if reached > stage and pattern.search(line):
                stage, at = reached, line
    return stage, at


def _target(lines: list[str]) -> tuple[str | None, int | None]:
    """Where the client wanted to go."""
    for host, port in _targets(lines):
        return host, port
    return None, None


def _targets(lines: list[str]) -> Iterator[tuple[str, int | None]]:
    for pattern in _TARGETS:
        for line in lines:
            match = pattern.search(line)
            host = _named(match) if match is not None else None
            if match is None or host is None or not _is_host(host):
                continue
            told = match.groupdict().get("port")
            port = int(told) if told else next(_ports(lines, host), None)
            yield host, port if port is not None and 0 < port < 65536 else None


def _ports(lines: list[str], host: str) -> Iterator[int]:
    """Ports that stand beside this host elsewhere."""
    for pattern in _TARGETS:
        for line in lines:
            match = pattern.search(line)
            if match is not None and _named(match) == host and match.groupdict().get("port"):
                yield int(match["port"])


def _named(match: re.Match[str]) -> str | None:
    return match["bracketed"] or match["host"]


def _is_host(text: str) -> bool:
    """An address, or a name as DNS takes it."""
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", text) is not None and ".." not in text
    return True
