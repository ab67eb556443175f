"""Small real servers, all in one process: each listens in the namespace of its node.

`python -m tests.lab.services` reads one line of JSON, a list of {netns, kind, port, options}, prints `ready` when
everything
listens, and serves until its standard input ends. So it can't outlive the lab that started it.

House rules of this file:
1. Ordinary sockets only; what must write its own packets is in responders.py.
2. A server here behaves the same for every client and keeps no state between connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from tests.lab import dns, netns, responders

Options = Mapping[str, Any]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Options], Awaitable[None]]

IDENT = b"SSH-2.0-lab_1.0\r\n"
LINGER_RESET = struct.pack("ii", 1, 0)  # close() sends RST
TLS_ALERT = bytes.fromhex("15030300020246")  # fatal, protocol_version (RFC 8446 6.2)
TELNET = bytes.fromhex("fffd18fffd20fffd23fffd27")  # IAC DO terminal-type, speed, x-display, environment (RFC 854)
HOSTILE = (
    b"\x1b[2J\x1b]0;owned\x07\x1b[31mred\x07\x9b31m\xc2\x9b2J \xe2\x80\xaegnp.exe\xe2\x81\xa6 [/red][bold]\\[x]"
    b" <script>alert(1)</script> =cmd|' /C calc'!A0 \x00\x08\x7f\r\n"
)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    writer.transport.abort()


async def _rest(reader: asyncio.StreamReader) -> None:
    """Read and ignore until the client closes."""
    while await reader.read(65536):
        pass


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """Accepts and never says a word."""
    await _rest(reader)


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """FIN at once."""


async def close_after_ident(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """FIN after the client has spoken."""
    await reader.read(256)


async def half_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """FIN at once, yet it goes on reading."""
    writer.write_eof()
    await _rest(reader)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """RST at once (linger 0)."""
    await asyncio.sleep(float(options.get("after_s", 0.0)))
    _reset(writer)


async def text(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """Says some bytes (`say`, after `after_s`), then `then`: FIN, RST or stays."""
    await asyncio.sleep(float(options.get("after_s", 0.0)))
    writer.write(str(options["say"]).encode("latin-1"))
    await writer.drain()
    then = options.get("then", "FIN")
    if then == "RST":
        await asyncio.sleep(0.05)  # the text shall arrive before the reset takes it away
        _reset(writer)
    elif then == "stay":
        await _rest(reader)


async def tarpit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """A short random line every `beat_s` seconds, for ever (like endlessh)."""
    while True:
        writer.write(f"{random.getrandbits(32):x}\r\n".encode())
        await writer.drain()
        await asyncio.sleep(float(options["beat_s"]))


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """A web server: 200 for GET and HEAD, 400 for anything else, silence until spoken to."""
    line = await reader.readline()
    good = line.startswith((b"GET ", b"HEAD "))
    status = b"200 OK" if good else b"400 Bad Request"
    writer.write(b"HTTP/1.1 " + status + b"\r\nServer: lab\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


async def tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """A TLS server's answer to anything it can't agree to: a fatal alert."""
    if await reader.read(16384):
        writer.write(TLS_ALERT)


async def telnet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """Option negotiation, then a login prompt."""
    writer.write(TELNET + b"\r\nlab login: ")
    await _rest(reader)


async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """Text made to harm a terminal, a web page and a spreadsheet."""
    writer.write(HOSTILE * 3)
    await writer.drain()


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: Options) -> None:
    """A megabyte without a newline, then silence."""
    writer.write(b"A" * 1_048_576)
    await writer.drain()
    await _rest(reader)


STREAMS: dict[str, Handler] = {
    handler.__name__: handler
    for handler in (
        silent, close, close_after_ident, half_close, reset, text, tarpit, http, tls, telnet, hostile, flood,
    )
}  # fmt: skip


async def unread(sock: socket.socket) -> None:
    """Close each connection while what the client said lies unread: the kernel resets it (RFC 2525 2.17)."""
    loop = asyncio.get_running_loop()

    def finish(connection: socket.socket) -> None:
        loop.remove_reader(connection)
        connection.close()

    while True:
        connection, _ = await loop.sock_accept(sock)
        loop.add_reader(connection, finish, connection)


_tasks: set[asyncio.Task[Any]] = set()


def _keep(task: asyncio.Task[Any]) -> None:
    """The loop holds tasks only weakly."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _served(
    handler: Handler, options: Options, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        await handler(reader, writer, options)
    except (OSError, ConnectionError):
        pass
    finally:
        writer.close()


def listener(port: int, backlog: int = 128) -> socket.socket:
    """A listening socket for both families, in the namespace the thread is in."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    sock.listen(backlog)
    sock.setblocking(False)
    return sock


def full_queue(port: int) -> list[socket.socket]:
    """A listener that never accepts and whose accept queue is filled from inside; returns the sockets to keep."""
    sock = listener(port, 0)
    kept = [sock]
    for _ in range(3):  # backlog 0 holds one connection; what comes after it hangs in SYN-SENT and is dropped
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(0.1)
        try:
            client.connect(("127.0.0.1", port))
        except TimeoutError:
            client.close()
            break
        kept.append(client)
    return kept


OPENERS: dict[str, Callable[[int], socket.socket]] = {"dns": dns.open_socket}
OPENERS.update(dict.fromkeys(responders.RESPONDERS, responders.open_socket))


async def start(wanted: list[dict[str, Any]]) -> list[object]:
    """Start every server; returns what must be kept alive. Sockets are made in their namespace, everything else at
    home."""
    kept: list[object] = []
    for item in wanted:
        kind, port, options = item["kind"], int(item["port"]), item["options"]
        with netns.entered(item["netns"]):
            sockets = full_queue(port) if kind == "full_queue" else [OPENERS.get(kind, listener)(port)]
        kept.append(sockets)
        if kind in STREAMS:
            kept.append(await asyncio.start_server(partial(_served, STREAMS[kind], options), sock=sockets[0]))
        elif kind == "unread":
            _keep(asyncio.create_task(unread(sockets[0])))
        elif kind == "dns":
            kept.append(await dns.start(sockets[0], options["zone"]))
        elif kind in responders.RESPONDERS:
            responders.start(asyncio.get_running_loop(), sockets[0], kind, port, options)
        elif kind != "full_queue":
            raise netns.LabError(f"no such server: {kind}")
    return kept


async def main() -> None:
    """Serve what standard input asks for until it ends."""
    loop = asyncio.get_running_loop()
    wanted = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    kept = await start(wanted)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    kept.clear()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
