"""netprobe diff: what counts as a change, what is noise, and what two results may be."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netprobe.cli import run as main
from netprobe.diffing.compare import changed, compare
from netprobe.diffing.reading import read
from netprobe.diffing.run import run
from netprobe.diffing.traits import Traits
from netprobe.errors import UnreadableCapture
from netprobe.model import (
    Auth,
    Certainty,
    Citation,
    Hop,
    Kex,
    Mode,
    Offer,
    Origin,
    OriginKind,
    Outcome,
    Service,
    State,
    Verdict,
)
from netprobe.report import Report, difference
from netprobe.report import json as report_json
from netprobe.report.difference import Change
from tests.samples import HOSTILE, a_report, a_verdict, an_up_verdict

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parent.parent
CAPTURES = ROOT / "captures"
SCHEMA = json.loads((ROOT / "netprobe" / "report" / "difference_schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
Captured = pytest.CaptureFixture[str]


def traits(*verdicts: Verdict) -> Traits:
    first = verdicts[0]
    found = Traits(first.target, first.address, first.port)
    for verdict in verdicts:
        found.add(json.loads(report_json.line(verdict)))
    return found


def changes(old: Verdict | Sequence[Verdict], new: Verdict | Sequence[Verdict]) -> dict[str, Change]:
    """What changed, by trait."""
    before, after = ([one] if isinstance(one, Verdict) else list(one) for one in (old, new))
    return {change.trait: change for change in changed(traits(*before), traits(*after))}


def said(change: Change) -> tuple[str, str]:
    (old,), (new,) = change.old, change.new
    return old, new


def ssh(kex: Kex | None = None, auth: Auth | None = None, identification: str = "SSH-2.0-OpenSSH_9.2p1") -> Verdict:
    return an_up_verdict(service=Service("ssh", identification, kex=kex, auth=auth))


# --------------------------------------------------------------------------- traits


def test_the_same_is_no_change() -> None:
    assert changes(a_verdict(), a_verdict()) == {}
    # Certainty and rule tell how well it was measured, not what is there.
    assert changes(a_verdict(), a_verdict(certainty=Certainty.LIKELY, rule="NP113", attempts=9, history="SrSr")) == {}


def test_it_worked_yesterday() -> None:
    found = changes(an_up_verdict(reason_ttl=62), a_verdict(reason_ttl=241))
    assert said(found["cause"]) == ("up", "reset-by-host-firewall")
    assert said(found["state"]) == ("open", "closed")
    assert said(found["reason"]) == ("syn-ack", "reset")
    assert said(found["TTL"]) == ("62", "241")


@pytest.mark.parametrize(
    ("trait", "old", "new", "values"),
    [
        ("TTL", a_verdict(reason_ttl=64), a_verdict(reason_ttl=63), ("64", "63")),
        ("where", a_verdict(), a_verdict(origin=Origin(OriginKind.PATH, "192.0.2.1", 1)),
         ("target, hop 3", "path 192.0.2.1, hop 1")),
        ("answered by", a_verdict(reason_address="192.0.2.1"), a_verdict(reason_address="192.0.2.7"),
         ("192.0.2.1", "192.0.2.7")),
        ("window of SYN,ACK", a_verdict(evidence=(Citation(1, 0, "SYN,ACK ttl 64 tos 0x00 win 65160 (4 times)"),)),
         a_verdict(evidence=(Citation(1, 0, "SYN,ACK ttl 64 tos 0x00 win 14600"),)), ("65160", "14600")),
        ("identification", ssh(), ssh(identification="SSH-2.0-dropbear_2022.83"),
         ("SSH-2.0-OpenSSH_9.2p1", "SSH-2.0-dropbear_2022.83")),
        ("host key ssh-ed25519", ssh(Kex(host_key_type="ssh-ed25519", fingerprint="SHA256:a")),
         ssh(Kex(host_key_type="ssh-ed25519", fingerprint="SHA256:b")), ("SHA256:a", "SHA256:b")),
        ("login", ssh(auth=Auth(Outcome.SUCCEEDED)), ssh(auth=Auth(Outcome.FAILED)), ("succeeded", "failed")),
        ("service", an_up_verdict(), an_up_verdict(service=Service("http")), ("ssh", "http")),
    ],
)  # fmt: skip
def test_each_trait(trait: str, old: Verdict, new: Verdict, values: tuple[str, str]) -> None:
    assert said(changes(old, new)[trait]) == values


def test_another_type_of_host_key_is_no_change_of_it() -> None:
    old = ssh(Kex(host_key_type="ssh-ed25519", fingerprint="SHA256:a"))
    assert changes(old, ssh(Kex(host_key_type="rsa-sha2-512", fingerprint="SHA256:b"))) == {}


def test_of_lists_what_came_and_went_is_told() -> None:
    old = ssh(Kex(server_offer=Offer(kex=("a", "b"), cipher_to_client=("x", "y"))))
    new = ssh(Kex(server_offer=Offer(kex=("b", "c"), cipher_to_client=("y", "x"))))
    found = changes(old, new)
    assert (found["key exchange offered"].added, found["key exchange offered"].gone) == (("c",), ("a",))
    assert (found["ciphers offered"].added, found["ciphers offered"].gone) == ((), ())
    methods = changes(
        ssh(auth=Auth(Outcome.LEFT, methods=("publickey", "password"))),
        ssh(auth=Auth(Outcome.LEFT, methods=("publickey",))),
    )
    assert methods["login methods"].gone == ("password",)


def test_what_one_side_does_not_know_is_no_change() -> None:
    bare = an_up_verdict(service=None, reason_ttl=None, rtt_ms=None, path=(), evidence=())
    assert changes(bare, an_up_verdict()) == changes(an_up_verdict(), bare) == {}


def path(*addresses: str | None) -> Verdict:
    return a_verdict(path=tuple(Hop(n, one, None, "time-exceeded") for n, one in enumerate(addresses, 1)))


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        (("a", "b"), ("a", "b"), False),
        (("a", "b"), ("a", None), False),
        (("a", None, "c"), ("a", "b", "c"), False),
        (("a", "b"), ("a", "b", None), False),
        (("a", "b"), ("a", "x"), True),
        (("a", "b"), ("a", "b", "c"), True),
        (("a", "b", "c"), ("b", "c"), True),
    ],
)
def test_hops(old: tuple[str | None, ...], new: tuple[str | None, ...], differs: bool) -> None:
    found = changes(path(*old), path(*new))
    assert set(found) == ({"path"} if differs else set())
    if differs:
        assert said(found["path"])[0] == " > ".join(one or "*" for one in old)


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [(0.2, 4.0, False), (1, 7, True), (7, 1, True), (100, 250, False), (100, 301, True), (0.1, 0.9, False)],
)
def test_times_count_only_by_far(old: float, new: float, differs: bool) -> None:
    assert bool(changes(a_verdict(rtt_ms=old), a_verdict(rtt_ms=new))) == differs


def test_among_many_attempts_a_rare_value_is_noise() -> None:
    many = [a_verdict(reason_ttl=62)] * 99
    assert changes(many, [*many, a_verdict(reason_ttl=61)]) == {}
    assert "TTL" in changes(many, [*many, *[a_verdict(reason_ttl=61)] * 6])
    assert "TTL" in changes([*many, *[a_verdict(reason_ttl=61)] * 6], many)
    assert "TTL" in changes(many[:3], [*many[:3], a_verdict(reason_ttl=61)])


def test_a_cause_that_becomes_common_is_a_change() -> None:
    up, down = an_up_verdict(), a_verdict()
    assert "cause" not in changes([up] * 38 + [down] * 2, [up] * 36 + [down] * 4)
    found = changes([up] * 38 + [down] * 2, [up] * 20 + [down] * 20)["cause"]
    assert (found.old, found.new) == ({"up": 38, "reset-by-host-firewall": 2}, {"up": 20, "reset-by-host-firewall": 20})


def test_captured_elsewhere_ttls_and_times_are_not_compared() -> None:
    old = a_verdict(vantage="client", reason_ttl=62, rtt_ms=20.0)
    assert changes(old, a_verdict(vantage="server", reason_ttl=64, rtt_ms=0.02)) == {}
    assert set(changes(old, a_verdict(vantage="client", reason_ttl=64, rtt_ms=0.02))) == {"TTL", "round trip"}


def places(*verdicts: Verdict) -> dict[Any, Traits]:
    return {(verdict.address, "", verdict.port): traits(verdict) for verdict in verdicts}


def test_places_that_came_and_went() -> None:
    old, new = places(a_verdict(), a_verdict(port=80)), places(a_verdict(), a_verdict(port=443))
    found, same = compare(old, new)
    assert ([(place.port, place.status) for place in found], same) == ([(443, "new"), (80, "gone")], 1)
    assert compare(old, new, common=True) == ([], 1)


def test_a_name_that_has_another_address_is_the_same_place() -> None:
    old = places(a_verdict(target="db", address="192.0.2.5"))
    found, _ = compare(old, places(a_verdict(target="db", address="192.0.2.6")))
    assert [(place.status, said(place.changes[0])) for place in found] == [("changed", ("192.0.2.5", "192.0.2.6"))]
    # Two new addresses: nobody knows which of them it is.
    both = places(a_verdict(target="db", address="192.0.2.6"), a_verdict(target="db", address="192.0.2.7"))
    assert [place.status for place in compare(old, both)[0]] == ["new", "new", "gone"]


# --------------------------------------------------------------------------- files


def saved(folder: Path, name: str, *verdicts: Verdict, **report: Any) -> str:
    """A result as --json (or, by its name, --jsonl) writes it."""
    path = folder / name
    made: Report = a_report(*verdicts, **report)
    if name.endswith("l"):
        path.write_text("".join(map(report_json.line, verdicts)) + report_json.summary_line(made), "ascii")
    else:
        path.write_text(report_json.document(made), "ascii")
    return str(path)


def test_exit_codes(tmp_path: Path, capsys: Captured) -> None:
    old, new = saved(tmp_path, "old.json", an_up_verdict()), saved(tmp_path, "new.jsonl", a_verdict())
    assert main(["diff", old, old]) == 0
    assert capsys.readouterr().out == "1 target: 1 the same\n"
    assert main(["diff", old, new]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "203.0.113.5:22: up -> reset-by-host-firewall"
    assert "  to do                   on the server: `nft list ruleset`" in out
    assert main(["diff", "-q", old, new]) == 1
    told = ["203.0.113.5:22: up -> reset-by-host-firewall", "", "1 target: 1 changed, 0 the same"]
    assert capsys.readouterr().out.splitlines() == told
    assert main(["diff", old]) == main(["diff", "-", "-"]) == main(["diff", old, new, old]) == 2


@pytest.mark.parametrize(
    "text",
    [
        "{", "{}", "[]", '{"verdicts": 5}', '{"verdicts": [5]}', '{"verdicts": [{}]}', '{"a": 1}\n{"b": 2}\n',
        '{"verdicts": [{"address": 5, "target": "x", "port": 1}]}', "PK\x03\x04abc", "nonsense", "",
        '{"cause": "up"}', '{"verdicts":' + "[" * 100_000, '{"cause": "up", "x": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_what_is_no_result(text: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "bad").write_text(text, "utf-8")
    old = saved(tmp_path, "old.json", an_up_verdict())
    assert main(["diff", old, str(tmp_path / "bad")]) == main(["diff", str(tmp_path / "bad"), old]) == 3
    assert "internal error" not in capsys.readouterr().err
    assert main(["diff", old, str(tmp_path / "missing")]) == 3
    assert main(["diff", old, str(tmp_path)]) == 3


def test_any_wrong_value_is_told_or_compared(tmp_path: Path) -> None:
    good = json.loads(report_json.line(a_verdict()))
    old = read(saved(tmp_path, "old.json", an_up_verdict()), print)
    for key in good:
        for value in (None, 5, "x", [], {}, [5], {"x": 5}):
            (tmp_path / "bad").write_text(json.dumps({"verdicts": [{**good, key: value}]}), "utf-8")
            with contextlib.suppress(UnreadableCapture):
                compare(old.places, read(str(tmp_path / "bad"), print).places)


def test_nothing_to_compare_measured_nothing(tmp_path: Path, capsys: Captured) -> None:
    old, new = saved(tmp_path, "old.json", a_verdict()), saved(tmp_path, "new.json", a_verdict(port=80))
    assert main(["diff", "--common", old, new]) == 3
    assert "no target is in both results" in capsys.readouterr().out
    assert main(["diff", old, new]) == 1


def test_captures_are_analyzed_for_it(tmp_path: Path, capsys: Captured) -> None:
    capture = CAPTURES / "ack_drop_r2.pcapng"
    assert main(["analyze", "--json", str(capture)]) == 1
    (tmp_path / "old.json").write_text(capsys.readouterr().out, "ascii")
    assert main(["diff", str(tmp_path / "old.json"), str(capture)]) == 0
    assert main(["diff", str(capture), str(CAPTURES / "drop_r2.pcapng")]) == 1


@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_how_far_a_file_is_read_is_told(form: str, tmp_path: Path, capsys: Captured) -> None:
    capture = str(CAPTURES / "up.pcapng")
    assert main(["analyze", form, capture]) == 0
    saved = tmp_path / "saved"
    saved.write_text(capsys.readouterr().out)
    told: list[tuple[str, int, int]] = []
    found = run(str(saved), capture, lambda _: None, lambda *how_far: told.append(how_far))
    assert found.exit_code == 0
    assert (str(saved), 0, saved.stat().st_size) in told
    assert told[-1][0] == capture


def test_a_damaged_capture_is_compared_as_far_as_it_goes(tmp_path: Path, capsys: Captured) -> None:
    whole = CAPTURES / "ack_drop_r2-server.pcapng"
    broken = tmp_path / "broken.pcapng"
    broken.write_bytes(whole.read_bytes() + bytes(64))
    assert main(["diff", str(whole), str(broken)]) == 4
    assert "damaged: " in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["json", "capture"])
def test_from_standard_input(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    capture = CAPTURES / "ack_drop_r2.pcapng"
    assert main(["analyze", "--json", str(capture)]) == 1
    data = {"json": capsys.readouterr().out.encode(), "capture": capture.read_bytes()}[kind]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert main(["diff", "--json", str(capture), "-"]) == 0
    assert json.loads(capsys.readouterr().out)["new"]["file"] == "standard input"


def test_notes(tmp_path: Path, capsys: Captured) -> None:
    old = saved(tmp_path, "old.json", a_verdict(), mode=Mode.CONNECT)
    assert main(["diff", old, saved(tmp_path, "new.json", a_verdict())]) == 0
    assert "made without root" in " ".join(capsys.readouterr().out.split())


def test_the_json_fits_its_schema(tmp_path: Path, capsys: Captured) -> None:
    old = saved(tmp_path, "old.json", ssh(Kex(server_offer=Offer(kex=("a",)))), a_verdict(port=80))
    new = saved(tmp_path, "new.jsonl", ssh(Kex(server_offer=Offer(kex=("b",)))), a_verdict(port=81))
    assert main(["diff", "--json", old, new]) == 1
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    assert [place["status"] for place in document["places"]] == ["changed", "new", "gone"]
    (change,) = document["places"][0]["changes"]
    assert (change["trait"], change["added"], change["gone"]) == ("key exchange offered", ["b"], ["a"])


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_no_text_is_raw(text: str) -> None:
    for hostile in (text, HOSTILE):
        old = an_up_verdict(target=hostile, service=Service("ssh", "x"))
        new = a_verdict(target=hostile, because=(hostile,), remedy=(hostile,), service=Service(hostile, hostile),
                        state=State.CLOSED)  # fmt: skip
        found, same = compare(places(old), places(new))
        source = difference.Source(name=hostile, kind="json", verdicts=1)
        whole = difference.Difference(old=source, new=source, places=tuple(found), same=same, notes=(hostile,))
        for told in (difference.render(whole, width=80, verbosity=0), difference.document(whole)):
            assert all(c.isprintable() or c == "\n" for c in told)
        VALIDATOR.validate(json.loads(difference.document(whole)))


def test_a_narrow_terminal_wraps(tmp_path: Path) -> None:
    found, same = compare(places(an_up_verdict()), places(a_verdict()))
    source = difference.Source(name="x", kind="json", verdicts=1)
    whole = difference.Difference(old=source, new=source, places=tuple(found), same=same)
    lines = difference.render(whole, width=60, verbosity=0).splitlines()
    assert max(map(len, lines)) <= 60
    assert shutil.get_terminal_size().columns  # the width is given, never asked for here
