"""What a capture shows of a server's address beside the attempt: kept in a table of fixed size, never mixed."""

from __future__ import annotations

import pytest

from netprobe.evidence import Host, host_of
from netprobe.model import Frame
from netprobe.tracker import Tracker, columns
from netprobe.tracker.hosts import H_WIDTH, WAYS, host_word, place_of, recall_host
from tests.ladder import ladder

SILENT = "0 > S [mss]\n"


def host(more: str, text: str = SILENT) -> Host:
    """What is known of the server of the first attempt of a ladder."""
    row, tracker = played(text + more)
    recall_host(row, tracker.hosts)
    assert host_word(row) == host_word(list(row))
    return host_of(row)


def played(text: str) -> tuple[list[int], Tracker]:
    tracker = Tracker()
    tracker.receive([record for record in ladder(text).records if isinstance(record, Frame)])
    return list(tracker.rows[0]), tracker


def test_nothing_is_known_of_a_host_that_never_answered() -> None:
    assert host("") == Host()
    assert not host("").answers


def test_another_port_that_answers() -> None:
    found = host("1 > S port 40001 to 80 [mss]\n1.1 < SA port 40001 to 80 ttl 57")
    assert (found.control, found.opened, found.here, found.answers) == ("syn-ack", (57,), False, True)
    found = host("1 > S port 40001 to 80 tos 0x48 [mss]\n1.1 < RA port 40001 to 80 ttl 57 tos 0x48")
    assert (found.control, found.reset, found.reset_tos, found.ttls) == ("reset", 57, "echo", (57,))
    found = host("1 > S port 40001 to 80 tos 0x48 [mss]\n1.1 < RA port 40001 to 80 ttl 57")
    assert (found.reset, found.reset_tos) == (0, "zero")  # not the stack's own: its TTL proves nothing


def test_this_port_that_answers_another_connection() -> None:
    found = host("1 > S port 40001 [mss]\n1.1 < SA port 40001 ttl 57")
    assert (found.here, found.control, found.opened) == (True, None, (57,))


def test_an_echo_reply() -> None:
    assert host("1 > echo id 9\n1.1 < reply id 9 ttl 57").ping == 57
    assert host("1 < reply id 9 ttl 57").ping == 0  # not asked for


def test_answers_that_fit_nothing_prove_nothing() -> None:
    assert host("1 > S port 40001 to 80 [mss]\n1.1 < SA port 40001 to 80 ack 7 ttl 57") == Host()
    assert host("1 < RA port 40001 to 80 ttl 57") == Host()


def test_two_ttls_of_syn_acks_and_no_more() -> None:
    more = "".join(
        f"{n} > S port {40000 + n} to {79 + n} [mss]\n{n}.1 < SA port {40000 + n} to {79 + n} ttl {50 + n}\n"
        for n in (1, 2, 3)
    )
    assert host(more).opened == (51, 52)


def test_every_port_open_needs_four_and_no_reset() -> None:
    def ports(count: int) -> str:
        return "".join(
            f"{n} > S port {40000 + n} to {79 + n} [mss]\n{n}.1 < SA port {40000 + n} to {79 + n}\n"
            for n in range(1, count + 1)
        )

    assert not host(ports(3)).all_open
    assert host(ports(4)).all_open
    assert not host(ports(4) + "9 > S port 41000 to 99 [mss]\n9.1 < RA port 41000 to 99").all_open


@pytest.mark.parametrize(("ttl", "full"), [(64, True), (128, True), (255, True), (63, False), (32, False), (60, False)])
def test_a_ttl_that_no_router_has_touched(ttl: int, full: bool) -> None:
    assert host(f"1 > S port 40001 to 80 [mss]\n1.1 < SA port 40001 to 80 ttl {ttl}").full is full
    found = host(f"1 > S port 40001 to 80 [mss]\n1.1 < RA port 40001 to 80 ttl {ttl}")
    assert (found.full, found.full_reset) == (False, full)  # a box on the path may have written it


def test_an_address_that_takes_the_place_over_leaves_nothing_behind() -> None:
    row, tracker = played(SILENT + "1 > S port 40001 to 80 [mss]\n1.1 < SA port 40001 to 80 ttl 57")
    hosts = tracker.hosts
    other = list(row)
    other[columns.SERVER + 3] += 1
    at = place_of(row, columns.SERVER, 4, hosts)
    recall_host(row, hosts)
    assert host_of(row).answers
    hosts[at + 1 + 3] = other[columns.SERVER + 3]
    recall_host(row, hosts)
    assert host_of(row) == Host()


def test_a_smaller_table_is_the_same_table() -> None:
    row, tracker = played(SILENT)
    assert place_of(row, columns.SERVER, 4, [0] * (WAYS * H_WIDTH)) == 0
    assert place_of(row, columns.SERVER, 4, tracker.hosts) % H_WIDTH == 0


def test_addresses_that_fall_on_the_same_places_stay_apart_while_there_is_room() -> None:
    hosts = [0] * (WAYS * H_WIDTH)  # all addresses fall on the same places
    row, _ = played(SILENT)
    found = []
    for last in range(WAYS):
        row = list(row)
        row[columns.SERVER + 3] = 0xCB007100 + last
        at = place_of(row, columns.SERVER, 4, hosts)
        hosts[at] = 4
        hosts[at + 1 : at + 5] = row[columns.SERVER : columns.SERVER + 4]
        found.append(at)
    assert sorted(found) == [way * H_WIDTH for way in range(WAYS)]
    assert place_of(row, columns.SERVER, 4, hosts) == found[-1]
    row[columns.SERVER + 3] = 0xCB0071FF
    assert place_of(row, columns.SERVER, 4, hosts) in found
