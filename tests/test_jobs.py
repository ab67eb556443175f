"""Analysis by several processes: the result of one, whatever dies, is damaged, or lies elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import forkserver
from pathlib import Path

import pytest

from netprobe import analyze
from netprobe.analyze import Each, one_by_one
from netprobe.errors import NetprobeError, UsageError
from netprobe.jobs import run
from netprobe.jobs.pool import Pool
from netprobe.jobs.run import by, here
from netprobe.jobs.task import Unit, Wanted
from netprobe.model import Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import Report
from netprobe.report.summary import Outlines, Summary
from netprobe.settling import jit
from netprobe.settling.giving import Outlets
from netprobe.tables import Place
from netprobe.urls import Url, is_url, place
from tests import jobs_workers
from tests.capture_bench import write

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captures of several sizes, one that is none, one that was cut off, one with a damage."""
    folder = tmp_path_factory.mktemp("captures")
    for n in range(4):
        write(folder / f"some{n}.pcap", 20 + 30 * n)
    whole = (folder / "some3.pcap").read_bytes()
    (folder / "cut.pcap").write_bytes(whole[:5000])
    (folder / "damaged.pcap").write_bytes(whole[:24] + whole[24:4000] + b"\xff" * 64 + whole[4000:])
    (folder / "none.pcap").write_bytes(b"no capture")
    (folder / "empty.pcap").write_bytes(whole[:24])
    return folder


def _lines(files: list[Path], each: Each = one_by_one, **options: bool) -> tuple[bytes, list[str], Report]:
    """The JSON lines of an analysis, what was said meanwhile, and its report."""
    lines: list[bytes] = []
    notices: list[str] = []
    asked = AnalyzeOptions(files=tuple(files), **options)  # type: ignore[arg-type]
    outlets = Outlets(lines=lambda some: lines.append(bytes(some)))
    report = analyze.run(asked, lambda _: None, notices.append, outlets, each=each)
    return b"".join(lines), notices, report


def test_files_by_two_processes(captures: Path) -> None:
    files = sorted(captures.glob("*.pcap"))
    alone, told, report = _lines(files)
    lines, notices, found = _lines(files, by(partial(Pool, 2)))
    assert alone.count(b"\n") > 200
    assert lines == alone  # in the same order, too
    assert notices == told
    assert found.capture == report.capture
    assert found.capture.damage
    assert (found.causes, found.failure, found.interrupted) == (report.causes, report.failure, False)


def test_verdicts_and_outlines_by_two_processes(captures: Path) -> None:
    files = tuple(sorted(captures.glob("some*.pcap")))

    def told(each: Each) -> tuple[list[object], list[Verdict], tuple[Verdict, ...], list[object]]:
        outlines: list[object] = []
        wanted: list[Verdict] = []
        also: list[object] = []

        summary = Summary()

        def note(some: Outlines) -> Sequence[int]:
            outlines.append(some)
            return summary.note(some)

        def keep(verdict: Verdict) -> None:
            wanted.append(verdict)
            summary.examples.keep(verdict)

        counted = Outlets(outlines=note, clients=True, also=lambda line, tally: also.append((line, tally)))
        analyze.run(AnalyzeOptions(files=files), keep, lambda _: None, counted, each=each)
        whole = analyze.run(AnalyzeOptions(files=files[:2]), lambda _: None, lambda _: None, each=each)
        return outlines, wanted, whole.verdicts, also

    assert told(by(partial(Pool, 2))) == told(one_by_one)


def test_a_file_in_portions_and_files_as_a_stream(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not jit.available():
        pytest.skip("nothing is compiled here")
    monkeypatch.setattr(run, "SMALLEST", 60_000)
    monkeypatch.setattr(run, "FEWEST", 2)
    monkeypatch.setattr(run, "LEAST", 100_000)
    large = captures / "some3.pcap"
    assert large.stat().st_size > 400_000
    alone, _, report = _lines([large])
    lines, _, found = _lines([large, captures / "some0.pcap"], by(partial(Pool, 2)))
    assert sorted(alone.splitlines()) == sorted(lines.splitlines()[: alone.count(b"\n")])
    assert found.capture.packets > report.capture.packets

    data, at = large.read_bytes(), 24
    middle = []
    while at < len(data):
        middle.append(at)
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
    place_to_cut = next(at for at in middle if at > len(data) // 2 and _second(data, at) > _before(data, middle, at))
    first, second = tmp_path / "b.pcap", tmp_path / "a.pcap"  # not in the order of their names
    first.write_bytes(data[:place_to_cut])
    second.write_bytes(data[:24] + data[place_to_cut:])
    stream, _, together = _lines([second, first], by(partial(Pool, 2)), together=True)
    assert sorted(stream.splitlines()) == sorted(alone.splitlines())
    assert together.capture == report.capture


def _second(data: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 8], "little")


def _before(data: bytes, starts: list[int], at: int) -> tuple[int, int]:
    return _second(data, starts[starts.index(at) - 1])


def test_a_process_that_dies_is_replaced(captures: Path, tmp_path: Path) -> None:
    files = []
    for n in range(4):
        files.append(tmp_path / f"{'once' if n == 2 else 'file'}{n}.pcap")
        shutil.copy(captures / f"some{n}.pcap", files[-1])
    lines, notices, report = _lines(files, by(partial(Pool, 2, do=jobs_workers.dies_once)))
    assert (tmp_path / "once2.died").exists()
    assert lines == _lines(files)[0]
    assert not notices
    assert report.failure is None


def test_ctrl_c_does_not_reach_the_fork_server(captures: Path) -> None:
    """It would die of it while it loads, and the analysis with it."""
    assert _lines([captures / "some0.pcap", captures / "some1.pcap"], by(partial(Pool, 2)))[0]
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    blocked = re.search(r"^SigBlk:\s*(\w+)", Path(f"/proc/{server}/status").read_text(), re.MULTILINE)
    assert blocked is not None
    assert int(blocked[1], 16) >> signal.SIGINT - 1 & 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_file_at_which_processes_die_is_told_and_the_rest_goes_on(captures: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.pcap", "bad.pcap", "c.pcap")]
    for file in files:
        shutil.copy(captures / "some0.pcap", file)
    lines, notices, report = _lines(files, by(partial(Pool, 2, do=jobs_workers.dies_always)))
    assert lines == _lines([files[0], files[2]])[0]
    assert len(notices) == 1
    assert "bad.pcap: the process that read it was killed, 3 times" in notices[0]
    assert report.failure == notices[0]


def test_large_files_begin_first_and_small_ones_go_together() -> None:
    units = [Unit(n, Path(f"{n}"), size) for n, size in enumerate([10, 90_000_000, 20, 30_000_000] + [5] * 200)]
    made = run.tasks(units, AnalyzeOptions(), Wanted(), None)
    assert [task.units[0].index for task in made[:2]] == [1, 3]
    assert sorted(unit.index for task in made for unit in task.units) == list(range(204))
    assert len(made) == 2 + 4  # 64 files at most


def test_a_file_is_cut_only_where_that_is_quicker(captures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not jit.available():
        pytest.skip("nothing is compiled here")
    monkeypatch.setattr(run, "SMALLEST", 60_000)
    large = captures / "some3.pcap"
    options = AnalyzeOptions(files=(large,))

    def units(cores: int, least: int) -> int:
        monkeypatch.setattr(run, "_cores", lambda: cores)
        monkeypatch.setattr(run, "LEAST", least)
        return len(run._units(options, 4, here=True) or ())

    assert units(4, 100_000) > 4
    assert units(2, 100_000) == 1
    assert units(4, 10_000_000) == 1


# --------------------------------------------------------------------------- captures by URL


def test_what_is_a_url() -> None:
    assert all(map(is_url, ("s3://bucket/a.pcap", "memory://a", "simplecache::http://192.0.2.1/a")))
    assert not any(map(is_url, ("a.pcap", "-", "/a//b", "c:/a", "://a")))
    url = place("s3://bucket//a b.pcap")
    assert isinstance(url, Url)
    assert (str(url), url.exists(), url.name) == ("s3://bucket//a b.pcap", False, "a b.pcap")


def test_captures_by_url(captures: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://captures/one.pcap", "wb") as out:
        out.write((captures / "some1.pcap").read_bytes())
    expected = _lines([captures / "some1.pcap"])[0]
    assert _lines([Url("memory://captures/one.pcap")])[0] == expected
    urls: list[Path] = [Url(f"file://{captures}/some{n}.pcap") for n in (1, 2)]
    lines, notices, _ = _lines([*urls, Url(f"file://{captures}/gone.pcap")], by(partial(Pool, 2)))
    assert lines.startswith(expected)
    assert len(notices) == 1
    assert "gone.pcap can't be read: FileNotFoundError" in notices[0]
    with pytest.raises(NetprobeError, match=r"nothing://x can't be read: Protocol not known"):
        _lines([Url("nothing://user:secret@x")])


# --------------------------------------------------------------------------- tables


@pytest.mark.parametrize("each", [here, lambda where: by(partial(Pool, 2), parquet=where)], ids=["here", "pool"])
def test_tables_hold_what_the_lines_tell(captures: Path, tmp_path: Path, each: Callable[[Place], Each]) -> None:
    pl = pytest.importorskip("polars")
    files = [captures / "some1.pcap", captures / "none.pcap", captures / "some2.pcap"]
    lines = _lines(files, each(Place(str(tmp_path / "tables"), "run")))[0]
    told = [json.loads(line, parse_float=str) for line in lines.splitlines()]
    table = pl.read_parquet(tmp_path / "tables/**/*.parquet", hive_partitioning=True, try_parse_hive_dates=False)
    assert not list(tmp_path.rglob(".*.parquet"))
    assert len(table) == len(told) > 100

    def row(one: dict[str, object]) -> tuple[object, ...]:
        return tuple(str(value) for value in one.values())

    columns = ("server", "port", "client_address", "client_port", "cause", "rule", "frame", "day")
    found = sorted(row(one) for one in table.select(columns).to_dicts())
    assert found == sorted(
        (v["address"], str(v["port"]), v["client"]["address"], str(v["client"]["port"]), v["cause"], v["rule"],
         str(v["evidence"][0]["frame"]), "2023-11-14")
        for v in told
    )  # fmt: skip
    times = sorted(table["time"].dt.epoch("ns").to_list())
    assert times == sorted(int(v["evidence"][0]["time"].replace(".", "")) for v in told)
    assert set(table["file"]) == {str(files[0]), str(files[2])}


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_the_recipe_answers_who_refused_whom(captures: Path, tmp_path: Path, engine: str) -> None:
    """The very text of docs/scale.md, over these tables."""
    pytest.importorskip("polars")
    module = pytest.importorskip(engine)
    _lines([captures / "some3.pcap"], here(Place(str(tmp_path / "tables"), "run")))
    text = (ROOT / "docs" / "scale.md").read_text("utf-8")
    recipe = next(
        block for block in re.findall(r"(?:^    .*\n|^\n)+", text, re.MULTILINE)
        if ("read_parquet(" if engine == "duckdb" else "pl.scan_parquet(") in block
    )  # fmt: skip
    code = "\n".join(line[4:] for line in recipe.splitlines()).replace("tables/", f"{tmp_path}/tables/")
    if engine == "duckdb":
        names = module.sql(code).columns
        texts = "since::VARCHAR AS since, until::VARCHAR AS until"  # its Python times need pytz
        rows = module.sql(f"SELECT * REPLACE ({texts}) FROM ({code})").fetchall()
    else:
        space: dict[str, object] = {}
        exec(code, space)
        table = space["refused"]
        names, rows = list(table.columns), table.rows()  # type: ignore[attr-defined]
    assert names == ["server", "port", "cause", "refused_by", "clients", "attempts", "since", "until"]
    causes = {row[names.index("cause")] for row in rows}
    assert {"no-listener", "rejected-on-path"} <= causes
    assert "up" not in causes
    rejected = next(row for row in rows if row[names.index("cause")] == "rejected-on-path")
    assert rejected[names.index("refused_by")] == "198.51.100.1"


# --------------------------------------------------------------------------- a Dask cluster


@pytest.mark.parametrize("near", [True, False])
def test_files_on_a_dask_cluster(captures: Path, monkeypatch: pytest.MonkeyPatch, near: bool) -> None:
    """What workers of this machine find comes in files, what those of others find is sent."""
    distributed = pytest.importorskip("distributed")
    from netprobe.jobs.cluster import Cluster

    share = Cluster.share
    shared = []

    def asked(cluster: Cluster, folder: Path) -> bool:
        shared.append(share(cluster, folder if near else folder / "of another machine"))
        return shared[-1]

    monkeypatch.setattr(Cluster, "share", asked)
    files = sorted(captures.glob("*.pcap"))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, host="127.0.0.1", protocol="tcp://"
    ) as cluster:
        lines, notices, report = _lines(files, by(partial(Cluster, cluster.scheduler_address)))
    alone, told, expected = _lines(files)
    assert (lines, notices) == (alone, told)
    assert report.capture == expected.capture
    assert shared == [near]


# --------------------------------------------------------------------------- what was typed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"jobs": 2, "dask": "tcp://192.0.2.1:8786"}, "two ways to the same"),
        ({"jobs": -1}, "--jobs -1: out of range"),
        ({"jobs": 2, "files": ("-",)}, "can't read standard input"),
    ],
)
def test_what_makes_no_sense_is_told(arguments: dict[str, object], said: str) -> None:
    from netprobe.cli import processes

    files = tuple(Path(str(name)) for name in arguments.pop("files", ("a", "b")))  # type: ignore[attr-defined]
    given: dict[str, object] = {"jobs": None, "dask": None, "parquet": None, **arguments}
    with pytest.raises(UsageError, match=said):
        processes.each(AnalyzeOptions(files=files), **given)  # type: ignore[arg-type]
