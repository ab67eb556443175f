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
LOG = "on the server: `journalctl -u ssh -n 50` (a crashed child, a host key or moduli file that can't be read, a refusal of its own)"
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
        (Rival("up", "it may be SSH whose bytes were changed on the way", "a capture on the server"),),
    ),
)

RULES = OFFERS
