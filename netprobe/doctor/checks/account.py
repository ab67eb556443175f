"""The asked account: that it exists, is open, and has a shell and a home (ND401 to ND404, ND409)."""

from __future__ import annotations

from netprobe.doctor.checks.asked import account_of, no_account, setting
from netprobe.doctor.facts import Facts
from netprobe.doctor.finding import Reason, Result, Status, check, fine, unknown

NO_LOGIN = ("nologin", "false", "sync", "true", "git-shell")
FAILURES = 3  # pam_faillock's default of `deny`


@check("ND401", Reason.WRONG)
def account_exists(facts: Facts) -> Result:
    """The account exists."""
    if facts.account is None or facts.account.exists:
        return (
            fine(f"{facts.account.name} is an account.", source="/etc/passwd") if facts.account else no_account(facts)
        )
    name = facts.account.name
    return Result(
        status=Status.FAULT, first=50, says=f"There is no account {name}: every login is refused, whatever the password.",
        because=("neither /etc/passwd nor the name service knows it",), source="getent passwd", causes=("auth-failed",),
        remedy=("getent passwd | cut -d: -f1   # which there are", f"sudo useradd -m {name}"),
    )  # fmt: skip


@check("ND402", Reason.WRONG)
def shell_usable(facts: Facts) -> Result:
    """The account has a shell that can be used."""
    whose = account_of(facts)
    if whose is None:
        return no_account(facts)
    name = whose.shell.rpartition("/")[2]
    change = f"sudo usermod -s /bin/bash {whose.name}"
    if whose.shell_kind == "missing" or whose.shell_runs is False:
        word = "does not exist" if whose.shell_kind == "missing" else "can't be executed"
        return Result(
            status=Status.FAULT, first=51, says=f"The shell of {whose.name} {word}: sshd refuses the login.", remedy=(change,),
            because=(f"/etc/passwd: {whose.shell}",), source="/etc/passwd", causes=("auth-failed",),
        )  # fmt: skip
    if name in NO_LOGIN:
        return Result(
            status=Status.FAULT, first=52, says=f"{whose.name} has no login shell ({whose.shell}): a session ends as it begins.",
            because=(f"/etc/passwd: {whose.shell}",), remedy=(change,), source="/etc/passwd", causes=("up",),
        )  # fmt: skip
    extra = ("it isn't in /etc/shells; a PAM module (pam_shells) may mind",) if whose.shell_listed is False else ()
    return fine(f"{whose.name} has the shell {whose.shell}.", *extra, source="/etc/passwd")


@check("ND403", Reason.WRONG)
def account_open(facts: Facts) -> Result:
    """The account is neither expired nor locked."""
    whose = account_of(facts)
    if whose is None:
        return no_account(facts)
    says, remedy, status = "", "", Status.FAULT
    if whose.expired:
        says, remedy = f"The account {whose.name} has expired.", f"sudo chage -E -1 {whose.name}"
    elif whose.failures is not None and whose.failures >= FAILURES:
        says = f"{whose.name} is locked for a while: {whose.failures} failed logins (pam_faillock)."
        remedy, status = f"sudo faillock --user {whose.name} --reset", Status.RISK
    elif whose.password == "locked" and setting(facts, "usepam", "no") == "no":
        says = f"The account {whose.name} is locked, and without PAM sshd refuses it, with keys, too."
        remedy = f"sudo usermod -p '*' {whose.name}   # no password, but not locked; or: sudo passwd {whose.name}"
    elif whose.password_expired:
        says = f"The password of {whose.name} has expired: it must be changed at the next login."
        remedy, status = f"sudo chage -M -1 {whose.name}   # or: sudo passwd {whose.name}", Status.RISK
    if says:
        return Result(
            status=status, first=53, says=says, because=(f"password: {whose.password}",), remedy=(remedy,), source="/etc/shadow",
            causes=("auth-failed",),
        )  # fmt: skip
    if whose.expired is None:
        return unknown(
            f"Whether {whose.name} is expired or locked can't be told.", "/etc/shadow is root's, or doesn't have it"
        )
    return fine(f"{whose.name} is neither expired nor locked out.", f"password: {whose.password}", source="/etc/shadow")


@check("ND404", Reason.WRONG)
def logins_allowed(facts: Facts) -> Result:
    """No nologin file closes the machine to ordinary users."""
    if facts.nologin is None:
        return unknown("Whether /etc/nologin exists can't be told.", facts.why("nologin"))
    if not facts.nologin:
        return fine("There is no /etc/nologin.", source="/etc/nologin, /run/nologin")
    if facts.asked.user == "root":
        return fine("There is a nologin file; root may log in nevertheless.")
    return Result(
        status=Status.FAULT, first=48, says="A nologin file closes the machine to everybody but root.",
        because=("systemd makes /run/nologin while the machine starts or stops; /etc/nologin is somebody's own",),
        remedy=("sudo rm /etc/nologin /run/nologin",), source="/etc/nologin, /run/nologin", causes=("auth-failed", "up"),
    )  # fmt: skip


@check("ND409", Reason.WRONG)
def home_exists(facts: Facts) -> Result:
    """The account's home folder exists."""
    whose = account_of(facts)
    if whose is None:
        return no_account(facts)
    look = next((one for one in facts.path_to_keys or () if one.path == whose.home), None)
    if look is None or look.kind == "hidden":
        return unknown(
            f"Whether {whose.home} exists can't be told.",
            facts.why("path_to_keys") if look is None else "permission denied",
        )
    if look.exists:
        return fine(f"{whose.home} exists.", source="stat")
    return Result(
        status=Status.RISK, first=56, says=f"The home folder of {whose.name} is missing: no keys of its own, and shells begin in /.",
        because=(f"/etc/passwd: {whose.home}",), source="stat", causes=("auth-failed",),
        remedy=(f"sudo mkhomedir_helper {whose.name}", f"mount | grep {whose.home}   # or is a disk not mounted?"),
    )  # fmt: skip


CHECKS = (account_exists, shell_usable, account_open, logins_allowed, home_exists)
