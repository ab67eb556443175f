"""The table of rules: every state and every cause is decided here.

House rules of this package:
1. Nothing else in the program assigns a state, a cause or a certainty.
2. The first row that matches decides, so order is meaning: this machine before the path, the path before the transport,
   proof before likelihood.
3. No clock, no socket: a row sees the features of netprobe.evidence and nothing more.
4. Ids are stable: a row that goes leaves a gap.
"""

from __future__ import annotations

from collections.abc import Mapping

from netprobe.rules import before, capture, kex, login, pair, path, service, silence, sweep, transport
from netprobe.rules.rule import Place, Rival, Rule

__all__ = ["BY_ID", "RULES", "Place", "Rival", "Rule", "decide"]

RULES: tuple[Rule, ...] = (
    *(pair.RULES + before.RULES + sweep.RULES + capture.RULES + kex.RULES + login.RULES),
    *(service.RULES + path.RULES + transport.RULES + silence.RULES),
)
BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}


def decide(features: Mapping[str, str]) -> Rule:
    """The first row that matches; the last row matches everything."""
    return next(rule for rule in RULES if rule.matches(features))
