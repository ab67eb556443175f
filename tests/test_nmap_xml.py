"""Nmap's XML: valid, complete whatever happens, read by the programs that read nmap's."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import netprobe
from netprobe import analyze
from netprobe.cli import run as main
from netprobe.cli.exports import Exports
from netprobe.model import Endpoint, Service, Verdict
from netprobe.options import AnalyzeOptions
from netprobe.report import CaptureStatus, Report, nmap_xml
from netprobe.report import json as report_json
from netprobe.wire import sshconfig
from tests import fake_scan
from tests.conn_log import read as read_conn_log
from tests.nmap_document import check, verdicts
from tests.samples import HOSTILE, STARTED_NS, a_hostile_verdict, a_report, a_verdict, an_up_verdict
from tests.test_cli_process import start, wait_until_ready

CAPTURES = Path(__file__).parent.parent / "captures"
DTD = Path("/usr/share/nmap/nmap.dtd")
MANY = (
    a_verdict(),
    a_verdict(client=Endpoint("192.0.2.2", 40113)),
    a_verdict(port=80, rule="NP113"),
    an_up_verdict(port=80),
    an_up_verdict(port=81),
    a_verdict(address="2001:db8::5", target="db.example.com", reason_address="2001:db8::1"),
    a_verdict(address=None, target="no.example.com", cause="name-not-found"),
)


def document(*found: Verdict, command_line: str = "netprobe scan", **changes: Any) -> str:
    hosts = nmap_xml.Hosts()
    for verdict in found:
        hosts.add(report_json.line(verdict))
    return "".join(hosts.document(a_report(**changes), command_line))


def test_states_reasons_and_ttls_stand_where_nmap_has_them() -> None:
    root = check(document(a_verdict(), command_line="netprobe scan 203.0.113.5"))
    assert root.attrib["args"] == "netprobe scan 203.0.113.5"
    (port,) = root.iter("port")
    assert port.attrib == {"protocol": "tcp", "portid": "22"}
    assert port[0].attrib == {"state": "closed", "reason": "reset", "reason_ttl": "62"}
    (status,) = root.iter("status")
    assert status.attrib == {"state": "up", "reason": "reset", "reason_ttl": "62"}
    assert [hop.attrib for hop in root.iter("hop")] == [{"ttl": "1", "ipaddr": "192.0.2.1", "rtt": "0.2"}]
    (script,) = (one for one in root.iter("script") if one.attrib["id"] == "netprobe")
    assert "reset-by-host-firewall (certain, NP112): the reset carries" in script.attrib["output"]


def test_the_service_is_told_as_nmap_tells_it() -> None:
    root = check(document(an_up_verdict(service=Service("ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2"))))
    (service,) = root.iter("service")
    assert service.attrib == {
        "name": "ssh", "product": "OpenSSH", "version": "9.2p1", "extrainfo": "Debian-2; protocol 2.0",
        "method": "probed", "conf": "10",
    }  # fmt: skip


def test_attempts_that_came_to_the_same_are_counted() -> None:
    root = check(document(*MANY))
    assert {key[0:2]: count for key, count in verdicts(root).items() if key[6] == "NP112"} == {
        ("203.0.113.5", "22"): 2, ("2001:db8::5", "22"): 1, ("", ""): 1,
    }  # fmt: skip
    ports = [port.attrib["portid"] for port in root.iter("port")]
    assert ports == ["22", "80", "81", "22"]
    (skipped,) = root.iter("target")
    assert skipped.attrib["specification"] == "no.example.com"
    (scaninfo,) = root.iter("scaninfo")
    assert (scaninfo.attrib["services"], scaninfo.attrib["numservices"]) == ("22,80-81", "3")
    assert [one.attrib["name"] for one in root.iter("hostname")] == ["db.example.com"]
    assert [one.attrib.get("reason_ip") for one in root.iter("state")][-1] == "2001:db8::1"
    (hosts,) = root.iter("hosts")
    assert hosts.attrib == {"up": "1", "down": "1", "total": "2"}


def test_a_zone_is_no_part_of_an_address() -> None:
    root = check(document(a_verdict(address="fe80::1%eth0", target="fe80::1%eth0")))
    (address,) = root.iter("address")
    assert address.attrib == {"addr": "fe80::1", "addrtype": "ipv6"}


def test_an_interrupted_run_says_so() -> None:
    root = check(document(a_verdict(), interrupted=True))
    (finished,) = root.iter("finished")
    assert (finished.attrib["exit"], finished.attrib["errormsg"]) == ("error", "interrupted")


def test_damage_and_drops_are_told() -> None:
    root = check(document(capture=CaptureStatus(packets=9, dropped=2, damage=("x.pcap: byte 7: \x1b[0m",))))
    texts = [one.text for one in root.iter("elem")]
    assert "x.pcap: byte 7: \\x1b[0m" in texts
    assert "2" in texts


def test_hostile_text_is_text() -> None:
    root = check(document(a_hostile_verdict(), command_line=HOSTILE))
    assert not list(root.iter("red"))
    assert "<script>alert(1)</script>" in (next(root.iter("hostname")).attrib["name"])
    assert len(document(a_hostile_verdict())) < 50_000  # a megabyte of banner isn't handed on


@given(st.text(), st.text(max_size=20))
def test_any_text_gives_a_valid_document(text: str, short: str) -> None:
    verdict = a_verdict(target=short, because=(text,), remedy=(text,), notes=(text,), service=Service(short, text))
    check(document(verdict, command_line=text))


@pytest.mark.skipif(not DTD.exists(), reason="nmap, whose DTD it is, isn't installed")
@pytest.mark.parametrize("form", ["scan", "hostile", "unfinished"])
def test_valid_by_nmaps_own_dtd(form: str) -> None:
    etree = pytest.importorskip("lxml.etree")
    texts = {
        "scan": lambda: document(*MANY),
        "hostile": lambda: document(a_hostile_verdict(), command_line=HOSTILE),
        "unfinished": lambda: nmap_xml.unfinished(HOSTILE, STARTED_NS),
    }
    dtd = etree.DTD(str(DTD))
    root = etree.fromstring(texts[form]().encode())
    assert dtd.validate(root), dtd.error_log.filter_from_errors()


def test_python_libnmap_reads_it() -> None:
    parser = pytest.importorskip("libnmap.parser").NmapParser
    report = parser.parse(document(*MANY))
    hosts = {host.address: host for host in report.hosts}
    assert set(hosts) == {"203.0.113.5", "2001:db8::5"}
    host = hosts["203.0.113.5"]
    assert host.is_up()
    assert host.get_open_ports() == [(81, "tcp")]
    service = host.get_service(22, "tcp")
    assert (service.state, service.reason, service.reason_ttl) == ("closed", "reset", "62")
    assert "reset-by-host-firewall" in service.scripts_results[0]["output"]
    assert (report.hosts_up, report.hosts_total) == (1, 2)


@pytest.mark.skipif(shutil.which("ndiff") is None, reason="ndiff isn't installed")
def test_ndiff_compares_two(tmp_path: Path) -> None:
    files = []
    for number, verdict in enumerate((a_verdict(), an_up_verdict())):
        files.append(tmp_path / f"{number}.xml")
        files[-1].write_text(document(verdict), "utf-8")
    found = subprocess.run(["ndiff", *files], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 1
    assert "-22/tcp closed" in found.stdout
    assert "+22/tcp open   ssh     OpenSSH 9.2p1 (protocol 2.0)" in found.stdout


# --------------------------------------------------------------------------- the file


def test_until_the_end_the_file_says_that_there_is_none(tmp_path: Path) -> None:
    """As after a kill -9."""
    name = tmp_path / "x.xml"
    with Exports(xml=str(name), zeek=str(tmp_path / "conn.log")) as exports:
        for sink in exports.sinks:
            sink.row(report_json.line(a_verdict()), None)
        (finished,) = check(name.read_text("utf-8")).iter("finished")
        assert finished.attrib["errormsg"] == "the run did not come to its end"
        exports.finish(a_report(a_verdict()))
        assert len(list(check(name.read_text("utf-8")).iter("port"))) == 1
    assert len(read_conn_log((tmp_path / "conn.log").read_text("ascii")).rows) == 1


def test_an_interrupt_ends_in_whole_files(tmp_path: Path) -> None:
    capture = CAPTURES / "ack_drop_r2-server.pcapng"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with Exports(xml=str(tmp_path / "x.xml"), zeek=str(tmp_path / "conn.log")) as exports:
        outlets = analyze.Outlets(sinks=exports.sinks, outlines=lambda _: (), read=interrupt)
        options = AnalyzeOptions(files=(capture,))
        report: Report = exports.finish(analyze.run(options, lambda _: None, lambda _: None, outlets))
    assert report.interrupted
    (finished,) = check((tmp_path / "x.xml").read_text("utf-8")).iter("finished")
    assert finished.attrib["errormsg"] == "interrupted"
    assert read_conn_log((tmp_path / "conn.log").read_text("ascii")).rows == []


def test_ctrl_c_leaves_what_others_read(tmp_path: Path) -> None:
    """A scan of which one verdict is known, interrupted: valid by the DTD, read by python-libnmap and by ndiff."""
    etree, parser = (pytest.importorskip(name) for name in ("lxml.etree", "libnmap.parser"))
    name = tmp_path / "x.xml"
    process = start("scan", "-oX", str(name), "192.0.2.1", words="closed late")
    wait_until_ready(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    text = name.read_text("utf-8")
    assert verdicts(check(text)).total() == 1
    assert 'errormsg="interrupted"' in text
    if DTD.exists():
        dtd = etree.DTD(str(DTD))
        assert dtd.validate(etree.fromstring(text.encode())), dtd.error_log.filter_from_errors()
    (host,) = parser.NmapParser.parse(text).hosts
    assert [(one.port, one.state) for one in host.services] == [(22, "closed")]
    if shutil.which("ndiff") is not None:
        same = subprocess.run(["ndiff", name, name], capture_output=True, text=True, check=False, timeout=60)
        assert (same.returncode, same.stderr) == (0, "")


def test_analyze_writes_it_beside_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = tmp_path / "x.xml"
    assert main(["analyze", "-oX", str(name), str(CAPTURES / "ack_drop_r2-server.pcapng")]) == 1
    assert "handshake-blocked" in capsys.readouterr().out
    root = check(name.read_text("utf-8"))
    assert len(list(root.iter("port"))) == 6
    assert not list(root.iter("scaninfo"))


@pytest.mark.parametrize("name", ["x.xml", "-"])
def test_scan_writes_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "netprobe.scan", fake_scan)
    monkeypatch.setattr(netprobe, "scan", fake_scan, raising=False)
    monkeypatch.setattr(sshconfig, "resolve", lambda hosts: {})
    monkeypatch.chdir(tmp_path)
    assert main(["scan", "-oX", name, "192.0.2.1"]) == 0
    shown = capsys.readouterr().out
    root = check(shown if name == "-" else (tmp_path / name).read_text("utf-8"))
    assert [port.find("state") is not None for port in root.iter("port")] == [True]
    (scaninfo,) = root.iter("scaninfo")
    assert scaninfo.attrib["services"] == "22"


def test_to_standard_output_it_goes_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "-oX", "-", str(CAPTURES / "ack_drop_r2-server.pcapng")]) == 1
    assert len(list(check(capsys.readouterr().out).iter("port"))) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--json", "-oX", "-"], "two forms of the same result"),
        (["--zeek", "-", "-oX", "-"], "would mix"),
        (["-oX", ""], "no file named"),
        (["-oX", "CAPTURE"], "would overwrite"),
        (["--zeek", "CAPTURE"], "would overwrite"),
    ],
)
def test_what_can_not_be_meant(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "c.pcapng"
    data = (CAPTURES / "ack_drop_r2-server.pcapng").read_bytes()
    capture.write_bytes(data)
    words = [str(capture) if word == "CAPTURE" else word for word in arguments]
    assert main(["analyze", *words, str(capture)]) == 2
    assert said in capsys.readouterr().err
    assert capture.read_bytes() == data


def test_a_full_disk_costs_the_file_not_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    capture = str(CAPTURES / "ack_drop_r2-server.pcapng")
    assert main(["analyze", "-oX", "/dev/full", capture]) == 3
    shown = capsys.readouterr()
    assert "handshake-blocked" in shown.out
    assert "writing /dev/full failed" in shown.err
    assert main(["analyze", "-oX", "/nowhere/x.xml", capture]) == 3
