"""How the capture of a bundle was analyzed, so that it can be analyzed in the same way again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """How the capture was analyzed, in the words of the command line: which attempts, and what changes verdicts."""

    server: tuple[str, ...] = ()
    client_address: tuple[str, ...] = ()
    port: tuple[str, ...] = ()
    cause: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    tunnels: bool = False
    vantage: str = "auto"
    filter: str | None = None
