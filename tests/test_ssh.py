"""The clear beginning of SSH: whole, in pieces, with text before and behind."""

from __future__ import annotations

import pytest

from netprobe import ssh

KEXINIT = b"\x00\x00\x01\x2c\x08\x14" + bytes(30)


@pytest.mark.parametrize(
    ("line", "version", "speaks_2"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3", "2.0", True),
        (b"SSH-1.99-Cisco-1.25", "1.99", True),
        (b"SSH-1.5-1.2.27", "1.5", False),
        (b"SSH-2.0-", "2.0", True),
        (b"SSH-2.0", "", False),
        (b"SSH-", "", False),
        (b"SSH-2.0-a-b-c", "2.0", True),
        (b"SSH-2.0-\xe4\xff", "2.0", True),
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_identification(line: bytes, version: str, speaks_2: bool, end: bytes) -> None:
    opening = ssh.read(line + end)
    assert opening.identification == line.decode("latin-1")
    assert opening.version == version
    assert opening.speaks_2 is speaks_2
    assert opening.rest == b""
    assert not opening.kexinit


def test_lines_before_it_are_kept() -> None:
    opening = ssh.read(b"hello\r\n\r\nSSH-2.0-x\r\n" + KEXINIT)
    assert opening.lines == ("hello", "")
    assert opening.identification == "SSH-2.0-x"
    assert opening.kexinit


def test_byte_by_byte() -> None:
    stream = b"hello\r\nSSH-2.0-x\r\n" + KEXINIT
    for size in range(len(stream)):
        opening = ssh.read(stream[:size])
        assert (opening.identification is not None) is (size >= 18), size
        assert opening.kexinit is (size >= 24), size


def test_key_exchange_needs_its_message_number() -> None:
    assert not ssh.read(b"SSH-2.0-x\r\n" + b"\x00\x00\x01\x2c\x08\x15").kexinit
    assert not ssh.read(b"SSH-2.0-x\r\n" + b"\x00\x00\x01\x2c\x08").kexinit


def test_unfinished_line_is_no_identification() -> None:
    opening = ssh.read(b"SSH-2.0-x")
    assert opening.identification is None
    assert opening.unfinished == b"SSH-2.0-x"
    assert opening.version is None
    assert not opening.speaks_2


def test_too_long_is_no_identification() -> None:
    assert ssh.read(b"SSH-2.0-" + b"x" * 247 + b"\r\n").identification is not None
    assert ssh.read(b"SSH-2.0-" + b"x" * 248 + b"\r\n").identification is None


def test_no_more_lines_than_a_client_reads() -> None:
    opening = ssh.read(b"x\n" * 1024 + b"SSH-2.0-x\r\n")
    assert opening.identification is None
    assert len(opening.lines) == 1024
    assert ssh.read(b"x\n" * 1023 + b"SSH-2.0-x\r\n").identification == "SSH-2.0-x"


def test_nothing() -> None:
    assert ssh.read(b"") == ssh.Opening()
