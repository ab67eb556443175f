"""Replay: captures as regression tests, what a case file expects against what the rules find now (docs/captures.md).

Glossary, and the way of a case:

    case         NAME.toml beside NAME.pcapng: what the capture's verdicts must be     cases.py
    found        a case, or a capture that has none, among the paths that were named   finding.py
    comparison   one expectation beside the verdict it met, key by key                 compare.py
    outcome      a whole case: its comparisons, what was wrong with its capture        compare.py
    ladder       the packets of one attempt as text                                    ladder.py
    live path    a saved scan's answers played to the prober                           live.py
    accepting    writing what was found into the case file                             accept.py
    driver       all of it, for `netprobe replay`                                      run.py, render.py

This file imports only what is cheap: pytest loads it when it collects.
"""

from __future__ import annotations

from netprobe.replay.cases import Case, load, server_name, value

__all__ = ["Case", "load", "server_name", "value"]
