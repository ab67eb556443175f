"""What is tried, and what must come of it: the rows of the matrix."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, BAD = "correct horse battery", "wrong"
KEYS = (
    "good",
    "good_rsa",
    "good_ecdsa",
    "bad",
    "bad_rsa",
    "bad_ecdsa",
    "bad_a",
    "bad_b",
    "bad_c",
)  # `good`: authorised

# Users, by what their server asks of them.
USERS = ("nptest", "npkeyonly", "nptwo", "nptwokbd", "npbanner", "nplongbanner", "npfew", "npexpired", "np")
UNKNOWN = "npnobody"

SHORT_BANNER = "Authorised use only.\n"
LONG_BANNER = "This machine belongs to somebody. Whoever comes here without being asked is logged.\n" * 8


@dataclass(frozen=True)
class Cipher:
    """What is agreed on for both directions; `mac` None where the cipher authenticates by itself."""

    name: str
    cipher: str
    mac: str | None = None


CIPHERS = (
    Cipher("chacha", "chacha20-poly1305@openssh.com"),
    Cipher("gcm", "aes256-gcm@openssh.com"),
    Cipher("ctr-etm", "aes256-ctr", "hmac-sha2-256-etm@openssh.com"),
    Cipher("ctr-mac", "aes256-ctr", "hmac-sha2-256"),
)
FEW = (
    Cipher("ctr-umac-etm", "aes128-ctr", "umac-64-etm@openssh.com"),
    Cipher("ctr-sha1", "aes128-ctr", "hmac-sha1"),
    Cipher("cbc-mac", "aes256-cbc", "hmac-sha2-256"),
)  # recorded with one client only


@dataclass(frozen=True)
class Plan:
    """One login. `mode` is that of the server (servers.py); `hold_s`: the client sits at its prompt for so long, then
    is ended."""

    name: str
    outcome: str
    user: str = "nptest"
    keys: tuple[str, ...] = ()
    passwords: tuple[str, ...] = ()
    method: str = "password"  # how passwords are given: password, keyboard-interactive
    mode: str = "plain"
    hold_s: float = 0.0
    compress: bool = False


PAM = "pam"
KBD = "keyboard-interactive"
CORE = (
    Plan("key", "succeeded", keys=("good",)),
    Plan("password", "succeeded", passwords=(GOOD,)),
    Plan("key refused", "failed", keys=("bad",)),
    Plan("password refused", "failed", passwords=(BAD,)),
    Plan("password refused twice", "failed", passwords=(BAD, BAD)),
    Plan("password refused three times", "failed", passwords=(BAD, BAD, BAD)),
    Plan("password right the second time", "succeeded", passwords=(BAD, GOOD)),
    Plan("unknown user", "failed", UNKNOWN, ("bad",), (BAD,)),
    Plan("no method left", "no-method", "npkeyonly", passwords=(BAD,), mode="keyonly"),
    Plan("key refused, no method left", "failed", "npkeyonly", ("bad",), (BAD,), mode="keyonly"),
    Plan("too many keys", "too-many", "npfew", ("bad", "bad_rsa", "bad_ecdsa", "bad_a", "bad_b"), mode="few"),
    Plan("too many passwords", "too-many", "npfew", passwords=(BAD,) * 6, mode="few"),
    Plan("second factor missing", "second-factor", "nptwo", ("good",), mode="two"),
    Plan("second factor wrong", "second-factor", "nptwo", ("good",), (BAD,), mode="two"),
    Plan("two factors", "succeeded", "nptwo", ("good",), (GOOD,), mode="two"),
)  # recorded with every cipher
FURTHER = (
    Plan("key, RSA", "succeeded", keys=("good_rsa",)),
    Plan("key, ECDSA", "succeeded", keys=("good_ecdsa",)),
    Plan("second key", "succeeded", keys=("bad", "good_rsa")),
    Plan("three keys refused", "failed", keys=("bad", "bad_rsa", "bad_ecdsa")),
    Plan("key refused, then password", "succeeded", keys=("bad",), passwords=(GOOD,)),
    Plan("key and password refused", "failed", keys=("bad_rsa",), passwords=(BAD, BAD)),
    Plan("short banner, refused", "failed", "npbanner", ("bad",), (BAD,), mode="banner"),
    Plan("short banner, key", "succeeded", "npbanner", ("good",), mode="banner"),
    Plan("long banner, refused", "failed", "nplongbanner", ("bad",), (BAD,), mode="longbanner"),
    Plan("long banner, password", "succeeded", "nplongbanner", passwords=(GOOD,), mode="longbanner"),
    Plan("compression asked for", "succeeded", passwords=(BAD, GOOD), compress=True),
    Plan("PAM, password", "succeeded", passwords=(GOOD,), mode=PAM),
    Plan("PAM, password refused twice", "failed", passwords=(BAD, BAD), mode=PAM),
    Plan("PAM, question answered", "succeeded", passwords=(GOOD,), method=KBD, mode=PAM),
    Plan("PAM, answer refused", "failed", passwords=(BAD,), method=KBD, mode=PAM),
    Plan("PAM, answer refused three times", "failed", passwords=(BAD, BAD, BAD), method=KBD, mode=PAM),
    Plan("PAM, right answer the second time", "succeeded", passwords=(BAD, GOOD), method=KBD, mode=PAM),
    Plan("PAM, short name, answer refused twice", "failed", "np", passwords=(BAD, BAD), method=KBD, mode=PAM),
    Plan(
        "PAM, six keys refused", "too-many", keys=("bad", "bad_rsa", "bad_ecdsa", "bad_a", "bad_b", "bad_c"), mode=PAM
    ),
    Plan("PAM, key refused, then right answer", "succeeded", keys=("bad",), passwords=(GOOD,), method=KBD, mode=PAM),
    Plan("PAM, left at the question", "left", passwords=("",), method=KBD, hold_s=2.0, mode=PAM),
    Plan("PAM, second factor missing", "second-factor", "nptwokbd", ("good",), mode=PAM),
    Plan("PAM, second factor wrong", "second-factor", "nptwokbd", ("good",), (BAD,), method=KBD, mode=PAM),
    Plan("PAM, two factors", "succeeded", "nptwokbd", ("good",), (GOOD,), method=KBD, mode=PAM),
    Plan("PAM, account expired", "failed", "npexpired", (), (GOOD,), mode=PAM),
    Plan("PAM, account expired, key", "failed", "npexpired", ("good",), mode=PAM),
    Plan("left at the prompt", "left", passwords=("",), hold_s=2.0),
    Plan("left at the second prompt", "failed", passwords=(BAD, ""), hold_s=2.0),
    Plan("login grace expired", "timed-out", passwords=("",), hold_s=30.0, mode="grace"),
)  # recorded with one cipher each, in turn
