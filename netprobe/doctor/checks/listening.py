"""Where the daemon listens, and whether a client that dials the asked port gets there (ND2xx)."""

from __future__ import annotations

from netprobe.doctor import reading
from netprobe.doctor.facts import Facts
from netprobe.doctor.finding import Reason, Result, Status, check, fine, skipped, unknown

SOCKETS = "/proc/net/tcp, /proc/net/tcp6"
# Programs that take connections for others: whether they pass SSH on can't be seen here.
FRONTS = frozenset(
    {"sslh", "haproxy", "xinetd", "inetd", "stunnel", "stunnel4", "systemd", "socat", "envoy", "traefik"}
)


@check("ND201", Reason.CLOSED, decisive=True)
def port_open(facts: Facts) -> Result:
    """Something listens on the port."""
    port = facts.asked.port
    if facts.listeners is None:
        return unknown(f"Whether anything listens on port {port} can't be told.", facts.why("listeners"))
    there = reading.at_port(facts, port)
    if there:
        return fine(f"Port {port} is listened on: {reading.places(there)}.", source=SOCKETS)
    others = sorted({one.port for one in facts.listeners})
    listed = ", ".join(str(one) for one in others[:12]) + (" ..." if len(others) > 12 else "")
    down = not reading.running(facts)
    return Result(
        status=Status.FAULT, first=38, says=f"Nothing listens on port {port}" + (", since no daemon runs." if down else "."),
        because=(f"listened on are: {listed or 'no TCP ports at all'}",), source=SOCKETS, causes=("no-listener",),
        remedy=("see the finding before this one",),
    )  # fmt: skip


@check("ND202", Reason.WRONG, decisive=True)
def right_port(facts: Facts) -> Result:
    """SSH listens on the port that clients dial."""
    port = facts.asked.port
    if facts.listeners is None:
        return unknown("Where SSH listens can't be told.", facts.why("listeners"))
    ssh = reading.ssh_listeners(facts)
    if any(one.port == port for one in ssh):
        return fine(f"SSH listens on port {port}, which was asked about.", source=SOCKETS)
    if not ssh:
        there = reading.at_port(facts, port)
        if there and any(one.program is None for one in there) and not facts.system.root:
            return unknown("Who owns the port can't be told.", "only root sees who owns a socket")
        return skipped("SSH listens nowhere, so no port would be right.")
    elsewhere = sorted({one.port for one in ssh})
    listed = " and ".join(str(one) for one in elsewhere)
    how = reading.commands(facts)
    socket = reading.active_socket(facts)
    if socket is not None:
        change: tuple[str, ...] = (
            f"sudo systemctl edit {socket.name}",
            f"there, below [Socket]: an empty ListenStream=, then ListenStream={port}",
            f"sudo systemctl restart {socket.name}",
        )
        why = f"{socket.name} decides: Listen={', '.join(socket.listen)}"
    else:
        change = (f"or, in /etc/ssh/sshd_config: Port {port}; then {how.control('restart')}",)
        why = f"configured: Port {', '.join((facts.config or {}).get('port', ('unknown',)))}"
    return Result(
        status=Status.FAULT, first=20, says=f"SSH listens on port {listed}, not on {port}.", source=SOCKETS,
        because=(reading.places(ssh), why), causes=("no-listener", "other-service"),
        remedy=(f"clients: ssh -p {elsewhere[0]} USER@THIS-MACHINE", *change),
    )  # fmt: skip


@check("ND203", Reason.WRONG)
def port_is_ssh(facts: Facts) -> Result:
    """What listens on the port is an SSH daemon."""
    port = facts.asked.port
    there = reading.at_port(facts, port)
    if not there:
        return skipped(f"Nothing listens on port {port}.")
    strangers = [one for one in there if reading.is_ssh(facts, one) is False]
    if not strangers:
        unseen = [one for one in there if one not in reading.ssh_listeners(facts)]
        if unseen:
            return unknown(f"Who listens on port {port} can't be told.", "only root sees who owns a socket")
        return fine(f"Port {port} belongs to SSH.", source="/proc/*/fd")
    one = strangers[0]
    if one.program in FRONTS:
        return unknown(
            f"{one.program} listens on port {port}; whether it passes SSH on can't be told.", reading.places(there)
        )
    # One address of several may be somebody else's: clients of that address only.
    own = [other for other in there if other not in strangers]
    return Result(
        status=Status.RISK if own else Status.FAULT, first=15, says=f"Port {port} is held by {one.program}, which is no SSH daemon.",
        because=(reading.places(there),), source="/proc/*/fd", causes=("other-service",),
        remedy=(f"sudo ss -ltnp 'sport = :{port}'", f"stop {one.program}, or let one of the two listen on another port"),
    )  # fmt: skip


@check("ND204", Reason.CLOSED)
def reachable_address(facts: Facts) -> Result:
    """The port is listened on where clients can reach it."""
    port = facts.asked.port
    there = reading.at_port(facts, port)
    if not there:
        return skipped(f"Nothing listens on port {port}.")
    how = reading.commands(facts)
    remedy = (
        f"in /etc/ssh/sshd_config: take ListenAddress out, or name an address of this machine; then {how.control('restart')}",
    )
    if all(one.loopback for one in there):
        return Result(
            status=Status.FAULT, first=18, says=f"Port {port} is listened on for this machine itself only (loopback).",
            because=(reading.places(there),), source=SOCKETS, remedy=remedy, causes=("no-listener",),
        )  # fmt: skip
    if any(one.wildcard for one in there):
        return fine("Every address of the machine is listened on.", reading.places(there), source=SOCKETS)
    if facts.interfaces is None:
        return unknown("Which addresses this machine has can't be told.", facts.why("interfaces"))
    bound = {one.address for one in there}
    left = [
        one
        for family in {one.family for one in there}
        for one in reading.own_addresses(facts, family)
        if one not in bound
    ]
    if not left:
        return fine("Every address of the machine is listened on.", reading.places(there), source=SOCKETS)
    return Result(
        status=Status.RISK, first=40, says=f"Port {port} is listened on at some addresses only: {', '.join(sorted(bound))}.",
        because=(f"refused are clients of {', '.join(left)}",), source=SOCKETS, remedy=remedy, causes=("no-listener",),
    )  # fmt: skip


@check("ND205", Reason.CLOSED)
def both_families(facts: Facts) -> Result:
    """The port is listened on for IPv4 and IPv6, as far as the machine has them."""
    port = facts.asked.port
    there = [one for one in reading.at_port(facts, port) if not one.loopback]
    if not there:
        return skipped(f"Nothing listens on port {port} for others.")
    if facts.interfaces is None:
        return unknown("Which addresses this machine has can't be told.", facts.why("interfaces"))
    missing = [
        family
        for family in (4, 6)
        if reading.own_addresses(facts, family) and not any(reading.covers(one, family) for one in there)
    ]
    if not missing:
        return fine("Both IP versions that the machine has are listened on.", source=SOCKETS)
    family, other = missing[0], 10 - missing[0]
    asked_family = (facts.config or {}).get("addressfamily", ("any",))[0]
    addresses = ", ".join(reading.own_addresses(facts, family)[:3])
    source = facts.asked.source
    certain = source is not None and (":" in source) == (family == 6)
    return Result(
        status=Status.FAULT if certain else Status.RISK, first=22, source=SOCKETS, causes=("no-listener",),
        says=f"Port {port} is listened on for IPv{other} only: clients that dial an IPv{family} address are refused.",
        because=(f"this machine has {addresses}", f"AddressFamily is {asked_family}; sockets: {reading.places(there)}"),
        remedy=(
            f"in /etc/ssh/sshd_config: AddressFamily any, no ListenAddress; then {reading.commands(facts).control('restart')}",
            f"or take the {'AAAA' if family == 6 else 'A'} record out of the name; clients: ssh -{other} ...",
        ),
    )  # fmt: skip


@check("ND206", Reason.WRONG)
def configured_port_is_used(facts: Facts) -> Result:
    """The daemon listens where its configuration says."""
    if facts.binaries == () or not reading.ssh_listeners(facts):
        return skipped("SSH listens nowhere.")
    if not facts.config:
        return unknown("The configured port can't be told.", facts.why("config"))
    ssh = reading.ssh_listeners(facts)
    wanted = reading.configured_ports(facts)
    used = {one.port for one in ssh}
    missing = [port for port in wanted if port not in used]
    if not missing or reading.implementation(facts) is None:
        return fine(
            f"The configured port{'s' * (len(wanted) > 1)} {', '.join(map(str, wanted))}: listened on.", source=SOCKETS
        )
    how = reading.commands(facts)
    socket = reading.active_socket(facts)
    named = ", ".join(map(str, missing))
    if socket is not None:
        says = f"sshd_config says port {named}, but {socket.name} decides, and listens on {', '.join(map(str, sorted(used)))}."
        remedy = (
            "sudo systemctl daemon-reload && sudo systemctl restart " + socket.name,
            f"systemctl cat {socket.name}",
        )
    else:
        says = f"sshd_config says port {named}, but the daemon that runs does not listen there."
        remedy = (how.control("restart"), how.log())
    return Result(
        status=Status.FAULT if facts.asked.port in missing else Status.RISK, first=19, says=says, source="sshd -T",
        because=(f"listens: {reading.places(ssh)}", "it was not restarted since the change, or could not bind the port"),
        remedy=remedy, causes=("no-listener",),
    )  # fmt: skip


@check("ND207", Reason.DOWN)
def listen_addresses_exist(facts: Facts) -> Result:
    """The addresses that the configuration names are this machine's."""
    named = [
        text.rpartition(":")[0].strip("[]").partition("%")[0]
        for text in (facts.config or {}).get("listenaddress", ())
        if ":" in text
    ]
    named = [one for one in named if one not in {"0.0.0.0", "::", "*", ""}]  # noqa: S104 (read, not bound)
    if not named:
        return skipped("The configuration names no address.")
    if facts.interfaces is None:
        return unknown("Which addresses this machine has can't be told.", facts.why("interfaces"))
    own = {text.partition("/")[0].partition("%")[0] for one in facts.interfaces for text in one.addresses}
    foreign = [one for one in named if one not in own and one[:1].isdigit()]
    if not foreign:
        return fine(f"ListenAddress names addresses of this machine: {', '.join(named)}.", source="sshd -T, ip addr")
    up = any(one.address in named or one.wildcard for one in reading.ssh_listeners(facts))
    return Result(
        status=Status.RISK if up else Status.FAULT, first=14, source="sshd -T, ip addr", causes=("no-listener",),
        says=f"ListenAddress {foreign[0]} is no address of this machine: sshd can't bind it.",
        because=(f"it has {', '.join(sorted(own))}",),
        remedy=(
            "in /etc/ssh/sshd_config: correct ListenAddress, or take it out",
            f"where the address comes later (DHCP, VPN): let the daemon wait for it; then {reading.commands(facts).control('restart')}",
        ),
    )  # fmt: skip


@check("ND208", Reason.DOWN)
def accept_queue(facts: Facts) -> Result:
    """The daemon takes connections from its queue."""
    there = reading.at_port(facts, facts.asked.port)
    if not there:
        return skipped(f"Nothing listens on port {facts.asked.port}.")
    # The kernel refuses more when the queue is longer than its limit (sk_acceptq_is_full in include/net/sock.h).
    full = [one for one in there if one.limit is not None and one.queue > one.limit]
    if full:
        one = full[0]
        return Result(
            status=Status.FAULT, first=9, source="ss -ltn", causes=("backlog-full",),
            says="The accept queue is full: the kernel drops every SYN, the daemon takes no connection.",
            because=(f"{reading.places([one])}: {one.queue} wait, {one.limit} may",),
            remedy=(reading.commands(facts).control("restart"), f"sudo ss -ltnp 'sport = :{one.port}'"),
        )  # fmt: skip
    waiting = sum(one.queue for one in there)
    return fine(f"{waiting} connection{'s' * (waiting != 1)} wait to be accepted.", source=SOCKETS)


@check("ND209", Reason.DOWN)
def selinux_port(facts: Facts) -> Result:
    """SELinux lets sshd have the port."""
    if facts.selinux is None:
        return unknown("SELinux's mode can't be told.", facts.why("selinux"))
    if facts.selinux.mode != "enforcing":
        return skipped(f"SELinux is {facts.selinux.mode}.")
    if facts.selinux.ssh_ports is None:
        return unknown("The ports that SELinux lets sshd have can't be listed.", "semanage is missing or wants root")
    wanted = dict.fromkeys([facts.asked.port, *reading.configured_ports(facts)])
    used = {one.port for one in reading.ssh_listeners(facts)}
    refused = [port for port in wanted if port not in used and not _within(port, facts.selinux.ssh_ports)]
    configured = [port for port in refused if port in reading.configured_ports(facts)]
    if not configured:
        return fine(f"SELinux lets sshd have port {', '.join(facts.selinux.ssh_ports)}.", source="semanage port -l")
    port = configured[0]
    how = reading.commands(facts)
    return Result(
        status=Status.FAULT, first=13, says=f"SELinux keeps sshd from port {port}.", source="semanage port -l",
        because=(f"enforcing; ssh_port_t is {', '.join(facts.selinux.ssh_ports)}",), causes=("no-listener",),
        remedy=(f"sudo semanage port -a -t ssh_port_t -p tcp {port}", how.control("restart")),
    )  # fmt: skip


def _within(port: int, ranges: tuple[str, ...]) -> bool:
    for text in ranges:
        low, _, high = text.partition("-")
        if low.isdecimal() and int(low) <= port <= int(high if high.isdecimal() else low):
            return True
    return False


CHECKS = (
    *(port_open, right_port, port_is_ssh, reachable_address, both_families, configured_port_is_used),
    *(listen_addresses_exist, accept_queue, selinux_port),
)
