"""Names a service by the first bytes it says. One table decides; what is not in it is `unknown`."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Greeting:
    """`pattern` is matched at the start of the stream; `name` is the service, as IANA names it where it does."""

    pattern: re.Pattern[bytes]
    name: str
    what: str


# First bytes by protocol: RFC 9112 (HTTP), RFC 8446 5.1 (TLS record), RFC 5321 and 959 (220), RFC 6143 7.1.1 (RFB),
# RFC 854 (telnet),
# RFC 1939 (POP3), RFC 9051 (IMAP), RFC 4271 (BGP marker), MySQL protocol handshake, Redis RESP errors.
GREETINGS = (
    Greeting(re.compile(rb"SSH-2\.0-netprobe\r\n"), "echo", "an echo server (it sends back what we said)"),
    Greeting(re.compile(rb"HTTP/\d"), "http", "an HTTP server"),
    Greeting(re.compile(rb"\x15\x03[\x00-\x04]|\x16\x03[\x00-\x04]"), "tls", "a TLS server"),
    Greeting(re.compile(rb"220[ -][^\n]*(?:SMTP|ESMTP|[Mm]ail|Postfix|Exim)"), "smtp", "a mail server"),
    Greeting(re.compile(rb"220[ -][^\n]*(?:FTP|ftp|FileZilla)"), "ftp", "an FTP server"),
    Greeting(re.compile(rb"220[ -]"), "smtp", "a mail or FTP server (greeting 220)"),
    Greeting(re.compile(rb"RFB \d{3}\.\d{3}"), "rfb", "a VNC server"),
    Greeting(re.compile(rb"\xff[\xfb-\xfe]"), "telnet", "a telnet server"),
    Greeting(re.compile(rb"\+OK"), "pop3", "a POP3 server"),
    Greeting(re.compile(rb"\* (?:OK|PREAUTH|BYE)"), "imap", "an IMAP server"),
    Greeting(re.compile(rb"\xff{16}"), "bgp", "a BGP speaker"),
    Greeting(re.compile(rb".\x00\x00\x00[\x0a\xff]", re.DOTALL), "mysql", "a MySQL server"),
    Greeting(re.compile(rb"-(?:ERR|DENIED|NOAUTH) "), "redis", "a Redis server"),
    Greeting(re.compile(rb"AMQP"), "amqp", "an AMQP broker"),
    Greeting(re.compile(rb"[0-9A-Fa-f]*\s*<!(?:doctype|DOCTYPE)|<html|<HTML"), "http", "a web server"),
)


def name(stream: bytes) -> Greeting | None:
    """The service whose first bytes these are, or None."""
    for greeting in GREETINGS:
        if greeting.pattern.match(stream[:512]):
            return greeting
    return None
