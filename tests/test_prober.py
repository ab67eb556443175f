"""The prober alone: keyed numbers, the order of its steps, the commands for a given evidence."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from netprobe.model import Command, Connect, Hang, Mode, Probe, RouteFact, Say, Shape, TargetFact
from netprobe.prober import CONNECT_STEPS, FIRST_SOURCE_PORT, IDENTIFICATION, SOURCE_PORTS, STEPS, Keys, Plan, Prober
from tests.ladder import at, ladder
from tests.ssh_packets import kexinit, quoted

ADDRESS = "203.0.113.5"
LINE_END = b"\r\n"
ROUTE = RouteFact(address=ADDRESS, outcome="ok", interface="eth0", source="192.0.2.1", gateway="192.0.2.254")
STARTED = "0 fact route ok via 192.0.2.254\n0 fact started id 1 port 40000\n0 > S [mss]\n"


def target(**more: object) -> TargetFact:
    return TargetFact(target=ADDRESS, address=ADDRESS, port=22, **more)  # type: ignore[arg-type]


def prober(plan: Plan | None = None, secret: bytes = b"k", **more: object) -> Prober:
    return Prober(target(**more), ROUTE, plan or Plan(), secret, itertools.count(1))


def play(p: Prober, text: str, times: Sequence[float]) -> list[tuple[float, Command]]:
    """Commands that a prober gives when it looks at these times at what a ladder showed until then."""
    scene = ladder(text)
    found: list[tuple[float, Command]] = []
    for seconds in times:
        until = at(seconds)
        cut = scene.with_records([r for r in scene.records if r.time_ns <= until], until)
        cut.target = p.target
        found += [(seconds, command) for command in p.advance(cut.evidence())]
        if p.done:  # a driver asks no more
            break
    return found


def shapes(commands: Sequence[tuple[float, Command]]) -> list[Shape]:
    return [command.shape for _, command in commands if isinstance(command, Probe)]


# --------------------------------------------------------------------------- keys


def test_numbers_are_a_function_of_key_target_and_name() -> None:
    one, same, other = (Keys(secret, target(), "192.0.2.1") for secret in (b"a", b"a", b"b"))
    assert one.numbers("x") == same.numbers("x")
    assert one.numbers("y") != other.numbers("y")


def test_source_ports_are_never_used_twice_and_stay_outside_the_ephemeral_range() -> None:
    keys = Keys(b"k", target(), "192.0.2.1")
    ports = [keys.numbers(str(n))[0] for n in range(500)]
    assert len(set(ports)) == 500
    assert all(FIRST_SOURCE_PORT <= port < FIRST_SOURCE_PORT + SOURCE_PORTS <= 65536 for port in ports)


def test_control_port_depends_on_the_key_and_is_not_the_target_port() -> None:
    ports = {prober(secret=bytes([n])).control_port for n in range(50)}
    assert len(ports) > 40
    assert all(33000 <= port < 57001 for port in ports)


# --------------------------------------------------------------------------- steps


def test_the_kernels_connect_comes_first_and_alone() -> None:
    (only,) = play(prober(), "", [0.0])
    assert isinstance(only[1], Connect)
    assert only[1].ttl is None
    assert only[1].mss is None


def test_source_port_of_the_user_is_for_the_first_connect_only() -> None:
    p = prober(Plan(source_port=4022))
    assert p.connect().source_port == 4022
    assert p.connect(2222).source_port is None
    assert p.connect(mss=256).source_port is None


def test_a_reset_draws_everything_to_compare_in_one_go() -> None:
    p = prober(Plan(elsewhere=False))
    commands = play(p, STARTED + "0.02 < RA", [0.0, 0.02])
    sent = [(c.shape, c.server.port) for _, c in commands if isinstance(c, Probe)]
    assert sent == [
        (Shape.SYN, 22),
        (Shape.SYN, p.control_port),
        (Shape.ECHO, 0),
        (Shape.MD5_SYN, 22),
        (Shape.MD5_SYN, p.control_port),
    ]


def test_silence_is_split_step_by_step() -> None:
    commands = play(prober(Plan(elsewhere=False)), STARTED + "1 > S [mss]", [n / 20 for n in range(90)])
    first: dict[Shape, float] = {}
    for seconds, command in commands:
        if isinstance(command, Probe) and command.server.port == 22 and command.ttl is None:
            first.setdefault(command.shape, seconds)
    assert list(first) == [Shape.SYN, Shape.ACK, Shape.FIN, Shape.SYN_ACK, Shape.BARE_SYN]
    arriving = [c for _, c in commands if isinstance(c, Probe) and c.shape is Shape.SYN and c.server.port == 22]
    full = [c for c in arriving if c.ttl is None]
    assert len(full) == 2, "the marked one, and the same four-tuple again for the half-open test"
    assert full[0].client == full[1].client
    assert full[0].seq != full[1].seq


def test_nothing_is_sent_twice_when_nothing_changes() -> None:
    p = prober(Plan(elsewhere=False))
    text = STARTED + "0.02 < RA"
    play(p, text, [0.0, 0.02])
    assert play(p, text, [0.021, 0.022]) == []


def test_walk_has_limited_ttls() -> None:
    commands = play(prober(), STARTED + "1 > S [mss]", [n / 10 for n in range(45)])
    ttls = [c.ttl for _, c in commands if isinstance(c, Probe) and c.ttl is not None]
    assert ttls
    assert all(1 <= ttl <= 30 for ttl in ttls)


def reset_by_the_third(told: Callable[[int, float], bool]) -> list[tuple[float, int, int]]:
    """Time, TTL and port of the probes with a TTL while the third of five hops resets; `told`: whether the router at
    this hop tells of the probe that expired there at this time."""
    p, text, sent = prober(Plan(elsewhere=False)), STARTED + "0.02 < RA ttl 62 win 0\n", []
    for seconds in [0.0, *(0.05 + n / 20 for n in range(80))]:
        for _, c in play(p, text, [seconds]):
            if not isinstance(c, Probe):
                continue
            if c.shape is Shape.ECHO:
                text += f"{seconds:.3f} > echo id {c.client.port} seq {c.seq}\n"
                continue
            flow = f"port {c.client.port} to {c.server.port}"
            limit, options = f"ttl {c.ttl}" if c.ttl else "", "[md5,mss]" if c.shape is Shape.MD5_SYN else "[mss]"
            text += f"{seconds:.3f} > S {flow} tos 0x48 {options} {limit}\n"
            ttl = 62 if c.server.port == 22 else 60
            if (c.ttl or 64) > (3 if ttl == 62 else 4):
                text += f"{seconds + 0.02:.3f} < RA {flow} ttl {ttl} win 0 {'' if ttl == 62 else 'tos 0x48'}\n"
            elif c.ttl is not None and told(c.ttl, seconds):
                text += f"{seconds + 0.02:.3f} < icmp 11/0 {flow} from 198.51.100.{c.ttl}\n"
            if c.ttl is not None:
                sent.append((seconds, c.ttl, c.server.port))
        if p.done:
            return sent
    raise AssertionError("it doesn't end")


def test_the_hop_that_resets_is_asked_for_again_where_its_router_was_not_heard_of() -> None:
    at_once = reset_by_the_third(lambda hop, seconds: True)
    assert {ttl for _, ttl, _ in at_once} >= {1, 2, 3}
    assert all(seconds < 0.5 for seconds, _, _ in at_once), "everybody was heard of"
    lost = reset_by_the_third(lambda hop, seconds: hop != 3 or seconds > 1)
    again = [(ttl, port == 22) for seconds, ttl, port in lost if seconds > 1]
    assert again == [(3, True), (3, False)]
    assert len(reset_by_the_third(lambda hop, seconds: hop != 3)) == len(lost), "a silent router is asked once more"


def test_patient_sends_fragments() -> None:
    text = STARTED + "1 > S [mss]"
    times = [n / 10 for n in range(20)]
    assert Shape.FRAGMENT in shapes(play(prober(Plan(patient=True), patient=True), text, times))
    assert Shape.FRAGMENT not in shapes(play(prober(), text, times))


def test_own_syn_that_never_left_is_gone_around_once() -> None:
    commands = play(prober(), "0 fact started id 1 port 40000", [0.0, 0.5, 1.05, 1.5, 2.0])
    assert shapes(commands)[:1] == [Shape.SYN]
    assert [s for s in shapes(commands) if s is Shape.SYN][1:] in ([], [Shape.SYN])


def test_without_privilege_nothing_is_crafted() -> None:
    text = "target kernel\n0 fact started id 1 port 40000"
    commands = play(prober(mode=Mode.CONNECT), text, [n / 10 for n in range(50)])
    assert all(isinstance(c, Connect | Hang) for _, c in commands)


# --------------------------------------------------------------------------- conversation

OPEN = STARTED + "0.02 < SA\n0.02 fact open id 1\n0.02 > A\n"


def test_conversation__identification_is_answered_with_ours_once() -> None:
    text = OPEN + '0.03 < PA "SSH-2.0-x\\r\\n"\n0.04 > PA "SSH-2.0-netprobe\\r\\n"'
    commands = play(prober(), text, [0.0, 0.03, 0.04, 0.1])
    assert [c for _, c in commands if isinstance(c, Say)] == [Say(1, IDENTIFICATION)]


def test_conversation__our_own_ack_is_waited_for() -> None:
    """connect() is done, so the kernel acknowledged: what is not seen yet is no verdict yet."""
    text = STARTED + "0.02 < SA\n0.02 fact open id 1 port 40000\n"
    text += '0.3 > A\n0.3 < PA "SSH-2.0-x\\r\\n"\n'
    p = prober()
    assert [type(command) for _, command in play(p, text, [0.0, 0.021, 0.25])] == [Connect]
    assert not p.done
    assert [type(command) for _, command in play(p, text, [0.31])] == [Say]


def test_conversation__hangs_up_once_the_key_exchange_began() -> None:
    text = OPEN + f"0.03 < PA {quoted(b'SSH-2.0-x' + LINE_END + kexinit())}"
    p = prober()
    commands = play(p, text, [0.0, 0.03])
    assert isinstance(commands[-1][1], Hang)
    assert p.done
    assert not [c for _, c in commands if isinstance(c, Say)]


def test_conversation__waits_for_the_whole_offer_and_says_nothing_meanwhile() -> None:
    whole = kexinit()
    text = OPEN + f"0.03 < PA {quoted(b'SSH-2.0-x' + LINE_END + whole[:100])}"
    p = prober()
    commands = play(p, text, [0.0, 0.03, 1.0])
    assert not [c for _, c in commands if isinstance(c, Say | Hang)]
    assert not p.done
    commands = play(p, text + f"\n1.5 < PA {quoted(whole[100:])}", [1.5])
    assert isinstance(commands[-1][1], Hang)
    assert p.done


def test_conversation__half_an_offer_is_waited_for_no_longer_than_its_time() -> None:
    text = OPEN + f"0.03 < PA {quoted(b'SSH-2.0-x' + LINE_END + kexinit()[:100])}"
    p = prober()
    commands = play(p, text, [0.0, 0.03, 2.5, 2.6])
    assert isinstance(commands[-1][1], Hang)
    assert p.done


def test_conversation__an_offer_that_trickles_is_not_waited_for_without_end() -> None:
    whole = kexinit()
    text = OPEN + f"0.03 < PA {quoted(b'SSH-2.0-x' + LINE_END + whole[:20])}\n"
    for n in range(1, 10):
        text += f"{n} < PA {quoted(whole[20 * n : 20 * n + 20])}\n"
    p = prober()
    commands = play(p, text, [n / 10 for n in range(100)])
    assert p.done
    assert isinstance(commands[-1][1], Hang)
    assert 4.9 <= commands[-1][0] <= 5.2


def test_conversation__a_silent_server_hears_us_after_a_while() -> None:
    commands = play(prober(), OPEN, [0.0, 0.1, 1.0, 2.0, 2.6, 3.0])
    said = [(seconds, c) for seconds, c in commands if isinstance(c, Say)]
    assert said == [(2.6, Say(1, IDENTIFICATION))]


def test_conversation__any_service_is_hung_up_once_it_speaks() -> None:
    p = prober(expect="any")
    commands = play(p, OPEN + '0.03 < PA "220 x\\r\\n"', [0.0, 0.03])
    assert p.done
    assert isinstance(commands[-1][1], Hang)


def test_conversation__identify_asks_a_silent_service_once() -> None:
    p = prober(Plan(identify=True), expect="any")
    commands = play(p, OPEN, [0.0, 1.0, 2.1, 2.2])
    assert [c.data[:4] for _, c in commands if isinstance(c, Say)] == [b"HEAD"]


# --------------------------------------------------------------------------- ends


def test_half_open_entry_is_taken_away() -> None:
    p = prober(Plan(elsewhere=False))
    first = play(p, STARTED, [0.0, 0.4, 0.7])
    marked = next(c for _, c in first if isinstance(c, Probe) and c.shape is Shape.SYN)
    text = (
        STARTED
        + "1 > S [mss]\n3 > S [mss]\n"
        + f"0.4 > S iss {marked.seq} port {marked.client.port} tos 0x48 [mss]\n"
        + f"0.7 > S seq {(marked.seq + (1 << 25)) & 0xFFFFFFFF} port {marked.client.port} tos 0x48 [mss]\n"
        + f"0.75 < A seq 77 ack {(marked.seq + 1) & 0xFFFFFFFF} port {marked.client.port}\n"
    )
    commands = play(p, text, [n / 10 for n in range(8, 150)])
    resets = [c for _, c in commands if isinstance(c, Probe) and c.shape is Shape.RST]
    assert [(r.client, r.seq) for r in resets] == [(marked.client, (marked.seq + 1) & 0xFFFFFFFF)]
    assert p.done


def test_a_link_that_goes_down_ends_it() -> None:
    p = prober()
    play(p, STARTED + "0.5 fact link eth0 down", [0.0, 0.6])
    assert p.done


def test_it_ends_at_the_limit_whatever_is_pending() -> None:
    p = prober()
    play(p, STARTED, [0.0, 91.0])
    assert p.done


def test_steps_come_in_the_order_of_their_time_where_they_split_silence() -> None:
    for steps in (STEPS, CONNECT_STEPS):
        assert steps[0].name == "connect"
        assert all(0 <= step.after_s < 5 for step in steps)
