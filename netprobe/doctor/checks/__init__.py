"""The registry of checks: ND1xx the daemon, ND2xx where it listens, ND3xx what stands before it, ND4xx who is let in,
ND5xx the machine, ND6xx both ends together.

House rules of this package:
1. One file per topic, one function per check; facts in, results out, nothing else.
2. Ids are stable: a check that goes leaves a gap.
3. Every check has a passing and a failing case among tests/doctor/facts (a test holds that).
"""

from __future__ import annotations

from netprobe.doctor.checks import account, bans, daemon, filters, host, listening, login, strangers, watched
from netprobe.doctor.finding import Check

TOPICS = (daemon, listening, filters, bans, account, login, strangers, host, watched)
CHECKS: tuple[Check, ...] = tuple(sorted((one for topic in TOPICS for one in topic.CHECKS), key=lambda one: one.id))
BY_ID = {one.id: one for one in CHECKS}
