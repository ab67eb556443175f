"""`python -m tests.ssh_matrix record [--root FOLDER] [NAME...]`: captures/ssh/ anew (root); `score`: the table;
`cases`: one capture and case for each kind of outcome."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.ssh_matrix")
    parser.add_argument("what", choices=["record", "inside", "score", "cases"])
    parser.add_argument(
        "--root", action="append", default=[], type=Path, help="folder with a newer system (debootstrap)"
    )
    parser.add_argument("--to", type=Path, help="where the captures go")
    parser.add_argument("names", nargs="*", help="only pairs SERVER--CLIENT that contain one of these")
    options = parser.parse_intermixed_args(arguments)
    if options.what == "score":
        from tests.ssh_matrix.score import write

        return write()
    if options.what == "cases":
        from tests.ssh_matrix import cases

        return cases.write()
    if os.geteuid() != 0:
        sys.exit("recording needs root: it mounts, and makes network namespaces, where only it sees them")
    if options.what == "record":
        from tests.ssh_matrix.world import enter

        enter(arguments[1:])
    from tests.ssh_matrix.record import HERE, record

    return record(options.names, [root.resolve() for root in options.root], options.to or HERE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
