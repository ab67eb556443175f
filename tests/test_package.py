"""What is shipped: a wheel and a source distribution that hold all that a run needs, installed and run."""

from __future__ import annotations

import os
import re
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


@pytest.mark.parametrize("name", SHARED)
def test_shells_and_man_find_their_files(environment: Path, name: str) -> None:
    assert (environment / name).read_text("utf-8") == (ROOT / name).read_text("utf-8")
