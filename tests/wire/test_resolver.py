"""Names: what getaddrinfo says, and what the name servers said when it failed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import dns.message
import dns.resolver
import pytest

from netprobe.wire import resolver
from netprobe.wire.clock import Clock

Failure = Callable[[], Exception]


def gai(*answers: tuple[int, str]) -> Callable[..., Any]:
    """A getaddrinfo that knows these addresses only."""

    def answer(name: str, port: None, family: int = 0, kind: int = 0) -> Any:
        found = [(f, kind, 6, "", (a, 0)) for f, a in answers if family in (0, f)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found

    return answer


V4, V6 = (socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")


@pytest.mark.parametrize(
    ("name", "families", "outcome", "addresses"),
    [
        ("192.0.2.1", (4, 6), "ok", ("192.0.2.1",)),
        ("2001:DB8:0::1", (4, 6), "ok", ("2001:db8::1",)),
        ("fe80::1%eth0", (6,), "ok", ("fe80::1%eth0",)),
        ("192.0.2.1", (6,), "no-address", ()),
    ],
)
def test_an_address_is_its_own_answer(
    name: str, families: tuple[int, ...], outcome: str, addresses: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("nobody is asked"))
    fact = resolver.resolve(name, families, Clock())
    assert (fact.outcome, fact.addresses) == (outcome, addresses)


@pytest.mark.parametrize(
    ("families", "answers", "outcome", "addresses"),
    [
        ((4, 6), (V6, V4, V4), "ok", ("2001:db8::1", "192.0.2.1")),
        ((4,), (V6, V4), "ok", ("192.0.2.1",)),
        ((6,), (V4,), "no-address", ()),
    ],
)
def test_names(
    families: tuple[int, ...],
    answers: tuple[tuple[int, str], ...],
    outcome: str,
    addresses: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", gai(*answers))
    fact = resolver.resolve("host.example", families, Clock())
    assert (fact.outcome, fact.addresses) == (outcome, addresses)


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (dns.resolver.NXDOMAIN, "not-found"),
        (dns.resolver.NoNameservers, "server-failure"),
        (dns.resolver.LifetimeTimeout, "time-out"),
        (dns.resolver.NoResolverConfiguration, "not-found"),
        (lambda: OSError("network is unreachable"), "not-found"),
    ],
)
def test_a_failure_is_explained(failure: Failure, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure()

    monkeypatch.setattr(socket, "getaddrinfo", gai())
    monkeypatch.setattr(dns.resolver.Resolver, "resolve", fail)
    assert resolver.resolve("host.example", (4, 6), Clock()).outcome == outcome


def test_a_name_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        query = dns.message.make_query("a.example", "A")
        raise dns.resolver.NoAnswer(response=dns.message.make_response(query))  # type: ignore[no-untyped-call]

    monkeypatch.setattr(socket, "getaddrinfo", gai())
    monkeypatch.setattr(dns.resolver.Resolver, "resolve", fail)
    fact = resolver.resolve("host.example", (4, 6), Clock())
    assert (fact.outcome, fact.detail) == ("no-address", "the name exists without A or AAAA record")


def test_a_name_that_can_not_be_one() -> None:
    fact = resolver.resolve("x" * 70 + ".example", (4, 6), Clock())
    assert fact.outcome == "not-found"


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> list[object]:
        time.sleep(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", late)
    monkeypatch.setattr(resolver, "LONGEST_S", 0.05)
    assert resolver.resolve("host.example", (4, 6), Clock()).outcome == "time-out"
