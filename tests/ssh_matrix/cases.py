"""Recorded logins as cases of their own, one of each kind: captures/ssh_NAME.pcapng with its case file."""

from __future__ import annotations

from pathlib import Path

from netprobe.analyze import analyze
from netprobe.model import Frame, Record
from netprobe.options import AnalyzeOptions
from netprobe.wire import privilege
from netprobe.wire.capture import CaptureReader
from netprobe.wire.writer import CaptureWriter
from tests.lab.record import CAPTURES, write_case

# `make captures` deletes what it records anew; this and captures.forge come after it.
# What the case is called, whose recording it is taken from, cipher, plan, and the cause that must be found.
CASES = (
    ("login", "openssh-10.6--openssh-10.6", "gcm", "password right the second time", "up"),
    ("login_key", "dropbear-2026.94--plink-0.85", "chacha", "key", "up"),
    ("login_refused", "openssh-9.2--plink-0.78", "chacha", "password refused three times", "auth-failed"),
    ("login_unknown_user", "openssh-10.6--openssh-9.2", "gcm", "unknown user", "auth-failed"),
    ("login_expired", "openssh-9.2--openssh-9.2", "gcm", "PAM, account expired", "auth-failed"),
    ("login_no_method", "openssh-10.6--openssh-10.6", "ctr-etm", "no method left", "auth-no-method"),
    ("login_too_many", "openssh-9.2--asyncssh-2.24.1", "ctr-mac", "too many passwords", "auth-too-many"),
    ("login_six_keys", "openssh-9.2--openssh-10.6", "ctr-mac", "PAM, six keys refused", "auth-too-many"),
    ("login_second_factor", "openssh-10.6--plink-0.85", "gcm", "second factor missing", "auth-second-factor"),
    ("login_left", "openssh-9.2--openssh-9.2", "ctr-mac", "left at the prompt", "up"),
    ("login_grace", "openssh-10.6--openssh-10.6", "gcm", "login grace expired", "up"),
    ("login_unknown", "openssh-10.6--paramiko-5.1.0", "gcm", "second factor missing", "up"),
)


def write() -> int:
    """Write all. Exit code 1: one has another cause than it must have, and was not written."""
    wrong = 0
    for name, pair, cipher, plan, cause in CASES:
        path = CAPTURES / f"ssh_{name}.pcapng"
        _one_connection(path, _records(pair, cipher, plan))
        found = [v.cause for v in analyze(path, AnalyzeOptions(files=(path,)), lambda _: None).verdicts]
        if found != [cause]:
            print(f"{path.name}: {found}, not {cause}")
            path.unlink()
            wrong = 1
            continue
        server, _, client = pair.partition("--")
        write_case(path.with_suffix(".toml"), f"{plan}: {server}, {client}, {cipher}", f"lab: tests/ssh_matrix, {pair}")
    return wrong


def _records(pair: str, cipher: str, plan: str) -> list[Frame]:
    """The frames of one connection of a recording."""
    import tomllib

    folder = CAPTURES / "ssh"
    entries = tomllib.loads((folder / f"{pair}.sessions.toml").read_text("utf-8"))["session"]
    wanted = next(i for i, entry in enumerate(entries) if (entry["cipher"], entry["plan"]) == (cipher, plan))
    flows: dict[frozenset[int], int] = {}
    found = []
    for record in CaptureReader(folder / f"{pair}.pcapng.xz"):
        if isinstance(record, Frame):
            tcp = record.data[34:]
            ports = frozenset((int.from_bytes(tcp[:2], "big"), int.from_bytes(tcp[2:4], "big")))
            if flows.setdefault(ports, len(flows)) == wanted:
                found.append(record)
    return found


def _one_connection(path: Path, records: list[Frame]) -> None:
    writer = CaptureWriter(privilege.open_output(path), path.name, about="one login of captures/ssh")
    for number, record in enumerate(records, 1):
        numbered: Record = Frame(number, record.time_ns, record.link_type, record.data, record.length)
        writer.write(numbered)
    writer.close()
