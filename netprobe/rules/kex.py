"""Rules for the key exchange: both offers known, and how far it came (RFC 4253 7 to 9)."""

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
    """A row with what all sessions that got this far have in common."""
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


NOTHING_IN_COMMON = (
    "{whose_offer} and the server ({identification}) have no {category} in common",
    "{whose_offer} offers {client_offers}",
    "the server offers {server_offers}",
)
ALLOW = ("{client_help}", "{server_help}", "better than any exception: upgrade the older side")
LOG = "on the server: `journalctl -u ssh -n 50` (a crashed child, a key or moduli file that can't be read, a refusal)"
SCANNER = Rival("up", "a tool that only looks at offers or host keys leaves like this, too", "who ran the client?")

# What a scan's one connection shows: the server's offer.
OFFERS = (
    _row(
        "NP501",
        "algorithms=none offer_of=local",
        "no-common-algorithm",
        Certainty.CERTAIN,
        (
            *NOTHING_IN_COMMON,
            'ssh prints "Unable to negotiate with {address} port {port}: no matching {first_category} found" for it',
        ),
        ALLOW,
        "K1; RFC 4253 7.1",
    ),
    _row(
        "NP502",
        "algorithms=none offer_of=default",
        "no-common-algorithm",
        Certainty.LIKELY,
        NOTHING_IN_COMMON,
        ALLOW,
        "K1; RFC 4253 7.1",
        (Rival("up", "your client may offer more than that", "`ssh -v {address}`, or scan where your client is"),),
    ),
    _row(
        "NP503",
        "broken=server",
        "other-service",
        Certainty.LIKELY,
        ("the server identifies itself as {identification}, but what follows is no SSH: {broken}",),
        ("what listens there: `ss -ltnp` on the server; a honeypot, a shield or a broken device does so",),
        "RFC 4253 6",
        (Rival("kex-aborted", "it may be SSH whose bytes were changed on the way", "a capture on the server"),),
    ),
)

# What only a captured session shows: both sides.
SESSIONS = (
    _row(
        "NP505",
        "collector=yes exchange=offered|replied|accepted",
        "up",
        Certainty.CERTAIN,
        ("the client ({client_identification}) only collects host keys or offers, and left after {exchanged}",),
        reference="ssh-keyscan(1)",
    ),
    _row(
        "NP500",
        "algorithms=none offer_of=client",
        "no-common-algorithm",
        Certainty.CERTAIN,
        NOTHING_IN_COMMON,
        ALLOW,
        "K1; RFC 4253 7.1",
    ),
    _row(
        "NP504",
        "disconnect=server-no-exchange|client-no-exchange algorithms=-",
        "no-common-algorithm",
        Certainty.LIKELY,
        ("{farewell}", "one of the offers is not known whole, so that what is missing can't be named"),
        ("`ssh -vv {address}` shows both offers",),
        "K1; RFC 4253 11.1",
        (Rival("kex-aborted", "the same reason stands for any failure of the exchange", LOG),),
    ),
    _row(
        "NP506",
        "disconnect=client-host-key",
        "host-key-refused",
        Certainty.CERTAIN,
        ("{farewell}", "the server's host key is {host_key}"),
        (
            "is it the right key? on the server: `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` must print {fingerprint}",
            "if it is: `ssh-keygen -R {address}` on the client, then log in and compare; if not, somebody is in between",
        ),
        "K3; RFC 4253 11.1",
    ),
    _row(
        "NP507",
        "exchange=replied|accepted exchange_ended=client-fin|client-reset",
        "host-key-refused",
        Certainty.LIKELY,
        (
            "the server showed its host key ({host_key}), and the client closed after {exchanged}, before any login",
            'ssh prints "Host key verification failed." for it',
        ),
        (
            "is it the right key? on the server: `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` must print {fingerprint}",
            "if it is: `ssh-keygen -R {address}` on the client, then log in and compare; if not, somebody is in between",
        ),
        "K3",
        (
            Rival("kex-aborted", "the client may have been stopped while it asked its user", "what did it print?"),
            SCANNER,
        ),
    ),
    _row(
        "NP508",
        "exchange=offered|replied|accepted exchange_ended=server-fin",
        "kex-aborted",
        Certainty.LIKELY,
        (
            "the server closed after {exchanged}, before the login could begin{in_common}",
            "{farewell}",
        ),
        (
            LOG,
            "after two minutes it is LoginGraceTime: nobody answered the client's question about the host key",
            "does it go on with another method, `ssh -o KexAlgorithms=curve25519-sha256 {address}`?",
        ),
        "K2, A12",
        (
            Rival(
                "reset-after-banner",
                "a proxy on the way that knows SSH may have closed in the server's name",
                "a capture on the server: did it close?",
            ),
        ),
    ),
    _row(
        "NP509",
        "exchange=offered|replied|accepted exchange_ended=server-reset",
        "kex-aborted",
        Certainty.LIKELY,
        ("the server's side reset the connection after {exchanged}, before the login could begin", "{farewell}"),
        (LOG, "from another network does it work?"),
        "K2",
        (
            Rival(
                "reset-after-banner",
                "a box on the path that knows SSH may have written the reset",
                "a capture on the server: did it send it?",
            ),
        ),
    ),
    _row(
        "NP510",
        "exchange=offered exchange_ended=client-fin|client-reset",
        "kex-aborted",
        Certainty.LIKELY,
        (
            "both sides sent their offers, then the client closed without going on{in_common}",
            "{farewell}",
        ),
        ("what did the client print? `ssh -vv {address}`",),
        "K2",
        (SCANNER,),
    ),
    _row(
        "NP511",
        "broken=client",
        "kex-aborted",
        Certainty.LIKELY,
        ("the client identified itself as {client_identification}, then came what is no SSH: {broken}",),
        ("which program was it? its words may have been changed on the way: capture at both ends",),
        "RFC 4253 6",
        (Rival("up", "a scanner or an attacker may send such bytes on purpose", "who ran the client?"),),
    ),
)

RULES = OFFERS + SESSIONS
