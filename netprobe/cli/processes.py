"""--jobs, --dask and --parquet: how the files of an analysis are gone through."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from netprobe.errors import UsageError
from netprobe.options import AnalyzeOptions

if TYPE_CHECKING:  # an analysis by this process alone needs nothing of it
    from netprobe.analyze import Each
    from netprobe.tables import Place


def each(options: AnalyzeOptions, jobs: int | None, dask: str | None, parquet: str | None) -> Each | None:
    """What `analyze.run` gets; None where nothing is special. Raises UsageError, and CannotMeasure where a package is
    missing."""
    if jobs is not None and dask is not None:
        raise UsageError("--jobs and --dask are two ways to the same", "give one of them")
    if jobs is not None and not 0 <= jobs <= _MOST:
        raise UsageError(f"--jobs {jobs}: out of range", f"from 1 to {_MOST} processes, or 0 for one for each core")
    several = dask is not None or (jobs is not None and jobs != 1)
    if several and any(str(path) == "-" for path in options.files):
        raise UsageError("other processes can't read standard input", "save it, or leave --jobs out")
    place = None if parquet is None or options.pair is not None else _place(parquet)
    if options.pair is not None:
        if several or parquet is not None:
            option = "--parquet" if parquet else "--dask" if dask else "--jobs"
            raise UsageError(f"{option} is not for two captures that are compared", "leave it out")
        return None
    if dask is not None:
        from netprobe.jobs.cluster import Cluster
        from netprobe.jobs.run import by

        return by(partial(Cluster, dask), parquet=place)
    count = 1 if jobs is None else jobs or len(os.sched_getaffinity(0))
    if count > 1:
        from netprobe.jobs.pool import Pool
        from netprobe.jobs.run import by

        return by(partial(Pool, count), parquet=place)
    if place is not None:
        from netprobe.jobs.run import here

        return here(place)
    return None


_MOST = 1024


def _place(parquet: str) -> Place:
    from netprobe import tables

    tables.check(parquet)
    return tables.Place(parquet, f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}")
