"""The table of scenarios: every cause, by the real mechanism wherever a stock kernel has one.

House rules of this file and of table/:
1. A row says what is set up and what a perfect tool would conclude from the wire alone, never what netprobe happens
   to say.
2. Names are unique and short: a scenario's name is its server's name, its namespace's and its capture's.
"""

from __future__ import annotations

from tests.lab.scenario import Scenario
from tests.lab.table.exchange import exchange
from tests.lab.table.local import local, name
from tests.lab.table.odd import odd
from tests.lab.table.path import path
from tests.lab.table.refused import refused
from tests.lab.table.rejects import rejects
from tests.lab.table.service import service
from tests.lab.table.silent import silent

SCENARIOS: tuple[Scenario, ...] = (
    *service(),
    *exchange(),
    *refused(),
    *rejects(),
    *silent(),
    *odd(),
    *path(),
    *local(),
    *name(),
)
