"""Each side of a connection: Zeek's states and letters, what its resets have in particular, what is sent again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.attempts import Attempt, attempt
from netprobe.model import Frame
from netprobe.tracker import Tracker, columns, sides
from netprobe.verdict import conn_state
from tests.ladder import ladder

OPEN = "0 > S [mss]\n0.1 < SA ttl 60\n0.2 > A\n"
SERVER_ONLY = "direction unknown\n0 < SA\n"


def row_of(text: str) -> list[int]:
    """The row of the first attempt of a ladder."""
    tracker = Tracker()
    tracker.receive([record for record in ladder(text).records if isinstance(record, Frame)])
    return list(tracker.rows[0])


def of(text: str) -> Attempt:
    return attempt(row_of(text))


def signs(text: str, side: int = columns.S_SIDE) -> int:
    return row_of(text)[side + columns.E_SIGNS]


def has(text: str, bit: int) -> bool:
    return bool(of(text).looks >> bit & 1)


# --------------------------------------------------------------------------- conn_state, row by row


@pytest.mark.parametrize(
    ("text", "state", "history"),
    [
        # server reset
        ("0 > S [mss]\n0.1 < RA", "REJ", "Sr"),
        (OPEN + "0.3 > R\n0.4 < R", "REJ", "ShARr"),
        (OPEN + '0.3 > PA "x"\n0.4 > R\n0.5 < R', "RSTR", "ShADRr"),
        (SERVER_ONLY + "0.1 < R", "RSTRH", "^hr"),
        (OPEN + "0.3 < RA", "RSTR", "ShAr"),
        (OPEN + "0.3 < FA\n0.4 < R", "RSTR", "ShAfr"),
        # client reset
        ("0 > S [mss]\n0.1 > R", "RSTOS0", "SR"),
        ("0 > S [mss]\n0.1 < A ack 7\n0.2 > R", "RSTOS0", "SaR"),
        ("0 > S [mss]\n0.1 > A\n0.2 > R", "OTH", "SAR"),
        (OPEN + "0.3 > RA", "RSTO", "ShAR"),
        ("0 > S [mss]\n0.1 < SA\n0.2 > R", "RSTO", "ShR"),
        # closed
        (OPEN + "0.3 > FA\n0.4 < FA\n0.5 > A", "SF", "ShAFf"),
        (OPEN + "0.3 > FA\n0.4 < FA\n0.5 > R", "SF", "ShAFfR"),
        (OPEN + "0.3 < FA\n0.4 < R\n0.5 > FA", "SF", "ShAfrF"),
        ("0 > S [mss]\n0.1 > F", "SH", "SF"),
        (OPEN + "0.3 > FA", "S2", "ShAF"),
        (SERVER_ONLY + "0.1 < FA", "SHR", "^hf"),
        (OPEN + "0.3 < FA", "S3", "ShAf"),
        # neither
        ("0 > S [mss]", "S0", "S"),
        ("0 > S [mss]\n0.1 < icmp 3/13 from 198.51.100.2", "S0", "S"),
        ("0 > S [mss]\n0.1 < SA", "S1", "Sh"),
        (OPEN, "S1", "ShA"),
        (SERVER_ONLY + "0.1 > A", "S1", "^hA"),
        (SERVER_ONLY, "OTH", "^h"),
        ('direction unknown\n0 < PA "x"\n0.1 > A', "OTH", "^dA"),
        ('direction unknown\n0 > PA "x"\n0.1 < A', "OTH", "Da"),
    ],
)
def test_conn_state_is_zeeks(text: str, state: str, history: str) -> None:
    a = of(text)
    assert (conn_state(a), a.history) == (state, history)


# --------------------------------------------------------------------------- history, letter by letter


def repeated(times: int) -> str:
    return "".join(f'{1 + n} > PA seq -1 "x"\n' for n in range(times))


@pytest.mark.parametrize(
    ("text", "history"),
    [
        ("0 > S [mss]\n1 > S [mss]\n3 > S [mss]", "S"),  # a repeated SYN is told once
        ("0 > S [mss]\n0.1 < SA\n1.1 < SA", "Sh"),
        (OPEN + '0.3 > FPA "x"', "ShAF"),  # data in a FIN has no letter of its own
        (OPEN + "0.3 > FA\n0.4 > FA seq -1", "ShAF"),
        (OPEN + "0.3 > FA\n0.4 > FA seq +5", "ShAFF"),
        (OPEN + "0.3 < R\n0.4 < R", "ShAr"),
        (OPEN + "0.3 < R\n0.4 < R seq +5", "ShArr"),
        (OPEN + "0.3 > SF seq +1", "ShAQ"),
        (OPEN + "0.3 < FR", "ShAi"),
        (OPEN + '0.3 > PA "x"\n' + repeated(1), "ShADT"),
        (OPEN + '0.3 > PA "x"\n' + repeated(9), "ShADT"),
        (OPEN + '0.3 > PA "x"\n' + repeated(10), "ShADTT"),
        (OPEN + '0.3 > PA "x"\n' + repeated(99), "ShADTT"),
        (OPEN + '0.3 > PA "x"\n' + repeated(100), "ShADTTT"),
        (OPEN + "0.3 > A win 0", "ShAW"),
        ("0 > S [mss]\n0.1 < SA win 0\n0.2 > A", "ShwA"),
        (OPEN + "0.3 < R win 0", "ShAr"),  # a window of 0 in a reset says nothing
        (OPEN + "0.3 < A ack +100", "ShAaG"),
        (OPEN + "0.3 > A ack +100", "ShAg"),
        (OPEN + "0.3 > A ack +100\n0.4 > A ack +100\n0.5 > A ack +50", "ShAg"),
        (OPEN + '0.3 < PA seq +5 "y"\n0.4 > A ack +6', "ShAdg"),
        (OPEN + '0.3 < PA seq +1 "y"\n0.4 < PA seq +0 "x"\n0.5 > A ack +2', "ShAdt"),  # out of order, to Zeek a repeat
        (OPEN + "0.3 > RA\n0.4 < A ack +100", "ShARa"),  # no gap where it ended in a reset
    ],
)
def test_history_is_zeeks(text: str, history: str) -> None:
    assert of(text).history == history


def test_history_has_room_for_24_letters() -> None:
    text = OPEN + "".join(f"{1 + n} > FA seq +{10 * n}\n" for n in range(40))
    assert of(text).history == "ShA" + "F" * 21


def test_what_is_unsolicited_leaves_no_letter() -> None:
    assert of("0 > S [mss]\n0.1 < SA ack 7").history == "S"
    assert of(OPEN + "0.3 < R seq 7").history == "ShA"


# --------------------------------------------------------------------------- resets


@pytest.mark.parametrize(
    ("reset", "sign"),
    [
        ("R ttl 60", 0),
        ("R ttl 59", columns.X_TTL),
        ("R ttl 61", columns.X_TTL),
        ("R ttl 60 id 0", 0),  # a stack's reset without a socket has IP ID 0
        ("R ttl 60 id 8", 0),
        ("R ttl 60 id 1000", 0),
        ("R ttl 60 id 2000", columns.X_ID),
        ("R ttl 60 id 9000", columns.X_ID | columns.X_ID_OF_PEER),
        ("R ttl 60 win 501", columns.X_WINDOW_OF_PEER),
        ("R ttl 60 win 0", 0),
        ("R ttl 60 seq +1", columns.X_BEYOND),
        ("R ttl 60 seq -1", 0),
    ],
)
def test_a_reset_is_compared_with_its_senders_packets(reset: str, sign: int) -> None:
    said = '0.3 < PA ttl 60 id 6 win 400 "a"\n0.4 < PA ttl 60 id 7 win 400 "b"\n0.5 > A id 9000 win 501\n'
    assert signs(OPEN + said + f"0.6 < {reset}") == sign


def test_two_resets_that_contradict_each_other() -> None:
    assert signs(OPEN + "0.3 < R ttl 60\n0.4 < R ttl 60") == 0
    assert signs(OPEN + "0.3 < R ttl 60\n0.4 < R ttl 60 seq +1460") == columns.X_SEQS
    assert signs("0 > S [mss]\n0.1 < RA ttl 60\n0.2 < RA ttl 61") == columns.X_TTLS


def test_going_on_after_a_reset() -> None:
    gone = columns.X_TTL | columns.X_WENT_ON
    assert signs(OPEN + '0.3 < R ttl 241\n0.4 < PA ttl 60 "x"') == gone
    assert signs(OPEN + '0.3 < R ttl 241\n0.4 < PA ttl 241 "x"') == columns.X_TTL  # not the server's own packet
    assert (
        signs(OPEN + '0.3 < PA ttl 60 "x"\n0.4 < R ttl 60\n0.5 < PA ttl 60 seq -1 "x"') == 0
    )  # it came late
    assert signs(OPEN + "0.3 > R ttl 9\n0.4 < PA ttl 60\n0.5 > A", columns.C_SIDE) == columns.X_TTL
    assert signs(OPEN + '0.3 > R ttl 9\n0.5 > PA "x"', columns.C_SIDE) == gone


def test_flow_labels() -> None:
    scene = ladder("client 2001:db8::1\nserver 2001:db8::2\nlink raw\n" + OPEN + "0.3 < R ttl 60")
    frames = [record for record in scene.records if isinstance(record, Frame)]
    for label, sign in ((0xBEEF, 0), (0, 0), (0x1234, columns.X_FLOW)):
        last = frames[-1]
        data = last.data[:1] + bytes([0]) + label.to_bytes(2, "big") + last.data[4:]
        tracker = Tracker()
        tracker.receive([*frames[:-1], Frame(4, last.time_ns, last.link_type, data, len(data), False)])
        assert tracker.rows[0][columns.S_SIDE + columns.E_SIGNS] == sign, hex(label)


# --------------------------------------------------------------------------- what is sent again

LARGE = OPEN + '0.3 < PA ttl 60 "ab"\n0.4 > A\n0.5 < A ttl 60 "kkkkkk"\n'


def again(times: int, back: int = 6) -> str:
    return "".join(f'{1 + n} < A ttl 60 seq -{back} "kkkkkk"\n' for n in range(times))


def test_a_large_segment_that_never_arrives() -> None:
    sacked = '0.6 < PA ttl 60 "s"\n0.7 > A ack -7 [sacked]\n'
    assert has(LARGE + sacked + again(3, 7), columns.B_S_STUCK)
    assert not has(LARGE + sacked + again(2, 7), columns.B_S_STUCK)
    assert not has(LARGE + sacked + again(3, 7) + "9 > A", columns.B_S_STUCK)  # acknowledged in the end
    assert not has(LARGE.replace('"ab"', '"abcdefgh"') + sacked + again(3, 7), columns.B_S_STUCK)  # as large passed


def test_a_large_segment_that_is_never_acknowledged() -> None:
    assert has(LARGE + again(3) + "9 > FA ack -6", columns.B_S_UNHEARD)
    assert not has(LARGE + again(3), columns.B_S_UNHEARD)  # nobody may be there any more
    assert not has(LARGE + again(3) + "9 > FA", columns.B_S_UNHEARD)


def test_copies_of_one_packet_are_no_repeats() -> None:
    copies = "".join(f'0.50000{n} < A ttl 60 seq -6 "kkkkkk"\n' for n in range(1, 9))
    assert not has(LARGE + copies + "9 > FA ack -6", columns.B_S_UNHEARD)


def test_a_large_segment_that_is_missing_from_the_capture() -> None:
    assert has(OPEN + '0.3 < PA ttl 60 seq +1400 "s"\n0.4 > A [sacked]', columns.B_S_MISSING)
    assert not has(OPEN + '0.3 < PA ttl 60 seq +1400 "s"\n0.4 > A', columns.B_S_MISSING)
    filled = OPEN + '0.3 < PA ttl 60 seq +2 "s"\n0.4 > A [sacked]\n0.5 < PA ttl 60 seq +0 "xx"'
    assert not has(filled, columns.B_S_MISSING)


# --------------------------------------------------------------------------- times as comparisons


@pytest.mark.parametrize(
    ("times", "gaps"),
    [
        ((0, 1, 3, 7), [columns.W_ONE, columns.W_TWO, columns.W_FOUR]),
        ((0, 1.05, 3.1), [columns.W_ONE, columns.W_TWO]),
        ((0, 3, 9), [columns.W_THREE, columns.W_SIX]),
        ((0, 0.5, 1.0), [columns.W_HALF, columns.W_HALF]),
        ((0, 1, 2, 3, 4, 5), [columns.W_ONE] * 3),
        ((0, 20), [columns.W_OTHER]),
        ((0, 0.00001, 1, 1.00001, 3), [columns.W_ONE, columns.W_TWO]),  # each twice, as a mirror port has it
        ((0,), []),
    ],
)
def test_the_rhythm_of_the_client(times: tuple[float, ...], gaps: list[int]) -> None:
    packed = row_of("\n".join(f"{t} > S [mss]" for t in times))[columns.RHYTHM]
    assert [packed >> 4 * n & 15 for n in range(3) if packed >> 4 * n & 15] == gaps


def test_who_waited_longer() -> None:
    assert has("0 > S [mss]\n0.1 < SA\n0.12 > A", columns.B_ANSWER_SLOW)
    assert has("0 > S [mss]\n0.01 < SA\n0.12 > A", columns.B_ACK_SLOW)
    for text in ("0 > S [mss]\n0.1 < SA\n0.2 > A", "0 > S [mss]\n0.5 > S [mss]\n0.6 < SA\n0.6 > A"):
        assert not has(text, columns.B_ANSWER_SLOW)
        assert not has(text, columns.B_ACK_SLOW)


def test_asked_again_after_the_answer() -> None:
    assert has("0 > S [mss]\n0.1 < SA\n1 > S [mss]", columns.B_ASKED_AGAIN)
    assert not has("0 > S [mss]\n1 > S [mss]\n1.1 < SA", columns.B_ASKED_AGAIN)
    assert not has("0 > S [mss]\n0.00001 < SA\n0.00002 > S [mss]", columns.B_ASKED_AGAIN)  # a copy


# --------------------------------------------------------------------------- the short way is the long way

MOVES = (
    *('> PA "xx"', '< PA ttl 60 "yy"', "> A", "< A ttl 60", "> FA", "< FA ttl 60", "< R ttl 61", "> RA"),
    *('> PA seq -1 "x"', '< PA ttl 60 seq +3 "y"', "> A ack +5", "> A win 0", '< PA ttl 59 id 5 "z"', "> A [sacked]"),
)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(MOVES), max_size=14), st.integers(0, 2**16))
def test_steady_packets_leave_the_same_row(moves: list[str], seed: int) -> None:
    rng = random.Random(seed)
    text, now = OPEN, 0.3
    for move in moves:
        now += rng.choice([0.00001, 0.01, 0.3, 2.0])
        text += f"{now:.5f} {move}\n"
    short = row_of(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sides, "steady", lambda *_: False)
        assert row_of(text) == short
