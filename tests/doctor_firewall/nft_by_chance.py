"""A table of nftables by chance."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.doctor_firewall.values import NET4, NET6, PORTS, RANGE4, RANGE6, V4, V6, many
from tests.doctor_firewall.wire import SERVER


class Nft:
    """Writes one nftables table by chance."""

    def __init__(self, rng: Random, family: str, name: str) -> None:
        self.rng, self.family, self.name = rng, family, name
        self.four = family in {"ip", "inet"}
        self.six = family in {"ip6", "inet"}
        self.bases: list[tuple[str, int, str]] = []  # (hook, priority, name)
        self.subs = [f"sub{n}" for n in range(rng.randint(0, 3))]

    def port(self) -> str:
        return str(self.rng.choice(PORTS))

    def port_condition(self, word: str = "tcp dport") -> str:
        rng = self.rng
        low = rng.choice((9, 20, 22, 80))
        return rng.choice(
            (
                lambda: f"{word} {self.port()}",
                lambda: f"{word} {self.port()}",
                lambda: f"{word} != {self.port()}",
                lambda: f"{word} {{ {', '.join(dict.fromkeys(self.port() for _ in range(3)))} }}",
                lambda: f"{word} != {{ {', '.join(dict.fromkeys(self.port() for _ in range(3)))} }}",
                lambda: f"{word} {low}-{low + rng.choice((3, 100, 2300))}",
                lambda: f"{word} != {low}-{low + rng.choice((3, 100, 2300))}",
                lambda: f"{word} {rng.choice(('<', '<=', '>', '>='))} {rng.choice((22, 80, 443, 1024))}",
                lambda: f"{word} @ports",
                lambda: f"{word} != @ports",
                lambda: f"th {word.split()[1]} {self.port()}",
            )
        )()

    def address_condition(self) -> str:
        rng = self.rng
        six = self.six and (not self.four or rng.random() < 0.4)
        word = "ip6 saddr" if six else "ip saddr"
        singles, nets, ranges = (V6, NET6, RANGE6) if six else (V4, NET4, RANGE4)
        servers = [both[six] for both in SERVER.values()]
        number = "6" if six else "4"
        no = rng.choice(("", "", "!= "))
        port = self.port()
        return rng.choice(
            (
                lambda: f"{word} {no}{rng.choice(singles)}",
                lambda: f"{word} {no}{rng.choice(nets)}",
                lambda: f"{word} {no}{rng.choice(ranges)}",
                lambda: f"{word} {no}{{ {', '.join(many(rng, singles))} }}",
                lambda: f"{word} {no}@nets{number}",
                lambda: f"{word} {no}@hosts{number}",
                lambda: f"{word[:-5]}daddr {no}{rng.choice(servers)}",
                lambda: f"{word} . tcp dport {no}{{ {rng.choice(singles)} . {port}, {rng.choice(nets)} . 20-90 }}",
                lambda: f"{word} . tcp dport {no}@pairs{number}",
                lambda: f'iifname . {word} {no}{{ "{rng.choice(("e0", "e1"))}" . {rng.choice(singles)} }}',
            )
        )()

    def condition(self, hook: str) -> str:
        """One test."""
        rng = self.rng
        pool: list[tuple[int, Callable[[], str]]] = [
            (
                10,
                self.port_condition
                if hook not in {"output", "postrouting"}
                else lambda: self.port_condition("tcp sport"),
            ),
            (7, self.address_condition),
            (
                2,
                lambda: rng.choice(
                    ("meta l4proto tcp", "meta l4proto { tcp, udp }", "meta l4proto != udp", "udp dport 22")
                ),
            ),
            (2, lambda: rng.choice(("meta mark 1", "meta mark != 1", "meta mark & 3 == 2", "meta mark { 1, 3 }"))),
            (
                1,
                lambda: rng.choice(
                    ("ct mark 1", "ct mark != 2", "ct direction original", "ct status dnat", "ct direction reply")
                ),
            ),
            (1, lambda: rng.choice(("meta pkttype host", "tcp sport 1024-65535", "tcp sport < 1024"))),
        ]
        states: tuple[str, ...] = (
            "ct state new",
            "ct state established,related",
            "ct state != new",
            "ct state { new, related }",
        )
        states += (
            "ct state invalid",
            "ct state != { established, related }",
            "ct state untracked",
            "ct state new,established",
        )
        pool.append((3, lambda: rng.choice(states)))
        flags: tuple[str, ...] = (
            "tcp flags syn / fin,syn,rst,ack",
            "tcp flags syn",
            "tcp flags != syn",
            "tcp flags & (syn | ack) == syn | ack",
        )
        flags += ("tcp flags & rst == rst", "tcp flags { syn, ack }", "tcp flags ack")
        pool.append((2, lambda: rng.choice(flags)))
        if hook in {"prerouting", "input", "forward", "sub"}:
            names: tuple[str, ...] = (
                'iifname "e0"',
                'iifname != "e1"',
                'iifname "e*"',
                'iifname { "e0", "b0" }',
                'iifname != "e*"',
                'iif "lo"',
            )
            pool.append(
                (
                    3,
                    lambda: rng.choice(
                        (*names, 'iif != "e0"', 'oifname "e0"' if hook == "forward" else 'oifname != "e0"')
                    ),
                )
            )
            routes: tuple[str, ...] = ("fib daddr type local", "fib daddr type != local", "fib saddr type unicast")
            routes += ("fib saddr . iif oif missing",) if hook != "sub" else ()
            pool.append((1, lambda: rng.choice(routes)))
        else:
            pool.append((2, lambda: rng.choice(('oifname "e0"', 'oifname != "e1"', 'oifname "e*"', 'iifname "e0"'))))
        if self.family == "inet":
            pool.append((1, lambda: rng.choice(("meta nfproto ipv4", "meta nfproto ipv6", "meta nfproto != ipv4"))))
        return rng.choices([one for _, one in pool], [weight for weight, _ in pool])[0]()

    def verdict(self, hook: str, below: list[str], *, sub: bool) -> str:
        """What a rule does."""
        rng = self.rng
        pool: list[tuple[int, str]] = [(6, "accept"), (5, "drop"), (1, "counter"), (1, "continue")]
        if hook != "postrouting":
            pool += [(2, "reject with tcp reset"), (1, "reject")]
            codes = ("port-unreachable", "admin-prohibited", "host-unreachable", "no-route")
            if self.family == "inet":
                pool.append((2, f"reject with icmpx type {rng.choice(codes)}"))
            if self.four:
                pool.append(
                    (
                        1,
                        "reject with icmp type "
                        + rng.choice(("host-prohibited", "net-unreachable", "admin-prohibited")),
                    )
                )
            if self.six:
                pool.append(
                    (1, "reject with icmpv6 type " + rng.choice(("no-route", "admin-prohibited", "addr-unreachable")))
                )
        if below and hook != "postrouting":
            pool += [(5, f"jump {rng.choice(below)}"), (2, f"goto {rng.choice(below)}")]
            pool.append((2, f"tcp dport vmap {{ 22 : jump {rng.choice(below)}, 80-443 : accept }}"))
        if sub:
            pool.append((4, "return"))
        pool += [(2, f"meta mark set {rng.randint(1, 3)}"), (1, "meta mark set mark | 0x2"), (1, "ct mark set 1")]
        pool += [(2, "tcp dport vmap { 22 : accept, 80 : drop, 443-2222 : continue }"), (2, "tcp dport vmap @verdicts")]
        pool.append((1, "ct state vmap { established : accept, related : accept, invalid : drop }"))
        if self.family == "inet":
            pool.append((1, "meta nfproto vmap { ipv4 : accept, ipv6 : drop }"))
        if rng.random() < 0.02:
            return "limit rate over 400/second drop"
        return rng.choices([one for _, one in pool], [weight for weight, _ in pool])[0]

    def rule(self, hook: str, below: list[str], *, sub: bool = False) -> str:
        """One rule."""
        verdict = self.verdict(hook, below, sub=sub)
        count = self.rng.choices((0, 1, 2, 3), (1 if verdict in {"counter", "continue"} else 0.4, 6, 5, 2))[0]
        tests = [self.condition(hook) for _ in range(count)]
        if "meta mark set" in verdict and count == 0:
            tests = [self.condition(hook)]
        if any(" icmp type" in verdict and "ip6 " in one for one in tests) or any(
            "icmpv6" in verdict and "ip " in one for one in tests
        ):
            verdict = "drop"
        if any("udp" in one and "{" not in one and "!=" not in one for one in tests) and "tcp" in verdict + "".join(
            tests
        ):
            tests = [one for one in tests if "udp" not in one]
        if sum("tcp" in one for one in [*tests, verdict]) > 1:
            tests = [one for one in tests if one != "meta l4proto { tcp, udp }"]
        note = self.rng.choice(("", "", "", ' comment "why not"'))
        text = " ".join([*tests, *(["counter"] if self.rng.random() < 0.2 else []), verdict])
        if {"ipv4", "ipv6"} & set(text.split()) or self.clashes(tests, verdict):
            text = verdict if " icmp" not in verdict else "drop"
        return text + note

    def clashes(self, tests: list[str], verdict: str) -> bool:
        """nft refuses a rule that names both versions of IP."""
        text = " ".join([*tests, verdict])
        named4 = "ip saddr" in text or "ip daddr" in text or " icmp type" in text
        named6 = "ip6 " in text or "icmpv6" in text
        return named4 and named6

    def sets(self) -> list[str]:
        """The sets and maps that rules may name."""
        rng = self.rng
        ports = ", ".join(dict.fromkeys(self.port() for _ in range(3)))
        lines = [f"set ports {{ type inet_service; elements = {{ {ports} }}; }}"]
        wide = rng.choice(
            (
                "1-21 : accept, 22 : drop",
                "22 : accept, 80-90 : drop",
                "22-79 : return, 443 : accept",
                "9 : drop, * : continue",
            )
        )
        lines.append(f"map verdicts {{ type inet_service : verdict; flags interval; elements = {{ {wide} }}; }}")
        for number, kind, singles, nets, ranges in (
            ("4", "ipv4_addr", V4, NET4, RANGE4),
            ("6", "ipv6_addr", V6, NET6, RANGE6),
        ):
            timeout = rng.choice(("", " timeout 1h"))
            flags = "flags timeout; " if timeout else ""
            elements = ", ".join(one + timeout for one in many(rng, singles))
            lines.append(f"set hosts{number} {{ type {kind}; {flags}elements = {{ {elements} }}; }}")
            wide = rng.choice((rng.choice(nets[:2]), rng.choice(ranges)))
            lines.append(
                f"set nets{number} {{ type {kind}; flags interval; auto-merge; "
                f"elements = {{ {wide}, {rng.choice(singles)} }}; }}"
            )
            pair = f"{rng.choice(nets)} . {self.port()}, {rng.choice(singles)} . 20-30"
            lines.append(
                f"set pairs{number} {{ type {kind} . inet_service; flags interval; elements = {{ {pair} }}; }}"
            )
        return lines

    def translation(self) -> list[str]:
        """A chain of type nat at prerouting."""
        rng, found = self.rng, []
        for _ in range(rng.randint(1, 3)):
            tests = f"tcp dport {rng.choice((2222, 8022, 443, 80))}"
            if rng.random() < 0.4:
                first = ("iifname e0", "iifname != e0", "ct state new", "meta mark 1", "fib daddr type local")
                tests = f"{rng.choice(first)} {tests}"
            targets = ["redirect to :22", "redirect to :80", "redirect to :9", "accept"]
            if self.four:
                targets += [
                    f"dnat {'ip ' if self.six else ''}to 203.0.113.2:22",
                    f"dnat {'ip ' if self.six else ''}to 203.0.113.2:80",
                ]
                targets += [
                    f"dnat {'ip ' if self.six else ''}to 198.51.100.1:22",
                    f"dnat {'ip ' if self.six else ''}to 203.0.113.2",
                ]
            if self.six:
                targets += [
                    f"dnat {'ip6 ' if self.four else ''}to [2001:db8:3::2]:22",
                    f"dnat {'ip6 ' if self.four else ''}to [2001:db8:3::2]:80",
                ]
            found.append(f"{tests} {rng.choice(targets)}")
        if rng.random() < 0.3:
            found.append("meta l4proto tcp redirect to :tcp dport map { 2222 : 22, 8022 : 80 }")
        if rng.random() < 0.2 and self.four:
            family = "ip " if self.six else ""
            found.append(f"dnat {family}to tcp dport map {{ 2222 : 203.0.113.2 . 22, 8022 : 192.0.2.1 . 80 }}")
        return found

    def text(self, priorities: dict[str, tuple[int, ...]]) -> str:
        """The whole table."""
        rng = self.rng
        lines = [f"table {self.family} {self.name} {{", *self.sets()]
        lines += [f"chain {name} {{ }}" for name in self.subs]
        for at, name in enumerate(self.subs):
            lines.append(f"chain {name} {{")
            lines += [self.rule("sub", self.subs[at + 1 :], sub=True) for _ in range(rng.randint(1, 4))]
            lines.append("}")
        wanted = [("input", 0.85), ("prerouting", 0.35), ("forward", 0.35), ("output", 0.25), ("postrouting", 0.08)]
        for hook, chance in wanted:
            if rng.random() < chance:
                priority = rng.choice(priorities[hook])
                policy = rng.choice(("accept", "accept", "drop")) if hook in {"input", "forward"} else "accept"
                self.base(lines, hook, priority, policy)
        if rng.random() < 0.35:
            self.bases.append(("prerouting", -100, "nat"))
            lines += ["chain nat {", "type nat hook prerouting priority -100;", *self.translation(), "}"]
        if rng.random() < 0.15 and any(hook == "prerouting" for hook, _, _ in self.bases):
            self.bases.append(("prerouting", -300, "raw"))
            lines += [
                "chain raw {",
                "type filter hook prerouting priority -300;",
                f"{self.port_condition()} notrack",
                "}",
            ]
        if rng.random() < 0.1:
            lines += ["chain masked {", "type nat hook postrouting priority 100;", 'oifname "b0" masquerade', "}"]
            self.bases.append(("postrouting", 100, "masked"))
        return "\n".join([*lines, "}"])

    def base(self, lines: list[str], hook: str, priority: int, policy: str) -> None:
        """A base chain."""
        name = f"on_{hook}"
        self.bases.append((hook, priority, name))
        lines += [f"chain {name} {{", f"type filter hook {hook} priority {priority}; policy {policy};"]
        if self.six and policy == "drop":
            lines.append("meta l4proto ipv6-icmp accept")
        lines += [self.rule(hook, self.subs if hook != "postrouting" else []) for _ in range(self.rng.randint(1, 7))]
        lines.append("}")
