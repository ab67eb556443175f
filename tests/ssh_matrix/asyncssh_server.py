"""An asyncssh server with the accounts of the matrix: `python -m tests.ssh_matrix.asyncssh_server PORT CIPHER MAC`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import asyncssh

from tests.ssh_matrix.plans import GOOD, KEYS, LONG_BANNER, SHORT_BANNER, USERS
from tests.ssh_matrix.world import SERVER, WORK

KNOWN = {(WORK / "keys" / f"{name}.pub").read_bytes().split()[1] for name in KEYS if name.startswith("good")}


class Accounts(asyncssh.SSHServer):  # type: ignore[misc, unused-ignore]
    """Passwords and keys as everywhere in the matrix."""

    def connection_made(self, conn: Any) -> None:
        self._connection = conn
        self._user = ""

    def begin_auth(self, username: str) -> bool:
        self._user = username
        if username in {"npbanner", "nplongbanner"}:
            self._connection.send_auth_banner(SHORT_BANNER if username == "npbanner" else LONG_BANNER)
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: Any) -> bool:
        return username in USERS and key.export_public_key().split()[1] in KNOWN

    def password_auth_supported(self) -> bool:
        return self._user != "npkeyonly"

    def validate_password(self, username: str, password: str) -> bool:
        return username in USERS and password == GOOD

    def kbdint_auth_supported(self) -> bool:
        return self._user != "npkeyonly"

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        return username in USERS and list(responses) == [GOOD]


async def serve(port: int, cipher: str, mac: str) -> None:
    """Until it is ended."""
    more = {"mac_algs": [mac]} if mac else {}
    await asyncssh.create_server(
        Accounts, SERVER, port, server_host_keys=[str(WORK / "keys/host")], encryption_algs=[cipher], **more,
        process_factory=lambda process: process.exit(0),
    )  # fmt: skip
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
