"""An SSH session as JSON: the key exchange and the login of a service (docs/interface.md, docs/ssh.md)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from netprobe.model import Agreed, Auth, Credentials, Kex, Offer

_LISTS = tuple(one.name for one in fields(Offer))


def kex(found: Kex) -> dict[str, Any]:
    """`service.kex`: what isn't known is left out."""
    told: dict[str, Any] = {"reached": str(found.reached)}
    told |= _known(client=found.client, compared_with=found.compared_with)
    if found.agreed is not None:
        told["agreed"] = _agreed(found.agreed)
        told["missing"] = list(found.missing)
    offers = {"client": found.client_offer, "server": found.server_offer}
    told["offers"] = {side: _offer(offer) for side, offer in offers.items() if offer is not None}
    if found.fingerprint is not None:
        told["host_key"] = {"type": found.host_key_type, "fingerprint": found.fingerprint}
    if found.disconnect is not None:
        told["disconnect"] = {
            "by": found.disconnect.by, "code": found.disconnect.code, "text": found.disconnect.text,
        }  # fmt: skip
    told |= _known(closed_by=found.closed_by, closed_with=found.closed_with, trouble=found.trouble)
    if found.gap:
        told["gap"] = True
    return told


def auth(found: Auth) -> dict[str, Any]:
    """`service.auth`: every value that is known beside its certainty."""
    told: dict[str, Any] = {"outcome": str(found.outcome)}
    told |= _known(certainty=found.certainty and str(found.certainty), reason=found.reason or None)
    if found.attempts is not None:
        told |= _known(attempts=found.attempts, attempts_certainty=_word(found.attempts_certainty))
    if found.methods:
        told |= _known(methods=list(found.methods), methods_certainty=_word(found.methods_certainty))
    if found.methods_or:
        told["methods_or"] = [list(one) for one in found.methods_or]
    told |= _known(
        key_accepted=found.key_accepted,
        key_accepted_certainty=_word(found.key_accepted_certainty),
        partial=found.partial,
        partial_certainty=_word(found.partial_certainty),
        closed_by=found.closed_by,
        user=found.user,
        banner=list(found.banner) or None,
    )
    told["inferred"] = found.inferred
    return told


def credentials(found: Credentials) -> dict[str, Any]:
    """The user's side of a login."""
    return {
        "user": found.user,
        "offers": list(found.offers),
        "advice": [{"id": one.id, "says": one.says, "to_do": list(one.to_do)} for one in found.advice],
    }


def _known(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _word(certainty: str | None) -> str | None:
    return None if certainty is None else str(certainty)


def _offer(offer: Offer) -> dict[str, list[str]]:
    return {name: list(getattr(offer, name)) for name in _LISTS}


def _agreed(agreed: Agreed) -> dict[str, str | None]:
    return {name: getattr(agreed, name) for name in _LISTS}
