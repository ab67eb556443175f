"""Who is let in: policy, account, keys and their permissions, limits on strangers (ND4xx)."""

from __future__ import annotations

from collections.abc import Mapping

from netprobe.doctor import reading
from netprobe.doctor.checks.policy import denied
from netprobe.doctor.facts import Account, Facts, FileFact
from netprobe.doctor.finding import Reason, Result, Status, check, fine, skipped, unknown

NOBODY_ASKED = "No user was asked for (--user NAME)."
NO_LOGIN = ("nologin", "false", "sync", "true", "git-shell")
FAILURES = 3  # pam_faillock's default of `deny`


def _config(facts: Facts) -> Mapping[str, tuple[str, ...]]:
    return facts.config_for_user or facts.config or {}


def _says(facts: Facts, keyword: str, usual: str) -> str:
    return _config(facts).get(keyword, (usual,))[0]


def _whose(facts: Facts) -> Account | None:
    return facts.account if facts.account is not None and facts.account.exists else None


def _no_account(facts: Facts) -> Result:
    if facts.asked.user is None:
        return skipped(NOBODY_ASKED)
    if facts.account is None:
        return unknown(f"The account {facts.asked.user} can't be looked at.", facts.why("account"))
    return skipped("There is no such account.")


@check("ND401", Reason.WRONG)
def account_exists(facts: Facts) -> Result:
    """The account exists."""
    if facts.account is None or facts.account.exists:
        return (
            fine(f"{facts.account.name} is an account.", source="/etc/passwd") if facts.account else _no_account(facts)
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
    whose = _whose(facts)
    if whose is None:
        return _no_account(facts)
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
    whose = _whose(facts)
    if whose is None:
        return _no_account(facts)
    says, remedy, status = "", "", Status.FAULT
    if whose.expired:
        says, remedy = f"The account {whose.name} has expired.", f"sudo chage -E -1 {whose.name}"
    elif whose.failures is not None and whose.failures >= FAILURES:
        says = f"{whose.name} is locked for a while: {whose.failures} failed logins (pam_faillock)."
        remedy, status = f"sudo faillock --user {whose.name} --reset", Status.RISK
    elif whose.password == "locked" and _says(facts, "usepam", "no") == "no":
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


@check("ND405", Reason.WRONG)
def policy_allows(facts: Facts) -> Result:
    """AllowUsers, DenyUsers, AllowGroups and DenyGroups let the user in."""
    user = facts.asked.user
    if user is None:
        return skipped(NOBODY_ASKED)
    if facts.binaries == ():
        return skipped("No SSH server is installed.")
    if not _config(facts):
        return unknown(f"Whether {user} is allowed can't be told.", facts.why("config_for_user"))
    groups = facts.account.groups if facts.account is not None else ()
    line, sure = denied(_config(facts), user, groups, facts.asked.source)
    if not line:
        return fine(f"No Allow or Deny of sshd_config keeps {user} out.", source="sshd -T -C")
    if not sure:
        return unknown(f"Whether {user} is allowed hangs on the client's address.", f"{line}; give --source ADDRESS")
    return Result(
        status=Status.FAULT, first=49, says=f"sshd_config does not let {user} in: {line}.", source="sshd -T -C",
        because=(f"groups of {user}: {', '.join(groups) or 'none'}",), causes=("auth-failed",),
        remedy=(
            f"in /etc/ssh/sshd_config (or below sshd_config.d): let {line.split()[0]} agree with {user}",
            f"then {reading.commands(facts).control('reload' if facts.system.init == 'systemd' else 'restart')}",
        ),
    )  # fmt: skip


@check("ND406", Reason.WRONG)
def root_allowed(facts: Facts) -> Result:
    """Root may log in, where it is root that is asked for."""
    if facts.asked.user is None:
        return skipped(NOBODY_ASKED)
    whose = _whose(facts)
    if whose is None or whose.uid != 0:
        return skipped("It isn't root that was asked for.")
    says = _says(facts, "permitrootlogin", "")
    if not says:
        return unknown("PermitRootLogin can't be told.", facts.why("config_for_user"))
    if says == "yes":
        return fine("PermitRootLogin is yes.", source="sshd -T -C")
    words = {
        "no": (Status.FAULT, "PermitRootLogin is no: root is refused, with keys, too."),
        "forced-commands-only": (Status.RISK, "PermitRootLogin lets root in with keys that have a command= only."),
    }
    status, told = words.get(says, (Status.FINE, "root may log in with a key, not with a password (PermitRootLogin)."))
    if status is Status.FINE:
        return fine(told, source="sshd -T -C")
    return Result(
        status=status, first=49, says=told, because=(f"permitrootlogin {says}",), source="sshd -T -C", causes=("auth-failed",),
        remedy=("log in as an ordinary user and use sudo", "or, in /etc/ssh/sshd_config: PermitRootLogin prohibit-password"),
    )  # fmt: skip


def _password_works(facts: Facts) -> bool | None:
    """Whether any password could open the account."""
    methods = [_says(facts, one, "no") for one in ("passwordauthentication", "kbdinteractiveauthentication")]
    if "yes" not in methods:
        return False
    whose = _whose(facts)
    if whose is not None and whose.uid == 0 and _says(facts, "permitrootlogin", "yes") != "yes":
        return False
    if whose is None or whose.password == "unknown":
        return None
    return whose.password == "set" or (whose.password == "none" and _says(facts, "permitemptypasswords", "no") == "yes")


def _keys_count(facts: Facts) -> int | None:
    """How many keys open the account; None where that can't be told."""
    if facts.authorized_keys is None:
        return None
    if any(
        one.file.kind == "hidden" or (one.file.kind == "file" and one.keys is None) for one in facts.authorized_keys
    ):
        return None
    return sum(one.keys or 0 for one in facts.authorized_keys)


def _other_keys(facts: Facts) -> bool:
    """Whether keys can come from elsewhere: a command, or certificates."""
    config = _config(facts)
    return any(config.get(one, ("none",))[0] != "none" for one in ("authorizedkeyscommand", "trustedusercakeys"))


@check("ND407", Reason.WRONG)
def some_way_in(facts: Facts) -> Result:
    """There is a way to prove who one is: a password that works, or a key."""
    if facts.binaries == ():
        return skipped("No SSH server is installed.")
    if not _config(facts):
        return unknown("The methods of login can't be told.", facts.why("config"))
    on = [
        name
        for name, keyword in (
            ("publickey", "pubkeyauthentication"), ("password", "passwordauthentication"),
            ("keyboard-interactive", "kbdinteractiveauthentication"), ("gssapi", "gssapiauthentication"),
            ("hostbased", "hostbasedauthentication"),
        )
        if _says(facts, keyword, "no") == "yes"
    ]  # fmt: skip
    told = f"methods: {', '.join(on) or 'none'}"
    if not on:
        return Result(
            status=Status.FAULT, first=47, says="sshd_config turns every method of login off.", because=(told,), source="sshd -T",
            remedy=("in /etc/ssh/sshd_config: PubkeyAuthentication yes",), causes=("auth-no-method",),
        )  # fmt: skip
    whose = _whose(facts)
    if whose is None:
        return (
            fine(f"Logins are possible by {', '.join(on)}.", source="sshd -T")
            if not facts.asked.user
            else _no_account(facts)
        )
    if whose.uid == 0 and _says(facts, "permitrootlogin", "yes") == "no":
        return skipped("Root is refused before any method is tried.")
    keys = _keys_count(facts) if "publickey" in on else 0
    password = _password_works(facts)
    if _other_keys(facts) or {"gssapi", "hostbased"} & set(on):
        return fine(f"Logins are possible by {', '.join(on)}.", "keys may come from elsewhere", source="sshd -T -C")
    if password is False and keys == 0:
        where = facts.authorized_keys[0].file.path if facts.authorized_keys else f"{whose.home}/.ssh/authorized_keys"
        why = "password logins are off" if not {"password", "keyboard-interactive"} & set(on) else "no password works"
        return Result(
            status=Status.FAULT, first=54, says=f"{whose.name} has no way in: {why}, and no key is authorized.",
            because=(told, f"{where}: {'no key in it' if facts.authorized_keys and facts.authorized_keys[0].file.exists else 'missing'}"),
            remedy=(f"on the client: ssh-copy-id {whose.name}@THIS-MACHINE   # while a password works", f"or add the public key to {where}"),
            source="sshd -T -C", causes=("auth-failed", "auth-no-method"),
        )  # fmt: skip
    if keys is None and password is not True:
        return unknown(
            f"Whether {whose.name} has a way in can't be told.", "keys or password are not for this user to look at"
        )
    ways = [f"{keys} key{'s' * (keys != 1)}"] if keys else []
    return fine(
        f"{whose.name} can log in with {' or '.join([*ways, *(['a password'] if password else [])])}.",
        told,
        source="sshd -T -C",
    )


@check("ND408", Reason.WRONG)
def key_permissions(facts: Facts) -> Result:
    """Nobody else can write to the authorized keys, or to a folder above them (StrictModes)."""
    whose = _whose(facts)
    if whose is None:
        return _no_account(facts)
    if _says(facts, "strictmodes", "yes") == "no":
        return skipped("StrictModes is off.")
    if facts.authorized_keys is None or facts.path_to_keys is None:
        return unknown("The permissions on the way to the keys can't be told.", facts.why("authorized_keys"))
    files = [one.file for one in facts.authorized_keys if one.file.exists]
    if not files:
        return skipped("There are no authorized keys.")
    needed = {above for one in files for above in _folders(one.path)}
    bad = [
        one
        for one in (*facts.path_to_keys, *files)
        if one.exists and (one.path in needed or one in files) and _loose(one, whose)
    ]
    if not bad:
        return fine("Permissions on the way to the keys are strict enough.", source="stat")
    only = _password_works(facts) is False
    remedy = [f"sudo chown {whose.name} {one.path}" for one in bad if one.uid not in {0, whose.uid}]
    remedy += [f"sudo chmod go-w {one.path}" for one in bad if one.mode & 0o022]
    logged = next((one for one in facts.log or () if one.what == "bad-ownership"), None)
    because = [f"{one.path}: mode {one.mode:04o}, owner {one.uid}" for one in bad]
    if logged:
        because.append(f"the log says so, too: {logged.count} times `Authentication refused: bad ownership or modes`")
    return Result(
        status=Status.FAULT if only else Status.RISK, first=44, because=tuple(because), remedy=tuple(remedy), source="stat",
        says=f"sshd ignores the keys of {whose.name}: others could change {bad[0].path}.", causes=("auth-failed",),
    )  # fmt: skip


def _folders(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:at]) or "/" for at in range(1, len(parts))}


def _loose(one: FileFact, whose: Account) -> bool:
    """safe_path of misc.c: the owner is root or the user, and neither group nor others may write."""
    return one.uid not in {0, whose.uid} or bool(one.mode & 0o022)


@check("ND409", Reason.WRONG)
def home_exists(facts: Facts) -> Result:
    """The account's home folder exists."""
    whose = _whose(facts)
    if whose is None:
        return _no_account(facts)
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


CHECKS = (
    *(account_exists, shell_usable, account_open, logins_allowed, policy_allows, root_allowed, some_way_in),
    *(key_permissions, home_exists, startups_left, not_penalised, log_is_quiet),
)
