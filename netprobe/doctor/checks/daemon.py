"""Is there a daemon, does it run, and if not, what keeps it from starting (ND1xx)."""

from __future__ import annotations

from netprobe.doctor import reading
from netprobe.doctor.facts import Facts, FileFact
from netprobe.doctor.finding import Reason, Result, Status, check, fine, skipped, unknown

SYSTEMD = "systemctl show"


@check("ND101", Reason.NOT_INSTALLED, decisive=True)
def installed(facts: Facts) -> Result:
    """An SSH server is installed."""
    if facts.binaries is None:
        return unknown("Whether an SSH server is installed can't be told.", facts.why("binaries"))
    package = next((one for one in facts.packages or () if one.state == "installed"), None)
    found = reading.implementation(facts)
    how = reading.commands(facts)
    if found is not None:
        name = found.version or found.implementation
        origin = f", package {package.name} {package.version}" if package else ""
        return fine(f"{name} is installed: {found.path}{origin}.", source=found.path)
    if facts.daemons:
        return fine("An SSH daemon runs from a place that isn't usual.", f"process {facts.daemons[0].pid}")
    left = next((one for one in facts.packages or () if one.state == "config-files"), None)
    if package is not None:
        says, because = f"The package {package.name} is installed, but its program is gone.", "no sshd in /usr/sbin"
    elif left is not None:
        says, because = (
            "The SSH server was removed; only its configuration is left.",
            f"dpkg: {left.name} is config-files",
        )
    else:
        says, because = "No SSH server is installed.", "neither sshd nor dropbear nor tinysshd is in the usual places"
    extra = ("the package manager knows of none either",) if facts.packages == () else ()
    return Result(
        status=Status.FAULT, first=1, says=says, because=(because, *extra), remedy=how.install(again=package is not None),
        causes=("no-listener",), source="/usr/sbin/sshd and the package manager",
    )  # fmt: skip


@check("ND102", Reason.DOWN)
def unit_not_masked(facts: Facts) -> Result:
    """No unit of SSH is masked."""
    if facts.units is None:
        return _no_units(facts)
    masked = [one for one in facts.units if one.load == "masked" or one.file_state.startswith("masked")]
    active = [one for one in facts.units if one.active == "active"]
    # A masked socket beside a service that runs is how people turn socket activation off.
    matters = [one for one in masked if one.name.endswith(".service")] or (masked if not active else [])
    if not matters:
        return fine("No unit of SSH is masked.", source=SYSTEMD)
    name = matters[0].name
    up = reading.running(facts) and not reading.active_socket(facts)
    says = f"{name} is masked: systemd refuses to start it"
    return Result(
        status=Status.RISK if up else Status.FAULT, first=5, source=SYSTEMD, causes=("no-listener",),
        says=f"{says}; what runs now will not come back." if up else f"{says}.",
        because=(f"{name}: LoadState=masked, ActiveState={matters[0].active}",),
        remedy=(f"sudo systemctl unmask {name} && sudo systemctl enable --now {name}",),
    )  # fmt: skip


def _no_units(facts: Facts) -> Result:
    if facts.system.init != "systemd":
        return skipped("systemd does not run here.")
    return unknown("The units of systemd can't be read.", facts.why("units"))


@check("ND103", Reason.DOWN)
def unit_not_failed(facts: Facts) -> Result:
    """No unit of SSH has failed."""
    if facts.units is None:
        return _no_units(facts)
    failed = [one for one in facts.units if one.active == "failed"]
    looping = [one for one in facts.units if one.active == "activating" and one.restarts > 0]
    if not (failed or looping) or reading.running(facts):
        return fine("No unit of SSH that matters has failed.", source=SYSTEMD)
    how = reading.commands(facts)
    one = max(failed or looping, key=lambda unit: unit.name.endswith(".socket") and "limit" in unit.result)
    told = f"{one.name}: ActiveState={one.active}, Result={one.result}"
    if one.exit_status:
        told += f", exit status {one.exit_status}"
    if one.restarts:
        told += f", {one.restarts} restarts"
    if "limit" in one.result:
        says = f"{one.name} gave up: it was started too often in too short a time ({one.result})."
        remedy = (f"sudo systemctl reset-failed {one.name} && sudo systemctl restart {one.name}", how.log())
    elif one.name.endswith(".socket"):
        says = f"{one.name} failed ({one.result}): systemd does not listen for SSH."
        remedy = (f"systemctl status {one.name}", f"sudo systemctl restart {one.name}")
    else:
        says = f"The SSH daemon was started and failed ({one.result})."
        remedy = (how.log(), how.control("restart"))
    return Result(
        status=Status.FAULT,
        first=30,
        says=says,
        because=(told,),
        remedy=remedy,
        causes=("no-listener",),
        source=SYSTEMD,
    )


@check("ND104", Reason.DOWN, decisive=True)
def running(facts: Facts) -> Result:
    """An SSH daemon runs and listens."""
    if facts.listeners is None:
        return unknown("Whether a daemon listens can't be told.", facts.why("listeners"))
    how = reading.commands(facts)
    stopped = [one for one in facts.daemons or () if one.stopped]
    if stopped:
        pid = stopped[0].pid
        return Result(
            status=Status.FAULT, first=8, says=f"The SSH daemon (process {pid}) is stopped: it is there and does nothing.",
            because=("its state in /proc is T (SIGSTOP, or a debugger)",), source=f"/proc/{pid}/stat",
            remedy=(f"sudo kill -CONT {pid}", how.control("restart")), causes=("no-banner", "backlog-full"),
        )  # fmt: skip
    there = reading.ssh_listeners(facts)
    if there:
        return fine(f"An SSH daemon listens: {reading.places(there)}.", source="/proc/net/tcp, /proc/*/fd")
    if facts.binaries == () and not facts.daemons:
        return skipped("No SSH server is installed, so none can run.")
    hidden = [one for one in reading.at_port(facts, facts.asked.port) if one.program is None and one.uid == 0]
    if hidden and not facts.system.root:
        return unknown("Whether what listens is an SSH daemon can't be told.", "only root sees who owns a socket")
    service = next(iter(reading.units(facts, "service")), None)
    because = ["no listening socket belongs to one"]
    if service is not None:
        because.append(f"{service.name}: ActiveState={service.active}, UnitFileState={service.file_state or 'unknown'}")
    if facts.daemons:
        because = [f"process {facts.daemons[0].pid} runs, but owns no listening socket"]
    enabled = service is not None and service.file_state.startswith("disabled")
    return Result(
        status=Status.FAULT, first=35, says="The SSH daemon is not running.", because=tuple(because),
        remedy=(how.boot() if enabled else how.control("start"), how.log()), causes=("no-listener",),
        source="/proc/net/tcp, /proc/*/fd",
    )  # fmt: skip


@check("ND105", Reason.DOWN)
def starts_at_boot(facts: Facts) -> Result:
    """The daemon comes back when the machine is started again."""
    if facts.units is None:
        return _no_units(facts)
    there = [*reading.units(facts, "service"), *reading.units(facts, "socket")]
    if not there or not reading.running(facts):
        return skipped("No daemon of a unit runs.")
    if any(one.load == "masked" for one in reading.units(facts, "service")):
        return skipped("The unit is masked.")
    states = [f"{one.name} is {one.file_state}" for one in there if one.file_state]
    if all(one.file_state in {"disabled", "masked", ""} for one in there) and states:
        return Result(
            status=Status.RISK, first=60, says="The SSH daemon runs now and will not after a restart of the machine.",
            because=tuple(states), remedy=(reading.commands(facts).boot(),), source=SYSTEMD,
        )  # fmt: skip
    return fine(f"It starts with the machine: {', '.join(states) or 'as its unit says'}.", source=SYSTEMD)


@check("ND106", Reason.DOWN)
def configuration_valid(facts: Facts) -> Result:
    """sshd accepts its configuration."""
    found = reading.implementation(facts)
    if found is None or found.implementation != "openssh":
        return skipped("No OpenSSH server is installed.")
    if facts.config_test is None:
        return unknown("The configuration could not be tested.", facts.why("config_test"))
    other = (
        "privilege separation",
        "must be owned by root and not group or world-writable",
        "hostkeys available",
        "load host key",
        "UNPROTECTED",
        "@@@",
        "Permissions 0",
    )
    ignored = ("required that your private", "private key will be ignored")
    lines = [line for line in facts.config_test.said if not any(word in line for word in (*other, *ignored))]
    if facts.config_test.ok or not lines:
        return fine("sshd accepts its configuration.", source="sshd -t")
    if any("Permission denied" in line for line in lines) and not facts.system.root:
        return unknown("The configuration could not be tested.", lines[0])
    up = reading.running(facts)
    how = reading.commands(facts)
    says = "sshd rejects its configuration: " + lines[0]
    return Result(
        status=Status.RISK if up else Status.FAULT, first=10 if not up else 55, because=tuple(lines[1:]) or ("sshd -t ends with an error",), source="sshd -t",
        says=f"{says} (the daemon that runs would not start again)" if up else says,
        remedy=(f"sudo {found.path} -t", f"correct that line, then {how.control('restart')}"), causes=("no-listener",),
    )  # fmt: skip


@check("ND107", Reason.DOWN)
def host_keys(facts: Facts) -> Result:
    """sshd has host keys that it may use."""
    found = reading.implementation(facts)
    if found is None or found.implementation != "openssh":
        return skipped("No OpenSSH server is installed.")
    agent = (facts.config or {}).get("hostkeyagent", ("none",))
    if agent[0] != "none":
        return fine("Host keys come from an agent.")
    if not facts.host_keys:
        return unknown("Host keys could not be looked at.", facts.why("host_keys"))
    if all(one.kind == "hidden" for one in facts.host_keys):
        return unknown("Host keys could not be looked at.", f"{facts.host_keys[0].path}: permission denied")
    shared = 0o037 if reading.commands(facts).family == "redhat" else 0o077  # Red Hat's sshd lets group ssh_keys read
    usable = [one for one in facts.host_keys if one.kind == "file" and one.size and not _open(one, shared)]
    if usable:
        return fine(f"{len(usable)} host key{'s' * (len(usable) > 1)} can be used.", source=usable[0].path)
    loose = [one for one in facts.host_keys if one.kind == "file" and one.size]
    up = reading.running(facts)
    how = reading.commands(facts)
    if loose:
        says = "Every host key may be read by others: sshd uses none of them."
        because = tuple(f"{one.path}: mode {one.mode:04o}, should be 0600" for one in loose)
        remedy = (f"sudo chmod 600 {' '.join(one.path for one in loose)}", how.control("restart"))
    else:
        says = "There is no host key: sshd can't " + ("serve anybody." if up else "start.")
        because = tuple(f"{one.path}: {'empty' if one.exists else 'missing'}" for one in facts.host_keys)
        remedy = ("sudo ssh-keygen -A", how.control("restart"))
    return Result(
        status=Status.FAULT, first=11, says=says, because=because, remedy=remedy, source="stat",
        causes=("closed-before-banner",) if up else ("no-listener",),
    )  # fmt: skip


def _open(key: FileFact, shared: int) -> bool:
    """sshd refuses its own keys that others may read (sshkey_perm_ok in authfile.c looks at the owner's files only)."""
    return key.uid == 0 and bool(key.mode & shared)


@check("ND108", Reason.DOWN)
def privilege_separation_folder(facts: Facts) -> Result:
    """The folder of privilege separation is there and nobody else's."""
    found = reading.implementation(facts)
    look = facts.run_dir
    if found is None or found.implementation != "openssh":
        return skipped("No OpenSSH server is installed.")
    if look is None or look.kind == "hidden":
        return unknown("The folder of privilege separation could not be looked at.", facts.why("run_dir"))
    up = reading.running(facts)
    if not look.exists:
        told = any("privilege separation" in line for line in (facts.config_test.said if facts.config_test else ()))
        begins = facts.system.init == "systemd" and (not up or not facts.daemons)  # the unit has a RuntimeDirectory
        if begins or not (up or told):
            return fine(f"{look.path} is made when the daemon starts.")
        remedy: tuple[str, ...]
        says = f"{look.path} is missing: sshd " + ("drops every connection." if up else "does not start.")
        remedy = (f"sudo install -d -m 755 -o root -g root {look.path}", reading.commands(facts).control("restart"))
    elif look.kind != "folder" or look.uid != 0 or look.mode & 0o022:
        says = f"{look.path} must be root's and writable by nobody else: sshd refuses to work."
        remedy = (f"sudo chown root:root {look.path} && sudo chmod 755 {look.path}",)
    else:
        return fine(f"{look.path} is as it must be.", source="stat")
    state = "missing" if not look.exists else f"{look.kind}, mode {look.mode:04o}, owner {look.uid}"
    return Result(
        status=Status.FAULT, first=12, says=says, because=(f"{look.path}: {state}",), remedy=remedy, source="stat",
        causes=("closed-before-banner", "reset-after-handshake") if up else ("no-listener",),
    )  # fmt: skip


@check("ND109", Reason.DOWN)
def program_not_replaced(facts: Facts) -> Result:
    """The running daemon is the program that is installed."""
    if not facts.daemons:
        return skipped("No daemon of its own runs." if facts.daemons == () else facts.why("daemons"))
    found = reading.implementation(facts)
    old = [
        one
        for one in facts.daemons
        if one.replaced or (one.replaced is None and found is not None and 0 < one.started < found.changed)
    ]
    if not old:
        return fine("The running daemon is the installed program.", source="/proc/*/exe")
    pid = old[0].pid
    return Result(
        status=Status.RISK, first=45, says="The daemon's program was replaced while it runs: it was not restarted since.",
        because=(f"process {pid}: its program was {'deleted' if old[0].replaced else 'changed after it started'}",),
        remedy=(reading.commands(facts).control("restart"),), source=f"/proc/{pid}/exe",
        causes=("closed-before-banner", "kex-aborted"),
    )  # fmt: skip


CHECKS = (
    *(installed, unit_not_masked, unit_not_failed, running, starts_at_boot, configuration_valid, host_keys),
    *(privilege_separation_folder, program_not_replaced),
)
