"""One attempt as a record: words of addresses, kernel-told attempts, conn_state and history."""

from __future__ import annotations

import pytest

from netprobe.attempts import UNSEEN, Attempt, Form, address, from_connection, words
from netprobe.model import ConnectionFact, Endpoint, IcmpError
from netprobe.verdict import conn_state
from tests.ladder import ladder

SERVER = Endpoint("203.0.113.5", 22)


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1", "2001:db8:0:1::", "ff02::1"]
)
def test_addresses_as_words_and_back(text: str) -> None:
    assert address(words(text), 6 if ":" in text else 4) == text


def test_zone_is_left_aside() -> None:
    assert words("fe80::1%eth0") == words("fe80::1")


def told(*events: tuple[str, str | None]) -> Attempt:
    facts = []
    for n, (event, error) in enumerate(events, 1):
        icmp = IcmpError(version=4, type=3, code=1, sender="198.51.100.2", ttl=63) if event == "icmp" else None
        data = b"SSH-" if event == "data" else b""
        client = Endpoint("192.0.2.1", 40000) if event != "started" else None
        facts.append(
            ConnectionFact(
                number=n,
                time_ns=n * 1000,
                id=1,
                server=SERVER,
                event=event,
                client=client,
                error=error,
                icmp=icmp,
                data=data,
            )
        )
    return from_connection(facts)


def test_kernel_told__refused_is_a_reset() -> None:
    a = told(("started", None), ("failed", "ECONNREFUSED"))
    assert a.form is Form.SYN
    assert a.client == Endpoint("192.0.2.1", 40000)
    assert a.rst is not None
    assert (a.rst.frame, a.rst.ttl, a.rst.window) == (2, UNSEEN, UNSEEN)
    assert not a.limited
    assert conn_state(a) == ""


def test_kernel_told__icmp_is_kept_and_refused_behind_it_is_no_reset() -> None:
    a = told(("started", None), ("icmp", "EHOSTUNREACH"), ("failed", "ECONNREFUSED"))
    assert a.icmp is not None
    assert a.icmp.label == "ICMP 3/1"
    assert a.icmp.meaning.reason == "host-unreach"
    assert a.rst is None


def test_kernel_told__other_failures_are_no_answer() -> None:
    for error in ("ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EACCES"):
        assert told(("started", None), ("failed", error)).answered_ns is None


def test_kernel_told__conversation() -> None:
    a = told(("started", None), ("open", None), ("data", None), ("data", None), ("closed", None))
    assert a.synack is not None
    assert a.client_ack is not None
    assert a.server_data is not None
    assert a.server_bytes == 8
    assert a.server_fin is not None
    assert a.rst is None
    assert told(("started", None), ("open", None), ("closed", "ECONNRESET")).rst is not None


OPEN = "0 > S [mss]\n0.1 < SA\n0.2 > A\n"


@pytest.mark.parametrize(
    ("text", "state", "history"),
    [
        ("0 > S [mss]", "S0", "S"),
        ("0 > S [mss]\n0.1 < RA", "REJ", "Sr"),
        ("0 > S [mss]\n0.1 < SA", "S1", "Sh"),
        (OPEN, "S1", "ShA"),
        (OPEN + "0.3 < RA", "RSTR", "ShAr"),
        (OPEN + "0.3 > RA", "RSTO", "ShAR"),
        ("0 > S [mss]\n0.1 > R", "RSTOS0", "SR"),
        (OPEN + "0.3 > FA\n0.4 < FA\n0.5 > A", "SF", "ShAFf"),
        (OPEN + "0.3 > FA", "S2", "ShAF"),
        (OPEN + "0.3 < FA", "S3", "ShAf"),
        ("0 > S [mss]\n0.1 > F", "SH", "SF"),
        ('direction unknown\n0 < PA "x"\n0.1 > A', "OTH", "dA"),
    ],
)
def test_conn_state_and_history_as_zeek_has_them(text: str, state: str, history: str) -> None:
    (a,) = [a for a in ladder(text).attempts() if a.form is not Form.NEIGHBOR]
    assert conn_state(a) == state
    if not a.midstream:
        assert a.history == history


def test_limited_is_a_ttl_that_no_system_starts_with() -> None:
    assert ladder("0 > S ttl 30 [mss]").attempts()[0].limited
    assert not ladder("0 > S ttl 31 [mss]").attempts()[0].limited
    assert not ladder("0 > S ttl 64 [mss]").attempts()[0].limited
