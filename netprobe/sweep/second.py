"""The second look: some of the answers that leave rivals get the full diagnosis of a scan, as far as the budget goes.

House rules of this file:
1. What is held back is told in any case: by the scan's verdict, else by the sweep's.
2. No rule takes more than a quarter of the budget: a network of ten thousand closed ports must not hide the three that
   are filtered.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from netprobe.model import Certainty, Verdict
from netprobe.options import DEFAULT_RATE, ScanOptions, SweepOptions
from netprobe.report import Report
from netprobe.sweep.kinds import Kind
from netprobe.sweep.telling import Rows, Telling
from netprobe.targets import Target
from netprobe.wire.bulk import texts

SHARE = 4
UNSETTLED = "NP199"  # says that nothing was proven; then the sweep knows more


class SecondLook:
    """Answers of one IP version that are held back, at most `budget`."""

    def __init__(self, version: int, budget: int) -> None:
        self._version = version
        self.budget = budget
        self._by_rule: Counter[str] = Counter()
        self.held: list[tuple[Kind, Rows, str, int]] = []

    def hold_back(self, kind: Kind, rows: Rows) -> Rows:
        """Keep some of these, where their verdict leaves rivals; the others."""
        verdict = kind.verdict
        if not verdict.alternatives or len(self.held) >= self.budget:
            return rows
        most = -(-self.budget // SHARE) - self._by_rule[verdict.rule]
        count = min(most, self.budget - len(self.held), len(rows.low))
        if count <= 0:
            return rows
        self._by_rule[verdict.rule] += count
        for n in range(count):
            one = rows.part(n, n + 1)
            self.held.append((kind, one, texts(self._version, one.high, one.low)[0], rows.port))
        return rows.part(count, len(rows.low))


def scan_options(options: SweepOptions, looks: list[SecondLook]) -> ScanOptions:
    """The scan of all that was held back."""
    targets = tuple(
        Target(text=address, host=address, port=port, expect=options.expect)
        for look in looks
        for _, _, address, port in look.held
    )
    return ScanOptions(
        targets=targets, exclude=options.exclude, expect=options.expect, elsewhere=False, patient=options.patient,
        interface=options.interface, source_port=options.source_port, rate=min(options.rate, DEFAULT_RATE),
    )  # fmt: skip


def settled(report: Report) -> dict[tuple[str, int], Verdict]:
    """What a scan settled, by address and port: not where it proved nothing, and where it was interrupted only what
    more packets could not change."""
    return {
        (one.address, one.port): one
        for one in report.verdicts
        if one.address is not None
        and one.rule != UNSETTLED
        and (not report.interrupted or one.certainty is Certainty.CERTAIN)
    }


def tell(looks: list[tuple[SecondLook, Telling]], verdicts: dict[tuple[str, int], Verdict]) -> None:
    """Each by its scan's verdict, where there is one."""
    for look, telling in looks:
        for kind, rows, address, port in look.held:
            verdict = verdicts.get((address, port))
            if verdict is None:
                telling.tell(kind, rows)
            else:
                telling.give(replace(verdict, basis="scan"))
