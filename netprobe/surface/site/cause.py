"""A page for each cause: what a client prints, recorded packets, their report, what tells it apart, what to do.

House rules of this file:
1. Every word comes from the table of rules, the clients' texts, the examples or the captures' cases: nothing is told
   here that `netprobe explain` doesn't know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from netprobe.clients import ABOUT, printed_for
from netprobe.clients.causes import Stage, last
from netprobe.examples import Example, examples
from netprobe.explain import PLACES, best, causes, conditions, plain, sentence
from netprobe.report.ladder import draw
from netprobe.rules import RULES, Rule
from netprobe.surface.site.picture import svg
from netprobe.surface.site.probes import learning

_STAGES = {
    Stage.NAME: "Before a packet leaves",
    Stage.CONNECT: "While a client connects",
    Stage.OPEN: "Connected, and no identification",
    Stage.KEX: "In the key exchange",
    Stage.LOGIN: "At the login",
    Stage.SESSION: "At any time",
}
_LONGEST = 60  # lines of a report

# What a capture's analysis prints, by the capture's names in the folder: given by whoever makes the pages.
Report = Callable[[tuple[str, ...]], str]


def rules_of(cause: str) -> list[Rule]:
    """The rules that give this cause, in their order."""
    return [rule for rule in RULES if rule.cause == cause]


def files_of(cause: str, captures: Path) -> list[Path]:
    """The recorded capture of a cause, with all that belongs to it: what its page has for download."""
    example = best(rules_of(cause))
    if example is None:
        return []
    return [path for path in sorted(captures.glob(f"{example.capture}*")) if _belongs(path, example)]


def _belongs(path: Path, example: Example) -> bool:
    own = {f"{example.capture}.pcapng", f"{example.capture}.toml"}
    return path.name in own | ({f"{example.capture}-server.pcapng"} if example.lines else set())


def page(cause: str, captures: Path, report: Report) -> str:
    """The page of a cause. `captures`: the folder of captures; `report`: what analyzing some of them prints."""
    rules = rules_of(cause)
    lines = [f"# {cause}", "", sentence(causes()[cause]), ""]
    lines += _told(rules)
    lines += _printed(cause)
    if not rules:
        return "\n".join([*lines, "No rule of netprobe's gives it yet: only the client's text tells of it."]) + "\n"
    lines += _asked(cause, rules)
    example = best(rules)
    if example is not None:
        lines += _recorded(example, [path.name for path in files_of(cause, captures)], report)
    lines += _apart(rules)
    remedies = dict.fromkeys(plain(text) for rule in rules for text in rule.remedy)
    if remedies:
        lines += ["", "## What to do", "", *(f"- {text}" for text in remedies)]
    lines += ["", "## Rules", "", f"`netprobe explain {rules[0].id}` prints one on a terminal."]
    for rule in rules:
        lines += _rule(rule, example)
    return "\n".join(lines) + "\n"


def _told(rules: list[Rule]) -> Iterator[str]:
    states = dict.fromkeys(str(rule.state) for rule in rules)
    sure = dict.fromkeys(str(rule.certainty) for rule in rules)
    if rules:
        yield f"**State** {_or(states)} · **certainty** {_or(sure)} · {len(rules)} rule{'s'[: len(rules) > 1]}"


def _or(words: dict[str, None]) -> str:
    return " or ".join(f"`{word}`" for word in words)


def _printed(cause: str) -> Iterator[str]:
    texts = printed_for(cause)
    if texts:
        yield from ("", "## What a client prints", "", *(f"- [{text}](../clients.md#{anchor(text)})" for text in texts))


def anchor(heading: str) -> str:
    """The anchor of a heading, as Python-Markdown's `slugify` makes it."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def _asked(cause: str, rules: list[Rule]) -> Iterator[str]:
    """The command that finds this cause."""
    live = any(not {"vantage", "login", "alone", "exchange"} & {one for one, _, _ in rule.conditions} for rule in rules)
    commands = ["sudo netprobe scan HOST"] if live else []
    commands += [probe.command for probe in learning(_features(rules)) if probe.command]
    if last(cause) is Stage.LOGIN:
        commands += ["sudo netprobe scan --auth-methods HOST", "sudo netprobe doctor --user USER"]
    several = len(set(commands)) > 1
    yield from ("", "## One of these commands" if several else "## One command", "")
    yield from ("```sh", *dict.fromkeys(commands), "```")


def _recorded(example: Example, names: list[str], report: Report) -> Iterator[str]:
    yield from ("", "## Recorded packets", "", f"{_sentence(example.about)} The decisive packets have a star.", "")
    yield from _packets(example)
    links = ", ".join(f"[{name}](../captures/{name})" for name in names)
    yield from ("", f"To download, for Wireshark or for `netprobe analyze`: {links}.")
    wanted = tuple(name for name in names if name.endswith(".pcapng"))
    if not wanted:
        return
    command = f"--client {wanted[1]} --server {wanted[0]}" if len(wanted) > 1 else wanted[0]
    text = report(wanted).rstrip().splitlines()
    shown = text[:_LONGEST] + (["..."] if len(text) > _LONGEST else [])
    yield from ("", "## What netprobe says of it", "", "```console", f"$ netprobe analyze {command}", *shown, "```")


def _sentence(text: str) -> str:
    text = text.rstrip(".")
    return f"{text}." if re.match(r"[a-z]+\d", text) else f"{text[:1].upper()}{text[1:]}."  # r1 is a name


def _packets(example: Example) -> Iterator[str]:
    """The picture, and the same in letters where it can be folded away."""
    if example.ladder is None:
        yield from ("```text", *(line.rstrip() for line in example.lines), "```")
        return
    yield svg(example.ladder, f"Packets of {example.capture}")
    text = draw(example.ladder, width=88, unicode=False)
    yield from ("", '??? quote "The same in letters"', "", "    ```text")
    yield from (f"    {line}".rstrip() for line in text)
    yield "    ```"


def _features(rules: list[Rule]) -> set[str]:
    return {feature for rule in rules for feature, _, _ in rule.conditions}


def _apart(rules: list[Rule]) -> Iterator[str]:
    """The probes that confirm it, and what settles each rival."""
    probes = learning(_features(rules))
    if probes:
        yield from ("", "## The probes that confirm it", "", "| | what is sent | what it shows |", "|---|---|---|")
        yield from (f"| **{probe.name}** | {probe.sends} | {probe.shows} |" for probe in probes)
        yield from ("", "A scan sends only those that are still needed: [how probing works](../probing.md).")
    rivals: dict[str, dict[tuple[str, str], None]] = {}
    for rival in (rival for rule in rules for rival in rule.rivals):
        rivals.setdefault(rival.cause, {})[plain(rival.because), plain(rival.settle)] = None
    if rivals:
        yield from ("", "## What else it could be", "", "| rival | because | what settles it |", "|---|---|---|")
        for cause, ways in rivals.items():
            for because, settle in ways:
                yield f"| {link(cause)} | {_cell(because)} | {_cell(settle)} |"


def link(cause: str) -> str:
    """A cause as a link from the page of another one."""
    return f"[{cause}]({cause}.md)" if cause in causes() else f"`{cause}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rule(rule: Rule, shown: Example | None) -> Iterator[str]:
    yield from ("", f"### {rule.id}: {rule.cause}", "")
    yield f"State `{rule.state}`, reason `{plain(rule.reason)}`, **{rule.certainty}**. Origin: {PLACES[rule.place]}."
    yield from ("", "Seen:", "", *(f"- {one}" for one in conditions(rule)))
    yield from ("", "It says:", "", *(f"- {plain(text)}" for text in rule.because))
    example = examples().get(rule.id)
    if example is not None and example != shown:
        yield from ("", f"Recorded (`{example.capture}`): {_sentence(example.about)}", "")
        yield from _packets(example)
    if rule.reference:
        yield from ("", f"Reference: {rule.reference}.")


def overview() -> str:
    """The page of all causes, by how far a client comes, and of all rules."""
    lines = [
        "# Causes",
        "",
        "Every verdict names a cause and the rule that decided; `netprobe explain` prints these pages on a terminal.",
        "",
        ("**certain**: the evidence proves it. **likely**: the evidence favours it, and the rivals are named with what "
        "would settle each. **possible**: the wire narrows it to a named set and can't go further from here."),
    ]
    for stage, found in by_stage().items():
        lines += ["", f"## {stage}", "", "| cause | what it is |", "|---|---|"]
        lines += [f"| [{cause}](causes/{cause}.md) | {_cell(sentence(causes()[cause]))} |" for cause in found]
    lines += ["", "## Rules", "", "The first that matches decides. What the words mean stands on the cause's page."]
    lines += ["", "| rule | cause | state | certainty | seen |", "|---|---|---|---|---|"]
    for rule in RULES:
        place = f"causes/{rule.cause}.md#{anchor(f'{rule.id}: {rule.cause}')}"
        seen = _cell(rule.when.strip() or "anything else")
        lines.append(f"| [{rule.id}]({place}) | {rule.cause} | {rule.state} | {rule.certainty} | `{seen}` |")
    return "\n".join(lines) + "\n"


def by_stage() -> dict[str, list[str]]:
    """Every cause, by how far a client comes with it; where nothing is wrong last."""
    found: dict[str, list[str]] = {}
    for cause in causes():
        stage = _STAGES[last(cause)] if cause in ABOUT else "Not a cause of failure"
        found.setdefault(stage, []).append(cause)
    order = [*_STAGES.values(), "Not a cause of failure"]
    return {stage: found[stage] for stage in order if stage in found}
