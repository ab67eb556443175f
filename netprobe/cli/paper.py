"""`--html FILE` of the commands whose only file it is: opened before anything is looked at, written at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from netprobe.cli import page
from netprobe.cli.exports import Output
from netprobe.errors import CannotMeasure, NetprobeError, UsageError
from netprobe.interrupts import Interrupts

Pieces = Callable[[], Iterable[str]]


class Paper:
    """A page to be written; does nothing without a file. `alone`: standard output gets it, and nothing else."""

    def __init__(self, output: Output | None) -> None:
        self._output = output
        self.wanted = output is not None
        self.alone = output is not None and output.name == "-"

    def finish(self, pieces: Pieces) -> NetprobeError | None:
        """Write it; what went wrong with that."""
        if self._output is None:
            return None
        try:
            with Interrupts():
                page.write(self._output, pieces())
        except OSError as error:
            return CannotMeasure(f"{self._output.name} can't be written: {error.strerror}", "name another file")
        return None


@contextmanager
def paper(name: str | None, *others: str, inputs: Iterable[Path] = ()) -> Iterator[Paper]:
    """The page of `--html NAME`, closed at the end. `others`: options that want standard output, too; `inputs`: files
    that must not be overwritten. Raises UsageError and CannotMeasure."""
    if name is None:
        yield Paper(None)
        return
    page.check()
    if not name:
        raise UsageError("--html: no file named", "write --html FILE, or --html - for standard output")
    if name == "-" and others:
        raise UsageError(f"--html - and {others[0]} would mix on standard output", "name a file for one")
    for one in inputs:
        if name != "-" and one.is_file() and Path(name).exists() and one.samefile(name):
            raise UsageError(f"--html {name} would overwrite what is to be read", "name another file")
    try:
        output = Output(name)
    except OSError as error:
        raise CannotMeasure(f"{name} can't be written: {error.strerror}", "name another file") from error
    try:
        page.begin(output)
        yield Paper(output)
    finally:
        output.close()
