"""Runs the fuzz targets under atheris: `python -m tests.fuzz [--seconds N] [TARGET...]`, each in a process of its own.

The inputs that were interesting stay in a folder given with --corpus, for the next time. What made a target fail is
printed, and stands in `crash-...` there.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("pcap", "pcapng", "compressed", "headers", "redaction", "bundles", "quotes", "openings", "sessions", "cases")
UNAVAILABLE = 0  # no failure of the program: atheris has wheels for some systems only


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", choices=[*NAMES, []], help="all of them by default")
    parser.add_argument("--seconds", type=int, default=30, help="for each target (30)")
    parser.add_argument("--corpus", type=Path, help="keep interesting inputs in this folder")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(
            "fuzz: atheris is not installed here (pip install atheris; it has wheels for Linux on x86-64): nothing done"
        )
        return UNAVAILABLE
    if options.here:
        fuzz(options.target[0], options.seconds, options.corpus)
    with tempfile.TemporaryDirectory(prefix="netprobe-corpus-") as folder:
        corpus = options.corpus or Path(folder)
        failed = [name for name in options.target or NAMES if not run(name, options.seconds, corpus / name)]
    if failed:
        print(f"fuzz: {', '.join(failed)} failed")
    return int(bool(failed))


def run(name: str, seconds: int, corpus: Path) -> bool:
    """One target in a process of its own. Prints a line; on failure also what the process said."""
    corpus.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", "--here", "--seconds", str(seconds), "--corpus", str(corpus), name]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = done.stderr.splitlines()
    count = next((line for line in reversed(lines) if line.startswith("stat::number_of_executed_units:")), "?: ?")
    print(f"{name}: {count.split(':')[-1].strip()} inputs in {seconds} s, {'ok' if done.returncode == 0 else 'FAILED'}")
    if done.returncode != 0:
        print("\n".join(lines[-40:]))
        print(done.stdout[-4000:])
        for crash in sorted(corpus.glob("crash-*")) + sorted(corpus.glob("timeout-*")) + sorted(corpus.glob("oom-*")):
            print(f"{crash.name}: {crash.read_bytes()[:400].hex()}")
    return done.returncode == 0


def fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Never returns: the fuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["netprobe"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    for seed in target.seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    limits = (f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=1024")
    words = [name, *limits, "-print_final_stats=1", f"-artifact_prefix={corpus}/", str(corpus)]
    atheris.Setup(words, target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
