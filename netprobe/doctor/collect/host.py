"""The machine's own limits: disks, memory, processes, descriptors, connection tracking."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Any

from netprobe.doctor.collect.machine import Machine, Unavailable
from netprobe.doctor.facts import Disk

FOLDERS = ("/", "/var", "/var/log", "/run", "/tmp", "/home")  # noqa: S108 (looked at, never written)
NUMBERS = {
    "pid_max": "/proc/sys/kernel/pid_max",
    "threads_max": "/proc/sys/kernel/threads-max",
    "conntrack": "/proc/sys/net/netfilter/nf_conntrack_count",
    "conntrack_max": "/proc/sys/net/netfilter/nf_conntrack_max",
    "somaxconn": "/proc/sys/net/core/somaxconn",
}


def disks(machine: Machine) -> dict[str, Any]:
    """The file systems that a login writes to, each once."""
    found, seen = [], set()
    for path in FOLDERS:
        try:
            stat = os.statvfs(machine.at(path))
            device = machine.at(path).stat().st_dev
        except OSError:
            continue
        if device in seen:
            continue
        seen.add(device)
        found.append(
            Disk(
                path=path, size=stat.f_blocks * stat.f_frsize, free=stat.f_bavail * stat.f_frsize, inodes=stat.f_files,
                inodes_free=stat.f_favail, read_only=bool(stat.f_flag & os.ST_RDONLY),
            )
        )  # fmt: skip
    return {"disks": tuple(found)}


def limits(machine: Machine) -> dict[str, Any]:
    """Numbers that end a machine's willingness to fork: memory in KiB, tasks, descriptors, tracked connections."""
    found: dict[str, int] = {}
    for name, path in NUMBERS.items():
        with suppress(Unavailable, ValueError):
            found[name] = int(machine.read(path))
    with suppress(Unavailable):
        memory = dict(re.findall(r"^(\w+):\s+(\d+) kB", machine.read("/proc/meminfo"), re.MULTILINE))
        found |= {
            "memory_kib": int(memory.get("MemTotal", 0)),
            "memory_available_kib": int(memory.get("MemAvailable", 0)),
        }
    with suppress(Unavailable, ValueError):
        found["tasks"] = int(machine.read("/proc/loadavg").split()[3].partition("/")[2])
    with suppress(Unavailable, ValueError):
        used, _, most = machine.read("/proc/sys/fs/file-nr").split()
        found |= {"files": int(used), "files_max": int(most)}
    if not found:
        raise Unavailable("/proc can't be read")
    return {"limits": found}
