"""The daemon's configuration, tested and effective; its host keys and its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from netprobe.doctor.collect import sshd_config
from netprobe.doctor.collect.machine import Machine, Output, Unavailable
from netprobe.doctor.facts import Asked, ConfigTest

DEFAULT_CONFIG = "/etc/ssh/sshd_config"


def configuration(machine: Machine, asked: Asked, known: Mapping[str, Any]) -> dict[str, Any]:
    """`sshd -t`, `sshd -T`, and `sshd -T -C` for the asked user, with the options that the running daemon was given."""
    programs = [one for one in known.get("binaries", ()) if one.implementation == "openssh"]
    if not programs:
        raise Unavailable("there is no OpenSSH server here")
    # Only a daemon of root's is believed: another user's could point to any file, which sshd would then quote.
    running = [one for one in known.get("daemons", ()) if one.program == "sshd" and one.uid == 0]
    extra = _options(running[0].arguments) if running else ()
    sshd = machine.root + programs[0].path
    config_file = next((extra[at + 1] for at, word in enumerate(extra) if word == "-f"), DEFAULT_CONFIG)
    found: dict[str, Any] = {}
    with machine.throwaway_key() as key:
        own = ("-h", key)
        test = machine.run(sshd, "-t", *extra, *(() if machine.is_root else own))
        found["config_test"] = ConfigTest(ok=test.status == 0, said=_said(test, key))
        ways = [(sshd, "-T", *extra), (sshd, "-T", *extra, *own), (sshd, "-G", *extra)]
        found["config"] = _effective(machine, ways, key, config_file)
        if asked.user:
            # A daemon asks for all of them; where a Match needs what nobody gave, OpenSSH says so.
            whom = [f"user={asked.user}", f"lport={asked.port}"]
            if asked.source:
                whom += [f"addr={asked.source}", f"host={asked.source}"]
            match = ("-C", ",".join(whom))
            found["config_for_user"] = (
                _effective(machine, [(sshd, "-T", *extra, *match), (sshd, "-T", *extra, *own, *match)], key)
                if not re.search(r"[,=\s]", asked.user)
                else Unavailable("a name with such characters can't be asked for")
            )
        else:
            found["config_for_user"] = Unavailable("no user was asked for (--user NAME)")
    return found


def _options(arguments: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for at, word in enumerate(arguments):
        if word in {"-f", "-p", "-o", "-h"} and at + 1 < len(arguments):
            found += [word, arguments[at + 1]]
        elif re.match(r"-[fpoh].", word):
            found += [word[:2], word[2:]]
        elif word in {"-4", "-6"}:
            found.append(word)
    return tuple(found)


def _said(test: Output, key: str) -> tuple[str, ...]:
    return tuple(line[:300] for line in (test.err + test.out).splitlines() if line.strip() and key not in line)[:12]


def _effective(
    machine: Machine, ways: Sequence[tuple[str, ...]], key: str, config_file: str = ""
) -> Mapping[str, tuple[str, ...]] | Unavailable:
    why = ""
    for way in ways:
        try:
            said = machine.run(*way)
        except Unavailable as error:
            return error
        if said.status == 0 and said.out:
            return sshd_config.effective(said.out, key)
        why = why or (said.err.strip().splitlines() or [f"status {said.status}"])[0]
    if config_file:
        with suppress(Unavailable):
            return sshd_config.written(machine, config_file)
    return Unavailable(f"`sshd -T`: {why[:200]}")


def files(machine: Machine, known: Mapping[str, Any]) -> dict[str, Any]:
    """Host keys and the folder of privilege separation: whether they are there, and whose."""
    config: Mapping[str, tuple[str, ...]] = known.get("config") or {}
    keys = config.get("hostkey") or tuple(f"/etc/ssh/ssh_host_{kind}_key" for kind in ("rsa", "ecdsa", "ed25519"))
    # /run/sshd is Debian's choice; Red Hat's is an empty folder of the package, Alpine's another.
    folders = ("/run/sshd", "/usr/share/empty.sshd", "/var/empty/sshd", "/var/empty", "/var/lib/empty")
    debian = machine.exists("/etc/debian_version")
    named = folders[:1] if debian else folders
    run_dir = next((machine.look(one) for one in named if machine.exists(one)), machine.look(named[0]))
    return {"host_keys": tuple(machine.look(one) for one in keys), "run_dir": run_dir}
