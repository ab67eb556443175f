"""Names to addresses as every program here resolves them, and, when that fails, what the name servers really said.

House rules of this file:
1. The answer is getaddrinfo's: /etc/hosts, search domains and all. DNS is asked only to explain a failure.
2. It takes 8 s at most, then it is a time-out; the thread that hangs is left behind and stops nobody from exiting.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading

from netprobe.model import ResolvedFact
from netprobe.wire.clock import Clock

LONGEST_S = 8.0
_EXPLAIN_S = 4.0
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_OUTCOMES = {
    socket.EAI_NONAME: "not-found",
    getattr(socket, "EAI_NODATA", -5): "no-address",
    getattr(socket, "EAI_ADDRFAMILY", -9): "no-address",
    socket.EAI_AGAIN: "server-failure",
}


def resolve(name: str, families: tuple[int, ...], clock: Clock) -> ResolvedFact:
    """What a name resolves to, for the `families` asked for (4, 6). Never raises."""
    literal = _literal(name)
    if literal is not None:
        wanted = (6 if ":" in literal else 4) in families
        outcome, addresses = ("ok", (literal,)) if wanted else ("no-address", ())
        detail = "" if wanted else f"{name} is an address of the other family"
        return ResolvedFact(time_ns=clock.now_ns(), name=name, outcome=outcome, addresses=addresses, detail=detail)
    answers: queue.SimpleQueue[ResolvedFact] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_look_up(name, families)), daemon=True).start()
    try:
        fact = answers.get(timeout=LONGEST_S)
    except queue.Empty:
        fact = ResolvedFact(name=name, outcome="time-out", detail=f"no answer within {LONGEST_S:.0f} s")
    return ResolvedFact(
        time_ns=clock.now_ns(), name=name, outcome=fact.outcome, addresses=fact.addresses, detail=fact.detail
    )


def _literal(name: str) -> str | None:
    """The canonical text of an address, its zone kept; None for a name."""
    bare, percent, zone = name.partition("%")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if percent and (address.version == 4 or not zone):
        return None
    return f"{address.compressed}{percent}{zone}"


def _look_up(name: str, families: tuple[int, ...]) -> ResolvedFact:
    try:
        found = _ask(name, families)
    except socket.gaierror as error:
        return _explain(name, families, error)
    except (OSError, UnicodeError) as error:  # a label longer than 63 characters, say
        return ResolvedFact(
            name=name, outcome="not-found" if isinstance(error, UnicodeError) else "failed", detail=str(error)
        )
    return ResolvedFact(name=name, outcome="ok", addresses=found)


def _ask(name: str, families: tuple[int, ...]) -> tuple[str, ...]:
    """What getaddrinfo says, in its order (RFC 6724)."""
    family = _FAMILIES[families[0]] if len(families) == 1 else socket.AF_UNSPEC
    found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found if entry[0] in _FAMILIES.values()))


def _has_other(name: str, families: tuple[int, ...]) -> bool:
    """Whether a name that has no address of the one family asked for has one of the other."""
    try:
        return len(families) == 1 and bool(_ask(name, (4, 6)))
    except (OSError, UnicodeError):
        return False


def _explain(name: str, families: tuple[int, ...], error: socket.gaierror) -> ResolvedFact:
    """Tell NXDOMAIN from a broken name server: getaddrinfo mixes them (EAI_AGAIN is time-out and SERVFAIL alike)."""
    said = error.strerror or ""
    outcome = _OUTCOMES.get(error.errno or 0, "failed")
    if _has_other(name, families):
        return ResolvedFact(name=name, outcome="no-address", detail="it has addresses of the other family only")
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        return ResolvedFact(name=name, outcome=outcome, detail=said)
    detail = said
    for kind in (("A", "AAAA")[f == 6] for f in families):
        try:
            dns.resolver.Resolver().resolve(name, kind, search=True, lifetime=_EXPLAIN_S / len(families))
            return ResolvedFact(name=name, outcome="failed", detail=f"{said}, though DNS has an address")
        except dns.resolver.NXDOMAIN:
            return ResolvedFact(name=name, outcome="not-found", detail="NXDOMAIN")
        except dns.resolver.NoAnswer:
            outcome, detail = "no-address", f"the name exists without {' or '.join(_kinds(families))} record"
        except dns.resolver.NoNameservers as failure:
            return ResolvedFact(name=name, outcome="server-failure", detail=_first_line(failure))
        except dns.exception.Timeout as failure:
            return ResolvedFact(name=name, outcome="time-out", detail=_first_line(failure))
        except (dns.exception.DNSException, OSError, ValueError) as failure:
            return ResolvedFact(name=name, outcome=outcome, detail=_first_line(failure) or said)
    return ResolvedFact(name=name, outcome=outcome, detail=detail)


def _kinds(families: tuple[int, ...]) -> list[str]:
    return ["AAAA" if family == 6 else "A" for family in families]


def _first_line(failure: Exception) -> str:
    return str(failure).split("\n")[0]
