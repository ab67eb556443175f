"""What a client of this machine would offer the servers of a scan: its ssh, asked as the scan begins, or a default."""

from __future__ import annotations

from netprobe.model import ClientOfferFact, Offer
from netprobe.options import ScanOptions
from netprobe.ssh import defaults
from netprobe.ssh.negotiation import agree
from netprobe.targets import expectation, ports_of
from netprobe.wire.offers import ANY, Asked, known

# For so many targets ssh is asked about each, and for as many as have a name of their own in ssh_config; for the others
# about none in particular.
FEW_TARGETS = 4
MOST_ALIASES = 64
HERE = "the ssh of this machine"


class Offering:
    """Tells what would be offered. ssh starts at once, before privileges go; it is waited for when it is needed."""

    def __init__(self, options: ScanOptions) -> None:
        few = len(options.targets) <= FEW_TARGETS
        self._names = {t.text: t.alias or t.host for t in options.targets[:MOST_ALIASES] if few or t.alias}
        self._asked = Asked(self._names.values()) if _expects_ssh(options) else None

    def told(self, target: str, server: Offer) -> ClientOfferFact:
        """What a client would offer this target, whose server offers `server`."""
        local = self._asked.offers() if self._asked is not None else {}
        offer = local.get(self._names.get(target, ""), local.get(ANY))
        if offer is None:
            return ClientOfferFact(target=target, whose=defaults.WHOSE, local=False, offer=defaults.OFFER)
        knows = known() if agree(offer, server)[1] else ()
        return ClientOfferFact(target=target, whose=HERE, local=True, offer=offer, knows=knows)

    def close(self) -> None:
        """Leave nothing running."""
        if self._asked is not None:
            self._asked.close()


def _expects_ssh(options: ScanOptions) -> bool:
    return any(
        expectation(port, target, options.expect) == "ssh"
        for target in options.targets[:MOST_ALIASES]
        for port in ports_of(target, options.ports)
    )
