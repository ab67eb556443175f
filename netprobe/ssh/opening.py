"""The clear beginning of SSH: lines before the identification, the identification string, the first KEXINIT (RFC
4253)."""

from __future__ import annotations

from dataclasses import dataclass

# RFC 4253 4.2: at most 255 characters with CR LF. Real servers stay far below; what is longer is no identification.
IDENTIFICATION_LIMIT = 255
OWN = b"SSH-2.0-netprobe"
# OpenSSH's client gives up after 1024 lines (SSH_MAX_PRE_BANNER_LINES in ssh.h).
LINES_LIMIT = 1024
MSG_KEXINIT = 20


@dataclass(frozen=True, slots=True)
class Opening:
    """What a server's stream begins with.

    `lines` are those before the identification (decoded latin-1, without line ends), `identification` the whole line,
    `rest`
    the bytes after it, `unfinished` a last line without its end.
    """

    lines: tuple[str, ...] = ()
    identification: str | None = None
    rest: bytes = b""
    unfinished: bytes = b""

    @property
    def version(self) -> str | None:
        """Protocol version of the identification: `2.0`, `1.99`, `1.5`."""
        if self.identification is None:
            return None
        return self.identification.split("-", 2)[1] if self.identification.count("-") >= 2 else ""

    @property
    def speaks_2(self) -> bool:
        """RFC 4253 5.1: 1.99 is a server that also speaks version 2."""
        return self.version in ("2.0", "1.99")

    @property
    def kexinit(self) -> bool:
        """The server's KEXINIT began to arrive (RFC 4253 6 and 7.1)."""
        return len(self.rest) >= 6 and self.rest[5] == MSG_KEXINIT


def read(stream: bytes) -> Opening:
    """Split the beginning of a server's stream. Any bytes will do; work is bounded by the length of `stream`."""
    lines: list[str] = []
    at = 0
    while len(lines) < LINES_LIMIT:
        end = stream.find(b"\n", at)
        if end < 0:
            break
        line = stream[at:end].removesuffix(b"\r")
        at = end + 1
        # Our own words come back from a server that echoes.
        if line.startswith(b"SSH-") and len(line) <= IDENTIFICATION_LIMIT and line != OWN:
            return Opening(tuple(lines), line.decode("latin-1"), stream[at:])
        lines.append(line.decode("latin-1"))
    return Opening(tuple(lines), None, b"", stream[at:])
