"""What sshd asks of a login: that its policy allows it, and that a password or a key opens the account (ND405 to
ND408)."""

from __future__ import annotations

from netprobe.doctor import reading
from netprobe.doctor.checks.asked import NOBODY_ASKED, account_of, config_of, no_account, setting
from netprobe.doctor.checks.policy import denied
from netprobe.doctor.facts import Account, Facts, FileFact
from netprobe.doctor.finding import Reason, Result, Status, check, fine, skipped, unknown


@check("ND405", Reason.WRONG)
def policy_allows(facts: Facts) -> Result:
    """AllowUsers, DenyUsers, AllowGroups and DenyGroups let the user in."""
    user = facts.asked.user
    if user is None:
        return skipped(NOBODY_ASKED)
    if facts.binaries == ():
        return skipped("No SSH server is installed.")
    if not config_of(facts):
        return unknown(f"Whether {user} is allowed can't be told.", facts.why("config_for_user"))
    groups = facts.account.groups if facts.account is not None else ()
    line, sure = denied(config_of(facts), user, groups, facts.asked.source)
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
    whose = account_of(facts)
    if whose is None or whose.uid != 0:
        return skipped("It isn't root that was asked for.")
    says = setting(facts, "permitrootlogin", "")
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
    methods = [setting(facts, one, "no") for one in ("passwordauthentication", "kbdinteractiveauthentication")]
    if "yes" not in methods:
        return False
    whose = account_of(facts)
    if whose is not None and whose.uid == 0 and setting(facts, "permitrootlogin", "yes") != "yes":
        return False
    if whose is None or whose.password == "unknown":
        return None
    return whose.password == "set" or (
        whose.password == "none" and setting(facts, "permitemptypasswords", "no") == "yes"
    )


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
    config = config_of(facts)
    return any(config.get(one, ("none",))[0] != "none" for one in ("authorizedkeyscommand", "trustedusercakeys"))


@check("ND407", Reason.WRONG)
def some_way_in(facts: Facts) -> Result:
    """There is a way to prove who one is: a password that works, or a key."""
    if facts.binaries == ():
        return skipped("No SSH server is installed.")
    if not config_of(facts):
        return unknown("The methods of login can't be told.", facts.why("config"))
    on = [
        name
        for name, keyword in (
            ("publickey", "pubkeyauthentication"), ("password", "passwordauthentication"),
            ("keyboard-interactive", "kbdinteractiveauthentication"), ("gssapi", "gssapiauthentication"),
            ("hostbased", "hostbasedauthentication"),
        )
        if setting(facts, keyword, "no") == "yes"
    ]  # fmt: skip
    told = f"methods: {', '.join(on) or 'none'}"
    if not on:
        return Result(
            status=Status.FAULT, first=47, says="sshd_config turns every method of login off.", because=(told,), source="sshd -T",
            remedy=("in /etc/ssh/sshd_config: PubkeyAuthentication yes",), causes=("auth-no-method",),
        )  # fmt: skip
    whose = account_of(facts)
    if whose is None:
        return (
            fine(f"Logins are possible by {', '.join(on)}.", source="sshd -T")
            if not facts.asked.user
            else no_account(facts)
        )
    if whose.uid == 0 and setting(facts, "permitrootlogin", "yes") == "no":
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
    whose = account_of(facts)
    if whose is None:
        return no_account(facts)
    if setting(facts, "strictmodes", "yes") == "no":
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


CHECKS = (policy_allows, root_allowed, some_way_in, key_permissions)
