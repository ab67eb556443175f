"""Case files: what a capture's verdicts must be, written by people and checked as such.

House rules of this file:
1. It is cheap to import: pytest collects with it (no NumPy, no tracker, no rules).
2. Every error names the file and what would be right.
3. An unknown key is an error: a key that isn't compared would look like one that is.
"""

from __future__ import annotations

import contextlib
import difflib
import ipaddress
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netprobe.errors import UsageError
from netprobe.model import Certainty, Endpoint, OriginKind, State, Verdict

# Which files beside NAME.toml are its capture: NAME with one of these, plain or compressed.
FORMATS = (".pcapng", ".pcap", ".cap")
COMPRESSIONS = ("", ".gz", ".zst", ".lz4", ".xz")
SUFFIXES = tuple(form + packed for packed in COMPRESSIONS for form in FORMATS)

# What an expectation may compare: fields of the verdict, by the names of the JSON.
TEXTS = ("state", "reason", "reason_address", "cause", "certainty", "rule", "conn_state", "history")
NUMBERS = ("reason_ttl", "attempts")
ORIGIN = ("origin_kind", "origin_address", "origin_hop", "origin_between")
COMPARED = (*TEXTS, *NUMBERS, *ORIGIN)
WORDS: dict[str, type[State | Certainty | OriginKind]] = {
    "state": State,
    "certainty": Certainty,
    "origin_kind": OriginKind,
}
# What the case as a whole may say; the last five are how its capture is read.
WHOLE = ("about", "origin", "expect", "vantage", "tunnels", "together", "server_capture", "damaged")
VANTAGES = ("client", "server", "middle")

_SEE = "docs/captures.md shows the form of a case"


@dataclass(frozen=True, slots=True)
class Case:
    """One case file. `expect` holds what was written of each verdict; `server` and `client` in it say which one.

    `together`: more files that are read with the capture as one stream. `server_capture`: the same conversations seen
    by the server. `damaged`: the capture is known to be.
    """

    path: Path
    capture: Path
    about: str = ""
    origin: str = ""
    expect: tuple[Mapping[str, Any], ...] = ()
    vantage: str | None = None
    tunnels: bool = False
    together: tuple[Path, ...] = ()
    server_capture: Path | None = None
    damaged: bool = False

    @property
    def captures(self) -> tuple[Path, ...]:
        """Every file that the case reads."""
        return (self.capture, *self.together, *([self.server_capture] if self.server_capture else []))


def captures_beside(path: Path) -> list[Path]:
    """The captures that go with a case file: its name with the suffix of a capture."""
    stem = path.with_suffix("")
    return [found for suffix in SUFFIXES if (found := stem.with_name(stem.name + suffix)).is_file()]


def is_capture(path: Path) -> bool:
    """Whether a file is named like a capture."""
    return stem_of(path) is not None


def stem_of(path: Path) -> str | None:
    """NAME of NAME.pcapng, NAME.pcap.gz ...; None for a file that isn't named like a capture."""
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[: -len(suffix)]
    return None


def case_of(capture: Path) -> Path:
    """Where the case of a capture is, or would be."""
    stem = stem_of(capture)
    return capture.with_name(stem + ".toml") if stem else capture.with_suffix(".toml")


def load(path: Path, capture: Path | None = None) -> Case:
    """Read a case file; `capture` where it isn't found by name. Raises UsageError for what can't be read, isn't known
    or isn't there."""
    content = _content(path)
    _check(path, content)
    if capture is None:
        capture = _capture(path)
    others = tuple(path.parent / name for name in content.get("together", ()))
    server_side = path.parent / content["server_capture"] if "server_capture" in content else None
    for other in (*others, *([server_side] if server_side else [])):
        if not other.is_file():
            raise UsageError(f"{path}: {other.name} is not there", "name files beside the case")
    return Case(
        path=path,
        capture=capture,
        about=content.get("about", ""),
        origin=content.get("origin", ""),
        expect=tuple(_canonical(path, one) for one in content["expect"]),
        vantage=content.get("vantage"),
        tunnels=content.get("tunnels", False),
        together=others,
        server_capture=server_side,
        damaged=content.get("damaged", False),
    )


def looks_like_a_case(path: Path) -> bool:
    """Whether a TOML file is a case by its form, whatever lies beside it. Never raises."""
    try:
        expect = tomllib.loads(path.read_text("utf-8")).get("expect")
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(expect, list) and any(isinstance(one, dict) and "server" in one for one in expect)


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", "name a case, its capture, or a folder") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})", _SEE) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # the latter for brackets a thousand deep
        raise UsageError(f"{path} is not TOML: {error}", _SEE) from error


def _capture(path: Path) -> Path:
    beside = captures_beside(path)
    if not beside:
        stem = path.with_suffix("").name
        raise UsageError(
            f"{path} has no capture beside it",
            f"put {stem}.pcapng (or .pcap, also compressed, as in {stem}.pcap.gz) into the same folder",
        )
    if len(beside) > 1:
        names = " and ".join(one.name for one in beside)
        raise UsageError(f"{path}: {names} lie beside it", "a case has one capture: rename the other one")
    return beside[0]


# --------------------------------------------------------------------------- checks


def _check(path: Path, content: Mapping[str, Any]) -> None:
    _known(path, content, WHOLE, "")
    for key, kind, what in (
        ("about", str, "a text"),
        ("origin", str, "a text"),
        ("tunnels", bool, "true or false"),
        ("damaged", bool, "true or false"),
        ("server_capture", str, "a file name"),
    ):
        if key in content and type(content[key]) is not kind:
            raise UsageError(f"{path}: {key} = {content[key]!r}", f"write {what}")
    if content.get("vantage", "client") not in VANTAGES:
        raise UsageError(f"{path}: vantage = {content['vantage']!r}", f"one of {', '.join(VANTAGES)}")
    names = content.get("together", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{path}: together = {names!r}", 'write file names, as in together = ["second.pcap"]')
    expect = content.get("expect")
    if not isinstance(expect, list) or not expect or not all(isinstance(one, dict) for one in expect):
        raise UsageError(
            f"{path}: no [[expect]]", 'write [[expect]], then server = "192.0.2.1:22" and what must hold, a line each'
        )
    for n, one in enumerate(expect, 1):
        _check_expectation(path, n, one)


def _check_expectation(path: Path, n: int, one: Mapping[str, Any]) -> None:
    where = f"[[expect]] number {n}: "
    _known(path, one, ("server", "client", *COMPARED), where)
    if "server" not in one:
        raise UsageError(f"{path}: {where}no server", 'write server = "192.0.2.1:22"')
    if not set(one) - {"server", "client"}:
        raise UsageError(f"{path}: {where}nothing to compare", 'write what must hold, as in cause = "no-listener"')
    for key, found in one.items():
        if key in NUMBERS or key == "origin_hop":
            right = type(found) is int or found == ""
            wanted = 'a whole number ("" for none)'
        elif key == "origin_between":
            right = isinstance(found, list) and len(found) in (0, 2) and all(isinstance(end, str) for end in found)
            wanted = 'two addresses, as in ["198.51.100.2", ""], or [] for none'
        elif key in WORDS:
            right = found in [str(word) for word in WORDS[key]]
            wanted = "one of " + ", ".join(WORDS[key])
        else:
            right = isinstance(found, str)
            wanted = "a text in quotes"
        if not right:
            raise UsageError(f"{path}: {where}{key} = {found!r}", f"write {wanted}")


def _known(path: Path, content: Iterable[str], known: tuple[str, ...], where: str) -> None:
    for key in content:
        if key in known:
            continue
        if where and key in WHOLE:
            raise UsageError(f"{path}: {where}{key} is about the whole case", "write it above the first [[expect]]")
        if not where and key in ("server", "client", *COMPARED):
            raise UsageError(f"{path}: {key} is about a verdict", "write it below [[expect]]")
        close = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
        raise UsageError(f"{path}: {where}unknown key {key}", hint)


def _canonical(path: Path, one: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same expectation with its endpoints in canonical text."""
    changed = dict(one)
    changed["server"] = _endpoint(path, one["server"], "server", port_needed=True)
    if "client" in one:
        changed["client"] = _endpoint(path, one["client"], "client", port_needed=False)
    return changed


def _endpoint(path: Path, text: str, key: str, *, port_needed: bool) -> str:
    host, colon, port = text.rpartition(":")
    bare = text.removeprefix("[").removesuffix("]")
    whole = not colon or (":" in host and not host.startswith("[")) or text.endswith("]")
    if whole:
        host, port = bare, ""
    elif host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)) or (port_needed and not port):
        example = '"192.0.2.1:22", "[2001:db8::1]:22"' + ("" if port_needed else ', or an address alone: "192.0.2.1"')
        raise UsageError(f"{path}: {key} = {text!r}", f"write address and port, as in {example}")
    with contextlib.suppress(ValueError):  # a name that was never resolved stays as it is
        host = str(ipaddress.ip_address(host))
    return str(Endpoint(host, int(port))) if port else host


# --------------------------------------------------------------------------- verdicts as cases write them


def server_name(verdict: Verdict) -> str:
    """How a case names the server of a verdict: `203.0.113.5:22`, `[2001:db8::5]:22`, `name:22` where nothing was
    resolved."""
    return str(Endpoint(verdict.address or verdict.target, verdict.port))


def value(verdict: Verdict, key: str) -> Any:
    """A field of a verdict as TOML writes it; "" (of origin_between []) is none."""
    found = getattr(verdict.origin, key.removeprefix("origin_")) if key in ORIGIN else getattr(verdict, key)
    if key == "origin_between":
        return [one or "" for one in found or ()]
    if found is None:
        return ""
    return found if isinstance(found, int) else str(found)
