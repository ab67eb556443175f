"""An input of iptables-restore by chance."""

from __future__ import annotations

from random import Random

from tests.doctor_firewall.values import NET4, NET6, PORTS, RANGE4, RANGE6, V4, V6

REJECTS4 = ("icmp-port-unreachable", "icmp-admin-prohibited", "icmp-host-prohibited", "icmp-net-unreachable")
REJECTS6 = ("icmp6-port-unreachable", "icmp6-adm-prohibited", "icmp6-no-route")
STATES = ("NEW", "RELATED,ESTABLISHED", "INVALID", "NEW,ESTABLISHED", "UNTRACKED", "DNAT")
FLAGS = ("FIN,SYN,RST,ACK SYN", "SYN,ACK SYN", "RST RST", "ALL SYN", "SYN,RST SYN,RST")


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
            f"-m conntrack {no}--ctstate {rng.choice(STATES)}",
            "-m state --state NEW",
            f"-m mark {no}--mark {rng.choice(('0x1', '0x2', '0x0/0x1', '0x2/0x2'))}",
            f"-m connmark {no}--mark 0x1",
            f"-p tcp -m tcp {no}--tcp-flags {rng.choice(FLAGS)}",
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
            kinds = REJECTS6 if self.six else REJECTS4
            pool += [f"-j REJECT --reject-with {rng.choice(kinds)}"] * 3 + [
                "-p tcp -j REJECT --reject-with tcp-reset"
            ] * 2
        if table == "mangle":
            pool += [f"-j MARK --set-xmark {rng.choice(('0x1/0xffffffff', '0x2/0x2', '0x1/0x3'))}"] * 6
            pool += ["-j CONNMARK --set-xmark 0x1/0xffffffff", "-j CONNMARK --save-mark", "-j CONNMARK --restore-mark"]
        if table == "raw":
            pool = ["-j CT --notrack", "-j ACCEPT", "-j DROP"]
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
            goals = [
                f"DNAT --to-destination {behind}:22",
                f"DNAT --to-destination {behind}:80",
                "REDIRECT --to-ports 22",
            ]
            goals += [f"DNAT --to-destination {other}:22", "REDIRECT --to-ports 9", "RETURN"]
            goal = rng.choice(goals)
            found.append(f"-A PREROUTING {test}-p tcp -m tcp --dport {rng.choice((2222, 8022, 443, 80))} -j {goal}")
        return found
