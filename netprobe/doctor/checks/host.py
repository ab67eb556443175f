"""The machine itself: addresses, the way back to the client, disks, and limits that keep it from serving (ND5xx)."""

from __future__ import annotations

from netprobe.doctor import reading
from netprobe.doctor.facts import Disk, Facts
from netprobe.doctor.finding import Reason, Result, Status, check, fine, unknown

MIB = 1 << 20
NEARLY = 0.95


@check("ND501", Reason.CLOSED)
def has_address(facts: Facts) -> Result:
    """The machine has an address that a client can dial."""
    if facts.interfaces is None:
        return unknown("The machine's addresses can't be told.", facts.why("interfaces"))
    found = [*reading.own_addresses(facts, 4), *reading.own_addresses(facts, 6)]
    if found:
        kind = facts.system.container
        inside = (
            (f"it is a {kind} container: its ports are reached only where its host publishes them",) if kind else ()
        )
        says = f"This machine has {', '.join(found[:6])}{' ...' if len(found) > 6 else ''}."
        return fine(says, *inside, source="ip addr")
    down = [one.name for one in facts.interfaces if not one.up and one.name != "lo"]
    return Result(
        status=Status.FAULT, first=3, says="This machine has no address that a client could dial.", source="ip addr",
        because=(f"interfaces that are down: {', '.join(down) or 'none'}",), causes=("host-silent", "host-unreachable"),
        remedy=("ip addr; ip route", *(f"sudo ip link set {name} up" for name in down[:1])),
    )  # fmt: skip


@check("ND502")
def way_back(facts: Facts) -> Result:
    """There is a way back to the client."""
    source = facts.asked.source
    if source is None:
        default = [one for one in facts.routes or () if one.destination == "default" and one.kind == "unicast"]
        if facts.routes is None:
            return unknown("Routes can't be told.", facts.why("routes"))
        if default:
            return fine(
                f"The default route goes by {default[0].gateway or 'no gateway'} ({default[0].interface}).",
                source="ip route",
            )
        return fine("There is no default route: only neighbours get an answer.", source="ip route")
    if facts.way_back is None:
        return unknown(f"The way back to {source} can't be told.", facts.why("way_back"))
    if facts.way_back.outcome == "ok":
        by = f" by {facts.way_back.gateway}" if facts.way_back.gateway else ""
        return fine(f"Answers to {source} leave{by} through {facts.way_back.interface}.", source="ip route get")
    return Result(
        status=Status.FAULT, first=7, says=f"This machine has no way back to {source}: the SYN arrives, no answer leaves.",
        because=(f"ip route get {source}: {facts.way_back.outcome}",), source="ip route get", causes=("host-silent", "dropped"),
        remedy=("ip route; ip -6 route", f"sudo ip route add {source} via GATEWAY"),
    )  # fmt: skip


@check("ND503")
def reverse_path_filter(facts: Facts) -> Result:
    """No reverse path filter drops what comes in by another way than it would leave."""
    if facts.interfaces is None or facts.counters is None:
        return unknown("The reverse path filter can't be judged.", facts.why("interfaces"))
    strict = [one.name for one in facts.interfaces if one.rp_filter == 1 and one.up and one.name != "lo"]
    dropped = facts.counters.get("TcpExt.IPReversePathFilter", 0)
    ways = [one for one in facts.interfaces if one.up and one.name != "lo" and one.addresses]
    if not strict or len(ways) < 2 or not dropped:
        told = f"strict on {', '.join(strict)}" if strict else "not strict anywhere"
        return fine(f"The reverse path filter is {told}; it dropped {dropped} packets since the machine started.")
    return Result(
        status=Status.RISK, first=46, says="The reverse path filter drops packets that come in by another interface than answers leave.",
        because=(f"strict (1) on {', '.join(strict)}", f"TcpExt.IPReversePathFilter is {dropped}"), source="/proc/net/netstat",
        remedy=("sudo sysctl -w net.ipv4.conf.all.rp_filter=2   # loose: any way back will do",), causes=("dropped", "host-silent"),
    )  # fmt: skip


@check("ND504")
def disks_have_room(facts: Facts) -> Result:
    """The disks have room, inodes, and may be written."""
    if not facts.disks:
        return unknown("The disks can't be told.", facts.why("disks"))
    for disk in facts.disks:
        word = _full(disk)
        if word:
            return Result(
                status=Status.FAULT, first=28, says=f"{disk.path} {word}: logins hang, or end as they begin.", source="statvfs",
                because=(f"{disk.free // MIB} MiB and {disk.inodes_free} inodes are free",), causes=("up", "closed-before-banner"),
                remedy=(f"sudo du -xh {disk.path} | sort -h | tail -20", "sudo journalctl --vacuum-size=100M"),
            )  # fmt: skip
    closed = [one.path for one in facts.disks if one.read_only and one.path in {"/var", "/home", "/tmp", "/run"}]  # noqa: S108
    if closed:
        return Result(
            status=Status.RISK, first=57, says=f"{', '.join(closed)}: mounted read-only.", source="statvfs",
            because=("after an error of the disk the kernel does that",), causes=("up",),
            remedy=("sudo dmesg -T | grep -i -e 'i/o error' -e remount", f"sudo mount -o remount,rw {closed[0]}"),
        )  # fmt: skip
    least = min(facts.disks, key=lambda one: one.free)
    return fine(f"The fullest disk, {least.path}, has {least.free // MIB:,} MiB free.", source="statvfs")


def _full(disk: Disk) -> str:
    if disk.size and not disk.free and not disk.read_only:
        return "is full"
    return "has no inode left" if disk.inodes and not disk.inodes_free and not disk.read_only else ""


@check("ND505")
def limits_have_room(facts: Facts) -> Result:
    """Tasks, descriptors, memory and tracked connections are not used up."""
    if not facts.limits:
        return unknown("The limits can't be told.", facts.why("limits"))
    for says, used, most, remedy in _pairs(facts):
        if most and used >= NEARLY * most:
            return Result(
                status=Status.FAULT if used >= most else Status.RISK, first=29, says=f"{says}: {used:,} of {most:,}.",
                because=("a daemon that can't fork closes connections at once",) if "connections" not in says else (
                    "the kernel drops new connections when the table is full",), remedy=(remedy,), source="/proc",
                causes=("dropped",) if "connections" in says else ("closed-before-banner",),
            )  # fmt: skip
    return fine("Tasks, descriptors, memory and tracked connections have room.", source="/proc")


def _pairs(facts: Facts) -> list[tuple[str, int, int, str]]:
    limits = dict(facts.limits or {})
    of = limits.get
    total = of("memory_kib", 0)
    found = [
        ("Tasks of the machine are used up", of("tasks", 0), of("threads_max", 0), "ps -eLf | awk '{print $1}' | sort | uniq -c | sort -n | tail"),
        ("Open files of the machine are used up", of("files", 0), of("files_max", 0), "sudo sysctl -w fs.file-max=1000000"),
        ("Tracked connections are used up", of("conntrack", 0), of("conntrack_max", 0),
         f"sudo sysctl -w net.netfilter.nf_conntrack_max={2 * of('conntrack_max', 0)}"),
        ("Memory is used up (KiB)", total - of("memory_available_kib", total) if total else 0, int(total * 1.04), "ps aux --sort=-rss | head"),
    ]  # fmt: skip
    for unit in facts.units or ():
        if unit.tasks is not None and unit.tasks_max is not None:
            name = unit.name
            found.append(
                (
                    f"Tasks of {name} are used up",
                    unit.tasks,
                    unit.tasks_max,
                    f"sudo systemctl set-property {name} TasksMax=infinity",
                )
            )
    return found


@check("ND506")
def counters_are_quiet(facts: Facts) -> Result:
    """What the kernel counted since the machine started."""
    if facts.counters is None:
        return unknown("The kernel's counters can't be read.", facts.why("counters"))
    telling = {
        "TcpExt.ListenOverflows": "SYNs and handshakes lost to full accept queues",
        "TcpExt.SyncookiesSent": "SYN cookies sent: more SYNs than the backlog holds",
        "TcpExt.TCPReqQFullDrop": "SYNs dropped: half-open connections filled the backlog",
        "TcpExt.IPReversePathFilter": "packets dropped by the reverse path filter",
        "Ip.OutNoRoutes": "packets without a route",
        "Tcp.InCsumErrors": "segments with a wrong checksum",
    }
    seen = [f"{key}: {facts.counters[key]} ({words})" for key, words in telling.items() if facts.counters.get(key)]
    return fine(
        "Counted since the machine started." if seen else "The kernel counted nothing odd.",
        *seen,
        source="/proc/net/netstat",
    )


CHECKS = (
    has_address,
    way_back,
    reverse_path_filter,
    disks_have_room,
    limits_have_room,
    counters_are_quiet,
)
