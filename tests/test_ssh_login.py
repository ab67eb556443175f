"""What became of a login, read from sizes: framing arithmetic, made-up sessions in every cipher, what can't be told.

A session is written as messages: `C none`, `S failure publickey,password`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.model import Agreed, Auth, Certainty, Kex, Outcome
from netprobe.ssh.login import TURNS_LIMIT, Login
from netprobe.ssh.login_framing import Framing, framing
from netprobe.ssh.login_methods import fitting

CHACHA, GCM = "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com"
SUITES = {
    "chacha": (CHACHA, None),
    "gcm": (GCM, None),
    "ctr-etm": ("aes256-ctr", "hmac-sha2-256-etm@openssh.com"),
    "ctr-umac-etm": ("aes128-ctr", "umac-64-etm@openssh.com"),
    "ctr-mac": ("aes256-ctr", "hmac-sha2-256"),
    "ctr-sha1": ("aes128-ctr", "hmac-sha1"),
    "cbc-mac": ("aes256-cbc", "hmac-sha2-512"),
    "3des-mac": ("3des-cbc", "hmac-sha1"),
}
OPENSSH, PUTTY, PARAMIKO, STRANGER = "SSH-2.0-OpenSSH_9.2", "SSH-2.0-PuTTY_0.78", "SSH-2.0-paramiko_3.4", "SSH-2.0-x"
SECOND = 1_000_000_000
every_suite = pytest.mark.parametrize("suite", SUITES)


def suite_framing(suite: str) -> Framing:
    found = framing(*SUITES[suite])
    assert found
    return found


# ---------------------------------------------------------------------- framing


@pytest.mark.parametrize(
    ("payload", "sizes"),
    [
        (17, {"chacha": 44, "gcm": 52, "ctr-umac-etm": 44, "ctr-mac": 64}),
        (1, {"chacha": 28, "gcm": 36, "ctr-umac-etm": 28, "ctr-mac": 48}),
        (45, {"chacha": 76, "gcm": 84, "ctr-umac-etm": 76, "ctr-mac": 96}),
        (71, {"chacha": 100, "gcm": 100, "ctr-umac-etm": 92, "ctr-mac": 112}),
    ],
)
def test_sizes_are_those_measured(payload: int, sizes: dict[str, int]) -> None:
    for suite, size in sizes.items():
        one = suite_framing(suite)
        assert one.size(payload) == size
        low, high = one.payload(size)
        assert low <= payload <= high


@every_suite
@given(payloads=st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_a_sum_of_packets_is_known_as_one(suite: str, payloads: list[int]) -> None:
    one = suite_framing(suite)
    sizes = [one.size(payload) for payload in payloads]
    assert all(one.single(size) for size in sizes)
    assert len(payloads) in one.counts(sum(sizes))


def test_chacha_counts_are_odd_or_even() -> None:
    one = suite_framing("chacha")
    assert [n % 2 for n in one.counts(336)] == [0, 0, 0, 0]  # EXT_INFO and a failure
    assert one.counts(76) == [1]
    assert not one.counts(24)


@pytest.mark.parametrize(
    ("cipher", "mac"), [("none", "none"), ("aes128-ctr", "hmac-of-tomorrow"), ("chacha-of-tomorrow", None), ("", None)]
)
def test_unknown_ciphers_have_no_framing(cipher: str, mac: str | None) -> None:
    assert framing(cipher, mac) is None


def test_a_size_is_a_class_of_lists() -> None:
    one = suite_framing("chacha")
    assert fitting(*one.payload(76))[0] == ("publickey", "password", "keyboard-interactive")
    assert ("password",) in fitting(*one.payload(44))
    assert fitting(*one.payload(44), frozenset({"publickey"})) == (("publickey",),)


# ---------------------------------------------------------------------- made-up sessions

USER = 6
KINDS: dict[str, Callable[[str], int]] = {
    "service": lambda _: 17,
    "none": lambda _: 31 + USER,
    "password": lambda text: 36 + USER + len(text),
    "query": lambda _: 45 + USER + 11 + 51,  # whether an ed25519 key would do
    "signed": lambda _: 45 + USER + 11 + 51 + 87,
    "kbd": lambda _: 55 + USER,
    "answer": lambda text: 9 + len(text),
    "failure": lambda text: 6 + len(text),
    "success": lambda _: 1,
    "ok": lambda _: 9 + 11 + 51,
    "question": lambda text: 22 + len(text),
    "banner": lambda text: 9 + len(text),
    "info": lambda text: int(text or 300),
    "goodbye": lambda _: 45,
    "ignore": lambda _: 5,
    "open": lambda _: 24,
    "confirm": lambda _: 17,
    "data": lambda text: int(text or 100),
}
START = ["S info 290", "C service", "S service", "C none"]
PK_PW = "failure publickey,password"
ALL = "failure publickey,password,keyboard-interactive"
SHELL = ["C open", "S confirm", "C data 60", "S data 40", "C data 20", "S data 90"]

Piece = tuple[bool, bytes]


def payload_of(message: str) -> tuple[bool, int]:
    side, kind, *rest = message.split(" ", 2)
    return side == "C", KINDS[kind](rest[0] if rest else "")


def packets(suite: str, messages: list[str], pad: int = 0) -> list[Piece]:
    """Each message as bytes, with its length in clear where the cipher leaves it so. `pad`: blocks more than needed."""
    one, random_bytes = suite_framing(suite), random.Random(7)
    found = []
    for by_client, payload in map(payload_of, messages):
        size = one.size(payload) + pad * one.block
        body = bytearray(random_bytes.randbytes(size))
        if one.clear:
            body[:4] = (size - one.fixed).to_bytes(4, "big")
        found.append((by_client, bytes(body)))
    return found


def turns(pieces: list[Piece]) -> Iterator[Piece]:
    """Each side's bytes in one go, until the other speaks."""
    for by_client, group in itertools.groupby(pieces, key=lambda piece: piece[0]):
        yield by_client, b"".join(data for _, data in group)


def split(pieces: list[Piece], size: int) -> Iterator[Piece]:
    """In segments of `size` bytes."""
    for by_client, data in turns(pieces):
        for at in range(0, len(data), size):
            yield by_client, data[at : at + size]


def login(suite: str, client: str = OPENSSH, server: str = OPENSSH, compression: str = "none") -> Login:
    cipher, mac = SUITES[suite]
    both = Agreed("k", "h", cipher, cipher, mac, mac, compression, compression)
    return Login(Kex(client=client, server=server, agreed=both))


def read(
    one: Login, pieces: list[Piece], closed_by: str | None = "client", reset: bool = False, wait_s: float = 0.01
) -> Auth:
    now = 0
    for by_client, data in pieces:
        now += 1_000_000
        one.delivery(by_client, data, len(data), now, False)
    if closed_by:
        one.closed(closed_by == "client", reset, now + round(wait_s * SECOND))
    return one.outcome()


def told(suite: str, messages: list[str], closed_by: str | None = "client", wait_s: float = 0.01, **who: str) -> Auth:
    return read(login(suite, **who), packets(suite, messages), closed_by, wait_s=wait_s)


@every_suite
def test_a_key_is_found_acceptable_and_taken(suite: str) -> None:
    auth = told(suite, [*START, f"S {PK_PW}", "C query", "S ok", "C signed", "S success", *SHELL])
    assert (auth.outcome, auth.attempts, auth.key_accepted, auth.partial) == (Outcome.SUCCEEDED, 1, True, False)
    assert "publickey" in auth.methods
    assert auth.inferred


@pytest.mark.parametrize("suite", ["chacha", "gcm", "ctr-etm", "ctr-umac-etm", "ctr-mac"])
def test_a_success_that_the_session_goes_on_after_is_certain(suite: str) -> None:
    one = login(suite)
    auth = read(one, packets(suite, [*START, f"S {PK_PW}", "C password secret", "S success", *SHELL]))
    assert (auth.outcome, auth.certainty, auth.attempts) == (Outcome.SUCCEEDED, Certainty.CERTAIN, 1)
    assert one.done or suite == "ctr-mac"


@every_suite
@pytest.mark.parametrize("count", [1, 2, 3])
def test_passwords_refused(suite: str, count: int) -> None:
    auth = told(suite, [*START, f"S {PK_PW}", *(["C password wrong", f"S {PK_PW}"] * count)])
    assert (auth.outcome, auth.attempts) == (Outcome.FAILED, count)
    assert auth.certainty is Certainty.LIKELY
    assert {"publickey", "password"} == set(auth.methods) or ("publickey", "password") in auth.methods_or


@every_suite
def test_the_answer_to_none_comes_with_more(suite: str) -> None:
    """OpenSSH since 9.6 sends EXT_INFO in the same segment as its first failure; a banner may be there, too."""
    for more in (["S info 240"], ["S banner Authorised use only."], ["S banner x" * 9, "S info 240"]):
        messages = [*START, *more, f"S {PK_PW}", *(["C password wrong", f"S {PK_PW}"] * 2)]
        auth = read(login(suite), list(turns(packets(suite, messages))))
        assert (auth.outcome, auth.attempts) == (Outcome.FAILED, 2), more


@every_suite
def test_too_many_tries_end_with_a_goodbye(suite: str) -> None:
    messages = [*START, f"S {PK_PW}", *(["C password wrong", f"S {PK_PW}"] * 2), "C password wrong", "S goodbye"]
    for closed_by in ("client", "server"):
        auth = told(suite, messages, closed_by)
        assert (auth.outcome, auth.attempts) == (Outcome.TOO_MANY, 3)


@every_suite
def test_a_goodbye_as_long_as_the_refusals(suite: str) -> None:
    messages = [*START, f"S {ALL}", *(["C query", f"S {ALL}"] * 5), "C query", "S goodbye"]
    auth = told(suite, messages)
    assert (auth.outcome, auth.certainty, auth.attempts) == (Outcome.TOO_MANY, Certainty.POSSIBLE, 6)
    assert told(suite, messages, "server").certainty is Certainty.LIKELY


@every_suite
def test_a_second_factor_is_wanted(suite: str) -> None:
    messages = [*START, "S failure publickey", "C query", "S ok", "C signed", "S failure password"]
    auth = told(suite, messages)
    assert (auth.outcome, auth.attempts, auth.partial) == (Outcome.SECOND_FACTOR, 1, True)
    auth = told(suite, [*messages, "C password right", "S success", *SHELL])
    assert (auth.outcome, auth.attempts, auth.partial) == (Outcome.SUCCEEDED, 2, True)


@pytest.mark.parametrize("suite", ["chacha", "ctr-mac", "3des-mac"])
def test_a_key_accepted_then_refused(suite: str) -> None:
    """The list stays one that no server with two factors begins with."""
    auth = told(suite, [*START, f"S {PK_PW}", "C query", "S ok", "C signed", f"S {PK_PW}"])
    if suite == "ctr-mac":
        assert auth.outcome in {Outcome.FAILED, Outcome.SECOND_FACTOR}
    else:
        assert (auth.outcome, auth.attempts, auth.key_accepted) == (Outcome.FAILED, 1, True)


@every_suite
def test_questions_are_no_attempts(suite: str) -> None:
    prompt = "S question Password: "
    messages = [*START, f"S {ALL}", "C kbd", prompt, "C answer wrongwrong", f"S {ALL}", "C kbd", prompt]
    assert told(suite, messages).attempts == 1
    messages += ["C answer correcthorse", "S service", "C answer", "S success", *SHELL]  # PAM ends with an empty one
    auth = told(suite, messages)
    assert (auth.outcome, auth.attempts) == (Outcome.SUCCEEDED, 2)


@every_suite
def test_who_leaves_and_who_waits(suite: str) -> None:
    asked = [*START, f"S {PK_PW}"]
    assert told(suite, asked).outcome is Outcome.NO_METHOD
    assert told(suite, asked, wait_s=4).outcome is Outcome.LEFT
    assert told(suite, asked, "server", wait_s=120).outcome is Outcome.TIMED_OUT
    assert told(suite, asked, None).outcome is Outcome.UNFINISHED
    assert told(suite, START, None).outcome is Outcome.UNFINISHED
    assert told(suite, START[:2]).outcome is Outcome.LEFT
    assert told(suite, START, "server").outcome is Outcome.UNKNOWN


def test_a_client_that_does_not_ask_for_the_list() -> None:
    start = ["S info 290", "C service", "S service"]
    again = ["C service", "S service"]
    tries = [*start, "C password wrong", f"S {PK_PW}", *again, "C password wrong", f"S {PK_PW}"]
    auth = told("gcm", tries, client=PARAMIKO)
    assert (auth.outcome, auth.attempts) == (Outcome.FAILED, 2)
    key = told("gcm", [*start, "C signed", f"S {PK_PW}"], client=PARAMIKO)
    assert (key.outcome, key.attempts, key.partial) == (Outcome.UNKNOWN, 1, None)
    assert "alike" in key.reason
    keys = told("gcm", [*start, "C signed", f"S {PK_PW}", *again, "C signed", f"S {PK_PW}"], client=PARAMIKO)
    assert (keys.outcome, keys.attempts) == (Outcome.FAILED, 2)


# ---------------------------------------------------------------------- segments

COURSES = {
    "key": [*START, "S info 240", f"S {PK_PW}", "C query", "S ok", "C signed", "S success", *SHELL],
    "refused": [*START, "S info 240", f"S {PK_PW}", "C query", f"S {PK_PW}", "C password wrong", f"S {PK_PW}"],
    "factor": [*START, "S failure publickey", "C query", "S ok", "C signed", "S failure password", "C password x"],
}


@pytest.mark.parametrize("suite", [name for name in SUITES if suite_framing(name).clear])
@pytest.mark.parametrize("course", COURSES)
@given(cuts=st.lists(st.integers(1, 70), min_size=1, max_size=8))
@settings(max_examples=25)
def test_where_lengths_are_in_clear_segments_do_not_matter(suite: str, course: str, cuts: list[int]) -> None:
    pieces = packets(suite, COURSES[course])
    wanted = read(login(suite), pieces)
    found: list[Piece] = []
    sizes = itertools.cycle(cuts)
    for by_client, data in turns(pieces):
        left = data
        while left:
            size = next(sizes)
            found.append((by_client, left[:size]))
            left = left[size:]
    assert read(login(suite), found) == wanted
    assert read(login(suite), list(split(pieces, 1))) == wanted
    assert read(login(suite), list(turns(pieces))) == wanted


@pytest.mark.parametrize("suite", [name for name in SUITES if not suite_framing(name).clear])
@pytest.mark.parametrize("course", COURSES)
@given(size=st.integers(1, 400))
@settings(max_examples=25)
def test_elsewhere_segments_never_make_it_certain_and_wrong(suite: str, course: str, size: int) -> None:
    auth = read(login(suite), list(split(packets(suite, COURSES[course]), size)))
    assert auth.certainty is not Certainty.CERTAIN or (auth.outcome is Outcome.SUCCEEDED and course == "key")


def test_pieces_of_four_bytes_and_whole_turns() -> None:
    for course, outcome in (("key", Outcome.SUCCEEDED), ("refused", Outcome.FAILED)):
        pieces = packets("chacha", COURSES[course])
        assert read(login("chacha"), list(split(pieces, 4))).outcome is outcome
        assert read(login("chacha"), list(turns(pieces))).outcome is outcome


def test_the_end_of_a_large_message_is_no_success() -> None:
    """1448 bytes of a banner and 28 more: as long as a success."""
    one = login("chacha")
    refusal = suite_framing("chacha").size(24)
    pieces = packets("chacha", [*START])
    pieces += [(False, bytes(1448)), (False, bytes(28))]
    for _ in range(3):
        pieces += [*packets("chacha", ["C password wrong"]), (False, bytes(refusal))]
    auth = read(one, pieces)
    assert auth.outcome is not Outcome.SUCCEEDED
    assert auth.certainty is not Certainty.CERTAIN


# ---------------------------------------------------------------------- what can't be told


@every_suite
def test_ignored_messages_of_a_stranger_are_no_certain_success(suite: str) -> None:
    """A server that puts an empty IGNORE before each message, and doesn't say that it is asyncssh."""
    messages = [*START, "S ignore", f"S {ALL}"]
    for _ in range(4):
        messages += ["C password wrong", "S ignore", f"S {ALL}"]
    for client, server in ((OPENSSH, STRANGER), (PUTTY, OPENSSH)):
        auth = told(suite, messages, client=client, server=server)
        assert auth.certainty is not Certainty.CERTAIN


@every_suite
def test_more_padding_than_needed_is_not_read(suite: str) -> None:
    for pad in (1, 2, 8):
        pieces = packets(suite, COURSES["refused"], pad)
        auth = read(login(suite), pieces)
        assert auth.certainty is not Certainty.CERTAIN
        assert auth.outcome is not Outcome.SUCCEEDED


@pytest.mark.parametrize("compression", ["zlib", "", "lz4"])
def test_compression_hides_sizes(compression: str) -> None:
    one = login("gcm", compression=compression)
    auth = read(one, packets("gcm", COURSES["key"]))
    assert one.done
    assert (auth.outcome, auth.attempts, auth.closed_by) == (Outcome.UNKNOWN, None, "client")
    assert "compression" in auth.reason


def test_compression_that_begins_after_the_login_hides_nothing() -> None:
    auth = read(login("gcm", compression="zlib@openssh.com"), packets("gcm", COURSES["key"]))
    assert auth.outcome is Outcome.SUCCEEDED


@every_suite
def test_what_a_gap_hides_is_unknown(suite: str) -> None:
    pieces = packets(suite, COURSES["refused"])
    for at in range(len(pieces)):
        one = login(suite)
        for i, (by_client, data) in enumerate(pieces):
            one.delivery(by_client, data, len(data), i, i == at)
        one.closed(True, False, 99)
        auth = one.outcome()
        assert (auth.outcome, one.done) == (Outcome.UNKNOWN, True)
        assert "missing" in auth.reason


def test_a_success_stays_one_when_bytes_are_missing_after_it() -> None:
    one = login("gcm")
    pieces = packets("gcm", [*START, f"S {PK_PW}", "C password right", "S success", *SHELL])
    for i, (by_client, data) in enumerate(pieces):
        one.delivery(by_client, data, len(data), i, i == len(pieces) - 1)
    assert one.outcome().outcome is Outcome.SUCCEEDED


def test_a_capture_that_cuts_packets_short() -> None:
    """96 bytes of each frame are enough for lengths in clear where packets begin, and for sums anyway."""
    for suite in ("chacha", "ctr-mac"):
        one = login(suite)
        for i, (by_client, data) in enumerate(packets(suite, COURSES["refused"])):
            one.delivery(by_client, b"", len(data), i, False)
        one.closed(True, False, 99)
        assert one.outcome().outcome is Outcome.FAILED
    one = login("gcm")
    for i, (by_client, data) in enumerate(packets("gcm", COURSES["refused"])):
        one.delivery(by_client, data[:30], len(data), i, False)
    one.closed(True, False, 99)
    assert one.outcome().outcome is Outcome.FAILED
    one = login("gcm")
    for i, (by_client, data) in enumerate(packets("gcm", COURSES["refused"])):
        one.delivery(by_client, b"", len(data), i, False)
    assert one.outcome().outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("length", [0, 1, 17, 0xFFFFFFFF, 1 << 20])
def test_lengths_that_lie(length: int) -> None:
    one = login("gcm")
    one.delivery(True, length.to_bytes(4, "big") + bytes(48), 52, 0, False)
    assert one.done
    assert one.outcome().outcome is Outcome.UNKNOWN


@every_suite
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60), st.integers(0, 2000), st.booleans()), max_size=40))
@settings(max_examples=60)
def test_no_bytes_make_it_fail_or_certain(suite: str, pieces: list[tuple[bool, bytes, int, bool]]) -> None:
    one = login(suite, client=STRANGER, server=STRANGER)
    for i, (by_client, data, more, gap) in enumerate(pieces):
        one.delivery(by_client, data, len(data) + more, i * 1000, gap and more > 1990)
        one.outcome()
    one.closed(True, True, 10**12)
    assert one.outcome() == one.outcome()


def test_work_is_bounded() -> None:
    one = login("ctr-mac")
    for by_client, data in packets("ctr-mac", [*START, f"S {PK_PW}"]):
        one.delivery(by_client, data, len(data), 0, False)
    for i in range(50_000):
        one.delivery(i % 2 == 0, b"", 96 if i % 2 == 0 else 80, i, False)
    assert one.done
    assert len(one._turns) <= TURNS_LIMIT
    one = login("chacha")
    one.delivery(True, b"", 44, 0, False)
    for i in range(50_000):
        one.delivery(False, b"", 44, i, False)
    assert sum(len(sizes) for _, sizes in one._turns) < 200


def test_after_a_certain_success_nothing_is_looked_at() -> None:
    one = login("gcm")
    read(one, packets("gcm", [*START, f"S {PK_PW}", "C password right", "S success", *SHELL]), None)
    assert one.done
    before = one.outcome()
    one.delivery(False, b"\xff" * 90, 90, 0, True)
    assert one.outcome() == before
