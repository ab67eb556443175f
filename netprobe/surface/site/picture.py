"""A recorded ladder as an SVG inside a page, in the colours of the page.

House rules of this file:
1. Where things stand is decided by netprobe.report.html.drawing; here are only elements.
2. Every text is escaped: captures hold what servers said.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from netprobe.ladder import Ladder
from netprobe.report.html.drawing import Column, Line, drawing


def svg(ladder: Ladder, title: str) -> str:
    """The picture, on one line: Markdown leaves such a block as it is."""
    found = drawing(ladder)
    parts = [
        f'<svg class="np-ladder" viewBox="0 0 {found.width} {found.height}" role="img" aria-label="{escape(title)}">',
        *(part for column in found.columns for part in _column(column, found.bottom)),
        *(part for line in found.lines for part in _line(line)),
        "</svg>",
    ]
    return f'<div class="np-scroll" tabindex="0">{"".join(parts)}</div>'


def _column(column: Column, bottom: float) -> Iterator[str]:
    yield f'<line x1="{column.x:.1f}" x2="{column.x:.1f}" y1="42" y2="{bottom}" class="lane"/>'
    for n, name in enumerate(column.names):
        yield f'<text x="{column.x:.1f}" y="{16 + 16 * n}" class="middle who">{escape(name)}</text>'


def _line(line: Line) -> Iterator[str]:
    yield f'<g class="{line.kind}{" decisive" if line.decisive else ""}">'
    yield f'<text x="74" y="{line.y + 4}" class="end">{"* " if line.decisive else ""}{escape(line.time)}</text>'
    if line.kind in ("arrow", "lost"):
        yield f'<line x1="{line.start:.1f}" x2="{line.end:.1f}" y1="{line.y}" y2="{line.y}" class="wire"/>'
        if line.kind == "lost":
            yield f'<text x="{line.end + 8:.1f}" y="{line.y + 4}">?</text>'
        else:
            yield f'<polygon points="{line.tip}"/>'
        yield f'<text x="{line.x:.1f}" y="{line.y - 6}" class="middle">{escape(line.text)}</text>'
    else:
        yield f'<text x="{line.x:.1f}" y="{line.y + 4}" class="{line.anchor}">{escape(line.text)}</text>'
    yield "</g>"
