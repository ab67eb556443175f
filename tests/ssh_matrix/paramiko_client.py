"""A paramiko client that tells its messages: `python -m tests.ssh_matrix.paramiko_client JSON`."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

import paramiko
from paramiko.packet import Packetizer

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


def listen() -> None:
    """Hear of every message from now on."""
    send, read = Packetizer.send_message, Packetizer.read_message

    def sending(self: Any, message: Any) -> None:
        payload = message.asbytes()
        note("C", payload[0], payload[1:])
        send(self, message)

    def reading(self: Any) -> Any:
        number, message = read(self)
        note("S", number, message.asbytes())  # its number is taken off
        return number, message

    Packetizer.send_message, Packetizer.read_message = sending, reading


def login(ask: dict[str, Any]) -> None:
    """Each key, then each password, until one is taken."""
    listen()
    transport = paramiko.Transport((SERVER, ask["port"]))
    transport._preferred_ciphers = (ask["cipher"],)
    if ask["mac"]:
        transport._preferred_macs = (ask["mac"],)
    transport.use_compression(ask["compress"])
    kinds = {"_rsa": paramiko.RSAKey, "_ecdsa": paramiko.ECDSAKey}
    try:
        transport.start_client(timeout=20)
        for name in ask["keys"]:
            kind = next((kind for end, kind in kinds.items() if name.endswith(end)), paramiko.Ed25519Key)
            _try(
                transport,
                lambda key: transport.auth_publickey(ask["user"], key),
                kind.from_private_key_file(str(WORK / "keys" / name)),
            )
        for password in ask["passwords"]:
            if ask["method"] == KBD:
                answer = lambda given: transport.auth_interactive(ask["user"], lambda *asked: [given for _ in asked[2]])
            else:
                answer = lambda given: transport.auth_password(ask["user"], given, fallback=False)
            _try(transport, answer, password)
        if transport.is_authenticated():
            channel = transport.open_session()
            channel.exec_command("true")
            channel.recv_exit_status()
    except (paramiko.SSHException, OSError, EOFError):
        pass
    transport.close()
    print("\n" + json.dumps(MESSAGES))


def _try(transport: Any, give: Any, what: Any) -> None:
    if not transport.is_authenticated():
        with suppress(paramiko.AuthenticationException):
            give(what)


if __name__ == "__main__":
    login(json.loads(sys.argv[1]))
