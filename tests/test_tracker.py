"""The tracker: which packets belong to which attempt, which answer what was sent, and which are counted only."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from netprobe.attempts import Attempt, Form, attempt
from netprobe.model import Endpoint, Frame
from netprobe.tracker import Tracker, columns
from netprobe.tracker.rows import distance
from tests.ladder import Scene, ladder
from tests.packets import LINKS, TCP, Segment, echo, framed, icmp_error, ip_packet

CLIENT4, SERVER4 = Endpoint("192.0.2.1", 40000), Endpoint("203.0.113.5", 22)
CLIENT6, SERVER6 = Endpoint("2001:db8::1", 40000), Endpoint("2001:db8:5::5", 22)
SYN4 = Segment(src=CLIENT4, dst=SERVER4, seq=1000, options=("mss", "sack", "ts", "ws"))
SYN6 = replace(SYN4, src=CLIENT6, dst=SERVER6)


def track(*frames: Frame) -> Tracker:
    tracker = Tracker()
    tracker.receive(list(frames))
    return tracker


def played(scene: Scene) -> Tracker:
    tracker = Tracker()
    tracker.receive([record for record in scene.records if isinstance(record, Frame)])
    return tracker


def of_kind(tracker: Tracker, protocol: int) -> int:
    """How many packets have this P_ value."""
    return tracker.count(columns.N_PROTOCOLS + protocol)


def attempts(tracker: Tracker) -> list[Attempt]:
    return [attempt(row) for row in tracker.rows]


def of(text: str) -> tuple[list[Attempt], int]:
    """The attempts of a ladder, and how many packets were unsolicited."""
    tracker = played(ladder(text))
    return attempts(tracker), tracker.count(columns.N_UNSOLICITED)


def only(text: str) -> Attempt:
    found, _ = of(text)
    assert len(found) == 1
    return found[0]


def frame(packet: bytes, number: int = 1, link: str = "raw", outgoing: bool | None = True) -> Frame:
    data = framed(link, packet)
    return Frame(number, number * 1000, LINKS[link], data, len(data), outgoing)


# --------------------------------------------------------------------------- answers to a SYN (RFC 9293 3.10.7.3)


def test_syn_sent__rst_that_acknowledges_it_is_the_answer() -> None:
    a = only("0.0 > S [mss]\n0.02 < RA ttl 62 tos 0x10 win 0 id 77")
    assert a.rst is not None
    assert (a.rst.frame, a.rst.ttl, a.rst.tos, a.rst.window, a.rst.ip_id) == (2, 62, 0x10, 0, 77)
    assert a.rst.letters == "RST,ACK"
    assert a.history == "Sr"
    assert a.answered_ns == a.rst.time_ns


@pytest.mark.parametrize(
    "answer",
    [
        "R",  # no ACK: not acceptable in SYN-SENT
        "R seq 12345",
        "RA ack +1",
        "RA ack -1",
        "RA ack 0",
        "RA ack +1000",
        "SA ack +1",
        "SA ack -1",
        "SA ack 0",
        "S",
        "SF",
        'PA "hello"',
        "FA",
    ],
)
def test_syn_sent__what_acknowledges_nothing_sent_is_unsolicited(answer: str) -> None:
    found, unsolicited = of(f"0.0 > S [mss]\n0.02 < {answer}")
    assert unsolicited == 1
    assert [(a.synack, a.rst, a.challenge) for a in found] == [(None, None, None)]
    assert found[0].odd is not None
    assert found[0].history == "S"


def test_syn_sent__rst_from_another_address_or_port_is_unsolicited() -> None:
    for words in ("from 198.51.100.9", "to 23", "port 40001"):
        found, unsolicited = of(f"0.0 > S [mss]\n0.02 < RA {words}")
        assert unsolicited == 1, words
        assert len(found) == 1
        assert found[0].rst is None


def test_syn_sent__valid_answer_after_forged_ones_counts() -> None:
    found, unsolicited = of("0.0 > S [mss]\n0.01 < R\n0.01 < SA ack +1\n0.02 < RA ttl 60")
    assert unsolicited == 2
    assert found[0].rst is not None
    assert found[0].rst.ttl == 60


def test_syn_sent__bare_ack_with_an_unrelated_number_is_a_challenge() -> None:
    a = only("0.0 > S [mss]\n0.02 < A ack 99 seq 5")
    assert a.challenge is not None
    assert a.rst is None
    assert a.history == "Sa"


def test_syn_sent__bare_ack_of_the_syn_is_no_challenge() -> None:
    found, unsolicited = of("0.0 > S [mss]\n0.02 < A")
    assert unsolicited == 1
    assert found[0].challenge is None
    assert found[0].odd is not None


def test_syn_sent__data_of_a_fast_open_may_be_acknowledged_by_the_reset() -> None:
    for ack in ("1", "3", "6"):
        a = only(f'0.0 > S seq 500 [mss,fastopen] "hello"\n0.02 < RA ack {500 + int(ack)}')
        assert a.rst is not None, ack
    found, unsolicited = of('0.0 > S seq 500 [mss,fastopen] "hello"\n0.02 < RA ack 507')
    assert unsolicited == 1
    assert found[0].rst is None


def test_syn_sent__sequence_numbers_wrap_around() -> None:
    a = only("0.0 > S iss 4294967295 [mss]\n0.02 < RA ack 0")
    assert a.rst is not None
    a = only(
        '0.0 > S iss 4294967295 [mss]\n0.02 < SA iss 4294967295 ack 0\n0.03 > A ack 0\n0.04 < PA seq 0 ack 0 "SSH-"'
    )
    assert a.synack is not None
    assert a.server_bytes == 4
    assert [(s.offset, s.length) for s in a.server_segments] == [(0, 4)]


def test_distance_is_signed_in_sequence_space() -> None:
    assert distance(0, 0xFFFFFFFF) == 1
    assert distance(0xFFFFFFFF, 0) == -1
    assert distance(5, 3) == 2


# --------------------------------------------------------------------------- one attempt, several packets


def test_retransmitted_syns_are_one_attempt() -> None:
    a = only("0.0 > S [mss]\n1.0 > S [mss]\n3.0 > S [mss]")
    assert a.first.count == 3
    assert a.first.last_ns - a.first.time_ns == 3_000_000_000
    assert a.history == "S"  # Zeek tells no repeated SYN


def test_windows_three_rounds_of_syn_and_reset_are_one_attempt() -> None:
    a = only("0.0 > S [mss]\n0.01 < RA\n0.5 > S [mss]\n0.51 < RA\n1.0 > S [mss]\n1.01 < RA")
    assert a.first.count == 3
    assert a.rst is not None
    assert a.rst.count == 3


def test_windows_rounds_with_a_number_of_their_own_are_one_attempt_too() -> None:
    text = "0.0 > S iss 1000 [mss]\n0.02 < RA"
    a = only(text + "\n0.52 > S iss 2000 [mss]\n0.54 < RA\n1.05 > S iss 3000 [mss]\n1.07 < RA")
    assert a.rst is not None
    assert (a.first.count, a.rst.count) == (3, 3)
    assert a.syn2 is None
    assert a.odd is None
    assert a.history == "Sr"


@pytest.mark.parametrize(
    "again",
    [
        "0.1 > S iss 2000 [mss]",  # at once
        "3.5 > S iss 2000 [mss]",  # seconds later
        "0.52 > S iss 2000 [mss] ttl 63",  # of another form
        "0.52 > S iss 2000 [mss] tos 0x48",
        "0.52 > S iss 2000 [mss] win 1000",
        "0.52 > S iss 2000 [mss,sack]",
    ],
)
def test_another_syn_after_a_reset_is_another_attempt(again: str) -> None:
    found, unsolicited = of(f"0.0 > S iss 1000 [mss]\n0.02 < RA\n{again}\n4.0 < RA ack 2001")
    assert [(a.first.count, a.first.seq) for a in found] == [(1, 1000), (1, 2000)]
    assert unsolicited == 0


def test_a_fourth_syn_after_three_resets_is_another_attempt() -> None:
    text = "\n".join(f"{n * 0.55} > S iss {1000 * (n + 1)} [mss]\n{n * 0.55 + 0.02} < RA" for n in range(4))
    assert [a.first.count for a in of(text)[0]] == [3, 1]


def test_reuse_of_a_four_tuple_after_a_reset_is_a_new_attempt() -> None:
    found, unsolicited = of("0.0 > S iss 1000 [mss]\n0.01 < RA\n9.0 > S iss 900000 [mss]\n9.01 < SA iss 70000")
    assert len(found) == 2
    assert unsolicited == 0
    assert found[0].rst is not None
    assert found[0].synack is None
    assert found[1].synack is not None
    assert found[1].rst is None


def test_reuse_of_a_four_tuple_after_a_minute_of_silence_is_a_new_attempt() -> None:
    found, _ = of("0.0 > S iss 1000 [mss]\n61.0 > S iss 900000 [mss]")
    assert [a.first.seq for a in found] == [1000, 900000]


def test_answer_to_the_older_of_two_attempts_on_one_four_tuple_is_unsolicited() -> None:
    found, unsolicited = of("0.0 > S iss 1000 [mss]\n0.01 < RA\n9.0 > S iss 900000 [mss]\n9.01 < RA ack 1001")
    assert unsolicited == 1
    assert found[1].rst is None


def test_half_open__second_syn_draws_the_ack_of_the_first() -> None:
    a = only("0.0 > S [mss]\n1.5 > S seq +33554432 [mss]\n1.52 < A seq 3000000000 ack +0")
    assert a.syn2 is not None
    assert a.syn2.frame == 2
    assert a.echoed is not None
    assert a.echoed.frame == 3
    assert a.challenge is None


def test_half_open__reset_of_the_second_syn_counts() -> None:
    a = only("0.0 > S iss 1000 [mss]\n1.5 > S seq 33555432 [mss]\n1.52 < RA ack 33555433")
    assert a.rst is not None


def test_half_open__syn_ack_of_the_second_syn_counts() -> None:
    a = only("0.0 > S iss 1000 [mss]\n1.5 > S seq 33555432 [mss]\n1.52 < SA ack 33555433")
    assert a.synack is not None


def test_two_syn_acks_with_different_numbers_come_from_two_boxes() -> None:
    a = only("0.0 > S [mss]\n0.02 < SA\n0.03 < SA iss 12345\n0.04 < SA")
    assert a.synack is not None
    assert a.synack.count == 2
    assert a.synack2 is not None
    assert a.synack2.seq == 12345


def test_reset_then_syn_ack_of_one_syn_are_both_kept() -> None:
    a = only("0.0 > S [mss]\n0.01 < RA ttl 63\n0.02 < SA ttl 60")
    assert a.rst is not None
    assert a.synack is not None
    assert a.rst.time_ns < a.synack.time_ns


def test_a_syn_of_the_other_side_on_a_finished_four_tuple_starts_its_own_attempt() -> None:
    found, _ = of("direction unknown\n0.0 > S [mss]\n0.01 < RA\n5.0 < S iss 999 [mss]")
    assert len(found) == 2
    assert found[1].client == SERVER4
    assert found[1].server == CLIENT4


# --------------------------------------------------------------------------- probes that are no SYN (RFC 9293 3.10.7.1)


@pytest.mark.parametrize(
    ("probe", "answer", "form"),
    [("A", "R", Form.ACK), ("F", "RA", Form.FIN), ("SA", "R", Form.SYN_ACK)],
)
def test_stray_segment__the_reset_it_is_owed_counts(probe: str, answer: str, form: Form) -> None:
    found, unsolicited = of(f"0.0 > {probe} ack 777\n0.01 < {answer}{' seq 777' if answer == 'R' else ''}")
    assert unsolicited == 0
    assert found[0].form is form
    assert found[0].rst is not None


@pytest.mark.parametrize(
    ("probe", "answer"),
    [
        ("A", "R seq 778"),
        ("A", "RA seq 1 ack +1"),
        ("F", "R"),
        ("F", "RA ack -1"),
        ("SA", "R seq 0"),
        ("A", "SA"),
        ("F", "A"),
    ],
)
def test_stray_segment__what_it_is_not_owed_is_unsolicited(probe: str, answer: str) -> None:
    found, unsolicited = of(f"0.0 > {probe} ack 777\n0.01 < {answer}")
    assert unsolicited == 1
    assert found[0].rst is None


def test_segments_that_nobody_asked_for_are_counted_only() -> None:
    found, unsolicited = of("0.0 < SA\n0.1 < RA\n0.2 < A ack 5\n0.3 < reply id 9 seq 9")
    assert found == []
    assert unsolicited == 4


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ("[mss,sack,ts,ws]", Form.SYN),
        ("", Form.BARE_SYN),
        ("[md5,mss]", Form.MD5_SYN),
        ("[mss,mf]", Form.FRAGMENT),
        ("[odd]", Form.SYN),
    ],
)
def test_forms_of_a_syn(options: str, form: Form) -> None:
    assert only(f"0.0 > S {options}").form is form


# --------------------------------------------------------------------------- ICMP errors


@pytest.mark.parametrize("kept", [8, 20, None])
def test_icmp__quote_of_the_syn_belongs_to_it(kept: int | None) -> None:
    words = "" if kept is None else f"bytes {kept}"
    a = only(f"0.0 > S [mss]\n0.02 < icmp 3/13 from 198.51.100.2 ttl 61 tos 0xc0 {words}")
    assert a.icmp is not None
    assert (a.icmp.sender, a.icmp.ttl, a.icmp.tos, a.icmp.type, a.icmp.code) == ("198.51.100.2", 61, 0xC0, 3, 13)
    assert a.icmp.quoted_ttl == 1
    assert a.icmp.label == "ICMP 3/13"


@pytest.mark.parametrize("words", ["seq +1", "seq -1", "seq 7", "bytes 7", "bytes 0"])
def test_icmp__wrong_sequence_number_or_short_quote_is_no_answer(words: str) -> None:
    tracker = played(ladder(f"0.0 > S [mss]\n0.02 < icmp 3/1 from 198.51.100.2 {words}"))
    assert attempts(tracker)[0].icmp is None
    counted = tracker.count(columns.N_UNSOLICITED) + of_kind(tracker, columns.P_ICMP_OTHER)
    assert counted == 1


@pytest.mark.parametrize(
    "quoted",
    [
        replace(SYN4, src=replace(CLIENT4, port=40001)),
        replace(SYN4, dst=replace(SERVER4, port=23)),
        replace(SYN4, dst=Endpoint("203.0.113.6", 22)),
        replace(SYN4, src=Endpoint("192.0.2.7", 40000), seq=1001),
        replace(SYN4, src=Endpoint("192.0.2.7", 40001)),
        SYN4.turned("RA"),
        replace(SYN4, seq=1001),
    ],
)
def test_icmp__quote_of_something_else_is_unsolicited(quoted: Segment) -> None:
    error = icmp_error("198.51.100.2", "192.0.2.1", 3, 13, quoted.packet())
    tracker = track(frame(SYN4.packet()), frame(error, 2, outgoing=False))
    assert attempts(tracker)[0].icmp is None
    assert tracker.count(columns.N_UNSOLICITED) == 1


@pytest.mark.parametrize("kept", [8, None])
@pytest.mark.parametrize(
    ("sender", "quoted"),
    [
        ("198.51.100.2", replace(SYN4, src=Endpoint("10.0.0.7", 40000))),
        ("203.0.113.5", replace(SYN4, dst=Endpoint("10.9.9.9", 22))),
        ("203.0.113.5", replace(SYN4, src=Endpoint("10.0.0.7", 40000), dst=Endpoint("10.9.9.9", 22))),
    ],
    ids=["client", "server", "both"],
)
def test_icmp__quote_whose_addresses_a_nat_left_alone_still_belongs(
    sender: str, quoted: Segment, kept: int | None
) -> None:
    error = icmp_error(sender, "192.0.2.1", 3, 13, quoted.packet(), keep=kept)
    tracker = track(frame(SYN4.packet()), frame(error, 2, outgoing=False))
    icmp = attempts(tracker)[0].icmp
    assert icmp is not None
    assert icmp.sender == sender
    assert tracker.count(columns.N_UNSOLICITED) == 0


def test_icmp__quote_behind_a_nat_that_fits_two_attempts_belongs_to_neither() -> None:
    other = replace(SYN4, dst=Endpoint("203.0.113.9", 22))
    quoted = replace(SYN4, src=Endpoint("10.0.0.7", 40000))
    error = icmp_error("203.0.113.9", "192.0.2.1", 3, 13, quoted.packet())
    tracker = track(frame(SYN4.packet()), frame(other.packet(), 2), frame(error, 3, outgoing=False))
    assert [a.icmp for a in attempts(tracker)] == [None, None]
    assert tracker.count(columns.N_UNSOLICITED) == 1


def test_icmp__quote_of_a_later_fragment_has_no_ports() -> None:
    quoted = ip_packet("192.0.2.1", "203.0.113.5", TCP, SYN4.tcp(), offset=5)
    tracker = track(frame(SYN4.packet()), frame(icmp_error("198.51.100.2", "192.0.2.1", 11, 1, quoted), 2))
    assert attempts(tracker)[0].icmp is None
    assert of_kind(tracker, columns.P_ICMP_OTHER) == 1


def test_icmp__copies_are_counted_and_the_first_is_kept() -> None:
    a = only(
        "0.0 > S [mss]\n1.0 > S [mss]\n3.1 < icmp 3/1 from 198.51.100.2\n3.1 < icmp 3/1 from 198.51.100.2\n"
        "3.2 < icmp 3/13 from 198.51.100.3"
    )
    assert a.icmp is not None
    assert a.icmp.count == 3
    assert a.icmp.label == "ICMP 3/1"


def test_icmp__error_about_data_inside_the_window_belongs_to_the_connection() -> None:
    text = '0.0 > S [mss]\n0.02 < SA\n0.03 > A\n0.04 > PA "hello"\n0.05 < icmp 3/4 from 198.51.100.2'
    a = only(text)
    assert a.icmp is not None
    found, unsolicited = of(text + " seq +100000")
    assert found[0].icmp is None
    assert unsolicited == 1


def test_icmp__errors_about_udp_are_counted_only() -> None:
    udp = ip_packet("192.0.2.1", "203.0.113.5", 17, struct.pack("!HHHH", 40000, 53, 8, 0))
    tracker = track(frame(udp), frame(icmp_error("203.0.113.5", "192.0.2.1", 3, 3, udp), 2, outgoing=False))
    assert len(tracker.rows) == 0
    assert (of_kind(tracker, columns.P_UDP), of_kind(tracker, columns.P_ICMP_OTHER)) == (1, 1)


def test_icmp__v6_quote_with_fragment_header() -> None:
    probe = replace(SYN6, more=True, ip_id=9)
    error = icmp_error("2001:db8:5::5", "2001:db8::1", 3, 1, probe.packet())
    tracker = track(frame(probe.packet()), frame(error, 2, outgoing=False))
    a = attempts(tracker)[0]
    assert a.form is Form.FRAGMENT
    assert a.icmp is not None
    assert a.icmp.label == "ICMPv6 3/1"


def test_echo__reply_from_the_one_asked() -> None:
    found, unsolicited = of("0.0 > echo id 5 seq 2\n0.01 < reply id 5 seq 2 ttl 60\n0.02 < reply id 5 seq 3")
    assert unsolicited == 1
    assert found[0].form is Form.ECHO
    assert found[0].reply is not None
    assert found[0].reply.ttl == 60


def test_echo__icmp_error_about_it_belongs_to_it() -> None:
    ping = echo("192.0.2.1", "203.0.113.5", 5, 2, ttl=3)
    error = icmp_error("198.51.100.2", "192.0.2.1", 11, 0, ping, keep=8)
    tracker = track(frame(ping), frame(error, 2, outgoing=False))
    a = attempts(tracker)[0]
    assert a.icmp is not None
    assert a.limited


@pytest.mark.parametrize("addresses", ["client 192.0.2.1\nserver 192.0.2.9", "client 2001:db8::1\nserver 2001:db8::9"])
def test_neighbours__question_and_answer(addresses: str) -> None:
    asked = addresses.rsplit(" ", 1)[1]
    for link in ("ethernet", "sll2"):
        found, _ = of(f"{addresses}\nlink {link}\n0 > who-has {asked}\n1 > who-has {asked}\n2 > who-has {asked}")
        assert len(found) == 1
        assert found[0].form is Form.NEIGHBOR
        assert found[0].server.address == asked
        assert found[0].first.count == 3
        found, _ = of(f"{addresses}\nlink {link}\n0 > who-has {asked}\n0.1 < is-at {asked}")
        assert found[0].reply is not None


# --------------------------------------------------------------------------- after the handshake


def test_conversation__bytes_segments_and_history() -> None:
    a = only(
        """
        0.00 > S [mss]
        0.02 < SA
        0.03 > A
        0.04 < PA "SSH-2.0-x\\r\\n"
        0.05 > PA "SSH-2.0-y\\r\\n"
        0.06 < PA "more"
        0.07 < FA
        0.08 > FA
        """
    )
    assert a.history == "ShAdDfF"
    assert a.server_bytes == 15
    assert [(s.offset, s.length) for s in a.server_segments] == [(0, 11), (11, 4)]
    assert a.client_bytes == 11
    assert a.server_fin is not None
    assert a.client_fin is not None
    assert a.client_acked == 12


def test_conversation__gap_and_repeat_are_told() -> None:
    a = only('0 > S iss 100 [mss]\n0.1 < SA iss 200\n0.2 > A\n0.3 < PA seq 206 "world"\n0.4 < PA seq 201 "hello"')
    assert a.holes == 1
    assert [(s.offset, s.length) for s in a.server_segments] == [(5, 5)]


@pytest.mark.parametrize(
    ("seq", "kept"), [("+0", True), ("+1000", True), ("+70000", False), ("-5", False), ("7", False)]
)
def test_conversation__reset_counts_inside_the_window_only(seq: str, kept: bool) -> None:
    found, unsolicited = of(f"0 > S [mss]\n0.1 < SA\n0.2 > A\n0.3 < R seq {seq}")
    assert (found[0].rst is not None) is kept
    assert unsolicited == (0 if kept else 1)


def test_conversation__zero_window_that_opens() -> None:
    assert not only("0 > S [mss]\n0.1 < SA win 0\n0.2 > A").window_opened
    assert only("0 > S [mss]\n0.1 < SA win 0\n0.2 > A\n0.3 < A win 500").window_opened


def test_conversation__clients_reset() -> None:
    a = only("0 > S [mss]\n0.1 < SA\n0.2 > A\n0.3 > RA")
    assert a.client_rst is not None
    assert a.history == "ShAR"


def test_history_has_room_for_24_letters_and_each_once() -> None:
    text = "0 > S [mss]\n0.1 < SA\n0.2 > A\n" + "\n".join(f'0.{n} < PA "x"\n0.{n} > PA "y"' for n in range(3, 9))
    assert only(text).history == "ShAdD"


# --------------------------------------------------------------------------- captures that begin late


def test_midstream__syn_ack_says_who_is_the_client() -> None:
    a = only("direction unknown\n0.0 < SA\n0.1 > A")
    assert a.midstream
    assert a.client == CLIENT4
    assert a.synack is not None
    assert a.client_ack is not None


@pytest.mark.parametrize("arrow", ["<", ">"])
def test_midstream__the_lower_port_is_the_server(arrow: str) -> None:
    a = only(f'direction unknown\n0.0 {arrow} PA "x"\n0.1 < PA "y"')
    assert a.midstream
    assert a.server == SERVER4


def test_midstream__reset_first() -> None:
    a = only("direction unknown\n0.0 < R seq 500\n")
    assert a.midstream
    assert a.rst is not None


def test_midstream__a_syn_later_is_an_attempt_of_its_own() -> None:
    found, _ = of('direction unknown\n0.0 < PA "x"\n0.5 > S iss 4 [mss]\n0.6 < SA')
    assert [a.midstream for a in found] == [True, False]


# --------------------------------------------------------------------------- links, extension headers, damage


@pytest.mark.parametrize("link", sorted(LINKS))
@pytest.mark.parametrize("syn", [SYN4, SYN6], ids=["v4", "v6"])
def test_links(link: str, syn: Segment) -> None:
    answer = replace(syn.turned("RA"), ack=syn.seq + 1, ttl=60)
    tracker = track(frame(syn.packet(), 1, link), frame(answer.packet(), 2, link, outgoing=False))
    a = attempts(tracker)[0]
    assert (a.client, a.server) == (syn.src, syn.dst)
    assert a.rst is not None
    assert a.rst.ttl == 60
    assert of_kind(tracker, columns.P_UNKNOWN_LINK) == 0


@pytest.mark.parametrize("link", [12, 14, 101, 228, 229, 0, 108])
def test_links_that_carry_bare_ip(link: int) -> None:
    head = bytes(4) if link in (0, 108) else b""
    data = head + SYN4.packet()
    assert len(track(Frame(1, 1, link, data, len(data), True)).rows) == 1


def test_unknown_link_is_counted() -> None:
    tracker = track(Frame(1, 1, 147, SYN4.packet(), 60, True))
    assert of_kind(tracker, columns.P_UNKNOWN_LINK) == 1


HOP_BY_HOP = (0, b"\x00" + bytes(6))
ROUTING = (43, b"\x00" + bytes(6))
DESTINATION = (60, b"\x01" + bytes(14))
AUTHENTICATION = (51, b"\x04" + bytes(22))


@pytest.mark.parametrize(
    "headers",
    [
        (HOP_BY_HOP,),
        (HOP_BY_HOP, ROUTING, DESTINATION),
        (AUTHENTICATION,),
        (DESTINATION, AUTHENTICATION),
        (HOP_BY_HOP,) * 16,
    ],
)
def test_ipv6_extension_headers(headers: tuple[tuple[int, bytes], ...]) -> None:
    packet = ip_packet(CLIENT6.address, SERVER6.address, TCP, SYN6.tcp(), headers=headers)
    tracker = track(frame(packet))
    assert attempts(tracker)[0].client == CLIENT6


def test_ipv6_with_more_extension_headers_than_any_real_packet() -> None:
    packet = ip_packet(CLIENT6.address, SERVER6.address, TCP, SYN6.tcp(), headers=(HOP_BY_HOP,) * 17)
    assert of_kind(track(frame(packet)), columns.P_OTHER) == 1


def test_later_fragments_are_counted() -> None:
    later4 = ip_packet("192.0.2.1", "203.0.113.5", TCP, SYN4.tcp(), offset=5)
    later6 = ip_packet("2001:db8::1", "2001:db8:5::5", TCP, SYN6.tcp(), offset=5)
    tracker = track(frame(later4), frame(later6, 2))
    assert of_kind(tracker, columns.P_FRAGMENT) == 2
    assert len(tracker.rows) == 0


@pytest.mark.parametrize("syn", [SYN4, SYN6], ids=["v4", "v6"])
@pytest.mark.parametrize("link", ["sll2", "ethernet", "raw", "vlan"])
def test_snapped_anywhere(syn: Segment, link: str) -> None:
    whole = framed(link, syn.packet())
    headers = len(whole) - len(syn.tcp()) + 20
    for kept in range(len(whole)):
        tracker = track(Frame(1, 1, LINKS[link], whole[:kept], len(whole), True))
        assert len(tracker.rows) == (kept >= headers), kept
        assert tracker.count(columns.N_FRAMES) == 1


def test_snapped_payload_counts_as_on_the_wire() -> None:
    a = only('0 > S [mss]\n0.1 < SA\n0.2 > A\n0.3 < PA snap 60 "SSH-2.0-OpenSSH_9.2p1\\r\\n"')
    assert a.server_bytes == 23


def test_ethernet_padding_is_no_payload() -> None:
    padded = framed("ethernet", replace(SYN4, flags="A", options=()).packet()) + bytes(6)
    data = framed("ethernet", replace(SYN4, options=()).packet())
    tracker = track(Frame(1, 1, 1, data, len(data), True), Frame(2, 2, 1, padded, len(padded), True))
    assert attempts(tracker)[0].client_bytes == 0


def test_total_length_zero_of_segmentation_offload() -> None:
    a = only("0 > S [mss]\n0.1 < SA\n0.2 > A")
    assert a.synack is not None
    big = bytearray(replace(SYN4, flags="PA", seq=1001, data=bytes(3000)).packet())
    big[2:4] = b"\0\0"
    tracker = track(frame(SYN4.packet()), frame(bytes(big), 2))
    assert attempts(tracker)[0].client_bytes == 3000


def test_not_ip_is_counted() -> None:
    lldp = bytes(12) + b"\x88\xcc" + bytes(40)
    assert of_kind(track(Frame(1, 1, 1, lldp, len(lldp), False)), columns.P_NOT_IP) == 1


@pytest.mark.parametrize(
    "options", [b"\x02", b"\x02\x00", b"\x02\x01", b"\x08\xff", b"\x00\x02", b"\xfe\x02", b"\x01\x01\x01"]
)
def test_damaged_tcp_options(options: bytes) -> None:
    head = bytearray(replace(SYN4, options=()).tcp() + options + bytes(-len(options) % 4))
    head[12] = (len(head) // 4) << 4
    tracker = track(frame(ip_packet("192.0.2.1", "203.0.113.5", TCP, bytes(head))))
    assert len(tracker.rows) == 1


# --------------------------------------------------------------------------- many


def test_growth_and_rehash_keep_every_attempt() -> None:
    frames = []
    for n in range(3000):
        syn = replace(
            SYN4, src=Endpoint(f"192.0.2.{n % 200}", 1024 + n), dst=Endpoint(f"203.0.113.{n % 50}", 22), seq=n
        )
        frames.append(frame(syn.packet(), 2 * n + 1))
        answer = replace(syn.turned("RA"), ack=n + 1, ttl=1 + n % 200)
        frames.append(frame(answer.packet(), 2 * n + 2, outgoing=False))
    whole, piecemeal = Tracker(), Tracker(capacity=1)
    touched = whole.receive(frames)
    for start in range(0, len(frames), 7):
        piecemeal.receive(frames[start : start + 7])
    assert touched == [n // 2 for n in range(6000)]
    assert whole.rows == piecemeal.rows
    assert whole.count(columns.N_UNSOLICITED) == 0
    assert all(row[columns.RST + columns.TTL] == 1 + n % 200 for n, row in enumerate(whole.rows))


def test_rehash_keeps_the_later_of_two_attempts_on_one_four_tuple() -> None:
    first, again = SYN4, replace(SYN4, seq=900_000)
    reset = replace(SYN4.turned("RA"), ack=1001)
    tracker = Tracker(capacity=4)
    tracker.receive([frame(first.packet(), 1), frame(reset.packet(), 2, outgoing=False), frame(again.packet(), 3)])
    others = [frame(replace(SYN4, src=Endpoint("192.0.2.1", 50000 + n)).packet(), 4 + n) for n in range(100)]
    tracker.receive(others)
    late = replace(SYN4.turned("RA"), ack=900_001)
    assert tracker.receive([frame(late.packet(), 200, outgoing=False)]) == [1]
    assert attempts(tracker)[1].rst is not None


def test_nothing_received() -> None:
    assert Tracker().receive([]) == []
