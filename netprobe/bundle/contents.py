"""What is in a bundle, by name, and what its manifest says.

House rules of this file:
1. A manifest is a stranger's: `parsed` gives None for what is none, and never raises.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from netprobe import __version__
from netprobe.bundle.settings import Settings

SCHEMA = "netprobe-bundle/1"
MANIFEST, SUMS, VERDICTS, PAGE, CAPTURE, LOG, README = (
    "manifest.json", "SHA256SUMS", "verdicts.json", "report.html", "capture.pcapng", "probe.log", "README.txt",
)  # fmt: skip
# Without these a bundle is none.
NEEDED = (VERDICTS, CAPTURE)
_LIBRARIES = ("typer", "jinja2", "markupsafe", "numpy", "numba", "scapy", "dns", "asyncssh", "zstandard", "lz4")
_DISTRIBUTIONS = {"dns": "dnspython"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_TEXTS, _LONGEST_TEXT = 10_000, 10_000


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself. `made`: when; `differ`: verdicts that redaction changed; `damage`: places of the
    source that a redacted copy leaves out."""

    command: str
    made: str
    redacted: bool = False
    differ: int = 0
    damage: int = 0
    source: str | None = None
    settings: Settings = field(default_factory=Settings)
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)

    def text(self) -> str:
        """As it stands in the bundle."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2) + "\n"


def versions() -> dict[str, str]:
    """Of this program, what it runs on and the libraries that it has loaded."""
    import importlib.metadata

    kernel = f"{platform.system()} {platform.release()}"
    found = {"netprobe": __version__, "python": platform.python_version(), "kernel": kernel}
    for name in _LIBRARIES:
        if name in sys.modules:
            try:
                found[name] = importlib.metadata.version(_DISTRIBUTIONS.get(name, name))
            except importlib.metadata.PackageNotFoundError:
                found[name] = "unknown"
    return found


def sums(files: Mapping[str, str]) -> str:
    """As `sha256sum` writes and checks them."""
    return "".join(f"{digest}  {name}\n" for name, digest in files.items())


def parsed(text: bytes) -> Manifest | None:
    """The manifest of these bytes; None where they are none."""
    try:
        told = json.loads(text)
        if not isinstance(told, dict) or told.get("schema") != SCHEMA:
            return None
        return Manifest(
            command=_text(told["command"]),
            made=_text(told["made"]),
            redacted=_is(told["redacted"], bool),
            differ=_is(told["differ"], int),
            damage=_is(told["damage"], int),
            source=None if told["source"] is None else _text(told["source"]),
            settings=_settings(told["settings"]),
            versions={_text(name): _text(value) for name, value in _some(told["versions"]).items()},
            files={_text(name): _file(value) for name, value in _some(told["files"]).items()},
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _settings(told: Any) -> Settings:
    found: dict[str, Any] = {}
    for one in fields(Settings):
        value = told[one.name]
        if isinstance(one.default, tuple):
            if not isinstance(value, list) or len(value) > _MOST_TEXTS:
                raise TypeError(one.name)
            found[one.name] = tuple(_text(text) for text in value)
        elif one.default is None:
            found[one.name] = None if value is None else _text(value)
        else:
            found[one.name] = _is(value, type(one.default))
    return Settings(**found)


def _file(told: Any) -> File:
    digest, size = _text(told["sha256"]), _is(told["size"], int)
    if not _SHA256.fullmatch(digest) or size < 0:
        raise ValueError(digest)
    return File(digest, size)


def _some(told: Any) -> dict[Any, Any]:
    if not isinstance(told, dict) or len(told) > _MOST_TEXTS:
        raise TypeError
    return told


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise TypeError
    return value


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value
