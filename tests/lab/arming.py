"""What has to be done anew before each scan of a scenario that a scan changes."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tests.lab import netns
from tests.lab.scenario import V4, Scenario

if TYPE_CHECKING:
    from tests.lab.topology import Lab

TCP_REPAIR = 19  # include/uapi/linux/tcp.h; closing a socket in this mode sends nothing
STALE_PORT = 40000


def fresh_limits(lab: Lab, scenario: Scenario, clients: Sequence[str], families: Sequence[int]) -> None:
    """The rules of the target are loaded again, so that its limits are unspent."""
    lab.load_rules(lab.plan.node_of(scenario, "target"))


def stale_connections(lab: Lab, scenario: Scenario, clients: Sequence[str], families: Sequence[int]) -> None:
    """The server keeps a connection from port 40000 of each client, of which the client knows nothing any more."""
    for client in clients:
        for family in families:
            with netns.entered(lab.namespace(client)):
                _forget(lab.node_address(client, family), lab.address(scenario, family), scenario.port, family)


def _forget(source: str, server: str, port: int, family: int) -> None:
    """Connect and let the client's side vanish without a packet. An older stale entry answers the first SYN with a
    challenge ACK, our kernel resets it and connects on the second; where that reset does not arrive, the older entry
    is still what is wanted. Tried again for 5 s while the client's own last connection from that port is closing."""
    kind = socket.AF_INET if family == V4 else socket.AF_INET6
    end = time.monotonic() + 5
    while True:
        with socket.socket(kind, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.settimeout(2)
            try:
                sock.bind((source, STALE_PORT))
                sock.connect((server, port))
                sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            except TimeoutError:
                return
            except OSError:
                if time.monotonic() > end:
                    raise
            else:
                return
        time.sleep(0.2)


def occupied(lab: Lab, scenario: Scenario, clients: Sequence[str], families: Sequence[int]) -> None:
    """The one unauthenticated connection that the server allows (MaxStartups 1) is taken."""
    with netns.entered(lab.namespace(lab.plan.node_of(scenario, "target"))):
        sock = socket.create_connection((lab.address(scenario, V4), scenario.port), timeout=3)
    sock.recv(64)  # the identification: sshd counts this connection now
    lab.hold(sock)


ARMS: dict[str, Callable[[Lab, Scenario, Sequence[str], Sequence[int]], None]] = {
    "limits": fresh_limits,
    "stale": stale_connections,
    "occupied": occupied,
}
