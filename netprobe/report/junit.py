"""A replay as JUnit XML, for what shows test results in continuous integration.

House rules of this file:
1. XML 1.0 has no control characters, not even as references: text goes through `escape` before it is quoted.
2. Only what every reader of the format knows: testsuites, testsuite, testcase, failure, error, skipped, system-out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape as xml_escape

from netprobe.model import Endpoint, Verdict
from netprobe.report.escape import escape

# So many of a case's verdicts are told.
MOST_VERDICTS = 1000
FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One case. `group` and `name` identify it; `trouble` is one of the words above, None where it passed; `kind` the
    replay's own word for the result; `headline` one line, `text` all that is to be said; `verdicts`: what was found."""

    group: str
    name: str
    kind: str
    took_s: float
    trouble: str | None = None
    headline: str = ""
    text: str = ""
    verdicts: tuple[Verdict, ...] = ()


def document(cases: Iterable[Tried], *, started_ns: int, took_s: float) -> Iterator[str]:
    """The whole file, in pieces."""
    known = list(cases)
    counts = {
        "tests": len(known),
        "failures": sum(one.trouble == FAILURE for one in known),
        "errors": sum(one.trouble == ERROR for one in known),
        "skipped": sum(one.trouble == SKIPPED for one in known),
    }
    totals = "".join(f' {name}="{count}"' for name, count in counts.items()) + f' time="{took_s:.3f}"'
    stamp = f"{datetime.fromtimestamp(started_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%S}"
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name="netprobe replay"{totals}>\n'
    yield f'<testsuite name="netprobe replay"{totals} timestamp="{stamp}">\n'
    for one in known:
        yield _case(one)
    yield "</testsuite>\n</testsuites>\n"


def _case(one: Tried) -> str:
    head = f'<testcase classname="{_quoted(one.group)}" name="{_quoted(one.name)}" time="{one.took_s:.3f}"'
    said = [one.text] if one.text and one.trouble is None else []
    said += map(_found, one.verdicts[:MOST_VERDICTS])
    if len(one.verdicts) > MOST_VERDICTS:
        said.append(f"... {len(one.verdicts) - MOST_VERDICTS:,} more verdicts")
    out = f"<system-out>{_text(chr(10).join(said))}</system-out>" if said else ""
    if one.trouble is None:
        return f"{head}>{out}</testcase>\n" if out else f"{head}/>\n"
    message = f' message="{_quoted(one.headline)}"'
    if one.trouble == SKIPPED:
        return f"{head}><skipped{message}/>{out}</testcase>\n"
    kind = f' type="{_quoted(one.kind)}"'
    return f"{head}><{one.trouble}{message}{kind}>{_text(one.text)}</{one.trouble}>{out}</testcase>\n"


def _found(v: Verdict) -> str:
    """A verdict in a line: server, state, reason, cause, certainty, rule."""
    server = str(Endpoint(v.address, v.port)) if v.address else f"{escape(v.target)}:{v.port}"
    return f"{server} {v.state} {v.reason} {v.cause} {v.certainty} {v.rule}"


def _quoted(text: str) -> str:
    return xml_escape(escape(text), {'"': "&quot;"})


def _text(text: str) -> str:
    """Text of several lines."""
    return "\n".join(xml_escape(escape(line)) for line in text.split("\n"))
