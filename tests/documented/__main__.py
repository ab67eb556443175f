"""`python -m tests.documented` writes the outputs of the documents anew, as the commands print them today.

What a document leaves out (`...`) stays left out where the rest still fits; else the whole output is written, to be cut
by hand. Lines are folded as on a terminal of 96 columns.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from netprobe.surface.site.pages import folded
from tests.documented import running
from tests.documented.blocks import commands, documents

WIDTH = 96


def main(names: list[str]) -> int:
    """Of all documents, or of those that are named."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for path in documents():
            if names and path.name not in names:
                continue
            lines = path.read_text("utf-8").splitlines()
            ran = running.run(commands(path), Path(folder) / path.name)
            for one in reversed(ran):
                shown = one.command.output
                if shown is None or running.same(shown, one.printed):
                    continue
                start, end = one.command.at
                lines[start:end] = folded(one.printed, WIDTH).splitlines()
                print(one.command)
            path.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
