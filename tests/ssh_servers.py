"""SSH servers for tests, on loopback: a well-behaved one (asyncssh) that remembers what was tried, and rude ones."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

LISTS = ("curve25519-sha256", "ssh-ed25519", *("aes128-ctr",) * 2, *("hmac-sha2-256",) * 2, "none", "none")


def kexinit(kex: str = LISTS[0]) -> bytes:
    """A KEXINIT in its packet (RFC 4253 6, 7.1)."""
    payload = bytes([20]) + bytes(16)
    for names in (kex, *LISTS[1:], "", ""):
        payload += len(names).to_bytes(4) + names.encode()
    payload += bytes(5)
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return (len(payload) + padding + 1).to_bytes(4) + bytes([padding]) + payload + bytes(padding)


Script = Callable[[socket.socket], None]


@contextmanager
def rude(script: Script, listener: socket.socket | None = None) -> Iterator[int]:
    """A server that identifies itself and then does as the script says, on loopback or where a listener is given, which
    it closes. Gives its port."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    def converse(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(b"SSH-2.0-rude\r\n")
            script(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in open_ones:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        thread.join(5)


@dataclass
class Polite:
    """What a well-behaved server is like, and what was asked of it."""

    port: int = 0
    password: bool = True
    interactive: bool = False
    keys: bool = True
    lets_in: bool = False
    banner: str = ""
    banners: int = 1
    kex: tuple[str, ...] = ()
    users: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)


@contextmanager
def polite(like: Polite) -> Iterator[Polite]:
    """An asyncssh server in a thread; `like.port` is set."""
    import asyncssh

    class Server(asyncssh.SSHServer):  # type: ignore[misc,name-defined,unused-ignore]
        """Offers what `like` says, accepts nothing."""

        def connection_made(self, conn: Any) -> None:
            self._conn = conn

        def begin_auth(self, username: str) -> bool:
            like.users.append(username)
            for _ in range(like.banners if like.banner else 0):
                self._conn.send_auth_banner(like.banner)
            return not like.lets_in

        def password_auth_supported(self) -> bool:
            return like.password

        def validate_password(self, username: str, password: str) -> bool:
            like.tried.append("password")
            return False

        def kbdint_auth_supported(self) -> bool:
            return like.interactive

        def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> bool:
            like.tried.append("keyboard-interactive")
            return False

        def public_key_auth_supported(self) -> bool:
            return like.keys

        def validate_public_key(self, username: str, key: object) -> bool:
            like.tried.append("publickey")
            return False

    loop = asyncio.new_event_loop()
    ready = threading.Event()
    more = {"kex_algs": list(like.kex)} if like.kex else {}

    async def serve() -> Any:
        return await asyncssh.create_server(
            Server, "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")], config=None,
            gss_host=None, **more,
        )  # fmt: skip

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(serve())
        like.port = server.sockets[0].getsockname()[1]
        ready.set()
        loop.run_forever()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield like
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
