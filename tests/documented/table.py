"""The class of every command in the documents: how it is run here, or why it is only read.

House rules of this file:
1. The first row whose pattern matches the whole command (blocks.Command.bare) is its class; no row is a failure.
2. Whatever has netprobe in it, whatever its class, is also read by the command line itself: a mistyped option is
   found on any machine.
3. Every reason is about this machine or the command, never about a lack of time to write a test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from tests.documented.blocks import Command


class How(Enum):
    """What is done with a command."""

    RUN = "run in a folder with the files it names, as an ordinary process"
    LAB = "run in two namespaces, where root may make them"
    MAKE = "its target exists; make -n reads it"
    READ = "read by the shell (bash -n), for the reason given"


@dataclass(frozen=True, slots=True)
class Row:
    """One class. `instead`: what is run where the document's own command needs another machine, and must print the
    same; `codes`: exit codes that the document speaks of; `before`: prepares the folder; `needs`: a program of
    the machine's."""

    pattern: str
    how: How
    reason: str = ""
    instead: str = ""
    codes: tuple[int, ...] = (0, 1)
    before: str = ""
    needs: str = ""

    def takes(self, command: Command) -> bool:
        """Whether this is the command's class, as far as the pattern goes."""
        return re.fullmatch(self.pattern, command.bare, re.DOTALL) is not None


_RECORDED = "a host of the lab; its recording gives the same verdict, word for word"
_SETUP = "installs, or changes the machine"

TABLE: tuple[Row, ...] = (
    # --- what is shown of the lab's hosts: their recordings say the same (replay identity)
    Row(r"sudo netprobe scan (-w gate\.pcapng )?203\.0\.113\.47", How.RUN, _RECORDED, "netprobe analyze gate.pcapng"),
    Row(r"sudo netprobe scan 203\.0\.113\.83", How.RUN, _RECORDED, "netprobe analyze broken.pcapng"),
    # --- captures that are there
    Row(r"netprobe analyze .*--filter 'tcp\.prt.*", How.RUN, codes=(2,), needs="tshark"),
    Row(r"netprobe analyze .*--filter .*", How.RUN, codes=(0, 1, 3), needs="tshark"),
    Row(r"netprobe analyze --dask .*", How.READ, "needs a cluster; tests/test_jobs.py makes one"),
    Row(r"dask .*", How.READ, "starts a cluster; tests/test_jobs.py makes one"),
    Row(r"netprobe analyze .*", How.RUN, codes=(0, 1, 3)),
    Row(r"netprobe diff yesterday\.json today\.json", How.RUN, before=(
        "netprobe analyze --json worked.pcapng >yesterday.json; netprobe analyze --json broken.pcapng >today.json"
    )),
    Row(r"netprobe diff .*", How.RUN),
    Row(r"netprobe replay .*", How.RUN),
    Row(r"netprobe explain( .*)?", How.RUN, codes=(0,)),
    Row(r"netprobe doctor --from .*", How.RUN),
    Row(r"ssh -v( -p \d+)? \S+ 2>&1 \| netprobe explain -", How.RUN, "ssh is a stand-in", codes=(0,)),
    Row(r"tshark -r (scan|commented)\.pcapng .*", How.RUN, codes=(0,), needs="tshark"),
    Row(r"pytest( .*)?", How.RUN, codes=(0, 1, 5)),
    Row(r"man .*", How.RUN, codes=(0,), needs="man"),
    Row(r"(alias|cat|cd|chmod|cp|fpath=|from=|head|ln|mkdir|sed) ?.*", How.RUN, codes=(0,)),
    Row(r"\.venv/bin/python -m tests\.lab list", How.RUN, codes=(0,)),
    # What tcpdump captures goes on until it is interrupted: here it only compiles the filter.
    Row(r"sudo tcpdump .* 'tcp or icmp or icmp6'( .*)?", How.RUN, instead=(
        "tcpdump -d -y EN10MB 'tcp or icmp or icmp6'"
    ), codes=(0,), needs="tcpdump"),
    Row(r"sudo tcpdump .* 'host (SERVER|CLIENT) and \(tcp or icmp or icmp6\)'", How.RUN, instead=(
        "tcpdump -d -y EN10MB 'host 192.0.2.2 and (tcp or icmp or icmp6)'"
    ), codes=(0,), needs="tcpdump"),
    # --- a live host
    Row(r"sudo netprobe scan --sweep .*", How.READ, "whole networks: tests/test_sweep_lab.py has one to sweep"),
    Row(r"sudo netprobe scan --auth-methods web", How.LAB, "an alias of ssh_config"),
    Row(r"sudo netprobe scan --doctor facts\.json .*", How.LAB, codes=(0, 1, 3)),
    Row(r"(sudo )?netprobe (scan|wait) .*192\.0\.2\.0/28.*", How.LAB, "a whole block", codes=(1,)),
    Row(r"sudo netprobe scan --marked .*", How.LAB, "with a doctor that watches", codes=(0, 1, 3)),
    Row(r"netprobe doctor --watch", How.LAB, "interrupted, for it watches for a minute", instead=(
        "timeout --preserve-status -s INT 5 netprobe doctor --watch"
    ), codes=(130,)),
    Row(r"sudo netprobe wait 192\.0\.2\.2", How.READ, "a machine that boots: tests/test_wait_lab.py waits for one"),
    Row(r"netprobe wait \S+ && ssh \S+", How.LAB, "ssh is a stand-in that is refused", codes=(255,)),
    Row(r"(sudo )?netprobe (scan|wait|doctor)( .*)?", How.LAB, codes=(0, 1, 3)),
    Row(r'sudo "\$\(command -v netprobe\)" scan .*', How.LAB),
    Row(r'sudo env "PATH=\$PATH" netprobe scan .*', How.LAB),
    Row(r"sudo setpriv .* scan .*", How.LAB, "keeps only CAP_NET_RAW"),
    # --- not netprobe
    Row(r"make [\w-]+( .*)?", How.MAKE),
    Row(r"(pip|pipx|uv) .*", How.READ, _SETUP),
    Row(r"\.venv/bin/python -m tests\.lab .*", How.READ, "the lab is a suite of its own; its words are looked up"),
    Row(r"sudo setcap .*", How.READ, "gives a file capabilities for good"),
    Row(r"\./python-raw .*", How.READ, "needs the capability that setcap gives"),
)


def row_of(command: Command) -> Row | None:
    """The class of a command; None: it has none, and somebody must say what becomes of it."""
    return next((row for row in TABLE if row.takes(command)), None)
