"""Verdicts as tables for whoever counts them: Parquet, partitioned by day and server (docs/scale.md has the columns).

House rules of this file:
1. polars is imported here and nowhere else, and only where tables are wanted.
2. A table is written under another name and gets its own when all of its capture is told: one that is there is whole,
   and a capture that is analyzed again in the same run replaces its own tables.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netprobe.errors import CannotMeasure
from netprobe.report.zeek import Tally
from netprobe.settling.giving import Outlets
from netprobe.urls import is_url

# JSON lines that become tables at once: they take ten times as much memory for a moment.
AT_ONCE = 8 << 20
# What is read of a partition whose attempts have no packet, or no address (as Hive has it).
NOBODY = "__HIVE_DEFAULT_PARTITION__"
# Quotes inside a string have a backslash before them: this is only ever the key.
_TIME = re.compile(rb'(?<!\\)"time": ([0-9]+)\.([0-9]{9})')


def check(place: str) -> None:
    """Whether tables can be made there at all. Raises CannotMeasure."""
    _polars()
    if is_url(place):
        return
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
        if not os.access(place, os.W_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise CannotMeasure(f"--parquet {place}: {error.strerror}", "name a folder that can be written") from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tables of a run go: a folder or URL. `run`: what the names of this run's tables begin with."""

    place: str
    run: str

    def of(self, index: int) -> tuple[str, str]:
        """Folder and first part of the names for the capture with this number."""
        return self.place, f"{self.run}-{index:06d}"


class Tables:
    """The tables of one capture. `place`: a folder or URL; `part`: what their names begin with, and no other
    capture's; `source`: the capture, as it is told in them."""

    def __init__(self, place: str, part: str, source: str) -> None:
        self._place = place
        self._part = part
        self._source = source
        self._lines = bytearray()
        self._count = 0
        self._written: list[tuple[Path, Path]] = []

    def lines(self, lines: bytes) -> None:
        """Verdicts as JSON lines."""
        self._lines += lines
        if len(self._lines) >= AT_ONCE:
            self._flush()

    def line(self, line: str, _: Tally | None = None) -> None:
        """One verdict as its JSON line."""
        self.lines(line.encode("ascii"))

    def close(self) -> None:
        """All has been told: the tables get their names. Raises CannotMeasure."""
        self._flush()
        try:
            for hidden, name in self._written:
                hidden.replace(name)
        except OSError as error:
            raise self._failed(error) from error
        self._written = []

    def abandon(self) -> None:
        """Leave nothing behind."""
        for hidden, _ in self._written:
            with contextlib.suppress(OSError):
                hidden.unlink()

    def _flush(self) -> None:
        if not self._lines:
            return
        data, self._lines = bytes(self._lines), bytearray()
        try:
            for (day, server), table in _frame(data, self._source).partition_by(
                "day", "server", as_dict=True, include_key=False, maintain_order=True
            ).items():
                self._write(table, f"day={day}", f"server={urllib.parse.quote(server, safe=':')}")
        except OSError as error:
            raise self._failed(error) from error
        self._count += 1

    def _write(self, table: Any, day: str, server: str) -> None:
        name = f"{self._part}-{self._count:04d}.parquet"
        if is_url(self._place):
            from netprobe.wire.remote import create

            with create(f"{self._place.rstrip('/')}/{day}/{server}/{name}") as out:
                table.write_parquet(out)
            return
        folder = Path(self._place) / day / server
        folder.mkdir(parents=True, exist_ok=True)
        hidden = folder / f".{name}"
        table.write_parquet(hidden)
        self._written.append((hidden, folder / name))

    def _failed(self, error: OSError) -> CannotMeasure:
        return CannotMeasure(
            f"writing tables to {self._place} failed: {error.strerror or error}",
            "make room or name another folder, and run again",
        )


def beside(outlets: Outlets, tables: Tables) -> Outlets:
    """The outlets, and tables of the same verdicts."""
    given: Callable[[bytes], None] | None = outlets.lines
    if given is not None:
        on_lines = given

        def both(lines: bytes) -> None:
            tables.lines(lines)
            on_lines(lines)

        return replace(outlets, lines=both)
    also = outlets.also

    def told(line: str, tally: Tally | None) -> None:
        tables.line(line)
        if also is not None:
            also(line, tally)

    return replace(outlets, also=told)


def _polars() -> Any:
    try:
        os.environ.setdefault("POLARS_MAX_THREADS", "2")  # others analyze meanwhile
        import polars as pl
    except ImportError as error:
        raise CannotMeasure(
            "--parquet needs the Python package polars", "install it: pip install 'netprobe-wire[parquet]'"
        ) from error
    return pl


def _frame(lines: bytes, source: str) -> Any:
    """The table of some JSON lines. Times become nanoseconds on the way, never floats."""
    pl = _polars()
    text, texts, whole = pl.String, pl.List(pl.String), pl.Int64
    place = pl.Struct({"address": text, "port": whole})
    schema = {
        "target": text, "address": text, "port": whole, "protocol": text, "client": place, "state": text,
        "reason": text, "reason_address": text, "reason_ttl": whole, "cause": text, "certainty": text, "rule": text,
        "origin": pl.Struct({"kind": text, "address": text, "hop": whole, "between": texts}), "because": texts,
        "alternatives": pl.List(pl.Struct({"cause": text})), "remedy": texts,
        "evidence": pl.List(pl.Struct({"frame": whole, "time": whole})), "history": text, "conn_state": text,
        "rtt_ms": pl.Float64, "attempts": whole, "service": pl.Struct({"protocol": text, "identification": text}),
        "vantage": text, "notes": texts,
    }  # fmt: skip
    read = pl.read_ndjson(io.BytesIO(_TIME.sub(rb'"time": \1\2', lines)), schema=schema)
    first, origin, between = pl.col("evidence").list.first(), pl.col("origin"), pl.col("origin").struct.field("between")
    time = pl.from_epoch(first.struct.field("time"), time_unit="ns").dt.replace_time_zone("UTC")
    return read.select(
        time.alias("time"),
        first.struct.field("frame").alias("frame"),
        pl.col("client").struct.field("address").alias("client_address"),
        pl.col("client").struct.field("port").alias("client_port"),
        *("target", "address", "port", "protocol", "state", "reason", "reason_address", "reason_ttl"),
        *("cause", "certainty", "rule"),
        origin.struct.field("kind").alias("origin"),
        origin.struct.field("address").alias("origin_address"),
        origin.struct.field("hop").alias("origin_hop"),
        between.list.get(0, null_on_oob=True).alias("origin_near"),
        between.list.get(1, null_on_oob=True).alias("origin_far"),
        *("conn_state", "history", "rtt_ms", "attempts"),
        pl.col("service").struct.field("protocol").alias("service"),
        pl.col("service").struct.field("identification").alias("identification"),
        "vantage",
        pl.col("evidence").list.eval(pl.element().struct.field("frame")).list.unique(maintain_order=True)
        .alias("frames"),
        "because",
        pl.col("alternatives").list.eval(pl.element().struct.field("cause")).list.unique(maintain_order=True)
        .alias("or_it_is"),
        pl.col("remedy").alias("to_do"),
        "notes",
        pl.lit(source).alias("file"),
        time.dt.strftime("%Y-%m-%d").fill_null(NOBODY).alias("day"),
        pl.col("address").fill_null(NOBODY).alias("server"),
    )  # fmt: skip
