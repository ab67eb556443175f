"""Two namespaces, in which `sudo netprobe scan server.example.com` works as it stands in the documents.

House rules of this file:
1. The name is known by a hosts file of the client's namespace alone; there is no resolver, no route and no way out.
2. The documents' own words are run; only `ssh` is a stand-in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.documented.blocks import Command
from tests.documented.running import Ran, one
from tests.documented.table import How, row_of
from tests.documented.world import furnish
from tests.lab import netns
from tests.lab.sshd import Sshd

HOSTS = "127.0.0.1 localhost\n192.0.2.2 server.example.com\n"
LOG = "sshd.log"  # what the server's log says of it all, in the folder of the run
SSHD_CONFIG = "LogLevel INFO\nPasswordAuthentication no\nKbdInteractiveAuthentication no"
PREFIX = f"np{os.getpid():06x}d-"


@contextmanager
def machines(folder: Path) -> Iterator[str]:
    """A client and a server with an sshd on port 22; the client's namespace."""
    client, server = f"{PREFIX}client", f"{PREFIX}server"
    try:
        netns.ip_batch([f"netns add {client}", f"netns add {server}"])
        netns.ip_batch([f"link add name d0 netns {client} type veth peer name d0 netns {server}"])
        for number, name in enumerate((client, server), 1):
            netns.ip_batch(
                ["link set lo up", "link set d0 up", f"addr add 192.0.2.{number}/24 dev d0",
                 f"addr add 2001:db8::{number}/64 dev d0 nodad"], name,
            )  # fmt: skip
        overlay = netns.OVERLAY / client
        overlay.mkdir(parents=True)
        (overlay / "hosts").write_text(HOSTS)
        (overlay / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        sshd = Sshd(server, 22, {"config": SSHD_CONFIG, "log": folder / LOG}, folder)
        sshd.start()
        sshd.wait_ready()
        yield client
    finally:
        netns.remove(PREFIX)


def run(command: Command, client: str, folder: Path) -> Ran:
    """Run one command on the client, in a fresh folder."""
    row = row_of(command)
    assert row is not None
    assert row.how is How.LAB
    env: Mapping[str, str] = furnish(folder)
    return one(command, row, folder / "work", env, lambda line: _inside(client, line))


def _inside(client: str, line: str) -> list[str]:
    words: Sequence[str] = ("ip", "netns", "exec", client, "bash", "-c", line)
    return list(words)
