"""An asyncssh client that tells its messages: `python -m tests.ssh_matrix.asyncssh_client JSON`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import asyncssh
from asyncssh.packet import SSHPacketLogger

from tests.ssh_matrix.clients import words
from tests.ssh_matrix.plans import KBD
from tests.ssh_matrix.world import SERVER, WORK

MESSAGES: list[str] = []
ENCRYPTED: set[str] = set()


def note(side: str, number: int, payload: bytes) -> None:
    """One message, where it is encrypted."""
    if side in ENCRYPTED:
        MESSAGES.append(f"{side}{number}{words(number, payload)}")
    if number == 21:
        ENCRYPTED.add(side)


def raw(packet: Any) -> bytes:
    """Its payload."""
    return bytes(packet.get_full_payload() if hasattr(packet, "get_full_payload") else packet)


def listen() -> None:
    """Hear of every message from now on."""
    sent, got = SSHPacketLogger.log_sent_packet, SSHPacketLogger.log_received_packet

    def log_sent(self: Any, number: int, pktid: Any, packet: bytes, *more: Any) -> None:
        note("C", number, raw(packet)[1:])
        sent(self, number, pktid, packet, *more)

    def log_received(self: Any, number: int, pktid: Any, packet: bytes, *more: Any) -> None:
        note("S", number, raw(packet)[1:])
        got(self, number, pktid, packet, *more)

    SSHPacketLogger.log_sent_packet = log_sent  # type: ignore[method-assign, assignment, unused-ignore]
    SSHPacketLogger.log_received_packet = log_received  # type: ignore[method-assign, assignment, unused-ignore]


class Asker(asyncssh.SSHClient):  # type: ignore[misc, unused-ignore]
    """Gives keys and passwords in their order."""

    def __init__(self, ask: dict[str, Any]) -> None:
        self._keys = [asyncssh.read_private_key(str(WORK / "keys" / name)) for name in ask["keys"]]
        self._passwords, self._kbdint = list(ask["passwords"]), ask["method"] == KBD

    def public_key_auth_requested(self) -> Any:
        return self._keys.pop(0) if self._keys else None

    def password_auth_requested(self) -> str | None:
        return self._passwords.pop(0) if self._passwords and not self._kbdint else None

    def kbdint_auth_requested(self) -> str | None:
        return "" if self._passwords and self._kbdint else None

    def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: Any) -> list[str]:
        return [self._passwords.pop(0) for _ in prompts]


async def login(ask: dict[str, Any]) -> None:
    """Connect, run `true`, leave."""
    listen()
    more = {"mac_algs": [ask["mac"]]} if ask["mac"] else {}
    more |= {"compression_algs": ["zlib@openssh.com"]} if ask["compress"] else {}
    try:
        connection, _ = await asyncssh.create_connection(
            lambda: Asker(ask), SERVER, ask["port"], username=ask["user"], known_hosts=None, config=None,
            agent_path=None, client_keys=None, encryption_algs=[ask["cipher"]], kex_algs=["curve25519-sha256"], **more,
        )  # fmt: skip
        await connection.run("true", check=False)
        connection.close()
        await connection.wait_closed()
    except (asyncssh.Error, OSError):
        pass
    print("\n" + json.dumps(MESSAGES))


if __name__ == "__main__":
    asyncio.run(login(json.loads(sys.argv[1])))
