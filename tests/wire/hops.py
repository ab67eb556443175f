"""A path of three network namespaces, client - router - server, for tests that need real packets.

Addresses are documentation addresses (RFC 5737, RFC 3849); names are unique to the process and are removed at the end.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netprobe.model import Record
from netprobe.wire.capture import CaptureReader

ROUTER4, SERVER4, CLIENT4 = "198.51.100.1", "203.0.113.2", "198.51.100.2"
ROUTER6, SERVER6, CLIENT6 = "2001:db8:1::1", "2001:db8:2::2", "2001:db8:1::2"
_numbers = itertools.count()
_LINKS = """
-n {c} link add c0 type veth peer name r0 netns {r}
-n {r} link add r1 type veth peer name s0 netns {s}
-n {c} addr add 198.51.100.2/24 dev c0
-n {r} addr add 198.51.100.1/24 dev r0
-n {r} addr add 203.0.113.1/24 dev r1
-n {s} addr add 203.0.113.2/24 dev s0
-n {c} addr add 2001:db8:1::2/64 dev c0 nodad
-n {r} addr add 2001:db8:1::1/64 dev r0 nodad
-n {r} addr add 2001:db8:2::1/64 dev r1 nodad
-n {s} addr add 2001:db8:2::2/64 dev s0 nodad
-n {c} link set c0 up
-n {r} link set r0 up
-n {r} link set r1 up
-n {s} link set s0 up
-n {c} route add default via 198.51.100.1
-n {s} route add default via 203.0.113.1
-n {c} -6 route add default via 2001:db8:1::1
-n {s} -6 route add default via 2001:db8:2::1
"""
# A fresh interface needs a second before its IPv6 neighbours answer
_UNTIL_REACHED = """
import socket, time
for family, address in ((socket.AF_INET, "203.0.113.2"), (socket.AF_INET6, "2001:db8:2::2")):
    for _ in range(20):
        with socket.socket(family) as s:
            s.settimeout(0.5)
            if s.connect_ex((address, 9)) == 111:
                break
        time.sleep(0.1)
print("reached", flush=True)
"""


@functools.cache
def why_not() -> str | None:
    """The reason why namespaces can't be made here, None when they can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    if shutil.which("ip") is None:
        return "needs ip (package iproute2)"
    name = f"npw-{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return None if made.returncode == 0 else f"network namespaces can't be made: {made.stderr.strip()}"


@dataclass
class Path3:
    """Three namespaces in a row. `client`, `router`, `server` are their names."""

    client: str
    router: str
    server: str
    folder: Path
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def ip(self, arguments: str) -> None:
        """Run ip(8)."""
        subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)

    def run(self, namespace: str, command: str) -> str:
        """Run a command in a namespace and give its output."""
        words = ["ip", "netns", "exec", namespace, *command.split()]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def python(self, namespace: str, code: str) -> subprocess.Popen[str]:
        """Start a Python program in a namespace; returns when it has printed a line."""
        words = ["ip", "netns", "exec", namespace, sys.executable, "-c", code]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        assert child.stdout is not None
        child.stdout.readline()
        return child

    def session(
        self, steps: Sequence[dict[str, Any]], *, mode: str = "raw", seconds: float = 0.4, drop: bool = True
    ) -> list[Record]:
        """Run steps (see session.py) on a wire in the client's namespace and give the records it saved."""
        saved = self.folder / f"{next(_numbers)}.pcapng"
        plan = {"steps": list(steps), "mode": mode, "seconds": seconds, "drop": drop, "saved": str(saved)}
        words = ["ip", "netns", "exec", self.client, sys.executable, "-m", "tests.wire.session", json.dumps(plan)]
        subprocess.run(words, check=True, timeout=seconds + 30, cwd=Path(__file__).parents[2])
        reader = CaptureReader(saved)
        records = list(reader)
        assert reader.damage == ()
        return records

    def close(self) -> None:
        """Take everything away."""
        for child in self.children:
            child.kill()
            child.wait()
        for name in (self.client, self.router, self.server):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextlib.contextmanager
def three_hops() -> Iterator[Path3]:
    """A fresh path; taken away at the end whatever happens."""
    stem = f"npw-{os.getpid()}-{next(_numbers)}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path3(f"{stem}c", f"{stem}r", f"{stem}s", Path(folder))
        try:
            for name in (path.client, path.router, path.server):
                path.ip(f"netns add {name}")
                path.ip(f"-n {name} link set lo up")
            for line in _LINKS.strip().splitlines():
                path.ip(line.format(c=path.client, r=path.router, s=path.server))
            path.run(path.router, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
            path.python(path.client, _UNTIL_REACHED)
            yield path
        finally:
            path.close()
