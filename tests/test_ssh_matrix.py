"""The recorded matrix of logins: nothing read wrong, what can't be told said so, docs/ssh-login.md up to date."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from netprobe.model import Auth, Certainty, Outcome
from netprobe.ssh.session import Session
from tests.ssh_matrix import score
from tests.ssh_matrix.replay import Connection, Login
from tests.ssh_matrix.truth import attempts_of

REASONS = ("compression (zlib) hides", "a key that was refused and one that passed as the first factor")


@pytest.fixture(scope="module")
def marked() -> list[tuple[Login, set[str]]]:
    return [(login, set(score.marks(login))) for login in score.measured()]


def test_the_matrix_is_whole() -> None:
    """Old and new OpenSSH, dropbear and asyncssh; OpenSSH, plink, asyncssh and paramiko; each cipher and outcome."""
    seen = {(*(name.split()[0] for name in one.pair), one.entry["cipher"]) for one in score.measured()}
    for server in ("OpenSSH", "asyncssh"):
        for client in ("OpenSSH", "plink", "asyncssh", "paramiko"):
            for cipher in ("chacha", "gcm", "ctr-etm", "ctr-mac"):
                if (client, cipher) != ("paramiko", "chacha"):  # which it has not
                    assert (server, client, cipher) in seen
    for client in ("OpenSSH", "plink", "asyncssh"):
        assert {("dropbear", client, cipher) for cipher in ("chacha", "ctr-mac")} <= seen  # it is built with no others
    assert {"OpenSSH 9.2", "OpenSSH 10.6"} <= {one.pair[0] for one in score.measured()}
    outcomes = Counter(one.entry["outcome"] for one in score.measured())
    wanted = ("succeeded", "failed", "no-method", "too-many", "second-factor", "left", "timed-out")
    assert all(outcomes[outcome] >= 10 for outcome in wanted), outcomes
    assert len(score.measured()) >= 1800


def test_nothing_is_certain_and_wrong(marked: list[tuple[Login, set[str]]]) -> None:
    assert [one.entry for one, found in marked if "wrong and certain" in found] == []


def test_every_outcome_is_right_or_said_to_be_unknown(marked: list[tuple[Login, set[str]]]) -> None:
    assert [(one.pair, one.entry) for one, found in marked if "wrong" in found] == []
    for one, found in marked:
        if "unknown" in found:
            assert one.auth is not None
            assert one.auth.reason.startswith(REASONS), one.entry
            assert one.auth.certainty is None
    assert sum("unknown" in found for _, found in marked) < 0.03 * len(marked)


def test_attempts_are_counted(marked: list[tuple[Login, set[str]]]) -> None:
    wrong = [one for one, found in marked if "attempts wrong" in found]
    assert len(wrong) <= 0.05 * len(marked)
    assert all(one.auth is None or one.auth.attempts_certainty is not Certainty.CERTAIN for one in wrong)


def test_what_else_is_told_is_hardly_ever_wrong(marked: list[tuple[Login, set[str]]]) -> None:
    for mark in ("key_accepted wrong", "partial wrong", "methods wrong"):
        wrong = [(one.pair, one.entry, one.auth) for one, found in marked if mark in found]
        assert len(wrong) <= 0.01 * len(marked), wrong


def test_successes_are_mostly_certain(marked: list[tuple[Login, set[str]]]) -> None:
    taken = [found for one, found in marked if one.entry["outcome"] == "succeeded"]
    assert sum("certain" in found for found in taken) > 0.8 * len(taken)


def test_the_document_holds_what_is_measured() -> None:
    text = score.DOCUMENT.read_text("utf-8")
    measured = text[text.index(score.BEGIN) + len(score.BEGIN) : text.index(score.END)]
    assert measured == f"\n{score.document()}\n", "run `make ssh-score`"


def test_the_lists_agree_with_the_clients_own_messages() -> None:
    for one in score.measured():
        messages = str(one.entry.get("messages", "")).split()
        if messages:
            assert ("S52" in messages) == (one.entry["outcome"] == "succeeded")
            assert one.entry["attempts"] == attempts_of(messages, one.entry["outcome"])


# ---------------------------------------------------------------------- the same sessions, captured otherwise

SOME = slice(3, None, 23)


def again(
    connection: Connection, segments: list[tuple[bool, int, int, bytes, int]], closed: bool = True
) -> Auth | None:
    session = Session()
    for by_client, offset, length, data, time_ns in segments:
        session.segment(by_client, offset, length, data, time_ns)
    if closed and segments:
        session.closed(True, False, segments[-1][4] + 1000)
    session.finish()
    return session.auth()


def honest(one: Login, auth: Auth | None) -> bool:
    if auth is None or auth.certainty is not Certainty.CERTAIN:
        return True
    return auth.outcome is Outcome.SUCCEEDED and one.entry["outcome"] == "succeeded"


def test_a_capture_that_ends_anywhere_is_never_certain_and_wrong() -> None:
    for one in score.measured()[SOME]:
        segments = one.connection.segments
        for end in range(4, len(segments)):
            assert honest(one, again(one.connection, segments[:end], closed=end % 2 == 0)), (one.pair, one.entry, end)


def test_lost_segments_are_never_certain_and_wrong() -> None:
    for one in score.measured()[SOME]:
        segments = one.connection.segments
        for lost in range(len(segments)):
            assert honest(one, again(one.connection, segments[:lost] + segments[lost + 1 :])), (one.entry, lost)


def test_one_direction_alone_is_unknown() -> None:
    for one in score.measured()[SOME]:
        for side in (True, False):
            auth = again(one.connection, [segment for segment in one.connection.segments if segment[0] is side])
            assert auth is None or auth.outcome is Outcome.UNKNOWN, one.entry


def test_segments_joined_and_cut_otherwise_are_never_certain_and_wrong() -> None:
    chance = random.Random(4253)
    for one in score.measured()[SOME]:
        for most in (4, 40, 1448):
            cut: list[tuple[bool, int, int, bytes, int]] = []
            for by_client, offset, length, data, time_ns in _joined(one.connection.segments):
                at = 0
                while at < length:
                    size = min(length - at, chance.randint(1, most))
                    cut.append((by_client, offset + at, size, data[at : at + size], time_ns))
                    at += size
            assert honest(one, again(one.connection, cut)), (one.pair, one.entry, most)


def _joined(segments: list[tuple[bool, int, int, bytes, int]]) -> list[tuple[bool, int, int, bytes, int]]:
    """What one side said until the other spoke, in one."""
    found: list[tuple[bool, int, int, bytes, int]] = []
    for by_client, offset, length, data, time_ns in segments:
        if found and found[-1][0] == by_client and found[-1][1] + found[-1][2] == offset:
            before = found[-1]
            found[-1] = (by_client, before[1], before[2] + length, before[3] + data, time_ns)
        else:
            found.append((by_client, offset, length, data, time_ns))
    return found


def test_sizes_alone_give_the_same_where_lengths_are_not_in_clear() -> None:
    """A capture that keeps 0 bytes of what is encrypted."""
    for one in score.measured()[SOME]:
        if one.entry["cipher"] in {"chacha", "ctr-mac", "cbc-mac", "ctr-sha1"}:
            session, clear = Session(), Session()
            for by_client, offset, length, data, time_ns in one.connection.segments:
                before = clear.kex()
                clear.segment(by_client, offset, length, data, time_ns)
                hidden = before is not None and len(before.newkeys) == 2
                session.segment(by_client, offset, length, b"" if hidden else data, time_ns)
            session.closed(True, False, one.connection.segments[-1][4] + 1000)
            auth = session.auth()
            assert honest(one, auth)
            if one.entry["outcome"] == "succeeded" and one.auth is not None and one.auth.outcome is Outcome.SUCCEEDED:
                assert auth is not None
                assert auth.outcome is Outcome.SUCCEEDED
