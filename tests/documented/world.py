"""A folder with the files that the documents speak of, and programs that stand in for those of another machine.

House rules of this file:
1. Nothing here reaches a network: `ssh` and `zeek-cut` are stand-ins, `sudo` is only the command behind it.
2. Captures are the project's own, or written from a fixed seed.
"""

from __future__ import annotations

import gzip
import json
import os
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

from tests.capture_bench import write
from tests.commands import environment
from tests.doctor.recorded import fields
from tests.documented.blocks import ROOT

CAPTURES = ROOT / "captures"
# A file of the documents: the capture of the project's that it stands for.
COPIES = {
    "scan.pcapng": "reset_host.pcapng",
    "gate.pcapng": "reset_host.pcapng",
    "refused.pcapng": "reset_host.pcapng",
    "off.pcapng": "no_listener.pcapng",
    "broken.pcapng": "drop_host.pcapng",
    "on-the-client.pcap": "pair_synack_drop_r2_one_client_port.pcapng",
    "on-the-server.pcap": "pair_synack_drop_r2_one_client_port-server.pcapng",
}
HOSTS = "server.example.com   # the one that is asked about\n192.0.2.2:2222\n"
GATE = """about = "port 22 of the old gateway"
origin = "field: payloads cut off"

[[expect]]
server = "203.0.113.47:22"
state = "closed"
cause = "no-listener"
certainty = "certain"
"""
SSH_CONFIG = "Host web\n    HostName 192.0.2.2\n    User alice\n    IdentityFile {home}/keys/old\n"
# What ssh prints in the examples: the canned words of a machine that nobody has.
SSH = """#!/bin/sh
case "$*" in
-G*|-Q*) exec /usr/bin/ssh -F "$(dirname "$0")/../home/.ssh/config" "$@" ;;
esac
case "$*" in
*"-p 2222"*)
    echo "debug1: Connecting to server.example.com [192.0.2.2] port 2222."
    echo "debug1: Connection established."
    echo "kex_exchange_identification: read: Connection reset by peer"
    echo "Connection reset by 192.0.2.2 port 2222" ;;
*) echo "ssh: connect to host server.example.com port 22: Connection refused" ;;
esac >&2
exit 255
"""
ZEEK_CUT = """#!/usr/bin/env python3
import sys
names = []
for line in sys.stdin:
    cells = line.rstrip("\\n").split("\\t")
    if cells[0] == "#fields":
        names = cells[1:]
    elif names and not line.startswith("#"):
        print("\\t".join(cells[names.index(one)] for one in sys.argv[1:]))
"""


@cache
def _bench() -> bytes:
    """A capture with everything in it, the same each time."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "x", 100, 20)
        return (Path(folder) / "x").read_bytes()


def _worked() -> bytes:
    """The host of broken.pcapng, when it was up: another recording under its address."""
    recorded = (CAPTURES / "up.pcapng").read_bytes()
    in_facts = recorded.replace(b'203.0.113.10"', b'203.0.113.83"')
    return in_facts.replace(bytes((203, 0, 113, 10)), bytes((203, 0, 113, 83)))


def furnish(folder: Path) -> dict[str, str]:
    """Put it all into an empty folder, which any user may enter; the environment to run commands in."""
    work = folder / "work"
    work.mkdir(parents=True)
    for path in (folder, work):
        path.chmod(0o777)
    for name, source in COPIES.items():
        shutil.copy(CAPTURES / source, work / name)
    (work / "worked.pcapng").write_bytes(_worked())
    (work / "capture.pcap").write_bytes(_bench())
    (work / "capture.pcap.gz").write_bytes(gzip.compress(_bench(), 1))
    _cases(work / "captures")
    (work / "facts.json").write_text(json.dumps(fields("lab-nft-reset")))
    (work / "hosts.txt").write_text(HOSTS)
    _tool(folder)
    home = folder / "home"
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text(SSH_CONFIG.format(home=home))
    (home / "keys").mkdir()
    (home / "keys" / "old").write_text("nobody opens it\n")
    return _environment(folder, home)


def _tool(folder: Path) -> None:
    """An environment as uv makes one, and one as `make setup` does, as far as the documents look into them."""
    tool = folder / "home/.local/share/uv/tools/netprobe-wire"
    (tool / "bin").mkdir(parents=True)
    (tool / "bin/python").symlink_to(sys.executable)
    (tool / "share").symlink_to(ROOT / "share")
    (folder / "work/.venv/bin").mkdir(parents=True)
    (folder / "work/.venv/bin/python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (folder / "work/.venv/bin/python").chmod(0o755)


def _cases(folder: Path) -> None:
    """A suite of one's own, small: of three cases one expects the wrong thing."""
    folder.mkdir()
    for name in ("up", "no_listener"):
        shutil.copy(CAPTURES / f"{name}.pcapng", folder)
        shutil.copy(CAPTURES / f"{name}.toml", folder)
    shutil.copy(CAPTURES / "reset_host.pcapng", folder / "gate.pcapng")
    (folder / "gate.toml").write_text(GATE)


def _environment(folder: Path, home: Path) -> dict[str, str]:
    """netprobe, sudo and pytest of this interpreter first on PATH."""
    shims = folder / "bin"
    shims.mkdir()
    python = shlex.quote(sys.executable)
    scripts = {
        "netprobe": f'#!/bin/sh\nexec {python} -m netprobe "$@"\n',
        "pytest": f'#!/bin/sh\nexec {python} -m pytest -p no:cacheprovider -p no:hypothesispytest -p no:xdist "$@"\n',
        "sudo": '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n',
        "ssh": SSH,
        "zeek-cut": ZEEK_CUT,
    }
    for name, text in scripts.items():
        (shims / name).write_text(text)
        (shims / name).chmod(0o755)
    return environment({
        "PATH": f"{shims}:{os.environ.get('PATH', '/usr/bin')}:/usr/sbin:/sbin",
        "PYTHONPATH": ":".join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "TZ": "UTC", "LC_ALL": "C.UTF-8",
        "SSH_AUTH_SOCK": "", "PYTEST_ADDOPTS": "",
    })  # fmt: skip

