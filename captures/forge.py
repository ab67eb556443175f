"""Writes captures for the rules that no recorded one reaches, from the tests' situations: `python -m captures.forge`.

What is written here is made up packet by packet, and each case says so (`origin = "forged: ..."`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netprobe.model import SettledFact
from netprobe.replay import load
from netprobe.wire import privilege
from netprobe.wire.writer import CaptureWriter
from tests.lab.pairs import pair_case
from tests.lab.record import write_case
from tests.ladder import Scene, ladder
from tests.pair_ladder import pair
from tests.pair_situations import PAIR_SITUATIONS
from tests.situations import SITUATIONS

CAPTURES = Path(__file__).resolve().parent


def forge() -> None:
    """One capture for each rule that the recorded ones leave out."""
    for old in CAPTURES.glob("forged_*"):
        old.unlink()
    hit = {expected.get("rule") for path in CAPTURES.glob("*.toml") for expected in load(path).expect}
    for name, text in SITUATIONS.items():
        scene = ladder(text)
        rule = scene.verdict().rule
        if rule not in hit:
            hit.add(rule)
            path = CAPTURES / f"forged_{name}.pcapng"
            _write(path, scene)
            about = name.replace("__", ": ").replace("_", " ")
            write_case(path.with_suffix(".toml"), about, f"forged: tests/situations.py, {name}")
            print(f"{rule} {path.name}")


def forge_pairs() -> None:
    """The same for rules about two captures of one conversation."""
    for old in CAPTURES.glob("forged_pair_*"):
        old.unlink()
    hit = {expected.get("rule") for path in CAPTURES.glob("*.toml") for expected in load(path).expect}
    for name, text in PAIR_SITUATIONS.items():
        scene = pair(text)
        verdict = scene.verdict()
        if verdict.rule in hit:
            continue
        hit.add(verdict.rule)
        path = CAPTURES / f"forged_pair_{name}.pcapng"
        path.write_bytes(scene.client)
        server = path.with_name(f"{path.stem}-server.pcapng")
        server.write_bytes(scene.server)
        about, origin = name.replace("_", " "), f"forged: tests/pair_situations.py, {name}"
        path.with_suffix(".toml").write_text(pair_case(verdict, about, origin, server.name), "utf-8")
        print(f"{verdict.rule} {path.name}")


def _write(path: Path, scene: Scene) -> None:
    """The scene as a scan would have saved it: its target first, its end last. A stranger's capture has neither."""
    writer = CaptureWriter(privilege.open_output(path), path.name, about="forged")
    first = replace(scene.target, number=1, time_ns=min((r.time_ns for r in scene.records), default=scene.until_ns))
    last = SettledFact(
        time_ns=scene.until_ns, target=scene.target.target, address=scene.target.address, port=scene.target.port
    )
    records = scene.records if scene.passive else [first, *scene.records, last]
    for number, record in enumerate(records, 1):
        writer.write(replace(record, number=number))
    writer.close()


if __name__ == "__main__":
    forge()
    forge_pairs()
