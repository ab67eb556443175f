"""Rule sets by chance: nftables, both iptables, several at once. The same seed gives the same rule sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.doctor_firewall.wire import CLIENT, SERVER

PORTS = (22, 80, 443, 2222, 8022, 9)
V4 = [one for both in CLIENT.values() for one in both if "." in one]
V6 = [one for both in CLIENT.values() for one in both if ":" in one]
NET4 = ("192.0.2.0/25", "192.0.2.128/25", "192.0.2.0/24", "198.51.100.0/24", "198.51.100.64/26", "0.0.0.0/1")
NET6 = ("2001:db8:1::/64", "2001:db8:1::/80", "2001:db8:2::/64", "2001:db8::/32", "2001:db8:1:0:8000::/65")
RANGE4 = ("192.0.2.1-192.0.2.10", "192.0.2.11-192.0.2.200", "198.51.100.1-198.51.100.70")
RANGE6 = ("2001:db8:1::-2001:db8:1::10", "2001:db8:1::11-2001:db8:1:1::")


@dataclass
class Generated:
    """A rule set: what is loaded, and the order of its base chains as the kernel would list it."""

    commands: dict[tuple[str, ...], str] = field(default_factory=dict)
    hooks: str = ""
    kind: str = ""


def many(rng: Random, choices: tuple[str, ...] | list[str], most: int = 3) -> list[str]:
    """Some different ones of them."""
    return rng.sample(list(choices), rng.randint(1, min(most, len(choices))))


# --------------------------------------------------------------------------- nftables


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
        states = ("ct state new", "ct state established,related", "ct state != new", "ct state { new, related }")
        states += (
            "ct state invalid",
            "ct state != { established, related }",
            "ct state untracked",
            "ct state new,established",
        )
        pool.append((3, lambda: rng.choice(states)))
        flags = (
            "tcp flags syn / fin,syn,rst,ack",
            "tcp flags syn",
            "tcp flags != syn",
            "tcp flags & (syn | ack) == syn | ack",
        )
        flags += ("tcp flags & rst == rst", "tcp flags { syn, ack }", "tcp flags ack")
        pool.append((2, lambda: rng.choice(flags)))
        if hook in {"prerouting", "input", "forward", "sub"}:
            names = (
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
            routes = ("fib daddr type local", "fib daddr type != local", "fib saddr type unicast")
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
                f"set nets{number} {{ type {kind}; flags interval; auto-merge; elements = {{ {wide}, {rng.choice(singles)} }}; }}"
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
                tests = f"{rng.choice(('iifname e0', 'iifname != e0', 'ct state new', 'meta mark 1', 'fib daddr type local'))} {tests}"
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


# --------------------------------------------------------------------------- iptables


class Iptables:
    """Writes one iptables-restore text by chance."""

    def __init__(self, rng: Random, six: bool, legacy: bool) -> None:
        self.rng, self.six, self.legacy = rng, six, legacy
        self.addresses = V6 if six else V4
        self.nets = NET6 if six else NET4
        self.ranges = RANGE6 if six else RANGE4

    def condition(self, hook: str) -> str:
        rng = self.rng
        no = rng.choice(("", "", "! "))
        side = "sport" if hook == "OUTPUT" else "dport"
        way = "d" if hook == "OUTPUT" else "s"
        ports = ",".join(str(one) for one in sorted(rng.sample(PORTS, 3)))
        pool = [
            f"-p tcp -m tcp {no}--{side} {rng.choice(PORTS)}",
            f"-p tcp -m tcp --{side} {rng.choice(PORTS)}",
            f"-p tcp -m tcp {no}--{side} {rng.choice(('20:30', '80:', ':443', '22:2222'))}",
            f"-p tcp -m multiport {no}--{side}s {ports}",
            f"-p tcp -m multiport --{side}s 22,80:90",
            f"{no}-{way} {rng.choice(self.addresses)}",
            f"{no}-{way} {rng.choice(self.nets)}",
            f"-m iprange {no}--{'dst' if way == 'd' else 'src'}-range {rng.choice(self.ranges)}",
            f"-m conntrack {no}--ctstate {rng.choice(('NEW', 'RELATED,ESTABLISHED', 'INVALID', 'NEW,ESTABLISHED', 'UNTRACKED', 'DNAT'))}",
            "-m state --state NEW",
            f"-m mark {no}--mark {rng.choice(('0x1', '0x2', '0x0/0x1', '0x2/0x2'))}",
            f"-m connmark {no}--mark 0x1",
            f"-p tcp -m tcp {no}--tcp-flags {rng.choice(('FIN,SYN,RST,ACK SYN', 'SYN,ACK SYN', 'RST RST', 'ALL SYN', 'SYN,RST SYN,RST'))}",
            f"-p tcp -m tcp {no}--syn",
            f"{no}-p {rng.choice(('tcp', 'udp', '6'))}",
            f"-m addrtype {no}--dst-type LOCAL",
            f"-m pkttype {no}--pkt-type unicast",
            '-m comment --comment "it is \\"so\\" -j DROP"',
        ]
        if hook in {"INPUT", "PREROUTING", "FORWARD"}:
            pool += [f"{no}-i {rng.choice(('e0', 'e1', 'e+', 'lo'))}", f"{no}-i e0"]
        if hook == "OUTPUT":
            pool += [f"{no}-o {rng.choice(('e0', 'e1', 'e+'))}"]
        if hook == "sub":
            pool += [f"{no}-i e0"]
        if not self.six:
            pool.append("-s 192.0.2.10/255.255.255.127")
        return rng.choice(pool)

    def conditions(self, hook: str) -> str:
        """Some tests that don't name the same option twice."""
        chosen: list[str] = []
        used: set[str] = set()
        for _ in range(self.rng.choices((0, 1, 2, 3), (1, 6, 5, 2))[0]):
            one = self.condition(hook)
            words = {word for word in one.replace("! ", "").split() if word.startswith("-")}
            if words & used - {"-m"} or ("-p" in words and "-p" in used):
                continue
            used |= words
            chosen.append(one)
        chosen.sort(key=lambda one: "-p " not in one)
        return " ".join(chosen)

    def target(self, table: str, hook: str, below: list[str]) -> str:
        rng = self.rng
        pool = ["-j ACCEPT"] * 5 + ["-j DROP"] * 4 + ["-j RETURN"]
        if table == "filter":
            kinds = ("icmp6-port-unreachable", "icmp6-adm-prohibited", "icmp6-no-route") if self.six else (
                "icmp-port-unreachable", "icmp-admin-prohibited", "icmp-host-prohibited", "icmp-net-unreachable")  # fmt: skip
            pool += [f"-j REJECT --reject-with {rng.choice(kinds)}"] * 3 + [
                "-p tcp -j REJECT --reject-with tcp-reset"
            ] * 2
        if table == "mangle":
            pool += [f"-j MARK --set-xmark {rng.choice(('0x1/0xffffffff', '0x2/0x2', '0x1/0x3'))}"] * 6
            pool += ["-j CONNMARK --set-xmark 0x1/0xffffffff", "-j CONNMARK --save-mark", "-j CONNMARK --restore-mark"]
        if table == "raw":
            pool = ["-j CT --notrack"] + ["-j ACCEPT", "-j DROP"]
        if below:
            pool += [f"-j {rng.choice(below)}"] * 5 + [f"-g {rng.choice(below)}"] * 2
        return rng.choice(pool)

    def rule(self, table: str, chain: str, hook: str, below: list[str]) -> str:
        tests, target = self.conditions(hook), self.target(table, hook, below)
        if target.startswith("-p tcp"):
            words = tests.split()
            target = target.removeprefix("-p tcp ") if "-p" in words else target
            at = words.index("-p") if "-p" in words else 0
            if "-p" in words and (words[at + 1] == "udp" or words[at - 1] == "!"):
                target = "-j DROP"
        elif target.startswith("-j REJECT") and "-p" not in tests.split():
            target = f"-p tcp {target}" if self.rng.random() < 0.3 else target
        return f"-A {chain} {tests} {target}".replace("  ", " ")

    def text(self) -> str:
        """All tables."""
        rng, lines = self.rng, []
        plan = [
            ("raw", 0.2, ("PREROUTING",)),
            ("mangle", 0.4, ("PREROUTING", "INPUT")),
            ("filter", 1.0, ("INPUT", "FORWARD", "OUTPUT")),
        ]
        for table, chance, hooks in plan:
            if rng.random() > chance:
                continue
            subs = [f"sub{n}" for n in range(rng.randint(0, 3))] if table == "filter" else []
            policies = {
                hook: rng.choice(("ACCEPT", "ACCEPT", "DROP"))
                if hook in {"INPUT", "FORWARD"} and table == "filter"
                else "ACCEPT"
                for hook in hooks
            }
            lines += [
                f"*{table}",
                *(f":{hook} {policy} [0:0]" for hook, policy in policies.items()),
                *(f":{sub} - [0:0]" for sub in subs),
            ]
            for at, sub in enumerate(subs):
                lines += [self.rule(table, sub, "sub", subs[at + 1 :]) for _ in range(rng.randint(1, 4))]
            for hook in hooks:
                if hook == "OUTPUT" and rng.random() < 0.7:
                    continue
                lines += [self.rule(table, hook, hook, subs) for _ in range(rng.randint(1, 6))]
            lines.append("COMMIT")
        if rng.random() < 0.4:
            lines += ["*nat", ":PREROUTING ACCEPT [0:0]", *self.translation(), "COMMIT"]
        return "\n".join([*lines, ""])

    def translation(self) -> list[str]:
        rng, found = self.rng, []
        for _ in range(rng.randint(1, 3)):
            test = rng.choice(
                ("", "-i e0 ", "! -i e0 ", "-m addrtype --dst-type LOCAL ", f"! -s {rng.choice(self.addresses)} ")
            )
            behind, other = ("[2001:db8:3::2]", "[2001:db8:2::1]") if self.six else ("203.0.113.2", "198.51.100.1")
            goal = rng.choice((f"DNAT --to-destination {behind}:22", f"DNAT --to-destination {behind}:80", "REDIRECT --to-ports 22",
                               f"DNAT --to-destination {other}:22", "REDIRECT --to-ports 9", "RETURN"))  # fmt: skip
            found.append(f"-A PREROUTING {test}-p tcp -m tcp --dport {rng.choice((2222, 8022, 443, 80))} -j {goal}")
        return found


# --------------------------------------------------------------------------- all together

PRIORITIES = {
    "prerouting": (-300, -150, -50, -250, -199),
    "input": (0, -10, 10, -150, 50), "forward": (0, -10, 10), "output": (0, -150, 10), "postrouting": (0, 150),
}
EMPTY = "".join(f"*{table}\nCOMMIT\n" for table in ("raw", "mangle", "nat", "filter"))
LEGACY_BASES = {
    "prerouting": (("raw", -300), ("mangle", -150), ("nat", -100)),
    "input": (("mangle", -150), ("filter", 0)),
    "forward": (("mangle", -150), ("filter", 0)),
    "output": (("raw", -300), ("mangle", -150), ("filter", 0)),
    "postrouting": (("mangle", -150),),
}


def kernels_list(tables: list[Nft]) -> str:
    """What `nft list hooks` would print, from the order in which everything was registered: legacy tables long before,
    then each table's chains. Among equals the newest comes first."""
    lines = []
    for family, six in (("ip", False), ("ip6", True)):
        lines.append(f"family {family} {{")
        for hook, legacy in LEGACY_BASES.items():
            entries = [
                (priority, 0, f"{'ip6' if six else 'ip'}t_do_table [ip{'6' if six else ''}table_{name}]")
                for name, priority in legacy
            ]
            for age, table in enumerate(tables, 1):
                if table.six if six else table.four:
                    entries += [
                        (priority, 1000 * age + at, f"chain {table.family} {table.name} {name} [nf_tables]")
                        for at, (where, priority, name) in enumerate(table.bases)
                        if where == hook
                    ]
            entries.sort(key=lambda one: (one[0], -one[1]))
            lines.append(f"\thook {hook} {{")
            lines += [
                f"\t\t{'-' if priority < 0 else '+' if priority else ' '}{abs(priority):010d} {what}"
                for priority, _, what in entries
            ]
            lines.append("\t}")
        lines.append("}")
    return "\n".join(lines)


def generated(seed: int) -> Generated:
    """The rule set of a seed."""
    rng = Random(seed)
    made = Generated(kind=rng.choices(("nft", "iptables-nft", "iptables-legacy", "mixed"), (55, 18, 15, 12))[0])
    nft, tables = "flush ruleset\n", list[Nft]()
    restore = {(command, family): EMPTY for command in ("legacy",) for family in ("iptables", "ip6tables")}
    if made.kind in {"nft", "mixed"}:
        for number in range(rng.choices((1, 2, 3), (6, 4, 2))[0]):
            family = rng.choices(("inet", "ip", "ip6"), (6, 3, 2))[0]
            tables.append(Nft(rng, family, f"t{number}"))
            nft += tables[-1].text(PRIORITIES) + "\n"
    made.commands["nft", "-f", "-"] = nft
    if made.kind != "nft":
        for six in (False, True):
            name = "ip6tables" if six else "iptables"
            which = "legacy" if made.kind != "iptables-nft" else "nft"
            restore[which, name] = (EMPTY if which == "legacy" else "") + Iptables(rng, six, which == "legacy").text()
    for (which, name), text in restore.items():
        made.commands[(f"{name}-{which}-restore",)] = text
    made.hooks = kernels_list(tables)
    return made
