"""What is shipped: a wheel and a source distribution that hold all that a run needs, installed and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from netprobe import __version__
from netprobe.surface.__main__ import files

ROOT = Path(__file__).parent.parent
build = pytest.importorskip("build", reason="needs build")
pytest.importorskip("hatchling", reason="needs hatchling")

SHARED = (
    "share/man/man1/netprobe.1", "share/bash-completion/completions/netprobe", "share/zsh/site-functions/_netprobe",
    "share/fish/vendor_completions.d/netprobe.fish",
)  # fmt: skip


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, the wheel made from the other one; nothing is asked of any network."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT],
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; what it depends on comes from this one."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps",
         "--no-index", "--disable-pip-version-check", wheel],
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "theirs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def interpreter(version: str) -> str | None:
    """A CPython of this version that runs: of the system, or of pyenv, whose shims don't."""
    for found in (shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        asked = [found or "", "-c", "import sys, venv; print(sys.implementation.name, *sys.version_info[:2])"]
        if found and subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60).stdout.split() == [
            "cpython", *version.split("."),
        ]:  # fmt: skip
            return str(found)
    return None


def command(environment: Path, *arguments: str) -> str:
    """What the installed command says, far away from this source tree."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NETPROBE"))}
    done = subprocess.run(
        [environment / "bin" / "netprobe", *arguments], check=True, capture_output=True, text=True, timeout=60,
        cwd=environment, env=clean,
    )  # fmt: skip
    return done.stdout


def test_the_wheel_is_for_any_machine(wheel: Path) -> None:
    assert wheel.name == f"netprobe_wire-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as found:
        assert not [name for name in found.namelist() if name.endswith((".so", ".pyc", ".c"))]
        (info,) = [name for name in found.namelist() if name.endswith("METADATA")]
        text = found.read(info).decode()
    assert "Requires-Python: >=3.11" in text
    assert re.search(r"^License-Expression: GPL-2.0-or-later$", text, re.MULTILINE)


def test_the_wheel_holds_everything(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as found:
        names = set(found.namelist())
    ours = [path for path in (ROOT / "netprobe").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    missing = {str(path.relative_to(ROOT)) for path in ours} - names
    assert not missing
    for name in files():
        if name.startswith("netprobe/"):
            assert name in names
    for name in SHARED:
        assert f"netprobe_wire-{__version__}.data/data/{name}" in names
    assert not [name for name in names if name.startswith(("tests/", "captures/", "docs/"))]


def test_the_source_distribution_can_be_tested(dist: Path) -> None:
    (found,) = dist.glob("*.tar.gz")
    with tarfile.open(found) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert {"pyproject.toml", "Makefile", ".ci/setup", "README.md", "tests/test_package.py", *SHARED} <= names
    ours = (".git/", ".venv", "dist/")
    assert not [name for name in names if name.startswith(ours) or name.endswith(".pyc")]


def test_it_runs_where_it_is_installed(environment: Path) -> None:
    assert command(environment, "--version") == f"netprobe {__version__}\n"
    assert command(environment, "--help") == (ROOT / "netprobe/help/netprobe.txt").read_text("utf-8")
    assert "no-listener" in command(environment, "explain", "NP110")
    capture = ROOT / "captures" / "up.pcapng"
    assert '"cause": "up"' in command(environment, "analyze", "--jsonl", str(capture))
    where = subprocess.run(
        [environment / "bin" / "python", "-c", "import netprobe; print(netprobe.__file__)"],
        check=True, capture_output=True, text=True, cwd=environment, timeout=60,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    )  # fmt: skip
    assert where.stdout.startswith(str(environment))


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_it_runs_on_every_python_that_it_names(version: str, wheel: Path, tmp_path: Path) -> None:
    """What it depends on comes from this environment: all that is used here is Python."""
    found = interpreter(version)
    if found is None:
        pytest.skip(f"there is no python{version}")
    subprocess.run([found, "-m", "venv", "--without-pip", tmp_path], check=True, capture_output=True, timeout=120)
    (site,) = tmp_path.glob("lib/python3*/site-packages")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    (site / "theirs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    script = tmp_path / "bin" / "netprobe"
    script.write_text(f"#!{tmp_path}/bin/python\nfrom netprobe.__main__ import main\nraise SystemExit(main())\n")
    script.chmod(0o755)
    capture = str(ROOT / "captures" / "up.pcapng")
    assert command(tmp_path, "--version") == f"netprobe {__version__}\n"
    assert "no-listener" in command(tmp_path, "explain", "NP110")
    assert '"cause": "up"' in command(tmp_path, "analyze", "--jsonl", capture)
    assert "up, SSH-2.0" in command(tmp_path, "analyze", "-vv", capture)
    command(tmp_path, "analyze", "-q", "--html", str(tmp_path / "page.html"), capture)
    done = subprocess.run(
        [tmp_path / "bin" / "python", "-W", "error", "-m", "compileall", "-q", "-f", site / "netprobe"],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", SHARED)
def test_shells_and_man_find_their_files(environment: Path, name: str) -> None:
    assert (environment / name).read_text("utf-8") == (ROOT / name).read_text("utf-8")
