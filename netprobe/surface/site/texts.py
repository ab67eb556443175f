"""What clients print, as Markdown: the table of docs/index.md, and each client's own lines.

House rules of this file:
1. What is generated within a document of docs/ stands between two marks; a test holds it to its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from netprobe.clients import ABOUT, ROWS
from netprobe.clients.causes import Stage
from netprobe.clients.lines import LINES
from netprobe.clients.texts import Text

SOURCE = "netprobe/clients/texts.py"
END = "<!-- end of what is made -->"

_STAGES = {
    Stage.NAME: "while it looked for an address",
    Stage.CONNECT: "while it connected",
    Stage.OPEN: "connected, before the server's identification",
    Stage.KEX: "in the key exchange",
    Stage.LOGIN: "at the login",
    Stage.SESSION: "in a session",
}
# The order of the table: what is asked most often first.
_FIRST = ("Connection refused", "Connection timed out", "No route to host")
_ORDER = (Stage.CONNECT, Stage.OPEN, Stage.KEX, Stage.LOGIN, Stage.SESSION, Stage.NAME)


def table(link: Callable[[str], str] = "`{}`".format) -> str:
    """The table. `link`: how a cause is written."""
    lines = ["| your client printed | it can be | one command tells |", "|---|---|---|"]
    for stage in _ORDER:
        lines += [_row(row, link) for row in _rows(stage)]
    return "\n".join(lines) + "\n"


def _rows(stage: Stage) -> list[Text]:
    """The rows of a stage, after the best known those with the most causes: they are the ones that need telling
    apart."""
    found = (row for row in ROWS if row.stage is stage)
    return sorted(found, key=lambda row: (_FIRST.index(row.text) if row.text in _FIRST else 9, -len(row.causes)))


def _row(row: Text, link: Callable[[str], str]) -> str:
    causes = ", ".join(link(cause) for cause in row.causes)
    return f"| **{_cell(row.text)}**: {_cell(row.means)} | {causes} | `{command(row)}` |"


def command(row: Text) -> str:
    """The command that tells the causes of a text apart."""
    if row.stage is Stage.LOGIN:
        return "sudo netprobe scan --auth-methods HOST"
    return "sudo netprobe scan HOST"


def in_document(document: str) -> str:
    """docs/index.md with its table made anew. ValueError where a mark is missing."""
    return between(document, SOURCE, table())


def between(document: str, source: str, made: str) -> str:
    """A document with what is made of `source` put between its marks. ValueError where one is missing."""
    before, begin, rest = document.partition(f"<!-- made of {source} by `make docs` -->")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the marks of what is made of {source} are gone")
    return f"{before}{begin}\n\n{made}\n{end}{after}"


def clients() -> str:
    """The page of what each client prints, by text."""
    lines = [
        "# What each client prints",
        "",
        ("The lines that lead to a row of [the table](index.md), client by client. `netprobe explain` knows them all, "
        "with host and port filled in as a client does. *Measured*: seen from that client, in a network made for it, "
        "on Linux; *documented*: from its source or manual."),
    ]
    for stage in _ORDER:
        lines += ["", f"## {_STAGES[stage].capitalize()}"]
        for row in _rows(stage):
            lines += _client_lines(row)
    return "\n".join(lines) + "\n"


def _client_lines(row: Text) -> Iterator[str]:
    found = [line for line in LINES if line.text == row.text]
    yield from ("", f"### {row.text}", "", f"Proves: {row.means}.")
    yield from ("", "It can be: " + ", ".join(f"[{cause}](causes/{cause}.md)" for cause in row.causes) + ".")
    if found:
        yield from ("", "| client | prints | |", "|---|---|---|")
        yield from (f"| {line.client} | {_code(line.line)} | {line.seen} |" for line in found)


def _code(text: str) -> str:
    """A client's line in a cell of a table."""
    fence = "``" if "`" in text else "`"
    text = text.replace("|", "\\|").replace("\n", " ")
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def about(cause: str) -> str:
    """A cause in a sentence, empty where nothing is wrong."""
    text = ABOUT.get(cause, "")
    return f"{text[:1].upper()}{text[1:]}." if text else ""
