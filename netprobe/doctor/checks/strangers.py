"""What sshd does with those who have not logged in yet: MaxStartups, penalties, and what its log counts (ND410 to
ND412)."""

from __future__ import annotations

from netprobe.doctor import reading
from netprobe.doctor.facts import Facts
from netprobe.doctor.finding import Reason, Result, Status, check, fine, skipped, unknown


@check("ND410", Reason.DOWN)
def startups_left(facts: Facts) -> Result:
    """The daemon takes more connections that have not logged in yet (MaxStartups)."""
    counted = [one for one in facts.daemons or () if one.startups is not None]
    if not counted:
        return skipped("The daemon does not show how many logins are under way.")
    one = counted[0]
    assert one.startups is not None
    now, begin, full = one.startups
    if now < begin:
        return fine(f"{now} of {begin} logins are under way.", source=f"title of process {one.pid}")
    refused = "every new connection is dropped" if now >= full else "new connections are dropped by chance"
    return Result(
        status=Status.FAULT if now >= full else Status.RISK, first=9, source=f"title of process {one.pid}",
        says=f"{now} logins are under way, from {begin} on {refused} (MaxStartups).",
        because=(f"sshd: {now} of {begin}-{full} startups",), causes=("refused-with-text", "closed-before-banner"),
        remedy=(
            f"sudo ss -tnp state established '( sport = :{facts.asked.port} )'   # who holds them",
            f"in /etc/ssh/sshd_config: MaxStartups {full}:30:{full * 4} and LoginGraceTime 30; then {reading.commands(facts).control('restart')}",
        ),
    )  # fmt: skip


@check("ND411", Reason.WRONG)
def not_penalised(facts: Facts) -> Result:
    """The client's address is not under one of OpenSSH's penalties (PerSourcePenalties)."""
    config = facts.config or {}
    setting = config.get("persourcepenalties", ("no",))[0]
    if setting == "no":
        return skipped("This server has no PerSourcePenalties.")
    if facts.log is None:
        return unknown("Whether the client is under a penalty can't be told.", facts.why("log"))
    told = next((one for one in facts.log if one.what == "penalty"), None)
    if told is None:
        return fine("The log of the last day names no penalty.", source="log")
    if facts.asked.source is None:
        return fine(
            f"The log names {told.count} penalties; --source ADDRESS says whether the client's is one.", source="log"
        )
    if not told.about_source:
        return fine(f"The log names {told.count} penalties, none of {facts.asked.source}.", source="log")
    return Result(
        status=Status.RISK, first=43, says=f"{facts.asked.source} got penalties: sshd turns it away for a while.",
        because=(f"the log names it {told.about_source} times", f"persourcepenalties {setting}"), source="log",
        causes=("refused-with-text", "closed-before-banner"),
        remedy=(f"in /etc/ssh/sshd_config: PerSourcePenaltyExemptList {facts.asked.source}", reading.commands(facts).control("restart")),
    )  # fmt: skip


@check("ND412", Reason.WRONG)
def log_is_quiet(facts: Facts) -> Result:
    """What sshd's log counts."""
    if facts.log is None:
        return unknown("sshd's log can't be read.", facts.why("log"))
    if not facts.log:
        return fine("sshd's newest log lines hold no known complaint.", source="log")
    lines = []
    for one in facts.log:
        about = [f"{one.about_source} about {facts.asked.source}"] if facts.asked.source and one.about_source else []
        about += [f"{one.about_user} about {facts.asked.user}"] if facts.asked.user and one.about_user else []
        lines.append(f"{one.what}: {one.count}" + (f" ({', '.join(about)})" if about else ""))
    return fine("sshd's newest log lines, counted.", *lines, source="log")


CHECKS = (startups_left, not_penalised, log_is_quiet)
