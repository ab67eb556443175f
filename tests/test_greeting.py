"""Services named by their first bytes."""

from __future__ import annotations

import pytest

from netprobe import greeting


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "http"),
        (b"HTTP/1.0 408\r\n", "http"),
        (b"<html>", "http"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "tls"),
        (b"\x16\x03\x03\x00\x7a\x02", "tls"),
        (b"220 mx.example ESMTP Postfix\r\n", "smtp"),
        (b"220 ProFTPD FTP Server\r\n", "ftp"),
        (b"220-FileZilla Server\r\n", "ftp"),
        (b"220 welcome\r\n", "smtp"),
        (b"RFB 003.008\n", "rfb"),
        (b"\xff\xfd\x18\xff\xfd\x20", "telnet"),
        (b"+OK POP3 ready\r\n", "pop3"),
        (b"* OK IMAP4rev1\r\n", "imap"),
        (b"\xff" * 16 + b"\x00\x1d\x01", "bgp"),
        (b"\x4a\x00\x00\x00\x0a8.0.36\x00", "mysql"),
        (b"-ERR wrong number of arguments\r\n", "redis"),
        (b"AMQP\x00\x00\x09\x01", "amqp"),
    ],
)
def test_named(stream: bytes, name: str) -> None:
    found = greeting.name(stream)
    assert found is not None
    assert found.name == name
    assert found.what


@pytest.mark.parametrize(
    "stream", [b"", b"SSH-2.0-x\r\n", b"hello", b"\x00\x01\x02\x03", b"22", b" HTTP/1.1", b"\xff", b"x" * 10000]
)
def test_unknown(stream: bytes) -> None:
    assert greeting.name(stream) is None


def test_only_the_beginning_counts() -> None:
    assert greeting.name(b"x" * 600 + b"HTTP/1.1") is None
