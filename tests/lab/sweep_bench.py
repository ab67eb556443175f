"""`make bench-sweep`: a sweep beside zmap, masscan and nmap, in one run on the same network. Quote the ratios.

131,072 closed addresses (198.18.0.0/15, AnyIP on one neighbour), a list of as many IPv6 addresses, and a mixture of
seven kinds with 16,384 addresses each while 100,000 answers are forged.
"""

from __future__ import annotations

import ipaddress
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from tests.lab import netns
from tests.lab.sweeping import PARTS, Network

COUNT = 1 << 17
RUNS = 3
BLOCK = "198.18.0.0/15"
US, THEM = ("192.0.2.1", "192.0.2.2"), ("2001:db8:ff::1", "2001:db8:ff::2")
MOST_KB = 300_000


class Took(NamedTuple):
    """A run: seconds, answers found, and the most memory it had, in kB (0 where not known)."""

    seconds: float
    found: int
    memory: int


class Closed:
    """Two machines; one of them owns all of 198.18.0.0/15 and 2001:db8:1::/48, and nothing listens there."""

    def __init__(self) -> None:
        self.prefix = f"np{os.getpid():06x}x-"
        self.a, self.b = self.prefix + "a", self.prefix + "b"

    def __enter__(self) -> Self:
        netns.ip_batch([f"netns add {self.a}", f"netns add {self.b}"])
        netns.ip_batch([f"link add v0 netns {self.a} type veth peer name v0 netns {self.b}"])
        for name, mine in ((self.a, 0), (self.b, 1)):
            netns.ip_batch(
                [f"addr add {US[mine]}/30 dev v0", f"addr add {THEM[mine]}/64 dev v0 nodad", "link set lo up",
                 "link set v0 up"], name,
            )  # fmt: skip
        netns.ip_batch([f"route add {BLOCK} via {US[1]}", f"route add 2001:db8:1::/48 via {THEM[1]}"], self.a)
        netns.ip_batch([f"route add local {BLOCK} dev lo", "route add local 2001:db8:1::/48 dev lo"], self.b)
        while any(self.run(["ping", "-c1", "-W1", "-q", one]).returncode for one in (US[1], THEM[1])):
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        netns.remove(self.prefix)

    def run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command on the machine that asks."""
        command = ["ip", "netns", "exec", self.a, *argv]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)

    @property
    def neighbor(self) -> str:
        """The other machine's link address."""
        command = ["ip", "-n", self.b, "-json", "link", "show", "v0"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return str(json.loads(done.stdout)[0]["address"])


def bench() -> int:
    """Print the tables; exit code 1 when a figure is missed."""
    with tempfile.TemporaryDirectory() as folder:
        missed = _closed(Path(folder))
        missed += _mixture()
    return int(missed > 0)


def _closed(folder: Path) -> int:
    out = folder / "out"
    rng = random.Random(1)
    first = int(ipaddress.IPv6Address("2001:db8:1::"))
    listed = folder / "list6"
    listed.write_text("".join(f"{ipaddress.IPv6Address(first + rng.getrandbits(80))}\n" for _ in range(COUNT)))
    sweep = [sys.executable, "-m", "netprobe", "scan", "--sweep", "--yes", "-q", "--rate", "1000000", "--jsonl", "-p22"]
    shell = f"exec {' '.join(sweep)}"
    missed = 0
    with Closed() as net:
        mac = net.neighbor
        zmap = ["zmap", "-q", "-p22", "-B10G", "-c1", "-iv0", "-G", mac, "-S", US[0], "-b/dev/null"]
        zmap += ["--output-module=csv", "-f", "saddr,classification", "-o", str(out), BLOCK]
        masscan = ["masscan", "-p22", "--rate", "1000000", "--wait", "1", "-e", "v0", "--show", "closed"]
        masscan += ["-oL", str(out)]
        nmap = ["nmap", "-n", "-Pn", "-sS", "-p22", "--min-rate", "500000", "--max-retries", "1", "-T5"]
        nmap += ["-oG", str(out)]
        print(f"{COUNT:,} closed addresses, best of {RUNS}: seconds, found, peak memory", flush=True)
        ours = _best(net, ["sh", "-c", f"{shell} {BLOCK} > {out}"], out, "no-listener")
        theirs = _best(net, zmap, out, "rst")
        _best(net, [*masscan, "--router-mac", mac.replace(":", "-"), "--adapter-ip", US[0], BLOCK], out, "closed")
        _best(net, [*nmap, BLOCK], out, "/closed/", runs=1)
        missed += ours.found != COUNT
        missed += theirs.seconds > 0 and ours.seconds > theirs.seconds
        missed += ours.memory > MOST_KB
        print(f"a list of {COUNT:,} closed IPv6 addresses", flush=True)
        ours6 = _best(net, ["sh", "-c", f"{shell} -iL {listed} > {out}"], out, "no-listener")
        ends = ["--router-mac-ipv6", mac.replace(":", "-"), "--adapter-ip", THEM[0]]
        _best(net, [*masscan, *ends, "-iL", str(listed)], out, "closed")
        _best(net, [*nmap, "-6", "-iL", str(listed)], out, "/closed/", runs=1)
        missed += ours6.found != COUNT
        print("a part of them, for the slope", flush=True)
        for size in (17, 16):
            part = _best(net, ["sh", "-c", f"{shell} 198.18.0.0/{size} > {out}"], out, "no-listener")
            missed += part.found != 1 << (32 - size)
    return missed


def _best(net: Closed, argv: Sequence[str], out: Path, word: str, runs: int = RUNS) -> Took:
    """The quickest of a few runs, printed; all zeros where the program isn't there."""
    name = "netprobe" if argv[0] == "sh" else argv[0]
    if shutil.which(argv[0]) is None:
        print(f"  {name:10} is not installed", flush=True)
        return Took(0.0, 0, 0)
    found = []
    for _ in range(runs):
        out.write_text("")
        before = time.monotonic()
        done = net.run(["python3", "-c", _MEASURE, *argv])
        seconds = time.monotonic() - before
        memory = int(done.stderr.strip().rpartition("\n")[2] or 0)
        answers = sum(word in line for line in out.read_text("utf-8").splitlines() if not line.startswith('{"schema"'))
        found.append(Took(seconds, answers, memory))
    best = min(found, key=lambda one: one.seconds)
    fewest = min(one.found for one in found)
    print(f"  {name:10} {best.seconds:6.2f} s  {fewest:9,} found  {best.memory / 1000:6.0f} MB", flush=True)
    return Took(best.seconds, fewest, max(one.memory for one in found))


_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def _mixture(share: int = 1 << 14, forged: int = 100_000) -> int:
    """Every state and cause against the truth."""
    wrong = 0
    with Network(share) as network:
        for some in (0, forged):
            for version in (4, 6):
                blocks = [network.block(part, version) for part in range(len(PARTS))]
                options = ["--sweep", "--yes", "--silent", "--jsonl", "--rate", "100000", "--retries", "2"]
                before = time.monotonic()
                forging = network.forging(some, 6.0) if some and version == 4 else None
                done = network.run(
                    "c", [sys.executable, "-m", "netprobe", "scan", *options, *blocks], stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )  # fmt: skip
                seconds = time.monotonic() - before
                if forging is not None:
                    forging.join()
                *lines, last = (json.loads(line) for line in done.stdout.splitlines())
                truth = network.truth(version)
                found = {line["address"]: line for line in lines}
                different = sum(address in found and not part.holds(found[address]) for address, part in truth.items())
                invented = len(lines) - len(found) + sum(address not in truth for address in found)
                missing = sum(address not in found for address in truth)
                wrong += missing + different + invented
                print(
                    f"mixture, IPv{version}, {some if version == 4 else 0:,} forged: {seconds:.1f} s, "
                    f"{len(truth):,} addresses, {missing} missing, {different} wrong, {invented} invented, "
                    f"{last['capture']['unsolicited']:,} unsolicited",
                    flush=True,
                )
    return wrong


if __name__ == "__main__":
    sys.exit(bench())
