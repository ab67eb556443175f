"""How the clear part of an SSH session went, in words: from the noun `Kex` alone, wherever it came from."""

from __future__ import annotations

from dataclasses import replace

from netprobe.evidence.record import SECOND, Conversation, Evidence
from netprobe.model import Kex, Reached
from netprobe.ssh import negotiation, transport

# A KEXINIT of several segments has all of them on the way when its first has come.
WHOLE_PATIENCE_NS = 2 * SECOND + SECOND // 2
# RFC 4253 11.1
_KEY_EXCHANGE_FAILED, _HOST_KEY_NOT_VERIFIABLE = 3, 9
# What tools call themselves that fetch a host key or an offer and leave: nothing failed there.
COLLECTORS = ("OpenSSH-keyscan", "Nmap-SSH", "Nmap_SSH", "ZGrab", "netprobe")


def hear_exchange(e: Evidence, c: Conversation) -> None:
    """Take what the session of a captured attempt showed; in a scan of our own, what the server said to us."""
    service = c.attempt.service
    e.kex = service.kex if service is not None else _ours(e, c) if e.host is None else None
    if e.kex is not None:
        judge_kex(e, e.kex)


def _ours(e: Evidence, c: Conversation) -> Kex | None:
    """The exchange of a connection of our own, which offers nothing: the server's offer, held against what a client of
    this machine would offer."""
    if c.opening.identification is None or not c.opening.speaks_2:
        return None
    stream = transport.Stream(server=True)
    stream.feed(c.stream)
    found = Kex(server=c.opening.identification)
    for event in stream.events:
        if isinstance(event, transport.Kexinit):
            found = replace(found, reached=Reached.KEXINIT, server_offer=event.offer, trouble=_sent(event.trouble))
        elif isinstance(event, transport.HostKey):  # where the scan went on, to ask for methods
            found = replace(found, reached=Reached.REPLY, host_key_type=event.type, fingerprint=event.fingerprint)
        elif isinstance(event, transport.Trouble):
            found = replace(found, trouble=found.trouble or _sent(event.what))
    if c.opening.kexinit and found.reached is Reached.IDENTIFICATION and found.trouble is None:
        _wait(e, c)
    _cite(e, c)
    if found.server_offer is not None and e.offered is not None:
        agreed, missing = negotiation.agree(e.offered.offer, found.server_offer)
        source = e.offered.whose
        found = replace(
            found, client_offer=e.offered.offer, compared_with=source, agreed=agreed, missing=missing
        )  # fmt: skip
    return found


def _cite(e: Evidence, c: Conversation) -> None:
    """The packet in which the server's first words after its identification begin."""
    at = len(c.stream) - len(c.opening.rest)
    for segment in c.attempt.server_segments:
        if segment.offset <= at < segment.offset + segment.length:
            for feature in ("algorithms", "broken"):
                e.cite(feature, segment.frame, segment.time_ns, "what follows the server's identification")
            return


def _sent(trouble: str | None) -> str | None:
    return None if trouble is None else f"the server sent {trouble}"


def _wait(e: Evidence, c: Conversation) -> None:
    """The rest of the KEXINIT may still come; a server that trickles is not waited for without end."""
    identified_ns = c.line_times[len(c.opening.lines)] if len(c.line_times) > len(c.opening.lines) else c.last_ns
    until_ns = min(c.last_ns + WHOLE_PATIENCE_NS, identified_ns + 2 * WHOLE_PATIENCE_NS)
    if e.features.get("ended") == "open" and e.now_ns < until_ns:
        e.features["offer"] = "pending"
        e.waits_until(until_ns)


def judge_kex(e: Evidence, kex: Kex) -> None:
    """The words that rules are written in."""
    if kex.agreed is not None:
        e.features["algorithms"] = "none" if kex.missing else "common"
        e.features["offer_of"] = "client" if kex.compared_with is None else _whose(e)
    if kex.trouble is not None:
        e.features["broken"] = "client" if kex.trouble.startswith("the client") else "server"
    if kex.disconnect is not None:
        _farewell(e, kex.disconnect.by, kex.disconnect.code)
    if kex.compared_with is None and kex.client is not None:
        _exchange(e, kex)


def _whose(e: Evidence) -> str:
    return "local" if e.offered is not None and e.offered.local else "default"


def _farewell(e: Evidence, by: str, code: int) -> None:
    reason = {_KEY_EXCHANGE_FAILED: "no-exchange", _HOST_KEY_NOT_VERIFIABLE: "host-key"}.get(code, "other")
    e.features["disconnect"] = f"{by}-{reason}"


def _exchange(e: Evidence, kex: Kex) -> None:
    """How far both sides came, and who ended it before the login began."""
    if kex.client is not None and any(name in kex.client for name in COLLECTORS):
        e.features["collector"] = "yes"
    if kex.gap:
        return  # what is missing may be what would tell
    if "client" in kex.newkeys and ("client" in kex.encrypted or kex.closed_by is None):
        e.features["exchange"] = "finished"
    elif kex.reached in (Reached.REPLY, Reached.NEWKEYS):
        e.features["exchange"] = "accepted" if "client" in kex.newkeys else "replied"
    elif kex.reached is Reached.KEXINIT and kex.client_offer is not None and kex.server_offer is not None:
        e.features["exchange"] = "offered"
    else:
        return
    if kex.closed_by is not None and e.features["exchange"] != "finished":
        e.features["exchange_ended"] = f"{kex.closed_by}-{kex.closed_with}"
