"""The wire of a user with CAP_NET_RAW: every packet of the scan is captured, probes are crafted, connect()s run
beside them.

House rules of this file:
1. All privileged sockets are opened by the constructor; everything after works as nobody.
2. The capture is proven to listen before the first probe leaves.
3. Drops are read before silence is told: `receive` never returns empty-handed without having asked the kernel.
"""

from __future__ import annotations

import select
from collections.abc import Iterable

from netprobe.errors import CannotMeasure
from netprobe.model import Command, Connect, DropFact, Mode, Probe, Record
from netprobe.wire.connect import ConnectWire
from netprobe.wire.sender import Sender
from netprobe.wire.tap import Tap
from netprobe.wire.writer import CaptureWriter

DEFAULT_RATE = 500.0
_SYN_WINDOW_S = 1.9  # the kernel's SYNs at 0 and 1 s leave, the third does not


class LiveWire(ConnectWire):
    """Captures, crafts and connects. `rate` is in crafted packets a second. CannotMeasure without CAP_NET_RAW."""

    mode = Mode.RAW
    syn_window_s = _SYN_WINDOW_S

    def __init__(
        self, *, writer: CaptureWriter | None = None, device: str | None = None, rate: float = DEFAULT_RATE
    ) -> None:
        super().__init__(writer=writer, device=device)
        try:
            self._tap = Tap(self._clock)
            self._sender = Sender(
                self._kernel,
                rate=rate,
                now_ns=self.now_ns(),
                notice=self._tap.notice,
                link=self._tap.link,
                device=device,
            )
        except OSError as error:
            self.close()
            raise CannotMeasure(
                f"Packets can't be captured or crafted here: {error.strerror}. "
                "Run with sudo, or without raw packets (--connect)."
            ) from error
        self._neighborhood = self._sender.neighborhood
        self._poll.register(self._tap.fileno(), select.EPOLLIN)

    @property
    def proven(self) -> bool:
        """Whether the capture was seen to listen. False only where the loopback interface is down."""
        return self._tap.proven

    def perform(self, command: Command) -> None:
        """Carry out a command. What comes of it is told by `receive`."""
        if isinstance(command, Probe | Connect):
            self._tap.watch(command.server.address)
        super().perform(command)

    def _probe(self, probe: Probe) -> None:
        self._sender.submit(probe)
        self._sender.run(self.now_ns())

    def _work(self, now_ns: int) -> None:
        super()._work(now_ns)
        self._sender.run(now_ns)

    def _gather(self) -> Iterable[Record]:
        found: list[Record] = [*super()._gather(), *self._sender.blocked()]
        for frame in self._tap.frames():
            if frame.interface is not None:
                self._neighborhood.hear_frame(frame, int.from_bytes(frame.data[4:8], "big"))
            found.append(frame)
        dropped = self._tap.drops()
        if dropped:
            self.dropped += dropped
            found.append(DropFact(time_ns=self.now_ns(), count=dropped))
        return found

    @property
    def _drained(self) -> bool:
        return self._tap.drained

    def _due_ns(self) -> tuple[int | None, ...]:
        return (*super()._due_ns(), self._sender.due_ns())

    def _close_sockets(self) -> None:
        for part in (getattr(self, "_tap", None), getattr(self, "_sender", None)):
            if part is not None:
                part.close()
        super()._close_sockets()
