"""What the report says of an SSH key exchange, to those who ask for more: agreed algorithms, host key, both offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from netprobe.model import Agreed, Kex, Offer, Verdict
from netprobe.report.escape import excerpt

_LONGEST = 2000


def lines(verdict: Verdict, verbosity: int) -> Iterator[tuple[str, Sequence[str]]]:
    """The labelled lines of one verdict."""
    kex = verdict.service.kex if verdict.service is not None else None
    if kex is None or verbosity < 1:
        return
    if kex.agreed is not None and not kex.missing:
        yield "agreed", [_agreed(kex, kex.agreed)]
    if kex.fingerprint is not None:
        yield "host key", [excerpt(f"{kex.host_key_type} {kex.fingerprint}")]
    if verbosity > 1:
        client = kex.compared_with or "the client"
        yield "offers", [*_offer(client, kex.client_offer), *_offer("the server", kex.server_offer)]


def _agreed(kex: Kex, agreed: Agreed) -> str:
    ways = (agreed.cipher_to_server, agreed.mac_to_server), (agreed.cipher_to_client, agreed.mac_to_client)
    packets = dict.fromkeys(f"{cipher} with {mac}" if mac != "<implicit>" else str(cipher) for cipher, mac in ways)
    whose = f"by {kex.compared_with}: " if kex.compared_with is not None else ""
    return excerpt(f"{whose}{agreed.kex}, {agreed.host_key}, {', '.join(packets)}")


def _offer(side: str, offer: Offer | None) -> Iterator[str]:
    """Every list of one side, those of both ways once where they are alike."""
    if offer is None:
        return
    told: dict[tuple[str, tuple[str, ...]], None] = {}
    for one in fields(Offer):
        names: tuple[str, ...] = getattr(offer, one.name)
        told[one.name.partition("_to_")[0].replace("_", " "), names] = None
    for what, names in told:
        yield excerpt(f"{side}, {what}: {', '.join(names) or 'nothing'}", _LONGEST)
