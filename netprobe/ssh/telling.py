"""A key exchange in sentences: the values behind the placeholders of rules about it."""

from __future__ import annotations

from netprobe.model import ClientOfferFact, Kex, Offer
from netprobe.ssh.negotiation import CALLED, Help, helps, named, weak

# RFC 4253 11.1
REASONS = {
    1: "host not allowed to connect",
    2: "protocol error",
    3: "key exchange failed",
    5: "MAC error",
    6: "compression error",
    7: "service not available",
    8: "protocol version not supported",
    9: "host key not verifiable",
    10: "connection lost",
    11: "by application",
    12: "too many connections",
}


def values(kex: Kex, offered: ClientOfferFact | None, host: str) -> dict[str, object]:
    """What texts may say of a key exchange. `host` is what was typed, for commands to copy."""
    found: dict[str, object] = {
        "client_identification": kex.client or "unknown",
        "broken": kex.trouble or "nothing",
        "exchanged": _exchanged(kex),
        "farewell": _farewell(kex),
        "host_key": f"{kex.host_key_type} {kex.fingerprint}" if kex.fingerprint else "unknown",
        "host_key_type": kex.host_key_type or "unknown",
        "fingerprint": kex.fingerprint or "unknown",
        "in_common": _in_common(kex),
    }
    if kex.missing and kex.client_offer is not None and kex.server_offer is not None:
        found |= _missing(kex, kex.client_offer, kex.server_offer, offered, host)
    return found


def weakness(kex: Kex) -> str | None:
    """One line about agreed algorithms that are no longer good; None where all are."""
    found = weak(kex.agreed) if kex.agreed is not None else ()
    if not found:
        return None
    return f"agreed on what is no longer good: {', '.join(found)}"


def _missing(kex: Kex, client: Offer, server: Offer, offered: ClientOfferFact | None, host: str) -> dict[str, object]:
    first = kex.missing[0]
    called = dict.fromkeys(CALLED[category][0].partition(" (")[0] for category in kex.missing)
    knows = frozenset(offered.knows) if offered is not None and offered.knows else None
    helping = [helps(category, client, server, knows) for category in kex.missing]
    return {
        "category": " and no ".join(called),
        "first_category": next(iter(called)),
        "client_offers": named(client, first),
        "server_offers": named(server, first),
        "whose_offer": kex.compared_with or "the client",
        "client_help": _client_help(helping, host),
        "server_help": _server_help(helping),
    }


def _client_help(helping: list[Help], host: str) -> str:
    options = list(dict.fromkeys(one.client for one in helping))
    if None in options:
        return (
            "no option of today's ssh helps: it has none of what the server offers; upgrade the server, or reach it "
            "with an old client in a container"
        )
    said = " ".join(option for option in options if option is not None)
    return f"for once, on the client: `ssh {said} {host}`{_at_risk([one.client_risk for one in helping])}"


def _server_help(helping: list[Help]) -> str:
    lines = list(dict.fromkeys(one.server for one in helping))
    if None in lines:
        return ""
    said = "; ".join(f"`{line}`" for line in lines if line is not None)
    risks = _at_risk([one.server_risk for one in helping])
    if not risks:
        key = ", and a key of that type (`ssh-keygen -A`)" if "HostKeyAlgorithms" in said else ""
        return f"on the server, if its sshd knows that (`ssh -Q kex|key|cipher|mac` there), in sshd_config: {said}{key}"
    return f"or on the server, for clients that can't be upgraded, in sshd_config: {said}{risks}"


def _at_risk(risks: list[str]) -> str:
    known = list(dict.fromkeys(risk for risk in risks if risk))
    return f" (the risk: {'; '.join(known)})" if known else ""


def _exchanged(kex: Kex) -> str:
    """How far it came."""
    if "client" in kex.newkeys:
        return "the client's NEWKEYS"
    if kex.fingerprint is not None:
        return "the server's host key"
    return "both offers (KEXINIT)"


def _farewell(kex: Kex) -> str:
    """What a DISCONNECT said; empty where there was none."""
    if kex.disconnect is None:
        return ""
    said = kex.disconnect
    text = f': "{said.text}"' if said.text else ""
    return f"the {said.by} said goodbye with reason {said.code} ({REASONS.get(said.code, 'unknown')}){text}"


def _in_common(kex: Kex) -> str:
    """What was agreed on; empty where that is not known."""
    if kex.agreed is None or kex.missing:
        return ""
    a = kex.agreed
    ciphers = dict.fromkeys((a.cipher_to_server, a.cipher_to_client))
    return f"; they had agreed on {', '.join(str(name) for name in (a.kex, a.host_key, *ciphers))}"
