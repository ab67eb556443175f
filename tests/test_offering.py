"""What a client of this machine would offer: asked of a fake ssh, compared by whole scans, saved and told again."""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from netprobe import analyze
from netprobe.model import ClientOfferFact, Connect, Mode, Offer, RouteFact, Verdict
from netprobe.offering import HERE, Offering
from netprobe.options import AnalyzeOptions, ScanOptions
from netprobe.replay.live import play, read
from netprobe.report import exchange
from netprobe.scan import Scan
from netprobe.ssh import defaults
from netprobe.targets import Target
from netprobe.wire import offers
from netprobe.wire.capture import CaptureReader
from netprobe.wire.memory import MemoryWire
from netprobe.wire.writer import CaptureWriter
from tests.network import Network, Service, listening
from tests.ssh_packets import COMMON, kexinit
from tests.test_sshconfig import fake_ssh

OLD = replace(COMMON, kex=("diffie-hellman-group1-sha1",))
SAID = """\
hostname x
kexalgorithms a,b
hostkeyalgorithms c
ciphers d,e
macs f
compression no
gssapikeyexchange no
gssapikexalgorithms gss-1-,gss-2-
"""


# --------------------------------------------------------------------------- what ssh says


def test_the_offer_of_ssh() -> None:
    compression = ("none", "zlib@openssh.com", "zlib")
    assert offers.read(SAID) == Offer(
        ("a", "b"), ("c",), ("d", "e"), ("d", "e"), ("f",), ("f",), compression, compression
    )  # fmt: skip


def test_compression_and_gssapi() -> None:
    found = offers.read(SAID.replace("compression no", "compression yes").replace("exchange no", "exchange yes"))
    assert found is not None
    assert found.kex == ("gss-1-", "gss-2-", "a", "b")
    assert found.compression_to_server[0] == "zlib@openssh.com"


@pytest.mark.parametrize("text", ["", "garbage", "kexalgorithms\n", SAID.replace("ciphers d,e\n", "")])
def test_what_can_not_be_read_is_no_offer(text: str) -> None:
    assert offers.read(text) is None


def options(*targets: str, **more: object) -> ScanOptions:
    return ScanOptions(targets=tuple(Target(one, one) for one in targets), **more)  # type: ignore[arg-type]


def test_each_of_a_few_targets_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = SAID.replace("kexalgorithms a", "kexalgorithms $3").replace("\n", "; echo ")
    fake_ssh(tmp_path, f"echo {said}", monkeypatch)
    with closing(Offering(options("192.0.2.1", "192.0.2.2"))) as offering:
        assert offering.told("192.0.2.2", COMMON).offer.kex[0] == "192.0.2.2"
        assert offering.told("192.0.2.1", COMMON).offer.kex[0] == "192.0.2.1"
        assert offering.told("elsewhere", COMMON).offer.kex[0] == offers.ANY
        assert offering.told("192.0.2.1", COMMON).whose == HERE


def test_of_many_only_those_with_an_alias_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ssh(tmp_path, f'echo "$3" >>{tmp_path}/asked', monkeypatch)
    targets = [Target(f"192.0.2.{n}", f"192.0.2.{n}") for n in range(1, 20)]
    targets.append(Target("web", "192.0.2.30", alias="web"))
    with closing(Offering(ScanOptions(targets=tuple(targets)))) as offering:
        offering.told("web", COMMON)
    assert sorted((tmp_path / "asked").read_text().split()) == sorted([offers.ANY, "web"])


def test_what_it_could_offer_is_asked_only_where_something_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = SAID.replace("\n", "; echo ")
    fake_ssh(tmp_path, f'if [ $1 = -Q ]; then echo "$2-name"; else echo {said}; fi', monkeypatch)
    with closing(Offering(options("192.0.2.1"))) as offering:
        local = offering.told("192.0.2.1", COMMON)
        assert "kex-name" in local.knows
        assert offering.told("192.0.2.1", local.offer).knows == ()


@pytest.mark.parametrize("script", ["exit 255", "echo nonsense", "head -c 200000 /dev/zero", "exec sleep 60"])
def test_without_a_useful_ssh_a_dated_default_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake_ssh(tmp_path, script, monkeypatch)
    before = time.monotonic()
    with closing(Offering(options("192.0.2.1"))) as offering:
        told = offering.told("192.0.2.1", COMMON)
    assert told == ClientOfferFact(target="192.0.2.1", whose=defaults.WHOSE, local=False, offer=defaults.OFFER)
    assert time.monotonic() - before < 30


def test_no_ssh_is_run_where_none_is_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ssh(tmp_path, f"touch {tmp_path}/ran", monkeypatch)
    with closing(Offering(options("192.0.2.1", expect="http"))), closing(Offering(options("192.0.2.1", ports=(80,)))):
        pass
    assert not (tmp_path / "ran").exists()


# --------------------------------------------------------------------------- a whole scan


def scan(path: Path, server: Offer, told: ClientOfferFact | None, *, frames: bool = True) -> tuple[Verdict, list[str]]:
    """The verdict of a scan that is saved, and for which targets an offer was asked. The server's offer comes in two
    pieces."""
    greeting = (0.01, b"SSH-2.0-lab_1.0\r\n"), (0.02, kexinit(server)[:300]), (0.5, kexinit(server)[300:])
    network = Network(ports={22: listening}, services={22: Service(greeting)}, frames=frames)
    route = RouteFact(address=network.address, outcome="ok", source=network.source, gateway=network.routers[0])
    writer = CaptureWriter(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), str(path))
    mode = Mode.RAW if frames else Mode.CONNECT
    wire = MemoryWire(network, mode=mode, routes={network.address: route}, writer=writer)
    asked: list[str] = []

    def offer_for(target: str, _: Offer) -> ClientOfferFact | None:
        asked.append(target)
        return told

    report = Scan(wire, options(network.address), lambda _: None, lambda _: None, offer_for=offer_for).run()
    connects = [command for _, command in wire.commands if isinstance(command, Connect)]
    assert len(connects) == 1
    return report.verdicts[0], asked


def facts(path: Path) -> list[ClientOfferFact]:
    return [record for record in CaptureReader(path) if isinstance(record, ClientOfferFact)]


def told(*, local: bool = True) -> ClientOfferFact:
    return ClientOfferFact(target="203.0.113.5", whose="a client", local=local, offer=COMMON)


@pytest.mark.parametrize("frames", [True, False], ids=["raw", "connect"])
def test_a_scan_compares_the_whole_offer(tmp_path: Path, frames: bool) -> None:
    verdict, asked = scan(tmp_path / "a.pcapng", COMMON, told(), frames=frames)
    assert verdict.rule == "NP330"
    assert asked == [verdict.target]
    assert verdict.service is not None
    assert verdict.service.kex is not None
    assert verdict.service.kex.server_offer == COMMON
    assert verdict.service.kex.compared_with == "a client"
    assert verdict.service.kex.agreed is not None
    assert len(facts(tmp_path / "a.pcapng")) == 1


@pytest.mark.parametrize(("local", "rule"), [(True, "NP501"), (False, "NP502")])
def test_a_scan_says_what_lacks(tmp_path: Path, local: bool, rule: str) -> None:
    verdict, _ = scan(tmp_path / "a.pcapng", OLD, told(local=local))
    assert verdict.rule == rule
    assert any("diffie-hellman-group1-sha1" in line for line in verdict.because)
    assert any("-o KexAlgorithms=+diffie-hellman-group1-sha1" in line for line in verdict.remedy)
    assert [one.what for one in verdict.evidence][-1] == "what follows the server's identification"


def test_the_report_tells_more_on_request(tmp_path: Path) -> None:
    verdict, _ = scan(tmp_path / "a.pcapng", COMMON, told())
    assert list(exchange.lines(verdict, 0)) == []
    agreed = "by a client: curve25519-sha256, ssh-ed25519, chacha20-poly1305@openssh.com"
    assert list(exchange.lines(verdict, 1)) == [("agreed", [agreed])]
    offers_told = dict(exchange.lines(verdict, 2))["offers"]
    assert "the server, mac: hmac-sha2-256" in offers_told
    assert "a client, kex: curve25519-sha256, diffie-hellman-group14-sha256" in offers_told


def test_names_of_a_stranger_do_no_harm(tmp_path: Path) -> None:
    verdict, _ = scan(tmp_path / "a.pcapng", replace(COMMON, kex=("\x1b[2J", "curve25519-sha256")), told())
    told_lines = [text for _, texts in exchange.lines(verdict, 2) for text in texts]
    assert all(text.isprintable() for text in told_lines)
    assert any("\\x1b[2J" in text for text in told_lines)


def test_without_an_offer_nothing_is_compared(tmp_path: Path) -> None:
    verdict, _ = scan(tmp_path / "a.pcapng", OLD, None)
    assert verdict.rule == "NP330"
    assert facts(tmp_path / "a.pcapng") == []
    assert verdict.service is not None
    assert verdict.service.kex is not None
    assert verdict.service.kex.agreed is None


@pytest.mark.parametrize("frames", [True, False], ids=["raw", "connect"])
def test_a_saved_scan_says_the_same_elsewhere(tmp_path: Path, frames: bool) -> None:
    path = tmp_path / "a.pcapng"
    verdict, _ = scan(path, OLD, told(), frames=frames)
    again = analyze.run(AnalyzeOptions(files=(path,)), lambda _: None, lambda _: None).verdicts
    assert again == (verdict,)


def test_a_saved_scan_asks_its_own_file_when_it_is_played(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    verdict, _ = scan(path, OLD, told())
    report, _ = play(read(CaptureReader(path)))
    assert [one.rule for one in report.verdicts] == [verdict.rule]
