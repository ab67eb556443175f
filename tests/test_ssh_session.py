"""Both directions of an SSH connection: order, loss, snapped packets, half captures, other protocols; negotiation."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.model import Agreed, Auth, Kex, Outcome, Reached
from netprobe.ssh import defaults, reassembly
from netprobe.ssh.negotiation import GOOD, RISKS, agree, helps, named, weak
from netprobe.ssh.session import Session
from netprobe.ssh.telling import values, weakness
from tests.ssh_packets import COMMON, NEWKEYS, disconnect, init, kexinit, reply

C, S = True, False
OURS, THEIRS = b"SSH-2.0-client\r\n", b"SSH-2.0-server\r\n"
OLD = replace(COMMON, kex=("diffie-hellman-group1-sha1",))


@dataclass(frozen=True)
class Piece:
    """A segment of one side."""

    by_client: bool
    offset: int
    data: bytes
    length: int


def talk(*said: tuple[bool, bytes], size: int = 1448) -> list[Piece]:
    """What both sides say, in turn, as segments."""
    at = {C: 0, S: 0}
    found = []
    for by_client, data in said:
        for start in range(0, len(data), size):
            part = data[start : start + size]
            found.append(Piece(by_client, at[by_client], part, len(part)))
            at[by_client] += len(part)
    return found


WHOLE = (
    (C, OURS), (S, THEIRS), (C, kexinit()), (S, kexinit()), (C, init()), (S, reply() + NEWKEYS + b"e" * 60),
    (C, NEWKEYS), (C, b"c" * 44), (S, b"s" * 44), (C, b"c" * 60), (S, b"s" * 52),
)  # fmt: skip


def heard(pieces: Iterable[Piece], closed: tuple[bool, bool] | None = None) -> Session:
    """A session that was fed these. `closed`: by the client, with a reset."""
    session = Session()
    for n, piece in enumerate(pieces):
        session.segment(piece.by_client, piece.offset, piece.length, piece.data, n)
    if closed is not None:
        session.closed(*closed, 1000)
    return session


def kex(*said: tuple[bool, bytes], closed: tuple[bool, bool] | None = None) -> Kex:
    found = heard(talk(*said), closed).kex()
    assert found is not None
    return found


# --------------------------------------------------------------------------- a whole exchange


def test_a_whole_exchange() -> None:
    found = kex(*WHOLE)
    assert (found.reached, found.client, found.server) == (Reached.NEWKEYS, "SSH-2.0-client", "SSH-2.0-server")
    assert found.client_offer == found.server_offer == COMMON
    assert found.agreed is not None
    assert found.agreed.kex == "curve25519-sha256"
    assert found.host_key_type == "ssh-ed25519"
    assert found.fingerprint is not None
    assert found.newkeys == ("server", "client")
    assert "server" in found.encrypted
    assert not found.gap
    assert found.trouble is None


@pytest.mark.parametrize("size", [1, 7, 100])
def test_in_small_segments(size: int) -> None:
    whole = kex(*WHOLE)
    found = heard(talk(*WHOLE, size=size)).kex()
    assert found is not None
    assert replace(found, encrypted=()) == replace(whole, encrypted=())


def test_the_way_through_an_exchange() -> None:
    assert heard([]).kex() is None
    assert kex(*WHOLE[:1]).reached is Reached.IDENTIFICATION
    assert kex(*WHOLE[:3]).reached is Reached.KEXINIT
    assert kex(*WHOLE[:3]).agreed is None
    assert kex(*WHOLE[:5]).agreed is not None
    assert kex(*WHOLE[:4], (S, reply())).reached is Reached.REPLY
    assert heard(talk(*WHOLE[:4])).auth() is None


@pytest.mark.parametrize(
    ("closed", "by", "how"),
    [((C, False), "client", "fin"), ((C, True), "client", "reset"), ((S, True), "server", "reset")],
)
def test_who_closed(closed: tuple[bool, bool], by: str, how: str) -> None:
    found = kex(*WHOLE[:4], closed=closed)
    assert (found.closed_by, found.closed_with) == (by, how)


def test_the_first_to_close_counts() -> None:
    session = heard(talk(*WHOLE[:4]), (C, False))
    session.closed(S, True, 2000)
    found = session.kex()
    assert found is not None
    assert (found.closed_by, found.closed_with) == ("client", "fin")
    assert session.done


def test_a_goodbye_in_clear() -> None:
    found = kex(*WHOLE[:4], (S, disconnect(3, b"no match")))
    assert found.disconnect is not None
    assert (found.disconnect.by, found.disconnect.code, found.disconnect.text) == ("server", 3, "no match")


def test_whether_the_client_went_on_is_known_though_nothing_else_can_be_learnt() -> None:
    """With a cipher that no table knows: the login can't be read, yet the client took the host key."""
    offer = replace(COMMON, cipher_to_server=("odd@example.com",), cipher_to_client=("odd@example.com",))
    start = ((C, OURS), (S, THEIRS), (C, kexinit(offer)), (S, kexinit(offer)), (C, init()), (S, reply() + NEWKEYS))
    assert kex(*start, (C, NEWKEYS), closed=(C, False)).encrypted == ()
    assert kex(*start, (C, NEWKEYS), (C, b"c" * 44), closed=(C, False)).encrypted == ("client",)


# --------------------------------------------------------------------------- order and loss


@settings(max_examples=100)
@given(st.integers(0, 1 << 30), st.integers(20, 600))
def test_out_of_order_and_twice(seed: int, size: int) -> None:
    """Segments of each side shifted by a few places, some of them twice: the same exchange."""
    pieces = talk(*WHOLE[:7], size=size)
    chance = random.Random(seed)
    order = sorted(range(len(pieces)), key=lambda n: n + chance.uniform(0, 4))
    shuffled = [pieces[n] for n in order for _ in range(chance.choice((1, 1, 2)))]
    expected, found = heard(pieces).kex(), heard(shuffled).kex()
    assert expected is not None
    assert found is not None
    assert replace(found, newkeys=tuple(sorted(found.newkeys, reverse=True)), encrypted=()) == replace(
        expected, encrypted=()
    )


def test_sequence_numbers_that_wrap() -> None:
    session = Session()
    session.segment(C, 0, len(OURS), OURS, 0)
    session.segment(C, (1 << 32) - 1, 1, b"x", 1)  # a keep-alive: one byte before the first
    session.segment(S, 0, len(THEIRS), THEIRS, 2)
    found = session.kex()
    assert found is not None
    assert not found.gap


def test_segments_that_overlap() -> None:
    stream = THEIRS + kexinit() + reply()
    session = heard(talk(*WHOLE[:1]))
    for start, end in ((0, 300), (200, 500), (100, len(stream)), (0, len(stream))):
        session.segment(S, start, end - start, stream[start:end], 1)
    found = session.kex()
    assert found is not None
    assert found.server_offer == COMMON
    assert found.reached is Reached.REPLY


def test_what_is_missing_is_a_gap_once_nothing_more_comes() -> None:
    pieces = [piece for piece in talk(*WHOLE, size=200) if not (piece.by_client is S and piece.offset == len(THEIRS))]
    session = heard(pieces)
    found = session.kex()
    assert found is not None
    assert found.gap
    session.finish()
    found = session.kex()
    assert found is not None
    assert found.server_offer is None
    assert found.reached is Reached.NEWKEYS  # the packet's length says where the next begins
    auth = session.auth()
    assert auth is not None
    assert auth.outcome is Outcome.UNKNOWN
    assert auth.reason


def test_a_hole_is_not_waited_for_without_end() -> None:
    session = heard(talk(*WHOLE[:4]))
    end = len(THEIRS + kexinit())
    for n in range(2 * reassembly.SEGMENTS_LIMIT):
        session.segment(S, end + 1000 + 10 * n, 10, b"x" * 10, n)
    found = session.kex()
    assert found is not None
    assert found.gap
    assert len(session._directions[S]._waiting) <= reassembly.SEGMENTS_LIMIT + 1


def test_what_waits_is_bounded_in_bytes_and_time() -> None:
    one = reassembly.Direction()
    for n in range(40):
        list(one.segment(10 + 60000 * n, 60000, bytes(60000), 0))
        assert one._bytes <= reassembly.BYTES_LIMIT + 60000
    other = reassembly.Direction()
    assert list(other.segment(10, 5, b"later", 0)) == []
    assert list(other.segment(20, 5, b"still", reassembly.WAIT_NS + 1)) == [(10, 5, b"later", 0)]


def test_snapped_segments() -> None:
    """A capture of 96 bytes a packet: offers unknown, what came is still known."""
    pieces = [
        replace(piece, data=piece.data[:40]) for piece in talk(*WHOLE[:5], (S, reply()), (S, NEWKEYS), (C, NEWKEYS))
    ]
    found = heard(pieces).kex()
    assert found is not None
    assert (found.client, found.server) == ("SSH-2.0-client", "SSH-2.0-server")
    assert found.client_offer is None
    assert found.reached is Reached.NEWKEYS
    assert found.newkeys == ("server", "client")


@pytest.mark.parametrize("side", [C, S])
def test_half_a_capture(side: bool) -> None:
    session = heard(piece for piece in talk(*WHOLE) if piece.by_client is side)
    found, auth = session.kex(), session.auth()
    assert found is not None
    assert (found.client_offer is None, found.server_offer is None) == (side is S, side is C)
    assert found.agreed is None
    assert auth is not None
    assert auth.outcome is Outcome.UNKNOWN
    assert auth.reason == f"the {'server' if side else 'client'}'s side of the key exchange is not in the capture"


# --------------------------------------------------------------------------- what is no SSH


@pytest.mark.parametrize(
    "said",
    [
        ((C, b"GET / HTTP/1.1\r\n\r\n"), (S, b"HTTP/1.1 200 OK\r\n")),
        ((C, b"\x16\x03\x01\x00\xf5\x01\x00\x00\xf1\x03\x03" + bytes(200)), (S, b"\x16\x03\x03" + bytes(90))),
        ((S, b"\xff\xfd\x18\x00"),),
    ],
)
def test_other_protocols_are_left_at_once(said: tuple[tuple[bool, bytes], ...]) -> None:
    session = heard(talk(*said))
    assert session.done
    assert session.kex() is None
    assert session.auth() is None


def test_a_client_that_meets_another_protocol() -> None:
    session = heard(talk((C, OURS), (S, b"HTTP/1.1 400 Bad Request\r\n\r\n\0")))
    found = session.kex()
    assert session.done
    assert found is not None
    assert (found.client, found.server) == ("SSH-2.0-client", None)


def test_an_old_server() -> None:
    found = kex((S, b"SSH-1.5-old\n"), (C, OURS))
    assert found.trouble == "the server sent SSH protocol 1.5"


def test_lies_are_told() -> None:
    found = kex((C, OURS), (S, THEIRS + b"\xff" * 100))
    assert found.trouble is not None
    assert "no SSH packet" in found.trouble


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(-5, 3000),
            st.binary(max_size=60) | st.sampled_from([OURS, THEIRS, kexinit(), reply() + NEWKEYS, NEWKEYS]),
            st.integers(0, 50),
            st.integers(0, 5),
        ),
        max_size=25,
    )
)
def test_anything_in_any_order_raises_nothing(parts: list[tuple[bool, int, bytes, int, int]]) -> None:
    session = Session()
    for n, (by_client, offset, data, more, end) in enumerate(parts):
        session.segment(by_client, offset % (1 << 32), len(data) + more, data, n * 1_000_000)
        if end == 5:
            session.closed(by_client, bool(offset % 2), n)
        found = session.kex()
        assert found is None or isinstance(hash(found), int)
        assert isinstance(session.auth(), Auth | None)
    session.finish()
    assert session.done


# --------------------------------------------------------------------------- negotiation


def test_the_first_of_the_clients_that_the_server_has() -> None:
    client = replace(COMMON, kex=("ext-info-c", "kex-strict-c-v00@openssh.com", "a", "b", "c"))
    server = replace(COMMON, kex=("ext-info-c", "kex-strict-s-v00@openssh.com", "c", "b"))
    agreed, missing = agree(client, server)
    assert agreed.kex == "b"
    assert missing == ()


def test_names_that_stand_for_nothing_are_nothing_in_common() -> None:
    both = replace(COMMON, kex=("ext-info-c", "kex-strict-c-v00@openssh.com"))
    assert agree(both, both)[1] == ("kex",)


def test_a_cipher_that_authenticates_needs_no_mac() -> None:
    client, server = replace(COMMON, mac_to_server=("a",)), replace(COMMON, mac_to_server=("b",))
    agreed, missing = agree(client, server)
    assert agreed.mac_to_server == "<implicit>"
    assert missing == ()
    plain = {"cipher_to_server": ("aes128-ctr",)}
    assert agree(replace(client, **plain), replace(server, **plain))[1] == ("mac_to_server",)


def test_every_category_that_lacks_is_named_in_order() -> None:
    other = replace(COMMON, kex=("x",), host_key=("x",), cipher_to_client=("x",), compression_to_server=("zlib",))
    agreed, missing = agree(COMMON, other)
    assert missing == ("kex", "host_key", "cipher_to_client", "compression_to_server")
    assert agreed.kex is None


def test_offers_of_many_names_are_no_quadratic_work() -> None:
    many = replace(COMMON, kex=tuple(f"a{n}" for n in range(256)))
    others = replace(COMMON, kex=tuple(f"b{n}" for n in range(256)))
    assert agree(many, others)[1] == ("kex",)


@pytest.mark.parametrize(
    ("category", "server", "option"),
    [
        (
            "kex",
            ("diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1"),
            "-o KexAlgorithms=+diffie-hellman-group14-sha1",
        ),
        ("host_key", ("ssh-dss", "ssh-rsa"), "-o HostKeyAlgorithms=+ssh-rsa"),
        ("cipher_to_server", ("arcfour", "3des-cbc", "aes128-cbc"), "-o Ciphers=+aes128-cbc"),
        ("mac_to_client", ("hmac-md5",), "-o MACs=+hmac-md5"),
        ("host_key", ("ssh-dss",), None),
        ("kex", ("vendor-special@example.com",), None),
        ("compression_to_server", ("zlib@openssh.com",), "-o Compression=yes"),
        ("compression_to_client", ("none",), "-o Compression=no"),
    ],
)
def test_the_option_that_helps(category: str, server: tuple[str, ...], option: str | None) -> None:
    found = helps(category, COMMON, replace(COMMON, **{category: server}))
    assert found.client == option


def test_what_this_ssh_knows_decides() -> None:
    server = replace(COMMON, host_key=("ssh-dss",))
    assert helps("host_key", COMMON, server, frozenset({"ssh-dss"})).client == "-o HostKeyAlgorithms=+ssh-dss"
    old = replace(COMMON, kex=("diffie-hellman-group1-sha1",))
    assert helps("kex", COMMON, old, frozenset({"curve25519-sha256"})).client is None


def test_the_line_for_the_server() -> None:
    good = helps("kex", COMMON, OLD)
    assert (good.server, good.server_risk) == ("KexAlgorithms +curve25519-sha256", "")
    bad = helps("kex", OLD, COMMON)
    assert bad.server == "KexAlgorithms +diffie-hellman-group1-sha1"
    assert "1024 bits" in bad.server_risk


def test_risks_are_of_names_that_are_not_good() -> None:
    assert not set(GOOD) & set(RISKS)


def test_the_default_offer_has_nothing_weak() -> None:
    agreed, missing = agree(defaults.OFFER, defaults.OFFER)
    assert missing == ()
    assert weak(agreed) == ()


def test_weak_algorithms_are_one_line() -> None:
    agreed = Agreed(
        kex="diffie-hellman-group1-sha1", host_key="ssh-rsa", cipher_to_server="3des-cbc", cipher_to_client="3des-cbc"
    )
    line = weakness(Kex(agreed=agreed))
    assert line is not None
    assert "\n" not in line
    assert line.count("3des-cbc") == 1
    assert weakness(Kex(agreed=Agreed(kex="curve25519-sha256"))) is None
    assert weakness(Kex()) is None


def test_long_offers_are_told_short() -> None:
    many = replace(COMMON, kex=("ext-info-c", *(f"k{n}" for n in range(12))))
    assert named(many, "kex") == "k0, k1, k2, k3, k4, k5, k6, k7 and 4 more"
    assert named(replace(COMMON, kex=()), "kex") == "nothing"


def test_what_texts_may_say() -> None:
    two = replace(OLD, host_key=("ssh-dss",))
    agreed, missing = agree(COMMON, two)
    said = values(Kex(client_offer=COMMON, server_offer=two, agreed=agreed, missing=missing), None, "db.example")
    assert said["category"] == "key exchange method and no host key type"
    assert said["first_category"] == "key exchange method"
    assert "no option of today's ssh helps" in str(said["client_help"])
    one = values(Kex(client_offer=COMMON, server_offer=OLD, agreed=agreed, missing=("kex",)), None, "db.example")
    assert "`ssh -o KexAlgorithms=+diffie-hellman-group1-sha1 db.example` (the risk: 1024 bits" in str(
        one["client_help"]
    )
