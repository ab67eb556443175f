"""`python -m netprobe.surface.site` makes the tables within docs/ anew; with --check it says which are stale."""

from __future__ import annotations

import sys
from pathlib import Path

from netprobe.surface.site import probes, texts
from netprobe.surface.site.pages import ROOT


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Exit code 1: --check was given, and something is stale."""
    wrong = 0
    for name, made in documents(root).items():
        path = root / name
        if path.read_text("utf-8") != made:
            print(name)
            wrong += 1
            if "--check" not in arguments:
                path.write_text(made, "utf-8")
    return int(wrong > 0 and "--check" in arguments)


def documents(root: Path = ROOT) -> dict[str, str]:
    """The documents that hold a table, with that made anew."""
    index, probing = (root / "docs/index.md").read_text("utf-8"), (root / "docs/probing.md").read_text("utf-8")
    return {
        "docs/index.md": texts.in_document(index),
        "docs/probing.md": texts.between(probing, "netprobe/surface/site/probes.py", probes.table()),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
