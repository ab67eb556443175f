"""The daemon: packages, programs, units, the running process."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from netprobe.doctor.collect.machine import Machine, Unavailable
from netprobe.doctor.facts import Binary, Daemon, Package, System, Unit

NAMES = ("openssh-server", "openssh", "dropbear", "dropbear-bin", "tinysshd")
PROGRAMS = (
    *(("openssh", f"{folder}/sshd") for folder in ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/lib/ssh")),
    *(("dropbear", f"{folder}/dropbear") for folder in ("/usr/sbin", "/usr/local/sbin", "/usr/bin")),
    ("tinyssh", "/usr/sbin/tinysshd"),
)
UNITS = ("ssh.service", "sshd.service", "ssh.socket", "sshd.socket", "dropbear.service", "dropbear.socket")
PROPERTIES = (
    *("Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "ExecMainStatus", "NRestarts"),
    *("Listen", "TriggeredBy", "NeedDaemonReload", "TasksCurrent", "TasksMax"),
)
TITLE = re.compile(r"sshd: (?P<argv>.*) \[listener\](?: (?P<now>\d+) of (?P<begin>\d+)-(?P<full>\d+) startups)?")
KNOWN_FLAGS = re.compile(r"-[46Deq]+")


def system(machine: Machine) -> dict[str, Any]:
    """Which distribution, kernel and init this is."""
    words: dict[str, str] = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        with suppress(Unavailable):
            for line in machine.read(path).splitlines():
                key, equals, value = line.partition("=")
                if equals:
                    words.setdefault(key, value.strip().strip("\"'"))
            break
    kernel = ""
    with suppress(Unavailable):
        kernel = machine.read("/proc/sys/kernel/osrelease").strip()
    name = words.get("PRETTY_NAME", "")
    return {
        "system": System(
            distribution=words.get("ID", ""), like=tuple(words.get("ID_LIKE", "").split()), name=name, kernel=kernel,
            init=_init(machine), container=_container(machine), root=machine.is_root,
        )
    }  # fmt: skip


def _init(machine: Machine) -> str:
    if machine.exists("/run/systemd/system"):
        return "systemd"
    if machine.exists("/run/openrc"):
        return "openrc"
    with suppress(Unavailable):
        if machine.read("/proc/1/comm").strip() == "init" and machine.exists("/etc/inittab"):
            return "sysvinit"
    return "none"


def _container(machine: Machine) -> str:
    with suppress(Unavailable):
        return machine.read("/run/systemd/container").strip()
    return next(
        (name for path, name in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")) if machine.exists(path)),
        "",
    )


def packages(machine: Machine) -> dict[str, Any]:
    """What the package manager knows of SSH servers."""
    found: list[Package] = []
    if machine.has("dpkg-query"):
        form = "-f=${Package} ${Version} ${db:Status-Status}\n"
        for line in machine.run("dpkg-query", "-W", form, *NAMES).lines:
            name, version, state = [*line.split(" "), "", ""][:3]
            if state not in {"", "not-installed"}:
                found.append(Package(name=name, version=version, state=state))
    elif machine.has("rpm"):
        for line in machine.run(
            "rpm", "-q", "--qf", "%{NAME} %{VERSION}-%{RELEASE}\n", "openssh-server", "dropbear"
        ).lines:
            if "not installed" not in line:
                name, _, version = line.partition(" ")
                found.append(Package(name=name, version=version))
    elif machine.has("apk"):
        for line in machine.run("apk", "info", "-e", "-v", "openssh-server", "dropbear", "tinyssh").lines:
            name, _, version = line.strip().partition("-server-") if "-server-" in line else line.strip().partition("-")
            found.append(Package(name="openssh-server" if "-server-" in line else name, version=version))
    elif machine.has("pacman"):
        for line in machine.run("pacman", "-Q", "openssh", "dropbear", "tinyssh").lines:
            name, _, version = line.partition(" ")
            found.append(Package(name=name, version=version))
    else:
        raise Unavailable("no package manager is known here (dpkg, rpm, apk, pacman)")
    return {"packages": tuple(found)}


def binaries(machine: Machine) -> dict[str, Any]:
    """The programs of SSH servers, with their versions."""
    found, seen = [], set()
    for implementation, path in PROGRAMS:
        if not machine.runs(path):
            continue
        real = str(machine.at(path).resolve())
        if real in seen:
            continue
        seen.add(real)
        libwrap: bool | None = None
        with suppress(Unavailable):
            libwrap = machine.holds(path, b"libwrap.so")
        found.append(
            Binary(
                path=path, implementation=implementation, version=_version(machine, implementation, path),
                changed=machine.changed(path), libwrap=libwrap,
            )
        )  # fmt: skip
    return {"binaries": tuple(found)}


def _version(machine: Machine, implementation: str, path: str) -> str:
    with suppress(Unavailable):
        # Old ones don't know -V and print it with their usage; tinysshd prints it with its usage.
        said = machine.run(machine.root + path, *(() if implementation == "tinyssh" else ("-V",)))
        if match := re.search(r"OpenSSH_[^\s,]+|Dropbear v\S+|tinysshd\S*", said.out + said.err):
            return match[0]
    return ""


def units(machine: Machine) -> dict[str, Any]:
    """The units of systemd, or the service of OpenRC."""
    init = _init(machine)
    if init == "openrc":
        return {
            "units": tuple(
                _openrc(machine, name) for name in ("sshd", "dropbear") if machine.exists(f"/etc/init.d/{name}")
            )
        }
    if init != "systemd":
        raise Unavailable(f"systemd does not run here (init: {init})")
    said = machine.run("systemctl", "show", *UNITS, "--no-pager", "-p", ",".join(PROPERTIES)).good()
    found: dict[str, Unit] = {}
    for block in said.out.split("\n\n"):
        # A socket with several addresses has several Listen lines.
        pairs = [line.partition("=")[::2] for line in block.splitlines()]
        words = dict(pairs)
        if words.get("Id"):
            listen = tuple(value for key, value in pairs if key == "Listen" and value)
            found.setdefault(words["Id"], _unit(words, listen))
    return {"units": tuple(found.values())}


def _unit(words: Mapping[str, str], listen: tuple[str, ...]) -> Unit:
    def number(key: str) -> int | None:
        return int(words[key]) if words.get(key, "").isdecimal() else None

    return Unit(
        name=words["Id"], load=words.get("LoadState", ""), active=words.get("ActiveState", ""),
        sub=words.get("SubState", ""), file_state=words.get("UnitFileState", ""), result=words.get("Result", ""),
        exit_status=number("ExecMainStatus") or 0, restarts=number("NRestarts") or 0, listen=listen,
        triggered_by=tuple(words.get("TriggeredBy", "").split()), reload_needed=words.get("NeedDaemonReload") == "yes",
        tasks=number("TasksCurrent"), tasks_max=number("TasksMax"),
    )  # fmt: skip


def _openrc(machine: Machine, name: str) -> Unit:
    said = machine.run("rc-service", name, "status")
    words = said.out + said.err
    state = next((word for word in ("started", "crashed", "stopped", "starting") if word in words), "stopped")
    enabled = machine.exists(f"/etc/runlevels/default/{name}")
    active = {"started": "active", "crashed": "failed", "starting": "activating"}.get(state, "inactive")
    return Unit(
        name=name, active=active, sub=state, file_state="enabled" if enabled else "disabled",
        result="success" if state != "crashed" else "exit-code",
    )  # fmt: skip


# --------------------------------------------------------------------------- the running process


def daemons(machine: Machine) -> tuple[Daemon, ...]:
    """Listening SSH daemons of this network namespace."""
    found = []
    own = _namespace(machine, "self")
    for name in machine.names("/proc"):
        if not name.isdecimal():
            continue
        with suppress(Unavailable):
            comm = machine.read(f"/proc/{name}/comm").strip()
            if comm in {"sshd", "dropbear"} and _namespace(machine, name) in {own, ""}:
                daemon = _daemon(machine, name, comm)
                if daemon:
                    found.append(daemon)
    return tuple(found)


def _namespace(machine: Machine, pid: str) -> str:
    try:
        return machine.link(f"/proc/{pid}/ns/net")
    except Unavailable:
        return ""


def _daemon(machine: Machine, pid: str, comm: str) -> Daemon | None:
    title = machine.read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    match = TITLE.match(title)
    if comm == "sshd" and match is None and not re.match(r"\S*sshd( |$)", title):
        return None  # a session: "sshd: somebody [priv]"
    words = match["argv"].split() if match else title.split()
    if {"-i", "-t", "-T", "-G", "-V"} & set(words):
        return None  # started for one connection by somebody who listens, or only to be asked, as by ourselves
    status = machine.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    replaced: bool | None = None
    with suppress(Unavailable):
        replaced = machine.link(f"/proc/{pid}/exe").endswith(" (deleted)")
    startups = (int(match["now"]), int(match["begin"]), int(match["full"])) if match and match["now"] else None
    return Daemon(
        pid=int(pid), program=comm, arguments=_harmless(words[1:]), uid=machine.look(f"/proc/{pid}").uid,
        started=_booted(machine) + int(status[19]) // 100, replaced=replaced, startups=startups,
        stopped=status[0] in "Tt",
    )  # fmt: skip


def _booted(machine: Machine) -> int:
    match = re.search(r"^btime (\d+)", machine.read("/proc/stat"), re.MULTILINE)
    return int(match[1]) if match else 0


def _harmless(words: Sequence[str]) -> tuple[str, ...]:
    """Those arguments that say where a daemon's configuration is: -f FILE, -p PORT, -o OPTION, -h KEY and flags."""
    found: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word in {"-f", "-p", "-o", "-h"} and at + 1 < len(words):
            found += [word, words[at + 1]]
            at += 1
        elif KNOWN_FLAGS.fullmatch(word) or re.match(r"-[fpoh].", word):
            found.append(word)
        at += 1
    return tuple(found)
