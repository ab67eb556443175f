"""What a scan costs those who are scanned, measured on their side; and that neither forgers nor numbers mislead it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from netprobe.model import Frame
from netprobe.wire.capture import CaptureReader
from tests.commands import Done, at_once, run
from tests.lab.packets import ACK, RST, SYN, Packet, parse
from tests.lab.scenario import V4, V6
from tests.lab.topology import Lab, available

NO_LAB = available()
pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(NO_LAB), reason=f"no lab: {NO_LAB}")]

MOST_SYNS = 5  # to one port, that can reach it: an ufw limit trips at the sixth
MOST_CONNECTIONS = 2
BUDGET = (
    *("up", "no_listener", "no_listener_no_ping", "reset_host", "reset_r2", "reject_admin_host", "reject_port_r1"),
    *("drop_host", "drop_r1", "drop_r2_raw", "backlog_full", "synack_drop_r2", "limit_then_drop", "syn_drop_host_open"),
    *("close_at_once", "http", "syn_shape_timestamps", "two_hosts", "rst_wrong_ack", "path_mtu_black_hole", "host_off"),
)
OPEN = ("up", "http", "close_at_once")
FORTY = ("drop_host", "no_listener", "up", "reset_host", "reject_admin_host", "drop_r1", "reset_r2", "backlog_full")
FORGED_OF_A_KIND = 2000  # for each SYN: about 10^5 in all, most of them beside silence
CLIENTS = 6


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(dict.fromkeys((*BUDGET, *FORTY)), clients=CLIENTS) as built:
        yield built


@contextmanager
def listening(lab: Lab, node: str, path: Path, words: str, device: str = "eth0") -> Iterator[None]:
    """tcpdump on a node, from now to the end of the block."""
    argv = ["tcpdump", "-Z", "root", "-i", device, "-n", "--immediate-mode", "-U", "-s", "256", "-w", str(path), words]
    process = lab.popen(node, argv, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "listening" not in (line := process.stderr.readline()):
        assert line, "tcpdump ended"
    try:
        yield
    finally:
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def frames(path: Path) -> list[bytes]:
    """Ethernet frames of a file."""
    return [record.data for record in CaptureReader(path) if isinstance(record, Frame)]


def packets(path: Path) -> list[Packet]:
    """TCP segments of a file."""
    found = [parse(frame[14:]) for frame in frames(path)]
    return [packet for packet in found if packet is not None and packet.icmp is None]


def syns(heard: Sequence[Packet], port: int = 22, ttl: int = 1) -> int:
    """SYNs to a port with this TTL or more."""
    return sum(p.flags & (SYN | ACK | RST) == SYN and p.dport == port and p.ttl >= ttl for p in heard)


def full_connections(heard: Sequence[Packet], port: int = 22) -> int:
    """Handshakes that the client completed."""
    offered = {(p.destination, p.dport, (p.seq + 1) & 0xFFFFFFFF) for p in heard if p.flags & 0x3F == SYN | ACK}
    return len({
        (p.source, p.sport)
        for p in heard
        if p.dport == port and p.flags & (ACK | RST | SYN) == ACK and (p.source, p.sport, p.ack) in offered
    })  # fmt: skip


# --------------------------------------------------------------------------- the budget


@pytest.fixture(scope="module", params=[V4, V6], ids=["v4", "v6"])
def heard(
    request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Done, list[Packet], list[Packet]]]:
    """Every scenario of BUDGET scanned once: what it printed, what r1 heard of it, what the server heard of it."""
    family: int = request.param
    folder = tmp_path_factory.mktemp("heard")

    def one(index: int) -> list[tuple[str, tuple[Done, list[Packet], list[Packet]]]]:
        found = []
        for name in BUDGET[index::CLIENTS]:
            scenario = lab.scenario(name)
            address = lab.address(scenario, family)
            there, passing = folder / f"{name}.pcap", folder / f"{name}-r1.pcap"
            node = lab.plan.node_of(scenario, "target")
            lab.prepare(scenario, f"c{index}", (family,))
            with listening(lab, "r1", passing, f"tcp and host {address}"):
                if node in lab.plan.nodes:
                    with listening(lab, node, there, "tcp"):
                        done = run("scan", "--json", "--expect", "ssh", address, lab=lab, client=f"c{index}")
                else:
                    done = run("scan", "--json", "--expect", "ssh", address, lab=lab, client=f"c{index}")
            found.append((name, (done, packets(passing), packets(there) if there.exists() else [])))
        return found

    return dict(pair for part in at_once(one, range(CLIENTS), CLIENTS) for pair in part)


def test_few_packets_reach_a_port(heard: dict[str, tuple[Done, list[Packet], list[Packet]]], lab: Lab) -> None:
    told = {}
    for name, (done, passing, there) in heard.items():
        assert done.code in (0, 1), (name, done)
        scenario = lab.scenario(name)
        distance = lab.hop("target", scenario) or 3
        told[name] = (syns(passing, ttl=distance), syns(there), full_connections(there))
        assert syns(passing) > 0, name
    assert all(reach <= MOST_SYNS and came <= MOST_SYNS for reach, came, _ in told.values()), told
    assert all(connections <= MOST_CONNECTIONS for _, _, connections in told.values()), told
    assert told["up"] == (1, 1, 1)


def test_nothing_but_an_identification_is_said(heard: dict[str, tuple[Done, list[Packet], list[Packet]]]) -> None:
    """To a port where SSH is expected; what a banner scanner does, no more."""
    for name, (_, _, there) in heard.items():
        for packet in there:
            if packet.dport == 22 and packet.payload:
                assert packet.payload.startswith(b"SSH-2.0-"), (name, packet)


def test_the_question_for_methods_needs_no_second_connection(lab: Lab, tmp_path: Path) -> None:
    """--auth-methods rides on the one connection; every packet of it is saved, and says the same again."""
    pytest.importorskip("asyncssh", reason="asyncssh is not installed (extra ssh)")
    there, saved = tmp_path / "there.pcap", tmp_path / "saved.pcapng"
    scenario = lab.scenario("up")
    node = lab.plan.node_of(scenario, "target")
    for family in (V4, V6):
        more = ("--auth-methods", "--user", "nobody", "-w", str(saved))
        with listening(lab, node, there, "tcp port 22"):
            done = run("scan", "--json", *more, lab.address(scenario, family), lab=lab, client="c2")
        heard = packets(there)
        assert (syns(heard), full_connections(heard)) == (1, 1)
        auth = done.verdict["service"]["auth"]
        assert "publickey" in auth["methods"], done
        assert (auth["inferred"], auth["user"]) == (False, "nobody")
        assert "server's log" in done.err
        again = run("analyze", "--json", str(saved))
        assert again.document["verdicts"] == done.document["verdicts"]


def test_half_open_handshakes_leave_no_mess(
    heard: dict[str, tuple[Done, list[Packet], list[Packet]]], lab: Lab
) -> None:
    time.sleep(2)
    for name in OPEN:
        done = lab.exec(name, ["ss", "-Htan", "state", "syn-recv"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, ""), name
    for client in lab.clients:
        done = lab.exec(client, ["nft", "list", "ruleset"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, ""), client
        for tool in ("iptables-save", "ip6tables-save"):
            done = lab.exec(client, ["sh", "-c", f"! command -v {tool} >/dev/null || {tool}"], capture_output=True)
            assert b"-A" not in done.stdout, client


def test_a_thousand_pairs_need_a_yes(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "all.pcap"
    with listening(lab, "c0", path, "ip or ip6"):
        done = run("scan", "-p", "1-1025", lab.target("up"), lab=lab)
    assert done.code == 2
    assert "more than 1,024 pairs" in done.err
    assert "--yes" in done.err
    assert packets(path) == []


# --------------------------------------------------------------------------- the link


@pytest.mark.parametrize("address", ["192.0.2.200", "2001:db8:1::200"])
def test_a_dead_neighbour_is_asked_for_and_never_shouted_at(address: str, lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "all.pcap"
    with listening(lab, "c1", path, "ether[0] & 1 == 1 and ether src not ff:ff:ff:ff:ff:ff"):
        done = run("scan", "--json", address, lab=lab, client="c1")
    assert done.verdict["cause"] == "neighbor-unreachable"
    assert done.code == 1
    asked = 0
    for frame in frames(path):
        kind = int.from_bytes(frame[12:14], "big")
        icmpv6 = kind == 0x86DD and frame[20] in (0, 58)  # multicast listener reports have a hop-by-hop header
        assert kind == 0x0806 or (icmpv6 and (frame[20] == 0 or 133 <= frame[54] <= 136)), frame.hex()
        asked += 1
    assert asked


@pytest.mark.parametrize("typed", ["192.0.2.255", "255.255.255.255", "224.0.0.1", "ff02::1%eth0"])
def test_nobody_shouts(typed: str, lab: Lab, tmp_path: Path) -> None:
    """Broadcast and multicast addresses are refused, and the broadcast address of a network gets no packet."""
    path = tmp_path / "all.pcap"
    with listening(lab, "c1", path, "tcp or icmp[icmptype] == icmp-echo or (ip6[6] == 58 and ip6[40] == 128)"):
        done = run("scan", typed, lab=lab, client="c1")
    assert done.code == (3 if typed == "192.0.2.255" else 2), done  # only the route tells what the first one is
    assert "it is never probed; name the address of one host" in done.err
    assert frames(path) == []


# --------------------------------------------------------------------------- many at once


def test_forty_targets_share_their_waiting(lab: Lab) -> None:
    """They take little longer than the slowest alone, and each gets the verdict that it gets alone."""
    ports = (22, 23, 24, 25, 26)

    def alone(pair: tuple[int, str]) -> Done:
        more = ("--json", "--no-elsewhere", "--expect", "ssh")
        return run("scan", *more, lab.target(pair[1]), lab=lab, client=f"c{pair[0] % CLIENTS}")

    single = dict(zip(FORTY, at_once(alone, enumerate(FORTY), 4), strict=True))
    targets = [f"{lab.target(name)}:{port}" for name in FORTY for port in ports]
    done = run("scan", "--json", "--expect", "ssh", *targets, lab=lab)
    verdicts = {(v["address"], v["port"]): v for v in done.document["verdicts"]}
    assert len(verdicts) == len(targets)
    for name, one in single.items():
        both = one.verdict["cause"], verdicts[lab.target(name), 22]["cause"]
        assert both[0] == both[1], name
    slowest = max(one.seconds for one in single.values())
    assert done.seconds <= 1.6 * slowest, (done.seconds, slowest)


def test_a_saved_scan_gives_its_verdicts_again(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "scan.pcapng"
    targets = [lab.target(name, family) for name in ("up", "no_listener", "drop_host") for family in (V4, V6)]
    done = run("scan", "--json", "-w", str(path), *targets, lab=lab)
    again = run("analyze", "--json", str(path))
    assert (done.code, again.code) == (1, 1)
    assert len(done.document["verdicts"]) == len(targets)

    def by_target(run_: Done) -> dict[str, object]:
        return {v["target"]: v for v in run_.document["verdicts"]}

    assert by_target(again) == by_target(done)


# --------------------------------------------------------------------------- forgers


@pytest.mark.parametrize("name", ["forged_beside_drop", "forged_beside_closed"])
def test_forged_packets_decide_nothing(name: str) -> None:
    """Somebody who can't see our packets, but guesses ports, answers every SYN 10,000 times in five wrong ways."""
    with Lab([name], clients=1, forged=FORGED_OF_A_KIND) as lab:
        scenario = lab.scenario(name)
        for family in scenario.families:
            done = run("scan", "--json", lab.target(name, family), lab=lab)
            assert done.clean(), done.err
            verdict, capture = done.verdict, done.document["capture"]
            if name == "forged_beside_drop":  # a closed port is done before the forger is
                assert capture["unsolicited"] > FORGED_OF_A_KIND, capture
            # A machine too busy to take in 30,000 packets a second loses some, and says so.
            lost = capture["dropped"] > 0 and verdict["cause"] == "inconclusive"
            assert verdict["cause"] in scenario.causes or lost, (verdict["cause"], capture)
            assert not (lost and verdict["certainty"] == "certain")


def test_the_count_of_causes_adds_up(lab: Lab) -> None:
    done = run("scan", "--json", *(lab.target(name) for name in ("up", "no_listener", "http")), lab=lab)
    summary = done.document["summary"]
    assert summary["verdicts"] == 3
    assert Counter(v["cause"] for v in done.document["verdicts"]) == Counter(summary["by_cause"])
