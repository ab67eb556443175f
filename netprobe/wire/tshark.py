"""What Wireshark's dissectors make of a capture, through pyshark: which frames match a display filter, what is in some.

Measured (pyshark 0.6, tshark 4.0, 128,000 packets): tshark reads 29,000 packets a second whatever the filter; of those
that match, pyshark tells 8,600 a second.

House rules of this file:
1. Nothing of pyshark is loaded here: it runs in netprobe.wire.dissection, a process that this file starts, watches and
   ends, in a session of its own, so that Ctrl-C reaches it only through us.
2. A sign of life is expected from it; a stalled one is ended, and said to be.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from netprobe.errors import CannotMeasure, UnreadableCapture, UsageError
from netprobe.wire.compression import SIGNATURE, kind_of

# Nothing read and nothing found for so long: it is stuck.
STALLED_S = 60.0
# Frame numbers in one set of a filter. tshark walks through a set one by one for each packet: 5,000 in sets of 200 add
# two seconds to reading 250,000 packets, in one set half a minute.
NUMBERS_IN_A_SET = 200

Read = Callable[[int, int], None]
Told = Callable[[str], None]

_BOOT = (
    "import json, sys; request = json.loads(sys.argv[1]); sys.path[:] = request['path']; "
    "from netprobe.wire.dissection import main; main(request)"
)
_INSTALL = {
    "tshark": "install it (Debian, Ubuntu: apt install tshark; Fedora: dnf install wireshark-cli), or do without",
    "pyshark": "install it (pip install pyshark), or do without",
}


class Frames:
    """A set of frame numbers, eight bytes each."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = array("Q", sorted(numbers))

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        at = bisect_left(self._numbers, number)
        return at < len(self._numbers) and self._numbers[at] == number

    def __len__(self) -> int:
        return len(self._numbers)

    def between(self, first: int, last: int) -> Sequence[int]:
        """Those from `first` to `last`, in order."""
        return self._numbers[bisect_left(self._numbers, first) : bisect_left(self._numbers, last + 1)]


def matching(path: Path, expression: str, read: Read | None, notice: Told) -> Frames:
    """The numbers of the TCP and ICMP frames of a file that match a display filter. `read` hears how many bytes of how
    many are done. Raises UsageError for a filter that tshark refuses, with its words; CannotMeasure where tshark or
    pyshark is missing or fails."""
    numbers = array("Q")
    with _opened(path):
        pass  # a file that can't be read twice is refused before anything else
    # Tried on its own first: a closing parenthesis too many in it must not change what the rest means, and tshark's
    # words must be about what was typed.
    _refuse_if_bad(expression)
    for answer in _asked(path, f"({expression}) && (tcp || icmp || icmpv6)", headers=False, read=read, notice=notice):
        numbers.extend(answer.get("frames", ()))
    return Frames(numbers)


def ready(path: Path) -> None:
    """Find out before a long analysis whether tshark can be asked about this file afterwards. Raises as `matching`."""
    with _opened(path):
        _refuse_if_bad("frame")


def headers(path: Path, numbers: Iterable[int], read: Read | None, notice: Told) -> dict[int, dict[str, Any]]:
    """What tshark found in the headers of these frames, by number. Raises as `matching` does."""
    expression = of_numbers(sorted(set(numbers)))
    found = {}
    for answer in _asked(path, expression, headers=True, read=read, notice=notice) if expression else ():
        if "seen" in answer:
            seen = answer["seen"]
            found[int(seen.pop("frame"))] = seen
    return found


def of_numbers(numbers: Sequence[int]) -> str:
    """A display filter for these frames (ascending), in sets of bounded size, each looked into only near its frames."""
    sets = [numbers[at : at + NUMBERS_IN_A_SET] for at in range(0, len(numbers), NUMBERS_IN_A_SET)]
    return " || ".join(
        f"(frame.number >= {one[0]} && frame.number <= {one[-1]} && frame.number in {{{','.join(map(str, one))}}})"
        for one in sets
    )


# --------------------------------------------------------------------------- the other process


def _refuse_if_bad(expression: str) -> None:
    with tempfile.TemporaryFile() as nothing:
        for _ in _listened(nothing, expression, None, headers=False, name="--filter", only_filter=True):
            pass


def _asked(
    path: Path, expression: str, *, headers: bool, read: Read | None, notice: Told
) -> Iterator[dict[str, Any]]:
    """What the other process says of one file."""
    with _opened(path) as (capture, compression):
        size = os.fstat(capture.fileno()).st_size
        for answer in _listened(capture, expression, compression, headers=headers, name=str(path)):
            if "read" in answer and read is not None:
                read(answer["read"], size)
            elif "cut" in answer:
                notice(f"{path}: tshark stopped before the end: {answer['cut']}")
            else:
                yield answer


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], str | None]]:
    """The file, at its beginning, and its compression."""
    if str(path) == "-":
        raise UsageError(
            "standard input can't be read twice, which --filter and --cross-check need",
            "save it to a file first: tee capture.pcap",
        )
    try:
        with path.open("rb", buffering=0) as capture:
            if not path.is_file():
                raise UsageError(f"{path} is a pipe or a device, which can't be read twice", "save it to a file first")
            compression = kind_of(capture.read(SIGNATURE))
            capture.seek(0)
            yield capture, compression
    except OSError as error:
        raise UnreadableCapture(f"{path} can't be read: {error.strerror}. Check the path.") from error


def _listened(
    capture: IO[bytes], expression: str, compression: str | None, *, headers: bool, name: str, only_filter: bool = False
) -> Iterator[dict[str, Any]]:
    """What the other process says, until it has ended."""
    request = {
        "path": [os.path.abspath(entry or ".") for entry in sys.path],  # noqa: PTH100 - the strings of sys.path
        "filter": expression,
        "headers": headers,
        "compression": compression,
        "name": name,
        "only_filter": only_filter,
    }
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _BOOT, json.dumps(request)],
            stdin=capture,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
        )
        try:
            finished = False
            for answer in _answers(process):
                if "error" in answer:
                    raise _error(answer, name)
                finished = finished or "done" in answer
                yield answer
            if not finished:
                complaints.seek(0)
                raise _broken(_last_line(complaints.read().decode("utf-8", "replace")))
        finally:
            _end(process)


def _answers(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Its lines as they come. CannotMeasure when it no longer gets anywhere."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    rest = b""
    moved_s, place = time.monotonic(), -1
    while True:
        ready, _, _ = select.select([descriptor], [], [], 1.0)
        if not ready:
            if time.monotonic() - moved_s > STALLED_S:
                raise _broken(f"it made no progress for {STALLED_S:.0f} s")
            continue
        data = os.read(descriptor, 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if answer.get("read", place) != place or "read" not in answer:
                moved_s, place = time.monotonic(), answer.get("read", place)
            elif time.monotonic() - moved_s > STALLED_S:
                raise _broken(f"it made no progress for {STALLED_S:.0f} s")
            yield answer


def _error(answer: dict[str, Any], name: str) -> Exception:
    words = str(answer["error"])
    if answer["kind"] == "filter":
        if name != "--filter":
            return _broken(words)
        return UsageError(f"--filter: tshark says: {words}", "see wireshark-filter(4), or tshark -G fields")
    if answer["kind"] == "missing":
        program = "tshark" if words.startswith("tshark") else "pyshark"
        return CannotMeasure(f"--filter and --cross-check need {program}: {words}", _INSTALL[program])
    return _broken(words)


def _broken(words: str) -> CannotMeasure:
    return CannotMeasure(
        f"tshark, through pyshark, failed: {words or 'it ended without a word'}",
        "try the same filter with tshark -r FILE -Y FILTER, or do without",
    )


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, if anything is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    process.wait()
