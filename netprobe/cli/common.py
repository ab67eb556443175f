"""What every command takes besides its own options: where its defaults come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netprobe.errors import UsageError

# words, placeholder, help: for the pages, the manual and the completions
COMMON: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("--config",), "FILE", "Defaults from this file (~/.config/netprobe/config.toml)."),
    (("--no-config",), "", "No defaults from a file or from NETPROBE_*."),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A command line without the options above, and what they said."""

    arguments: tuple[str, ...]
    config: str | None = None
    no_config: bool = False


def take(arguments: Sequence[str]) -> Taken:
    """Take the options above out, wherever they stand before a `--`. Raises UsageError."""
    left: list[str] = []
    config: str | None = None
    nothing = False
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            left += [word, *rest]
        elif word == "--no-config":
            nothing = True
        elif word == "--config" or word.startswith("--config="):
            value = word.partition("=")[2] if "=" in word else next(rest, "")
            if not value or value.startswith("-"):
                raise UsageError("--config: no file given", "write --config FILE")
            config = value
        else:
            left.append(word)
    if config is not None and nothing:
        raise UsageError("--config and --no-config contradict each other", "give one of them")
    return Taken(tuple(left), config, nothing)
