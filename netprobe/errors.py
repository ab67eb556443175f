"""What goes wrong on our side, as exceptions that say what happened and what to do next.

House rules of this file:
1. What the network does is never an exception; it is a record, a reason or a verdict.
2. Every message is two sentences a user can act on: what happened, what to do.
3. `exit_code` is the one of docs/interface.md.
"""

from __future__ import annotations


class NetprobeError(Exception):
    """The base of all errors a user may see; printed as one line, never as a traceback."""

    exit_code = 3

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(f"{what}; {do}" if do else what)


class UsageError(NetprobeError):
    """The command line, a port list or a case file says something that can't be meant."""

    exit_code = 2


class CannotMeasure(NetprobeError):  # noqa: N818 (says what it is)
    """There is nothing to give a verdict on: no privilege, an unknown interface, a file that can't be opened."""

    exit_code = 3


class UnreadableCapture(CannotMeasure):
    """The file can't be opened, or is no capture at all."""


class CaptureWriteError(NetprobeError):
    """Saving the capture failed (a full disk, mostly). The scan goes on without it."""

    exit_code = 3
