"""Runs one plan on a real wire, in the namespace it was started in, and saves what came: `python -m
tests.wire.session JSON`.

A step is {"do": "route", "address": ...}, {"do": "connect", "to": [address, port], ...}, {"do": "probe", "shape": ...,
"from": [...], "to": [...], ...}, {"do": "say"|"hang", "id": ...}, {"do": "wait", "seconds": ...} or {"do": "run",
"command": ...}.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from netprobe.model import Command, Connect, Endpoint, Hang, Probe, Say, Shape
from netprobe.wire import privilege
from netprobe.wire.connect import ConnectWire
from netprobe.wire.live import LiveWire
from netprobe.wire.writer import CaptureWriter


def main(plan: dict[str, Any]) -> None:
    """Carry out the plan."""
    writer = CaptureWriter(privilege.open_output(plan["saved"]), plan["saved"])
    wire: ConnectWire
    if plan["mode"] == "raw":
        wire = LiveWire(writer=writer)
        assert wire.proven
    else:  # an ordinary user from the start
        privilege.drop()
        assert not privilege.can_capture()
        wire = ConnectWire(writer=writer)
    if plan["drop"]:
        privilege.drop()
    try:
        for step in plan["steps"]:
            _do(wire, step)
        _receive(wire, plan["seconds"])
    finally:
        wire.close()


def _receive(wire: ConnectWire, seconds: float) -> None:
    deadline_ns = wire.now_ns() + int(seconds * 1e9)
    while wire.now_ns() < deadline_ns:
        wire.receive(deadline_ns)


def _do(wire: ConnectWire, step: dict[str, Any]) -> None:
    fields = dict(step)
    match fields.pop("do"):
        case "route":
            wire.announce(wire.route(**fields))
        case "wait":
            _receive(wire, fields["seconds"])
        case "run":
            subprocess.run(fields["command"].split(), check=True)
        case what:
            wire.perform(_command(what, fields))


def _command(what: str, fields: dict[str, Any]) -> Command:
    if what == "connect":
        return Connect(server=Endpoint(*fields.pop("to")), **{"id": 1, "patience_s": 5.0, **fields})
    if what == "say":
        return Say(fields["id"], fields["data"].encode())
    if what == "hang":
        return Hang(fields["id"])
    client, server = Endpoint(*fields.pop("from")), Endpoint(*fields.pop("to"))
    return Probe(Shape(fields.pop("shape")), client, server, **fields)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
