"""The way out of a sweep: source address, interface and next hop, as the kernel's routes say."""

from __future__ import annotations

from dataclasses import dataclass

from netprobe.errors import CannotMeasure, UsageError
from netprobe.sweep.kinds import text_of
from netprobe.sweep.space import Space
from netprobe.wire.bulk import NextHop
from netprobe.wire.netlink import ETHERNET, VALID_STATES, Kernel, Route

# So many intervals of a list have their routes looked up; the kernel routes each packet by itself anyhow.
LOOKED_UP = 256


@dataclass(slots=True)
class Way:
    """`gateway`: every packet goes to this one machine; None where neighbours are asked for one by one."""

    source: str
    interface: str
    mtu: int
    ifindex: int
    gateway: str | None


def find(kernel: Kernel, space: Space, device_index: int = 0) -> Way:
    """The way to a space. Raises CannotMeasure where there is none, UsageError where parts of it are reached from
    different addresses."""
    routes: dict[tuple[object, ...], Route] = {}
    step = max(1, len(space.intervals) // LOOKED_UP)
    failed = ""
    for first, last in space.intervals[::step]:
        for one in {first, last}:
            address = text_of(space.version, one >> 64, one & 0xFFFFFFFFFFFFFFFF)
            route = kernel.route(address, port=space.ports[0], oif=device_index)
            if route.outcome in ("ok", "local") and route.source is not None:
                routes.setdefault((route.ifindex, route.source, route.gateway, route.encapsulated), route)
            else:
                failed = failed or f"{address}: {route.outcome}"
    if not routes:
        raise CannotMeasure(f"no route to what is to be swept ({failed})", "is the interface up, the VPN connected?")
    sources = {route.source for route in routes.values()}
    if len(sources) > 1:
        raise UsageError(
            f"parts of this are reached from different addresses ({', '.join(sorted(map(str, sources)))})",
            "sweep them one after the other, or choose an interface with -i",
        )
    route = next(iter(routes.values()))
    link = kernel.links().get(route.ifindex)
    lowest = min((one.mtu for one in (kernel.links().get(r.ifindex) for r in routes.values()) if one), default=1500)
    alone = len(routes) == 1 and not failed and not route.encapsulated and route.outcome == "ok"
    gateway = route.gateway if alone and link is not None and link.hardware == ETHERNET else None
    return Way(str(route.source), route.interface or "", lowest, route.ifindex, gateway)


def next_hop(kernel: Kernel, way: Way) -> NextHop | None:
    """The gateway's link address, None while the kernel doesn't know it."""
    if way.gateway is None:
        return None
    neighbor = kernel.neighbor(way.ifindex, way.gateway)
    if neighbor is None or not neighbor.state & VALID_STATES or neighbor.link_address is None:
        return None
    return NextHop(way.ifindex, ETHERNET, neighbor.link_address)
