"""Zeek's conn.log as the readers of such logs expect it, checked by one written from Zeek's own description."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netprobe.cli import run as main
from netprobe.model import Endpoint, Origin, OriginKind, Service, Verdict
from netprobe.report import json as report_json
from netprobe.report import zeek
from tests.conn_log import read, unescaped
from tests.samples import HOSTILE, a_hostile_verdict, a_verdict, an_up_verdict

CAPTURES = Path(__file__).parent.parent / "captures"
OPENED = "2025-11-21-10-41-43"
TALLY = zeek.Tally(
    begun_ns=1_763_690_000_123_456_789, lasted_ns=7_057_566_111, client_bytes=5, server_bytes=1234, client_packets=3,
    server_packets=4, whole=True,
)  # fmt: skip


def lines_of(*verdicts: Verdict, tally: zeek.Tally | None = None) -> str:
    return (
        zeek.header(OPENED)
        + "".join(zeek.line(report_json.line(verdict), tally) for verdict in verdicts)
        + zeek.footer(OPENED)
    )


def test_the_header_is_zeeks() -> None:
    lines = zeek.header(OPENED).splitlines()
    assert lines[:6] == [
        "#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tconn",
        f"#open\t{OPENED}",
    ]  # fmt: skip
    fields, types = lines[6].split("\t"), lines[7].split("\t")
    assert (fields[0], types[0]) == ("#fields", "#types")
    assert fields[1:22] == [
        "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service", "duration", "orig_bytes",
        "resp_bytes", "conn_state", "local_orig", "local_resp", "missed_bytes", "history", "orig_pkts",
        "orig_ip_bytes", "resp_pkts", "resp_ip_bytes", "tunnel_parents",
    ]  # fmt: skip
    assert types[1:22] == [
        "time", "string", "addr", "port", "addr", "port", "enum", "string", "interval", "count", "count", "string",
        "bool", "bool", "count", "string", "count", "count", "count", "count", "set[string]",
    ]  # fmt: skip
    assert all(name.startswith("netprobe_") for name in fields[22:])
    assert len(fields) == len(types)
    assert zeek.footer(OPENED) == f"#close\t{OPENED}\n"


def test_a_line_says_what_zeek_says_and_the_cause() -> None:
    (row,) = read(lines_of(a_verdict(), tally=TALLY)).rows
    assert row["ts"] == "1763690000.123456"
    assert row["duration"] == "7.057566"
    assert (row["id.orig_h"], row["id.orig_p"], row["id.resp_h"], row["id.resp_p"], row["proto"]) == (
        "192.0.2.2", "40112", "203.0.113.5", "22", "tcp",
    )  # fmt: skip
    assert (row["orig_bytes"], row["resp_bytes"], row["orig_pkts"], row["resp_pkts"]) == ("5", "1234", "3", "4")
    assert (row["conn_state"], row["history"], row["missed_bytes"]) == ("REJ", "Sr", "0")
    assert (row["netprobe_cause"], row["netprobe_certainty"], row["netprobe_rule"]) == (
        "reset-by-host-firewall", "certain", "NP112",
    )  # fmt: skip
    assert row["service"] is None
    assert row["netprobe_because"] == ["the reset carries DSCP 0 although the SYN had 18",
                                       "a SYN with a TCP-MD5 option was answered"]  # fmt: skip
    assert row["netprobe_frames"] == ["4"]


def test_what_was_not_counted_is_unset() -> None:
    (row,) = read(lines_of(a_verdict(client=None, evidence=(), origin=Origin(OriginKind.UNKNOWN)))).rows
    unset = {name for name, value in row.items() if value is None}
    assert {"ts", "id.orig_h", "id.orig_p", "duration", "orig_bytes", "orig_pkts", "netprobe_origin_addr"} <= unset


def test_a_connection_of_one_moment_has_no_length() -> None:
    moment = zeek.Tally(
        begun_ns=5, lasted_ns=0, client_bytes=0, server_bytes=0, client_packets=1, server_packets=0, whole=True
    )
    (row,) = read(lines_of(a_verdict(), tally=moment)).rows
    assert (row["duration"], row["orig_bytes"], row["resp_bytes"], row["orig_pkts"]) == (None, None, None, "1")


def test_uids_are_stable_and_tell_connections_apart() -> None:
    first, again, other = (
        read(lines_of(verdict, tally=TALLY)).rows[0]["uid"]
        for verdict in (a_verdict(), a_verdict(), a_verdict(client=Endpoint("192.0.2.2", 40113)))
    )
    assert first == again != other
    assert re.fullmatch(r"C[0-9A-Za-z]{17}", str(first))


@pytest.mark.parametrize("said", ["-", "(empty)", "", "a\tb", "\\x2d", "\\", "a\nb", "\x1b[31m", "Größe"])
def test_no_value_is_mistaken(said: str) -> None:
    """What a server says is neither an unset field nor an empty one, nor two of them."""
    text = lines_of(an_up_verdict(service=Service("ssh", said)))
    assert unescaped(read(text).cells[0][zeek.FIELDS.index(("netprobe_identification", "string"))]) == (
        b"(empty)" if said == "" else said.encode("latin-1")
    )
    if said:
        assert read(text).rows[0]["netprobe_identification"] == said


def test_hostile_text_stays_on_its_line() -> None:
    text = lines_of(a_hostile_verdict(), a_verdict(target=HOSTILE))
    assert len(read(text).rows) == 2
    assert all(0x20 <= byte < 0x7F or byte in b"\t\n" for byte in text.encode())


@given(st.text(max_size=60))
def test_any_text_comes_back(text: str) -> None:
    found = read(lines_of(a_verdict(target=text, because=(text, text), service=Service("ssh", text))))
    row = found.rows[0]
    assert len(found.cells) == 1
    if text.isprintable() and text:
        assert row["netprobe_target"] == text
        assert row["netprobe_because"] == [text, text]


def test_analyze_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = CAPTURES / "ack_drop_r2-server.pcapng"
    assert main(["analyze", "-q", "--zeek", str(tmp_path / "conn.log"), str(capture)]) == 1
    assert "handshake-blocked" in capsys.readouterr().out
    found = read((tmp_path / "conn.log").read_text("ascii"))
    first = found.rows[0]
    # tshark counts the same: one SYN, its SYN-ACK four times, the last one 7.06 s later
    assert (first["orig_pkts"], first["resp_pkts"], first["duration"]) == ("1", "4", "7.057566")
    assert (first["conn_state"], first["history"]) == ("S1", "Sh")
    assert main(["analyze", "--zeek", "-", str(capture)]) == 1
    shown = read(capsys.readouterr().out)
    assert [row["uid"] for row in shown.rows] == [row["uid"] for row in found.rows]
    assert len({row["uid"] for row in found.rows}) == len(found.rows)


def test_what_can_not_be_read_leaves_a_log_without_connections(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"nonsense")
    assert main(["analyze", "--zeek", str(tmp_path / "conn.log"), str(bad)]) == 3
    assert read((tmp_path / "conn.log").read_text("ascii")).rows == []
