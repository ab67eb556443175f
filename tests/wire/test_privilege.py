"""Privileges are given away for good, and files belong to who asked for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netprobe.errors import CannotMeasure
from netprobe.wire import privilege

ROOT = Path(__file__).parents[2]
as_root = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0 or not privilege.can_capture(), reason="needs root with CAP_NET_RAW"),
]


def run(code: str, **environment: str) -> str:
    words = [sys.executable, "-c", code]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


_STATUS = """
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(status["Uid"].split(), status["Gid"].split(), status["CapEff"], status["CapPrm"], status["NoNewPrivs"])
"""


@pytest.mark.parametrize(
    ("sudo", "ids"), [({}, "65534"), ({"SUDO_UID": "1234", "SUDO_GID": "5678"}, "1234"), ({"SUDO_UID": "x"}, "65534")]
)
class TestDrop:
    pytestmark = as_root

    def test_nothing_is_left(self, sudo: dict[str, str], ids: str) -> None:
        code = "from netprobe.wire import privilege\nprivilege.drop()\nassert not privilege.can_capture()\n" + _STATUS
        said = run(code, **sudo)
        assert said.startswith(f"['{ids}', '{ids}', '{ids}', '{ids}']")
        assert said.split("] ")[-1].split()[:3] == ["0" * 16, "0" * 16, "1"]

    def test_sockets_and_late_imports_go_on(self, sudo: dict[str, str], ids: str) -> None:
        code = """
from netprobe.wire import privilege
from netprobe.wire.live import LiveWire
wire = LiveWire()
privilege.drop()
from netprobe.model import *
wire.perform(Probe(Shape.SYN, Endpoint("127.0.0.1", 40000), Endpoint("127.0.0.1", 9)))
found = []
while len(found) < 2:
    found += wire.receive(wire.now_ns() + 2_000_000_000) or [None, None]
import decimal, xml.dom.minidom, scapy.layers.inet
"x".encode("cp437")
print(wire.proven, [f.data[20 + 33] for f in found])
wire.close()
"""
        assert run(code, **sudo) == "True [2, 20]\n"


class TestOutput:
    pytestmark = as_root

    def test_belongs_to_who_called_sudo(self, tmp_path: Path) -> None:
        folder = Path("/tmp") / f"netprobe-{os.getpid()}"  # tmp_path can't be entered by others
        folder.mkdir()
        try:
            os.chown(folder, 1234, 5678)
            code = "from netprobe.wire import privilege; privilege.open_output('{}')"
            run(code.format(folder / "scan.pcapng"), SUDO_UID="1234", SUDO_GID="5678")
            made = (folder / "scan.pcapng").stat()
            assert (made.st_uid, made.st_gid) == (1234, 5678)
            with pytest.raises(AssertionError, match=r"CannotMeasure.*Permission denied"):
                run(code.format(tmp_path / "scan.pcapng"), SUDO_UID="1234", SUDO_GID="5678")
        finally:
            (folder / "scan.pcapng").unlink(missing_ok=True)
            folder.rmdir()


def test_a_file_that_can_not_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="can't be written: No such file or directory"):
        privilege.open_output(tmp_path / "missing" / "scan.pcapng")


def test_a_pipe_is_an_output_too(tmp_path: Path) -> None:
    path = tmp_path / "file"
    descriptor = privilege.open_output(path)
    assert os.write(descriptor, b"x") == 1
    os.close(descriptor)
    assert path.read_bytes() == b"x"
