"""The table of the join: for a cause, which facts prove it and which strike it out, and how that is said.

House rules of this file:
1. A row holds only for facts that are known: what isn't known neither proves nor strikes.
2. A firewall's walk counts only where it is sure, and a strike also minds what limits and lists can bring at times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from netprobe.doctor import reading
from netprobe.doctor.fingerprint import fate
from netprobe.doctor.firewall import Kind
from netprobe.doctor.join.view import View


@dataclass(frozen=True, slots=True)
class Row:
    """What facts say of a cause when `test` holds: they prove it, or strike it out. `fact` is the check behind it."""

    cause: str
    proves: bool
    test: Callable[[View], bool]
    says: str
    fact: str

    def told(self, view: View) -> str:
        """Its words, filled in."""
        waiting, limit = view.queue or (0, 0)
        to = view.way.destination[0] if view.way is not None and view.way.destination else "another machine"
        places = reading.places(view.there)
        met = view.met.replace("-", " ")
        return self.says.format(
            port=view.port,
            address=view.address,
            rule=view.rule,
            places=places,
            waiting=waiting,
            limit=limit,
            to=to,
            met=met,
        )


def reply_stopped(view: View) -> bool:
    """A listener, a SYN that gets in, and an answer that a rule surely drops."""
    back = view.way.back.get("syn-ack") if view.way is not None else None
    return view.listened is True and view.lets_in() and back is not None and back.verdict is Kind.DROP


def forwarded(view: View) -> bool:
    """The port is surely another machine's."""
    return view.way is not None and view.way.forwarded and view.way.verdict is Kind.ACCEPT


def would_answer(view: View) -> bool:
    """The machine would surely have answered SYN-ACK."""
    ready = view.exact and view.fresh and view.listened is True and not view.overfull
    return ready and view.lets_in() and view.lets_out("syn-ack")


def would_answer_something(view: View) -> bool:
    """The machine would surely have answered, SYN-ACK or reset, and has a way back."""
    if any(one.check == "ND502" for one in view.findings):
        return False
    closed = view.listened is False and view.fresh and view.lets_in() and view.lets_out("rst")
    return closed or would_answer(replace(view, exact=True))


def closed_by_kernel(view: View) -> bool:
    """A reset came, nothing listens, and the firewall lets the SYN come to the kernel, which resets."""
    return view.reason == "reset" and view.listened is False and view.lets_in()


def reset_stopped(view: View) -> bool:
    """Silence, since nothing listens and a rule drops the kernel's reset."""
    back = view.way.back.get("rst") if view.way is not None else None
    dropped = back is not None and back.verdict is Kind.DROP
    return view.reason == "no-response" and view.listened is False and view.lets_in() and dropped


def reset_would_come(view: View) -> bool:
    """Silence is not what a closed port of this machine gives."""
    silent = view.reason == "no-response" and view.listened is False
    return silent and view.fresh and view.lets_in() and view.lets_out("rst")


def not_forwarded(view: View) -> bool:
    """The address is the machine's own, and no rule translates the port."""
    return view.exact and view.way is not None and view.way.verdict is not Kind.UNSURE and view.way.destination is None


def stopped(view: View) -> bool:
    """The firewall surely stops the SYN, in whatever way."""
    return view.stops() or view.stops(with_=str) or view.stops(with_=tuple)


def room(view: View) -> bool:
    """There is room in the accept queue."""
    return view.fresh and view.listened is True and view.queue is not None and not view.overfull


def is_ssh(view: View) -> bool:
    """The port is SSH's alone."""
    return view.fresh and bool(view.there) and all(reading.is_ssh(view.facts, one) for one in view.there)


LISTENS = "port {port} is listened on: {places}"
SILENT = "nothing listens on port {port}"
DECIDES = "the server's firewall decides: {rule}"
PROVES, STRIKES = True, False

# Which causes fit what the marked SYNs met; the others of HERE are struck out by it.
FITTING: dict[str, tuple[str, ...]] = {
    fate.STACK_RESET: ("no-listener",),
    fate.FILTER_RESET: ("reset-by-host-firewall",),
    fate.REJECTED: ("rejected-by-host",),
    fate.DROPPED: ("dropped", "syn-filtered"),
    fate.REVERSE_PATH: ("dropped",),
    fate.QUEUE_FULL: ("backlog-full",),
    fate.FORWARDED: ("forward-without-backend",),
    fate.REPLY_LOST: ("reply-filtered",),
    fate.REPLY_HELD: ("reply-filtered", "no-listener"),
    fate.NO_WAY_BACK: ("reply-filtered", "no-listener"),
    fate.NEVER_ARRIVED: (),
    fate.LIMITED: ("rate-limited",),
}
PROVEN = tuple(dict.fromkeys(causes[0] for causes in FITTING.values() if causes))
HERE = (
    *("no-listener", "reset-by-host-firewall", "rejected-by-host", "syn-filtered", "backlog-full", "reply-filtered"),
    *("dropped", "rate-limited"),
)
MET = "the server's counters followed the marked SYNs: {met}"


def met(cause: str) -> Callable[[View], bool]:
    """The marked SYNs met just this."""
    words = {word for word, causes in FITTING.items() if causes[:1] == (cause,)}
    return lambda view: view.met in words


def met_other(cause: str) -> Callable[[View], bool]:
    """The marked SYNs met something that this isn't; silence on the way is a drop, too."""
    here = {word for word, causes in FITTING.items() if cause not in causes}
    if cause == "dropped":
        here -= {fate.NEVER_ARRIVED}
    if cause == "rate-limited":
        here -= {fate.DROPPED, fate.REJECTED, fate.FILTER_RESET, fate.NEVER_ARRIVED}
    return lambda view: view.fresh and view.met in here


def never_arrived(view: View) -> bool:
    """An answer came, and the server never saw what it answers."""
    return view.met == fate.NEVER_ARRIVED


ROWS: tuple[Row, ...] = (
    *(Row(cause, PROVES, met(cause), MET, "ND601") for cause in PROVEN),
    Row("reset-on-path", PROVES, never_arrived, MET, "ND601"),
    Row("rejected-on-path", PROVES, never_arrived, MET, "ND601"),
    *(Row(cause, STRIKES, met_other(cause), MET, "ND601") for cause in HERE),
    Row("no-listener", PROVES, reset_stopped, SILENT + ", and the server's firewall drops the reset", "ND302"),
    Row("no-listener", PROVES, closed_by_kernel, SILENT + ", and the server's firewall lets the SYN in", "ND201"),
    Row("reset-by-host-firewall", PROVES, lambda v: v.stops(with_=str), DECIDES, "ND301"),
    Row("rejected-by-host", PROVES, lambda v: v.stops(with_=tuple), DECIDES, "ND301"),
    Row("syn-filtered", PROVES, lambda v: v.stops() and v.listened is False, DECIDES + "; " + SILENT, "ND301"),
    Row("dropped", PROVES, lambda v: v.stops(), DECIDES, "ND301"),
    Row(
        "backlog-full",
        PROVES,
        lambda v: v.overfull and v.lets_in(),
        "{waiting} connections wait in the accept queue, {limit} may",
        "ND208",
    ),
    Row("reply-filtered", PROVES, reply_stopped, "the server's firewall lets the SYN in and drops the answer", "ND302"),
    Row("forward-without-backend", PROVES, forwarded, "its rules forward the port to {to}", "ND303"),
    Row(
        "reset-on-path",
        PROVES,
        would_answer,
        LISTENS + ", and the server's firewall lets the SYN in and the answer out: it would have answered",
        "ND201",
    ),
    Row("no-listener", STRIKES, lambda v: v.listened is True, LISTENS, "ND201"),
    Row("no-listener", STRIKES, stopped, DECIDES + ", before any listener would be asked", "ND301"),
    Row("no-listener", STRIKES, reset_would_come, SILENT + ", but a reset would say so", "ND201"),
    Row("reset-by-host-firewall", STRIKES, lambda v: v.never(str), "no rule of the server's firewall resets", "ND301"),
    Row("rejected-by-host", STRIKES, lambda v: v.never(tuple), "no rule of the server's firewall rejects", "ND301"),
    Row("backlog-full", STRIKES, lambda v: v.listened is False, SILENT, "ND201"),
    Row("backlog-full", STRIKES, stopped, DECIDES, "ND301"),
    Row("backlog-full", STRIKES, room, "{waiting} connections wait in the accept queue, {limit} may", "ND208"),
    Row("syn-filtered", STRIKES, lambda v: v.listened is True, LISTENS, "ND201"),
    Row("reply-filtered", STRIKES, lambda v: v.listened is False, SILENT, "ND201"),
    Row("reply-filtered", STRIKES, stopped, "the SYN does not get that far: {rule}", "ND301"),
    Row(
        "forward-without-backend",
        STRIKES,
        not_forwarded,
        "{address} is its own, and no rule forwards the port",
        "ND303",
    ),
    Row("other-service", STRIKES, is_ssh, "the port is SSH's: {places}", "ND203"),
)


def said(view: View, cause: str, *, proves: bool) -> tuple[str, str] | None:
    """What the facts say of a cause, and by which check; None where they say nothing."""
    row = next((one for one in ROWS if one.cause == cause and one.proves is proves and one.test(view)), None)
    return (row.told(view), row.fact) if row else None
