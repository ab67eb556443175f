"""What is known of a server: plain data, taken from it once, that every check reads and `--facts` saves.

House rules of this file:
1. Frozen dataclasses of texts, numbers and tuples only; no logic beyond what a noun knows about itself.
2. No secret has a field: of keys, passwords and logs only their existence, permissions, state or number is kept.
3. None is "not known", and then `Facts.gaps` says why under the name of the field; an empty tuple is "known: none".
4. Every field is listed in docs/doctor.md (a test holds that).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA = "netprobe-facts/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the client does: the port it dials, the account it names, the address it comes from."""

    port: int = 22
    user: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The machine. `distribution` and `like` are ID and ID_LIKE of os-release; `init` is systemd, openrc, sysvinit
    or none; `container` names the kind where this is one; `kernel` is its release; `root` says whether facts were
    taken as root."""

    distribution: str = ""
    like: tuple[str, ...] = ()
    name: str = ""
    kernel: str = ""
    init: str = "none"
    container: str = ""
    root: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that brings an SSH server. `state` is dpkg's word (installed, config-files ...), or installed."""

    name: str
    version: str = ""
    state: str = "installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A server's program. `implementation`: openssh, dropbear, tinyssh. `changed` is its time in seconds since the
    epoch (st_ctime: when it was put there). `libwrap`: whether it is linked with TCP wrappers."""

    path: str
    implementation: str
    version: str = ""
    changed: int = 0
    libwrap: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of systemd, as `systemctl show` tells it; with OpenRC a service. Words are systemd's own."""

    name: str
    load: str = "loaded"
    active: str = "inactive"
    sub: str = "dead"
    file_state: str = ""
    result: str = "success"
    exit_status: int = 0
    restarts: int = 0
    listen: tuple[str, ...] = ()
    triggered_by: tuple[str, ...] = ()
    reload_needed: bool = False
    tasks: int | None = None
    tasks_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFact:
    """A file or folder, never what is in it. `kind`: file, folder, socket, other, missing, or hidden where it can't be
    looked at. `mode` holds the twelve permission bits."""

    path: str
    kind: str = "missing"
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0

    @property
    def exists(self) -> bool:
        """Whether something is there."""
        return self.kind not in {"missing", "hidden"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigTest:
    """`sshd -t`: whether it is content, and what it printed."""

    ok: bool
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listening TCP socket. `address` is canonical text; `any_family` says that an IPv6 wildcard takes IPv4, too.
    `queue` connections wait to be accepted, at most `limit`. `program` is the owner's name, None where it can't
    be seen."""

    family: int
    address: str
    port: int
    queue: int = 0
    limit: int | None = None
    uid: int = 0
    pid: int | None = None
    program: str | None = None
    any_family: bool = False

    @property
    def loopback(self) -> bool:
        """Whether only this machine itself can reach it."""
        return self.address.startswith("127.") or self.address == "::1"

    @property
    def wildcard(self) -> bool:
        """Whether it takes every address of its family."""
        return self.address in {"0.0.0.0", "::"}  # noqa: S104 (read, not bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A listening SSH daemon's process. `started` is in seconds since the epoch; `replaced` says that its program
    was deleted or replaced since; `startups` are (now, begin, full) of its title "N of B-F startups"; `stopped`
    is SIGSTOP."""

    pid: int
    program: str
    arguments: tuple[str, ...] = ()
    uid: int = 0
    started: int = 0
    replaced: bool | None = None
    startups: tuple[int, int, int] | None = None
    stopped: bool = False
    inherited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a firewall's own command printed. `by` is the command."""

    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ufw:
    """The uncomplicated firewall. `rules` are the tuples of its rule files, None where they can't be read."""

    enabled: bool
    incoming: str = ""
    rules: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A zone of firewalld that is in use."""

    name: str
    interfaces: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    target: str = "default"
    services: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    rich_rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewalld:
    """firewalld: whether it runs, its default zone and the zones in use."""

    running: bool
    default_zone: str = ""
    zones: tuple[Zone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """One address that fail2ban or another program keeps out. `until`: seconds since the epoch, None is for ever."""

    by: str
    jail: str
    address: str
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentList:
    """A list of netfilter's `recent` match, and whether the asked source is on it."""

    name: str
    addresses: int
    has_source: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The asked account. `password`: set, none, locked, or unknown; `expired` in the sense of chage(1); `failures`
    is what faillock counted. `shell_listed`: whether /etc/shells has the shell."""

    name: str
    exists: bool
    uid: int = 0
    gid: int = 0
    home: str = ""
    shell: str = ""
    groups: tuple[str, ...] = ()
    shell_kind: str = ""
    shell_runs: bool | None = None
    shell_listed: bool | None = None
    password: str = "unknown"  # noqa: S105 (a word about it)
    expired: bool | None = None
    password_expired: bool | None = None
    failures: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A file of authorized keys: how many lines hold a key, and how many of them are bound to addresses (`from=`)."""

    file: FileFact
    keys: int | None = None
    bound: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selinux:
    """SELinux: enforcing, permissive or disabled, and the ports that sshd may bind, None where they can't be listed."""

    mode: str
    ssh_ports: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface. `rp_filter` is the effective value (the larger of its own and all's); `xdp` says that a
    program sees packets before any firewall; `bridge` is the bridge it is a port of."""

    name: str
    up: bool = True
    addresses: tuple[str, ...] = ()
    rp_filter: int = 0
    xdp: bool = False
    bridge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route of the main table. `kind` is unicast, blackhole, unreachable or prohibit."""

    family: int
    destination: str
    interface: str = ""
    gateway: str = ""
    kind: str = "unicast"
    metric: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """The kernel's route to the asked source. `outcome`: ok, or the kernel's words of refusal."""

    outcome: str
    interface: str = ""
    gateway: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A file system, in bytes and inodes that ordinary users may take, as statvfs(3) counts."""

    path: str
    size: int = 0
    free: int = 0
    inodes: int = 0
    inodes_free: int = 0
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCount:
    """How often a known message stands in the newest lines of sshd's log; the lines themselves are not kept.
    `about_source` counts those that name the asked source, `about_user` those that name the asked account."""

    what: str
    count: int
    about_source: int = 0
    about_user: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The rounds of `scan --marked` over one IP version, as this machine's counters show them. `by`: the counter that
    they were found by, or "pings" where only those were; `at_s` after the watch began; `chance`: how likely other
    traffic looks so by itself; `sizes`: SYNs by round. `excess`: by signal, how much more than usual it moved at each
    round; `noise`: by how much it moves anyway (standard deviation); `tail`: by how much it did at most, without the
    rounds."""

    family: int
    by: str
    at_s: float
    chance: float
    sizes: tuple[int, ...]
    excess: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    tail: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What `--watch` saw: for how many seconds, in how many samples, and the rounds that were found. `ended`: whether
    it went on to its end or to a clear result, rather than being interrupted."""

    seconds: float
    samples: int
    ended: bool = True
    heard: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything. `taken` is in seconds since the epoch; `seconds` is how long it took."""

    schema: str = SCHEMA
    taken: int = 0
    seconds: float = 0.0
    asked: Asked = field(default_factory=Asked)
    system: System = field(default_factory=System)
    # the daemon
    packages: tuple[Package, ...] | None = None
    binaries: tuple[Binary, ...] | None = None
    units: tuple[Unit, ...] | None = None
    config_test: ConfigTest | None = None
    config: Mapping[str, tuple[str, ...]] | None = None
    config_for_user: Mapping[str, tuple[str, ...]] | None = None
    host_keys: tuple[FileFact, ...] | None = None
    run_dir: FileFact | None = None
    daemons: tuple[Daemon, ...] | None = None
    # where it listens
    listeners: tuple[Listener, ...] | None = None
    interfaces: tuple[Interface, ...] | None = None
    selinux: Selinux | None = None
    # what stands before it
    nft: Saved | None = None
    nft_hooks: Saved | None = None
    iptables: tuple[Saved, ...] | None = None
    ip6tables: tuple[Saved, ...] | None = None
    ipset: Saved | None = None
    ufw: Ufw | None = None
    firewalld: Firewalld | None = None
    bans: tuple[Ban, ...] | None = None
    guards: tuple[str, ...] | None = None
    hosts_allow: tuple[str, ...] | None = None
    hosts_deny: tuple[str, ...] | None = None
    recent: tuple[RecentList, ...] | None = None
    # who is let in
    account: Account | None = None
    nologin: bool | None = None
    path_to_keys: tuple[FileFact, ...] | None = None
    authorized_keys: tuple[KeyFile, ...] | None = None
    # the machine
    routes: tuple[Route, ...] | None = None
    way_back: WayBack | None = None
    forwarding: Mapping[str, bool] | None = None
    disks: tuple[Disk, ...] | None = None
    limits: Mapping[str, int] | None = None
    counters: Mapping[str, int] | None = None
    log: tuple[LogCount, ...] | None = None
    watch: Watch | None = None
    gaps: Mapping[str, str] = field(default_factory=dict)

    def why(self, name: str) -> str:
        """Why a field isn't known."""
        return self.gaps.get(name, "it was not collected")
