"""Rules for logins of captured SSH sessions, read from sizes (RFC 4252; docs/ssh-login.md)."""

from __future__ import annotations

from netprobe.model import Certainty, State
from netprobe.rules.rule import Place, Rival, Rule


def _row(
    rule_id: str,
    when: str,
    cause: str,
    certainty: Certainty,
    because: tuple[str, ...],
    remedy: tuple[str, ...] = (),
    reference: str = "",
    rivals: tuple[Rival, ...] = (),
) -> Rule:
    """A row with what all logins have in common."""
    return Rule(
        rule_id,
        f"answer=syn-ack spoke=ssh2 {when}",
        State.OPEN,
        "syn-ack",
        cause,
        certainty,
        Place.TARGET,
        because,
        rivals,
        remedy,
        reference,
    )


SIZES = "what is encrypted was read from its sizes alone; {login_methods}"
DENIED = 'ssh prints "Permission denied ({login_permits})" for it, PuTTY "Access denied"'
LOG = "on the server: `journalctl -u ssh -n 50`, which names the user and the reason; the wire can't tell a wrong key or password from a rule (AllowUsers, DenyUsers, PermitRootLogin, an expired account): sshd answers alike on purpose"
MINE = "another user or key? `ssh -v -o IdentitiesOnly=yes -i KEY USER@{address}` shows each one; ~/.ssh/authorized_keys on the server, and its permissions"
FACTOR = Rival(
    "auth-second-factor",
    "a factor that passed is answered like a refusal where both lists of methods have one size",
    "the server's log, or `ssh -v`: \"with partial success\"",
)
LIMIT = Rival(
    "auth-too-many",
    "OpenSSH's goodbye after too many tries is as long as a refusal that lists three methods",
    'the server\'s log, or `ssh -v`: "Too many authentication failures"',
)
REFUSED = Rival(
    "auth-failed", "a refusal of that size would look alike", "the server's log, or the client's own words (`ssh -v`)"
)

RULES = (
    _row(
        "NP601",
        "login=succeeded",
        "up",
        Certainty.CERTAIN,
        (
            "the server identifies itself as {identification}{late}{preceded}",
            "the login {login_surely}succeeded{login_before}: {login_reason}",
        ),
        reference="U7; RFC 4252 5.1",
    ),
    _row(
        "NP602",
        "login=left",
        "up",
        Certainty.CERTAIN,
        (
            "the server identifies itself as {identification}{late}{preceded}",
            "nobody was refused: {login_reason}",
        ),
        reference="RFC 4252 5.1",
    ),
    _row(
        "NP603",
        "login=timed-out",
        "up",
        Certainty.CERTAIN,
        (
            "the server identifies itself as {identification}{late}{preceded}",
            "it closed while it waited for the client to log in: its LoginGraceTime was over",
        ),
        (
            "did the client wait for its user, an agent or a hardware key? answer sooner, or raise LoginGraceTime on the server (default 120 s)",
        ),
        "A12; sshd_config(5)",
    ),
    _row(
        "NP610",
        "login=second-factor",
        "auth-second-factor",
        Certainty.LIKELY,
        (
            "{login_reason}, which was not given: {login_closer} closed",
            SIZES,
        ),
        (
            "the account needs another factor (`AuthenticationMethods` in sshd_config): a password, a code, a second key; let the client ask for it (no `BatchMode`, no `-o PreferredAuthentications`)",
            LOG,
        ),
        "U5; RFC 4252 5.1",
        (REFUSED,),
    ),
    _row(
        "NP620",
        "login=too-many login_sure=certain|likely",
        "auth-too-many",
        Certainty.LIKELY,
        ("{login_reason}", 'ssh prints "Too many authentication failures" for it', SIZES),
        (
            "keys of an agent count as tries: `ssh -o IdentitiesOnly=yes -i KEY USER@{address}` offers one alone",
            "on the server: `MaxAuthTries` (default 6)",
        ),
        "U4; sshd_config(5)",
        (REFUSED,),
    ),
    _row(
        "NP621",
        "login=too-many",
        "auth-too-many",
        Certainty.POSSIBLE,
        ("{login_reason}", 'ssh prints "Too many authentication failures" for it', SIZES),
        (
            "keys of an agent count as tries: `ssh -o IdentitiesOnly=yes -i KEY USER@{address}` offers one alone",
            "on the server: `MaxAuthTries` (default 6)",
        ),
        "U4; sshd_config(5)",
        (REFUSED,),
    ),
    _row(
        "NP630",
        "login=no-method",
        "auth-no-method",
        Certainty.LIKELY,
        (
            "{login_reason}: it has none of them to offer",
            DENIED,
            SIZES,
        ),
        (
            "give the client a key or let it ask for a password: `ssh -v USER@{address}` tells which methods it has and which the server takes",
            "on the server: PasswordAuthentication, KbdInteractiveAuthentication, PubkeyAuthentication; the user's authorized_keys",
        ),
        "U3; RFC 4252 5.1",
        (
            Rival(
                "up",
                "its user may have left at once, or the client only wanted to know the methods",
                "who ran the client?",
            ),
        ),
    ),
    _row(
        "NP640",
        "login=failed login_key=accepted",
        "auth-failed",
        Certainty.LIKELY,
        (
            "the server found a key acceptable, and refused what was signed with it; {login_tries} refused in all",
            SIZES,
        ),
        (
            "an account that is locked or expired, PAM's account rules, a signature that doesn't fit the key (agent, hardware key): `journalctl -u ssh -n 50` names it",
            "`chage -l USER`, /etc/pam.d/sshd, /etc/security/access.conf on the server",
        ),
        "U6; RFC 4252 7",
        (FACTOR,),
    ),
    _row(
        "NP641",
        "login=failed login_closed=server",
        "auth-failed",
        Certainty.LIKELY,
        (
            "{login_tries} refused, then {login_closer} closed without waiting for another",
            SIZES,
        ),
        (
            LOG,
            "a server that says something and closes refuses the account, not the password: `chage -l USER`, PAM's account rules",
        ),
        "U1, U2; RFC 4252 5.1",
        (LIMIT,),
    ),
    _row(
        "NP642",
        "login=failed",
        "auth-failed",
        Certainty.LIKELY,
        ("{login_tries} refused, then {login_closer} closed", DENIED, SIZES),
        (LOG, MINE),
        "U1, U2; RFC 4252 5.1",
        (FACTOR, LIMIT),
    ),
)
