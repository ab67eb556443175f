"""The walk against the kernel: real SYNs through generated rule sets; what the kernel did is what was predicted."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from netprobe.doctor.firewall import Kind, Query, Walk, parse, walk
from tests.doctor_firewall.generate import generated
from tests.doctor_firewall.values import PORTS
from tests.doctor_firewall.wire import BACKEND, BEHIND, CLIENT, HOST, LISTENING, SERVER, Bench, Question, Seen
from tests.lab.topology import available

RULE_SETS = int(os.environ.get("NETPROBE_RULE_SETS", "220"))
FIRST_SEED = int(os.environ.get("NETPROBE_RULE_SEED", "1"))
QUESTIONS = 14
SAVES = [
    ["nft", "-j", "list", "ruleset"],
    *([f"{name}-{kind}-save"] for kind in ("nft", "legacy") for name in ("iptables", "ip6tables")),
]

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(available()), reason=f"no namespaces: {available()}")]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench() as built:
        yield built


@pytest.fixture(scope="module")
def backends(bench: Bench) -> dict[str, bool]:
    """Which iptables run on this kernel."""
    return {
        kind: all(bench.works(f"{name}-{word}-restore") for name in ("iptables", "ip6tables"))
        for kind, word in (("legacy", "legacy"), ("nf_tables", "nft"))
    }


def questions(bench: Bench, seed: int) -> list[Question]:
    """SYNs from several clients to several ports, some over the other interface or to the other address."""
    rng = Random(f"questions {seed}")
    made = []
    for _ in range(QUESTIONS):
        interface = rng.choice(("e0", "e0", "e1"))
        source = rng.choice(CLIENT[interface])
        there = interface if rng.random() < 0.9 else rng.choice(("e0", "e1"))
        port = rng.choice((22, 22, *PORTS))
        made.append(Question(interface, source, SERVER[there][":" in source], port, bench.port()))
    return made


def predicted(found: Walk, question: Question) -> set[Seen] | None:
    """What the client should see; several where a limit or list decides; None where the walk isn't sure."""
    if found.verdict is Kind.UNSURE:
        return None
    if found.verdict is Kind.DROP:
        return {"silence"}
    if found.verdict is Kind.REJECT:
        back = found.back.get("reject")
        sent: Seen = "rst-filter" if isinstance(found.reject, str) else found.reject
    else:
        address, port = found.destination or (question.destination, question.port)
        is_open = port in (BEHIND if address in BACKEND else LISTENING)
        back = found.back["syn-ack" if is_open else "rst"]
        sent = "syn-ack" if is_open else "rst-stack"
    if back is None or back.verdict is Kind.ACCEPT:
        return {sent}
    return None if back.verdict is Kind.UNSURE else {"silence"}


def test_the_kernel_does_what_the_walk_says(bench: Bench, backends: dict[str, bool]) -> None:
    wrong: list[str] = []
    kept: list[tuple[int, Question, Walk, Seen]] = []
    unsure: Counter[str] = Counter()
    seen_kinds: Counter[str] = Counter()
    asked = 0
    for seed in range(FIRST_SEED, FIRST_SEED + RULE_SETS):
        rules = generated(seed, **backends)
        bench.load(rules.commands)
        texts = bench.saved(SAVES)
        ruleset = parse(nft=texts[0], iptables=texts[1::2], ip6tables=texts[2::2], hooks=rules.hooks)
        assert not ruleset.problems, (seed, ruleset.problems)
        asking = questions(bench, seed)
        walks = [
            walk(ruleset, Query(one.destination, one.port, one.source, one.interface, one.source_port), HOST)
            for one in asking
        ]
        wanted = [predicted(found, one) for found, one in zip(walks, asking, strict=True)]
        seen = bench.ask(asking, [one is not None and "silence" not in one for one in wanted])
        asked += len(asking)
        for question, found, want, got in zip(asking, walks, wanted, seen, strict=True):
            if want is None or found.sometimes or any(one.sometimes for one in found.back.values()):
                unsure[f"{rules.kind}: {why(found)}"] += 1
            elif got not in want:
                wrong.append(explained(seed, question, found, want, got))
            else:
                seen_kinds[str(got)] += 1
                kept.append((seed, question, found, got))
    bench.collect(1.2)
    for seed, question, found, got in kept:
        if bench.seen(question) != got:
            wrong.append(explained(seed, question, found, {got}, bench.seen(question)))
    print(f"{asked} SYNs: {dict(seen_kinds)}; unsure {sum(unsure.values())}: {unsure.most_common(5)}")
    assert not wrong, f"{len(wrong)} of {asked}:\n" + "\n".join(wrong[:10])
    assert sum(unsure.values()) <= asked * 0.05, unsure.most_common(10)
    if RULE_SETS >= 200:
        assert {"syn-ack", "rst-stack", "rst-filter", "silence", "(3, 3)", "(1, 4)"} <= set(seen_kinds)


def test_rules_are_written_as_nft_reads_them(bench: Bench) -> None:
    """Each rule's text, given to nft again, lists as the same rule."""
    for seed in range(FIRST_SEED, FIRST_SEED + 40):
        bench.load(generated(seed, legacy=False, nf_tables=False).commands)
        before = json.loads(bench.saved(SAVES[:1])[0])
        chains = [chain for table in parse(nft=before).tables for chain in table.chains.values()]
        lines = [f"flush chain {one.table.family} {one.table.name} {one.name}" for one in chains]
        lines += [
            f"add rule {one.table.family} {one.table.name} {one.name} {each.text}"
            for one in chains
            for each in one.rules
        ]
        bench.load({("nft", "-f", "-"): "\n".join(lines) + "\n"})
        assert expressions(json.loads(bench.saved(SAVES[:1])[0])) == expressions(before)


def expressions(listing: dict[str, Any]) -> list[tuple[str, str, list[Any]]]:
    """Where each rule stands and what it holds, without handles and counts."""
    rules = [one["rule"] for one in listing["nftables"] if "rule" in one]
    return [
        (one["table"], one["chain"], [sorted_sets(expr) for expr in one["expr"] if "counter" not in expr])
        for one in rules
    ]


def sorted_sets(node: Any) -> Any:
    """Elements of sets are listed in no order."""
    if isinstance(node, dict):
        return {
            key: sorted(map(str, value)) if key == "set" and isinstance(value, list) else sorted_sets(value)
            for key, value in node.items()
        }
    return [sorted_sets(one) for one in node] if isinstance(node, list) else node


def why(found: Walk) -> str:
    """What a walk that isn't sure hangs on."""
    texts = [found.reason, *(one.reason for one in found.back.values())]
    texts += [text for walked in (found, *found.back.values()) for one in walked.sometimes for text in one.conditions]
    return "; ".join(dict.fromkeys(text for text in texts if text))


def explained(seed: int, question: Question, found: Walk, want: set[Seen], got: Seen) -> str:
    """A difference, with the path that the walk took."""
    path = "\n  ".join(map(str, found.path))
    back = {name: (str(one.verdict), [str(step) for step in one.path]) for name, one in found.back.items()}
    return (
        f"seed {seed}: {question}: predicted {want} ({found.decided.says}), the kernel: {got}\n  {path}\n  back {back}"
    )
