"""Both ends in the lab: a server on which `netprobe doctor --watch` runs, a client that runs `scan --marked`.

House rules of this file:
1. One run has both IP versions: the client's target is a name with an address of each.
2. Traffic beside it is random, from a fixed seed.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.doctor import server
from tests.doctor.scenarios import HOLD, UP, nft

NAME = "both.example"
NETPROBE = f"'{server.PYTHON}' -m netprobe"
# The cable's other end becomes the client.
CLIENT_SIDE = f"""
ip netns add far
ip link set wire netns far
ip netns exec far sh -c 'for i in all default; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad; done'
ip -n far link set lo up
ip -n far link set wire up
ip -n far addr add {server.CLIENT}/24 dev wire
ip -n far addr add 2001:db8::77/64 dev wire nodad
ip link set eth0 up
echo '{server.V4} {NAME}' >> /etc/hosts
echo '{server.V6} {NAME}' >> /etc/hosts
"""
PINGS = "ip netns exec far sh -c 'echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range'"
TRAFFIC = textwrap.dedent(
    """
    import random, socket, sys, threading, time
    def serve():
        with socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512) as listener:
            while True:
                talk, _ = listener.accept()
                threading.Thread(target=answer, args=(talk,), daemon=True).start()
    def answer(talk):
        with talk:
            talk.recv(100)
            talk.sendall(b"x" * 3000)
    def ask(rate):
        chance = random.Random(7)
        while True:
            time.sleep(chance.expovariate(rate))
            threading.Thread(target=one, args=(chance.choice(ADDRESSES),), daemon=True).start()
    def one(address):
        try:
            with socket.create_connection((address, 8080), 2) as talk:
                talk.sendall(b"hello")
                while talk.recv(4096):
                    pass
        except OSError:
            pass
    ADDRESSES = sys.argv[2:]
    serve() if sys.argv[1] == "serve" else ask(float(sys.argv[1]))
    """
)
LIMIT = "\n".join(
    f"{tool} -A INPUT -p tcp --dport 22 -m state --state NEW -m recent --set --name {tool}\n"
    f"{tool} -A INPUT -p tcp --dport 22 -m state --state NEW "
    f"-m recent --update --seconds 30 --hitcount 6 --name {tool} -j REJECT"
    for tool in ("iptables", "ip6tables")
)
HOLD6 = HOLD.replace("hold()", "hold6()").replace(server.V4, server.V6)
FULL = f"""
echo 1 > /proc/sys/net/core/somaxconn
{HOLD}
{HOLD6}
{UP}; kill -STOP $(pgrep -o -x sshd); hold 4; hold6 4
n=0; until ss -Hltn | grep -c '^LISTEN 2 ' | grep -q 2; do n=$((n+1)); [ $n -lt 400 ] || break; sleep 0.02; done
"""


def on_client(rule: str, hook: str, priority: int) -> str:
    """A rule at the client's end, which stands for a box on the way."""
    body = f"table inet t {{ chain c {{ type filter hook {hook} priority {priority}; {rule}; }}; }}"
    return f"ip netns exec far nft -f - <<'END'\n{body}\nEND"


@dataclass(frozen=True)
class Situation:
    """What the server is like, and what the marked SYNs must be seen to meet there."""

    name: str
    script: str
    fate: str
    causes: tuple[str, ...] = ()


HELD = nft("tcp sport 22 drop", hook="output")
RESET, LOST = nft("tcp dport 22 reject with tcp reset"), on_client("tcp sport 22 drop", "prerouting", -400)
AWAY = """ip netns exec far nft -f - <<'END'
table netdev t { chain c { type filter hook egress device wire priority 0; tcp dport 22 drop; }; }
END"""
SITUATIONS = (
    Situation("accepted", UP, "accepted", ("up",)),
    Situation("nothing listens", ":", "reset-by-stack", ("no-listener",)),
    Situation("dropped", nft("tcp dport 22 drop"), "dropped", ("dropped", "syn-filtered")),
    Situation("reset by a rule", RESET, "reset-by-netfilter", ("reset-by-host-firewall",)),
    Situation("rejected", nft("tcp dport 22 reject"), "rejected", ("rejected-by-host",)),
    Situation("queue full", FULL, "queue-full", ("backlog-full",)),
    Situation("replies lost", f"{UP}\n{LOST}", "reply-lost", ("reply-filtered",)),
    Situation("replies held back", HELD, "reply-held-back", ("reply-filtered", "no-listener")),
    Situation("never arrives", f"{UP}\n{AWAY}", "never-arrived", ("dropped", "rejected-on-path", "reset-on-path")),
    Situation("limited", f"{UP}\n{LIMIT}", "limited", ("rate-limited",)),
)  # fmt: skip
BY_NAME = {one.name: one for one in SITUATIONS}


@dataclass(frozen=True)
class Seen:
    """What both ends said."""

    document: dict[str, Any]
    facts: dict[str, Any]
    scan: str
    said: str

    def fate(self, family: int) -> tuple[str, bool]:
        """The word for one IP version, and whether it is certain; "" where nothing was heard."""
        return next(
            ((one["fate"], one["certain"]) for one in self.document["watch"]["heard"] if one["family"] == family),
            ("", False),
        )


def run(
    situation: Situation, folder: Path, *, root: bool, traffic: int = 0, seconds: int = 45, after: str = ":"
) -> Seen:
    """Both ends at the same time, both as root or both as nobody. `traffic`: other connections a second; `after`: what
    the server's shell does in the end, with the facts in /run/out/facts.json."""
    who = "" if root else "setpriv --reuid 65534 --regid 65534 --clear-groups"
    said = folder / "said"
    watch = f"""
mkdir -m 777 /run/out
{who} {NETPROBE} doctor --watch {seconds} --json --facts /run/out/facts.json > '{folder}/doctor.json' 2> '{said}' &
server=$!
n=0; until grep -q 'type on the client' '{said}'; do n=$((n+1)); [ $n -lt 1500 ] || exit 96; sleep 0.02; done
"""
    errors = _both(situation, folder, traffic, watch, who, f"cp /run/out/facts.json '{folder}/facts.json'\n{after}")
    text = (folder / "doctor.json").read_text() if (folder / "doctor.json").exists() else ""
    assert text, f"no answer:\n{errors}\n{said.read_text() if said.exists() else ''}"
    facts = json.loads((folder / "facts.json").read_text())
    return Seen(json.loads(text), facts, (folder / "scan").read_text(), said.read_text())


def sampled(situation: Situation, folder: Path, *, traffic: int = 0, seconds: int = 34) -> str:
    """The counters themselves, as tests.doctor.record_marked prints them."""
    watch = f"""
cd '{server.ROOT}'
'{server.PYTHON}' -m tests.doctor.record_marked sample {seconds} > '{folder}/series' &
server=$!
sleep 1
"""
    errors = _both(situation, folder, traffic, watch, "", ":")
    text = (folder / "series").read_text()
    assert text, errors
    return text


def _both(situation: Situation, folder: Path, traffic: int, watch: str, who: str, after: str) -> str:
    """Run both ends, the server's being `watch`; what went to standard error."""
    folder.mkdir(exist_ok=True)
    program = folder / "traffic.py"
    program.write_text(TRAFFIC)
    busy = f"""
'{server.PYTHON}' '{program}' serve & until_listening 8080
ip netns exec far '{server.PYTHON}' '{program}' {traffic} {server.V4} {server.V6} &
"""
    done = server.run(
        f"""
{CLIENT_SIDE}
{PINGS}
{situation.script}
{busy if traffic else ""}
cd /
{watch}
ip netns exec far {who} {NETPROBE} scan --marked --no-elsewhere {NAME} > '{folder}/scan' 2>&1 &
scan=$!
wait $server || true
kill -INT $scan 2>/dev/null || true
wait $scan || true
{after}
""",
        folder,
    )
    return done.stderr
