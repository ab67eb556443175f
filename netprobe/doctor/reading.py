"""What facts say, in the words that checks use: where SSH listens, on which addresses, and how this distribution is
told.

House rules of this file:
1. Pure: facts in, words out.
2. Commands are those of the distribution that was found; where it isn't known, those that most have.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from netprobe.doctor.facts import Binary, Facts, Listener, Unit

SSH_PROGRAMS = frozenset({"sshd", "dropbear", "tinysshd", "sshd-session", "sshd-auth"})
# Interfaces that containers and virtual machines hang on: no client dials their addresses.
INNER = (
    "docker",
    "br-",
    "veth",
    "virbr",
    "cni",
    "flannel",
    "cali",
    "lxc",
    "podman",
    "kube",
    "ifb",
    "dummy",
    "tailscale",
)


def implementation(facts: Facts) -> Binary | None:
    """The SSH server that matters: the one that runs, else the first that is installed."""
    running = {one.program for one in facts.daemons or ()}
    found = facts.binaries or ()
    return next((one for one in found if one.path.rpartition("/")[2] in running), found[0] if found else None)


def units(facts: Facts, kind: str) -> tuple[Unit, ...]:
    """SSH's units of a kind (service, socket) that exist; an OpenRC service has no ending."""
    return tuple(
        one
        for one in facts.units or ()
        if one.load != "not-found" and (one.name.endswith(f".{kind}") or (kind == "service" and "." not in one.name))
    )


def active_socket(facts: Facts) -> Unit | None:
    """The socket unit through which systemd listens for SSH."""
    return next((one for one in units(facts, "socket") if one.active == "active"), None)


def is_ssh(facts: Facts, listener: Listener) -> bool | None:
    """Whether a listening socket leads to an SSH daemon; None where its owner can't be seen."""
    if listener.program in SSH_PROGRAMS:
        return True
    socket = active_socket(facts)
    if socket is not None and any(port_of(text) == listener.port for text in socket.listen):
        return True
    if listener.program is not None:
        return False if listener.program != "systemd" else None
    return None


def port_of(text: str) -> int | None:
    """The port of a systemd Listen= or of a ListenAddress: `[::]:22 (Stream)`, `0.0.0.0:22`, `22`."""
    number = text.partition(" ")[0].rpartition(":")[2]
    return int(number) if number.isdecimal() else None


def configured_ports(facts: Facts) -> tuple[int, ...]:
    """The ports that the configuration names."""
    config = facts.config or {}
    found = [port_of(text) for text in config.get("listenaddress", ()) if text.rpartition("]")[2].count(":") == 1]
    named = [int(text) for text in config.get("port", ()) if text.isdecimal()]
    return tuple(dict.fromkeys(port for port in [*found, *named] if port is not None))


def at_port(facts: Facts, port: int) -> tuple[Listener, ...]:
    """What listens on a port."""
    return tuple(one for one in facts.listeners or () if one.port == port)


def ssh_listeners(facts: Facts) -> tuple[Listener, ...]:
    """Sockets that lead to an SSH daemon. Where owners can't be seen, root's sockets on configured ports count, if a
    daemon runs."""
    found = []
    likely = set(configured_ports(facts)) | {22}
    for one in facts.listeners or ():
        known = is_ssh(facts, one)
        guessed = known is None and one.program is None and bool(facts.daemons) and one.uid == 0 and one.port in likely
        if known or guessed:
            found.append(one)
    return tuple(found)


def running(facts: Facts) -> bool:
    """Whether an SSH daemon listens somewhere, itself or through systemd."""
    return bool(ssh_listeners(facts))


def own_addresses(facts: Facts, family: int) -> tuple[str, ...]:
    """Addresses by which clients can dial this machine, without their lengths."""
    found = []
    for interface in facts.interfaces or ():
        if interface.up and not interface.name.startswith(INNER):
            for text in interface.addresses:
                address = ipaddress.ip_interface(text.partition("%")[0]).ip
                if address.version == family and not (
                    address.is_loopback or address.is_link_local or address.is_multicast
                ):
                    found.append(str(address))
    return tuple(found)


def covers(listener: Listener, family: int) -> bool:
    """Whether a socket takes connections of an IP version from elsewhere."""
    return not listener.loopback and (listener.family == family or (family == 4 and listener.any_family))


def places(listeners: Iterable[Listener]) -> str:
    """`0.0.0.0:22 (sshd, process 711), [::]:22`."""
    found = []
    for one in listeners:
        place = f"[{one.address}]:{one.port}" if one.family == 6 else f"{one.address}:{one.port}"
        found.append(f"{place} ({one.program}, process {one.pid})" if one.program else place)
    return ", ".join(found)


@dataclass(frozen=True, slots=True)
class Commands:
    """Exact commands for the distribution found."""

    family: str  # debian, redhat, suse, alpine, arch or other
    init: str
    service: str
    program: str

    def control(self, verb: str, unit: str = "") -> str:
        """Start, stop, restart or look at the service."""
        name = unit or self.service
        if self.init == "systemd":
            return f"{'' if verb == 'status' else 'sudo '}systemctl {verb} {name}"
        if self.init == "openrc":
            return f"sudo rc-service {name} {verb}"
        if self.init == "none" and verb in {"start", "restart"}:
            start = f"sudo {self.program}"
            return start if verb == "start" else f"sudo pkill -o -x sshd; {start}"
        return f"sudo service {name} {verb}"

    def boot(self) -> str:
        """Let it start with the machine, and now."""
        if self.init == "openrc":
            return f"sudo rc-update add {self.service} default"
        return f"sudo systemctl enable --now {self.service}" if self.init == "systemd" else self.control("start")

    def log(self) -> str:
        """Its own words."""
        if self.init == "systemd":
            return f"sudo journalctl -u {self.service} -n 30 --no-pager"
        return f"sudo {self.program} -ddd -p 2222   (its own words, on another port)"

    def install(self, *, again: bool = False) -> tuple[str, ...]:
        """Get the server, or get it again."""
        if self.family == "debian":
            verb = "install --reinstall" if again else "install"
            return (f"sudo apt-get update && sudo apt-get {verb} openssh-server",)
        if self.family == "redhat":
            return (f"sudo dnf {'reinstall' if again else 'install'} openssh-server", self.boot())
        if self.family == "suse":
            return ("sudo zypper install openssh-server", self.boot())
        if self.family == "alpine":
            return ("sudo apk add openssh-server", "sudo rc-update add sshd default && sudo rc-service sshd start")
        if self.family == "arch":
            return ("sudo pacman -S openssh", self.boot())
        return ("install the package with the OpenSSH server (openssh-server, or openssh)",)


FAMILIES = {
    "debian": ("debian", "ubuntu", "raspbian", "linuxmint"),
    "redhat": ("rhel", "fedora", "centos", "rocky", "almalinux", "ol", "amzn"),
    "suse": ("suse", "opensuse", "sles", "opensuse-leap", "opensuse-tumbleweed"),
    "alpine": ("alpine",),
    "arch": ("arch", "archlinux", "manjaro"),
}


def commands(facts: Facts) -> Commands:
    """The commands of this machine."""
    words = (facts.system.distribution, *facts.system.like)
    family = next((name for word in words for name, ids in FAMILIES.items() if word in ids), "other")
    found = implementation(facts)
    there = [one for one in units(facts, "service") if one.load != "masked"] or list(units(facts, "service"))
    default = "ssh" if family == "debian" else "sshd"
    if found is not None and found.implementation == "dropbear":
        default = "dropbear"
    names = [one.name.removesuffix(".service") for one in there]
    service = default if default in names or not names else names[0]
    return Commands(family, facts.system.init, service, found.path if found else "/usr/sbin/sshd")
