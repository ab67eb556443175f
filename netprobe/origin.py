"""Who made the refusal, and where on the path: a rule says how to look, this says what is found."""

from __future__ import annotations

from netprobe.evidence import Evidence, hops_away, way_to_here
from netprobe.model import Origin, OriginKind
from netprobe.rules import Place


def find(place: Place, e: Evidence) -> Origin:
    """The origin for a rule's place."""
    if place is Place.LOCAL:
        return Origin(OriginKind.LOCAL, _own_address(e))
    if place is Place.RESOLVER:
        return Origin(OriginKind.RESOLVER)
    if place is Place.SENDER:
        return _sender(e)
    if place is Place.RESET:
        return _forged(e)
    if place is Place.PROXY:
        synack = e.conversation.attempt.synack if e.conversation is not None else None
        hop = hops_away(synack.ttl) if synack is not None and synack.ttl > 0 else None
        return Origin(OriginKind.PATH, _router(e, hop) if hop is not None else None, hop)
    if place is Place.SILENCE:
        return _silence(e)
    if place is Place.BETWEEN:
        first = (e.syns or e.attempts)[0]
        return Origin(OriginKind.PATH, between=(first.client.address, e.target.address))
    if place is Place.NEXT_HOP:
        return _next_hop(e)
    if place in (Place.TARGET, Place.HOST):
        return Origin(OriginKind.TARGET, e.target.address, distance(e))
    return Origin(OriginKind.UNKNOWN)


def distance(e: Evidence) -> int | None:
    """The target's hop: measured by the walk, else told by the TTL of its answers; 0 for this machine itself."""
    if e.route is not None and e.route.outcome == "local":
        return 0
    if e.distance is not None:
        return e.distance + way_to_here(e)
    for a in (e.answer, *e.syns):
        if a is None:
            continue
        packet = a.synack or a.rst or a.challenge or (a.odd if e.features.get("answer") == "odd" else None)
        if packet is not None and packet.ttl > 0:
            hop = hops_away(packet.ttl) + way_to_here(e)
            # Behind a gateway nobody is one hop away: the way back is shorter, and the distance not known.
            return hop if hop > 1 or e.route is None or e.route.gateway is None else None
        if a.icmp is not None and a.icmp.ttl is not None and a.icmp.sender == e.target.address:
            return hops_away(a.icmp.ttl) + way_to_here(e)
    if e.features.get("vantage") == "server" and e.syns and e.syns[0].first.ttl > 0:
        return way_to_here(e) + 1
    if e.route is not None and e.route.outcome == "ok" and e.route.gateway is None:
        return 1
    return None


def _own_address(e: Evidence) -> str | None:
    if e.route is not None and e.route.source is not None:
        return e.route.source
    return e.syns[0].client.address if e.syns else None


def _sender(e: Evidence) -> Origin:
    """The router that sent the ICMP error; its hop where the walk met it, else by the error's own TTL."""
    icmp = e.answer.icmp if e.answer is not None else None
    if icmp is None:
        return Origin(OriginKind.UNKNOWN)
    hop = e.survey.hop_of(icmp.sender) if e.survey is not None else None
    if hop is None and e.survey is not None and e.survey.port_reached is not None:
        # The walk met it under no address, or under another: it is at the TTL that first drew this error, or one hop
        # before when
        # it looks at the TTL first and refuses then. The error's own TTL chooses.
        reached = e.survey.port_reached
        away = hops_away(icmp.ttl) if icmp.ttl is not None else reached
        hop = away if away in (reached - 1, reached) and away > 0 else reached
    if hop is None and icmp.ttl is not None and e.features.get("vantage") in (None, "client"):
        hop = hops_away(icmp.ttl)
    return Origin(OriginKind.PATH, icmp.sender, hop)


def _forged(e: Evidence) -> Origin:
    """A box that answers in the target's name: its TTL tells how far it is, the walk who is there."""
    a = e.conversation.attempt if e.conversation is not None else e.answer
    packet = a.rst if a is not None else None
    ttl = packet.ttl if packet is not None else a.icmp.ttl if a is not None and a.icmp is not None else None
    hop = hops_away(ttl) if ttl is not None and ttl > 0 and e.features.get("vantage") in (None, "client") else None
    reached = e.survey.port_reached if e.survey is not None else None
    if reached is not None and hop not in (reached, reached - 1):
        # The TTL and the walk disagree (another initial TTL): the walk bounds it between two hops.
        return Origin(OriginKind.PATH, between=(_router(e, reached - 1), _router(e, reached)))
    if hop is None:
        return Origin(OriginKind.PATH)
    return Origin(OriginKind.PATH, _router(e, hop), hop)


def _router(e: Evidence, hop: int) -> str | None:
    """Who is at this hop: ourselves at 0, the target at its distance, a router where the walk met one."""
    if hop == 0:
        return _own_address(e)
    if e.survey is not None and hop in e.survey.routers:
        return e.survey.routers[hop]
    if e.route is not None and hop == 1 and e.route.gateway is not None:
        return e.route.gateway
    if hop == e.distance or (e.route is not None and e.route.outcome == "ok" and e.route.gateway is None and hop == 1):
        return e.target.address
    return None


def _silence(e: Evidence) -> Origin:
    """Between the last router that still told of an expired probe to the port and whoever comes next.

    When nothing beyond the last known router ever answered, the next is the target as far as anybody can tell.
    """
    s = e.survey
    if e.features.get("vantage") == "middle":
        return Origin(OriginKind.PATH, between=(None, e.target.address))
    if s is None or not (s.port_steps or s.other_last):
        if e.features.get("route") == "local":
            return Origin(OriginKind.TARGET, e.target.address, 0)
        if e.route is not None and e.route.outcome == "ok" and e.route.gateway is None:
            return Origin(OriginKind.UNKNOWN, between=(_own_address(e), e.target.address))
        return Origin(OriginKind.UNKNOWN)
    last = s.port_last
    # The next place is one that the port's probes are proven not to reach; without proof it is the target. Routers in
    # between that tell of no expired probe at all may be where it is lost, too.
    beyond = [hop for hop in s.port_dead if hop > last and hop in s.routers]
    following = s.routers[min(beyond)] if beyond else e.target.address
    if e.features.get("dies") == "here" and e.features.get("host") == "silent":
        following = None  # nobody was heard of, on the way or at its end: whoever comes next is not known
    return Origin(OriginKind.UNKNOWN if last == 0 else OriginKind.PATH, between=(_router(e, last), following))


def _next_hop(e: Evidence) -> Origin:
    if e.route is None:
        return Origin(OriginKind.UNKNOWN)
    if e.route.gateway is None:
        return Origin(OriginKind.TARGET, e.target.address, 1)
    return Origin(OriginKind.PATH, e.route.gateway, 1)
