"""`make bench-jobs`: captures read by several processes, against one.

    large      20 captures of 200 MB: two processes against one
    cluster    the same on a Dask cluster with two workers, against two processes
    small      10,000 captures of a few packets: two processes against the largest-first ideal of two
    one        one capture of 1 GB, cut into portions as for four processes: two against one

Times are whole processes with a warm cache and compiled loops; quote the ratios of one run, never seconds. The captures
are links to one, or to a few: what counts is reading them, not where they lie. JOBS_BENCH_SCALE=0.1 makes all of it
smaller.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from netprobe import analyze
from netprobe.jobs import run
from netprobe.jobs.pool import Pool
from netprobe.options import AnalyzeOptions
from netprobe.settling.giving import Outlets
from tests.capture_bench import write

SCALE = float(os.environ.get("JOBS_BENCH_SCALE", "1"))
FASTER = 1.7  # two processes than one
CLUSTER = 1.2  # Dask against the pool
IDEAL = 1.5  # small captures against the largest-first ideal
MEMORY = 400  # MiB of one process
CONNECTIONS = 25_000  # 200 MB
PORT = 18786
CUT = "from netprobe import __main__; from netprobe.jobs import run; run.FEWEST = run.LEAST = 2; exit(__main__.main())"


class Peak:
    """The largest memory of any process below this one, in MiB, and the processor time of all of them."""

    def __init__(self) -> None:
        self.mib = 0.0
        self._ticks: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def processor_s(self) -> float:
        """Seconds of processor time."""
        return sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")

    def _watch(self) -> None:
        while not self._over.wait(0.2):  # looking costs two milliseconds
            for pid in _below(os.getpid()):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                self._ticks[pid] = int(stat[11]) + int(stat[12])
                if "\nVmHWM:" in status and "python" in status.partition("\n")[0]:
                    self.mib = max(self.mib, int(status.partition("\nVmHWM:")[2].split()[0]) / 1024)


def _below(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append((int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])))
        except (OSError, ValueError):
            continue
    tree, new = set(), {pid}
    while new:
        tree |= new
        new = {one for one, parent in found if parent in new} - tree
    return sorted(tree - {pid})


def seconds(
    files: list[Path], *options: str, core: int | None = None, code: str = ""
) -> tuple[float, float, bytes, float]:
    """A run over these files, on all cores or one: seconds, the largest process's memory, a digest of its sorted lines,
    and the processor time of all processes, which tells what a machine with nothing else to do would take."""
    command = [] if core is None else ["taskset", "-c", str(core)]
    command += [sys.executable, *(["-c", code] if code else ["-m", "netprobe"]), "analyze", "-q", "--jsonl"]
    with Peak() as peak, tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        subprocess.run([*command, *options, *map(str, files)], stdout=out, stderr=subprocess.DEVNULL, check=False)
        took, processor = time.perf_counter() - start, peak.processor_s
        out.seek(0)
        digest = subprocess.run(
            "head -n -1 | LC_ALL=C sort -S 200M | sha256sum", shell=True, stdin=out, capture_output=True, check=True
        ).stdout
    return took, peak.mib, digest, processor


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[str]:
    """A scheduler and its workers on this machine."""
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(PORT)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{PORT}"]
    more = ["--nworkers", str(workers), "--nthreads", "1", "--local-directory", str(folder)]
    processes = [
        subprocess.Popen([*command, "--no-dashboard"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in (dask, [*worker, *more])
    ]
    try:
        time.sleep(6)
        yield f"tcp://127.0.0.1:{PORT}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def small_files(folder: Path, count: int) -> list[Path]:
    """Small captures of several sizes, a folder of links to each."""
    folder.mkdir()
    kinds = []
    for n, connections in enumerate((1, 2, 3, 5, 8, 13)):
        kinds.append(folder / f"kind{n}")
        write(kinds[-1], connections)
    found = [folder / f"{n:05d}.pcap" for n in range(count)]
    for n, path in enumerate(found):
        path.hardlink_to(kinds[n * 7919 % len(kinds)])
    return found


def ideal(files: list[Path], jobs: int) -> float:
    """What the files cost one after the other in one process that has begun, shared out largest first."""
    outlets = Outlets(lines=lambda _: None)
    costs = []
    for path in files:
        start = time.perf_counter()
        analyze.analyze(path, AnalyzeOptions(files=(path,)), lambda _: None, outlets=outlets)
        costs.append(time.perf_counter() - start)
    loads = [0.0] * jobs
    for cost in sorted(costs, reverse=True):
        loads[loads.index(min(loads))] += cost
    return max(loads)


def within(files: list[Path], jobs: int) -> float:
    """The same by processes, those begun before."""
    outlets = Outlets(lines=lambda _: None)
    options = AnalyzeOptions(files=tuple(files))
    start = time.perf_counter()
    analyze.run(options, lambda _: None, lambda _: None, outlets, each=run.by(partial(Pool, jobs)))
    return time.perf_counter() - start


def bench(wanted: set[str]) -> int:
    """Print the table; exit code 1 when a figure is missed."""
    missed = 0

    def told(what: str, value: float, unit: str, *, least: float = 0.0, most: float = float("inf")) -> None:
        nonlocal missed
        good = least <= value <= most
        missed += not good
        bound = f"at least {least:g}" if least else f"at most {most:g}" if most < float("inf") else "told only"
        print(f"{what:62} {value:8.2f} {unit:5} {bound}{'' if good else '  MISSED'}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = folder / "large.pcap"
        write(large, max(int(CONNECTIONS * SCALE), 100))
        many = [folder / f"{n}.pcap" for n in range(20)]
        for path in many:
            path.hardlink_to(large)
        seconds([large], "--compiled")  # compiles
        if "large" in wanted:
            one, two = (min(seconds(many, "--jobs", str(jobs)) for _ in range(2)) for jobs in (1, 2))
            alone = min(seconds(many, core=max(os.sched_getaffinity(0))) for _ in range(2))
            told("20 captures of 200 MB: one process, for each two takes", one[0] / two[0], "x", least=FASTER)
            told("  one process that has one core, for each two on two", alone[0] / two[0], "x")
            told("  the same by processor time", 2 * one[3] / two[3], "x")
            told("  captured bytes a second of one process", 20 * large.stat().st_size / one[0] / 1e6, "MB/s")
            told("  largest memory of a process", max(one[1], two[1]), "MiB", most=MEMORY)
            told("  the same lines", one[2] == two[2], "", least=1)
        if "cluster" in wanted:
            with cluster(2, folder / "dask") as address:
                seconds(many[:4], "--dask", address)  # workers load netprobe once, clusters stay
                pairs = [(seconds(many, "--dask", address)[0], seconds(many, "--jobs", "2")[0]) for _ in range(3)]
            dask, pool = (statistics.median(one) for one in zip(*pairs, strict=True))
            told("the same on a Dask cluster of two workers, against --jobs 2", dask / pool, "x", most=CLUSTER)
        if "one" in wanted:
            huge = folder / "huge.pcap"
            write(huge, max(int(5 * CONNECTIONS * SCALE), 100))
            one, two = (min(seconds([huge], "--jobs", str(jobs), code=CUT) for _ in range(2)) for jobs in (1, 2))
            told("one capture of 1 GB: one process, for each two takes", one[0] / two[0], "x")
            told("  largest memory of a process", max(one[1], two[1]), "MiB", most=MEMORY)
            told("  the same lines, sorted", one[2] == two[2], "", least=1)
        if "small" in wanted:
            files = small_files(folder / "small", max(int(10_000 * SCALE), 200))
            best = ideal(files, 2)
            told("10,000 small captures, against the largest-first ideal", within(files, 2) / best, "x", most=IDEAL)
        shutil.rmtree(folder / "dask", ignore_errors=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(bench(set(sys.argv[1:]) or {"large", "cluster", "small", "one"}))
