"""The process in which pyshark and tshark read a capture; netprobe.wire.tshark starts it and listens.

pyshark wants the main thread, an event loop nobody else has run, and a current directory without a config.ini; tshark
is a million lines that parse what strangers sent. So both get a process of their own, without any privilege.

House rules of this file:
1. What it says goes to standard output, a JSON value a line: {"frames": [...]}, {"seen": {...}}, {"read": bytes} as a
   sign of life, {"version": ...}, {"cut": words}, {"error": words, "kind": filter|missing|broken} or {"done": true} at
   the end.
2. Privileges are given away before tshark is started. A capture is opened by whoever starts this process.
3. pyshark is asked for JSON with as few protocols as will do, and calls back for each packet: its iterator is slower,
   XML twenty times as slow, and its summaries lose packets.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from typing import Any

# A capture without packets: what a filter is tried on (draft-gharris-opsawg-pcap).
_EMPTY = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000")
_AT_ONCE = 500
_SIGN_OF_LIFE_S = 0.25
_ONLY_NUMBERS = ["-j", "frame"]
# Each frame as it is on the wire, whatever the user's preferences are: nothing put together, nothing relative.
_AS_IT_IS = ("tcp.relative_sequence_numbers", "tcp.desegment_tcp_streams", "ip.defragment", "ipv6.defragment")
_HEADERS = ["-J", "frame ip ipv6 tcp icmp icmpv6", *(word for name in _AS_IT_IS for word in ("-o", f"{name}:FALSE"))]


def main(request: dict[str, Any]) -> None:
    """Do what is asked for: {"filter": text, "headers": bool, "compression": None or its name, "name": the file's}.
    Standard input is the capture."""
    os.chdir("/")  # pyshark obeys a config.ini of the current directory
    try:
        tshark = _prepared()
        _try_filter(tshark, request["filter"])
        if request["only_filter"]:
            _say({"done": True})
            return
        if request["compression"] is not None:
            _unpack(request["compression"], request["name"])
        _read(tshark, request["filter"], headers=request["headers"])
    except _RefusedError as refused:
        _say({"error": str(refused), "kind": refused.kind})
    except Exception as error:  # noqa: BLE001 - whatever pyshark raises is told as what it is
        words = str(error).partition(" (command ran")[0]
        _say({"error": f"{type(error).__name__}: {words}", "kind": "broken"})
    else:
        _say({"done": True})


class _RefusedError(Exception):
    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def _say(value: dict[str, Any]) -> None:
    os.write(1, json.dumps(value).encode("ascii") + b"\n")


def _prepared() -> str:
    """Everything that needs our own rights, then none of them any more. Returns where tshark is."""
    import encodings.idna  # noqa: F401 - asyncio wants it when it is too late to read it

    from netprobe.wire import compression, privilege  # noqa: F401 - likewise

    try:
        import pyshark.capture.capture
        import pyshark.tshark.output_parser.tshark_json  # noqa: F401
    except ImportError as error:
        raise _RefusedError("missing", f"pyshark can't be loaded ({error})") from error
    uid, _ = privilege.caller()
    if os.getuid() == 0:
        os.environ["HOME"] = _home(uid)
    privilege.drop()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    found = shutil.which("tshark")
    if found is None:
        raise _RefusedError("missing", "tshark is not installed")
    return found


def _home(uid: int) -> str:
    """Where tshark looks for the user's preferences and filter macros; nowhere for nobody."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/nonexistent"


def _try_filter(tshark: str, expression: str) -> None:
    """pyshark tells of a bad filter only that something failed: tshark is asked before."""
    done = subprocess.run(
        [tshark, "-n", "-r", "-", "-Y", expression], input=_EMPTY, capture_output=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise _RefusedError("filter", _complaint(done.stderr.decode("utf-8", "replace"), expression))


def _complaint(said: str, expression: str) -> str:
    """tshark's own words, and where in the filter it points to."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("Running as user")]
    words = next((line.removeprefix("tshark: ") for line in lines), "it gives no reason").strip().rstrip(".")
    pointer = next((line for line in reversed(lines) if line.strip() and not line.strip(" ^~")), "")
    shown = next((line for line in lines if line.strip() == expression.strip()), "")
    if not pointer or not shown:
        return words
    at = pointer.index("^") - (len(shown) - len(shown.lstrip())) + (len(expression) - len(expression.lstrip()))
    meant = expression[at : at + pointer.count("^") + pointer.count("~")]
    return f"{words} (character {at + 1}{f': {meant}' if meant else ''})"


def _unpack(kind: str, name: str) -> None:
    """Put a pipe with the unpacked capture in the place of standard input: tshark doesn't know every compression, and
    none of our limits."""
    from netprobe.wire.blocks import BrokenStreamError, ByteStream, CutStreamError
    from netprobe.wire.compression import Unpacked

    source = Unpacked(ByteStream(os.fdopen(os.dup(0), "rb", buffering=0)), kind, name)
    outlet, inlet = os.pipe()
    os.dup2(outlet, 0)
    os.close(outlet)

    def pump() -> None:
        room = memoryview(bytearray(1 << 16))
        try:
            while count := source.readinto(room):
                rest = room[:count]
                while rest:
                    rest = rest[os.write(inlet, rest) :]
        except (BrokenStreamError, CutStreamError, OSError):
            pass  # netprobe's own reader has told of it; tshark gets what there is
        finally:
            os.close(inlet)

    threading.Thread(target=pump, daemon=True).start()


def _read(tshark: str, expression: str, *, headers: bool) -> None:
    """Read the capture, and say which frames match, or what their headers are."""
    from pyshark.capture.capture import Capture

    class Standard(Capture):  # type: ignore[misc]
        """Reads standard input, whatever file it is: a file of root's can be read by a process that isn't root."""

        def get_parameters(self, packet_count: int | None = None) -> list[str]:
            return [*super().get_parameters(packet_count=packet_count), "-r", "-"]

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    capture = Standard(
        display_filter=expression,
        use_json=True,
        tshark_path=tshark,
        custom_parameters=_HEADERS if headers else _ONLY_NUMBERS,
        eventloop=loop,  # with none given, pyshark uses parts of asyncio that newer Pythons don't have
    )
    found: list[int] = []

    def on_packet(packet: Any) -> None:
        if headers:
            _say({"seen": _seen(packet)})
            return
        found.append(int(packet.number))
        if len(found) >= _AT_ONCE:
            _say({"frames": found})
            found.clear()

    async def read() -> int:
        life = asyncio.ensure_future(_signs_of_life())
        await capture.packets_from_tshark(on_packet, close_tshark=False)
        life.cancel()
        code = 0
        for process in list(capture._running_processes):  # noqa: SLF001 - closing kills it before it has a status
            code = await process.wait()
        await asyncio.gather(*capture._stderr_handling_tasks)  # noqa: SLF001 - its last words
        capture._running_processes.clear()  # noqa: SLF001 - nothing is left to be killed when it is collected
        return code

    code = loop.run_until_complete(read())
    _say({"frames": found})
    last = str(capture._last_error_line or "").removeprefix("tshark: ")  # noqa: SLF001 - pyshark has no other way
    if code != 0:
        if not found and not last:
            raise _RefusedError("broken", f"tshark ended with code {code}")
        _say({"cut": last or f"tshark ended with code {code}"})


async def _signs_of_life() -> None:
    while True:
        await asyncio.sleep(_SIGN_OF_LIFE_S)
        try:
            taken = os.lseek(0, 0, os.SEEK_CUR)  # tshark and we share the place in the file
        except OSError:
            taken = 0
        _say({"read": taken})


# --------------------------------------------------------------------------- what tshark made of a packet


def _seen(packet: Any) -> dict[str, Any]:
    """The fields that netprobe decodes, as tshark has them; numbers as integers."""
    fields: dict[str, Any] = {"frame": int(packet.number)}
    layers = {layer.layer_name: _last(layer._all_fields) for layer in packet.layers}  # noqa: SLF001 - the whole of it
    _network(layers, fields, "")
    if "tcp" in layers:
        _segment(layers["tcp"], fields, "")
    for name in ("icmp", "icmpv6"):
        if name in layers:
            icmp = layers[name]
            fields["icmp_type"] = _number(icmp, f"{name}.type")
            fields["icmp_code"] = _number(icmp, f"{name}.code")
            quoted = {key: _last(value) for key, value in icmp.items() if key in {"ip", "ipv6", "tcp"}}
            _network(quoted, fields, "quoted_")
            if "tcp" in quoted:
                _segment(quoted["tcp"], fields, "quoted_")
    return {key: value for key, value in fields.items() if value is not None}


def _last(value: Any) -> dict[str, Any]:
    """The innermost of several layers of a kind, as tunnels have them."""
    while isinstance(value, list):
        value = value[-1] if value else {}
    return value if isinstance(value, dict) else {}


def _network(layers: dict[str, dict[str, Any]], fields: dict[str, Any], prefix: str) -> None:
    for name, ttl, tos in (("ip", "ip.ttl", "ip.dsfield"), ("ipv6", "ipv6.hlim", "ipv6.tclass")):
        layer = layers.get(name)
        if layer is not None and f"{name}.src" in layer:
            fields[f"{prefix}source"] = _text(layer, f"{name}.src")
            fields[f"{prefix}destination"] = _text(layer, f"{name}.dst")
            fields[f"{prefix}ttl"] = _number(layer, ttl)
            fields[f"{prefix}tos"] = _number(layer, tos)


def _segment(layer: dict[str, Any], fields: dict[str, Any], prefix: str) -> None:
    fields[f"{prefix}source_port"] = _number(layer, "tcp.srcport")
    fields[f"{prefix}destination_port"] = _number(layer, "tcp.dstport")
    fields[f"{prefix}seq"] = _number(layer, "tcp.seq_raw", "tcp.seq")
    if not prefix:
        fields["ack"] = _number(layer, "tcp.ack_raw", "tcp.ack")
        flags = _number(layer, "tcp.flags")
        fields["flags"] = None if flags is None else flags & 0xFF
        fields["window"] = _number(layer, "tcp.window_size_value")


def _text(layer: dict[str, Any], *names: str) -> str | None:
    for name in names:
        value = layer.get(name)
        if isinstance(value, list):
            value = value[-1] if value else None
        if value is not None:
            return str(value)
    return None


def _number(layer: dict[str, Any], *names: str) -> int | None:
    text = _text(layer, *names)
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        return None


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
