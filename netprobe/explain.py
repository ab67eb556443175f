"""Pages from the table of rules: for the terminal, and docs/causes.md."""

from __future__ import annotations

import re

from netprobe.errors import UsageError
from netprobe.evidence import FEATURES
from netprobe.rules import BY_ID, RULES, Rule

HEAD = """# Causes

Every verdict names a rule; each rule has its section here. This file is generated from the table of rules
(`netprobe/rules`) by
`make docs`; `netprobe explain ID` and `netprobe explain CAUSE` print the same.

**certain**: the evidence proves it. **likely**: the evidence favours it, and the rivals are named with what would
settle
each. **possible**: the wire narrows it to a named set and can't go further from here.
"""


def explain(what: str) -> str:
    """The page of a rule id or of a cause. Raises UsageError when it is neither."""
    word = what.strip()
    if word.upper() in BY_ID:
        return page(BY_ID[word.upper()])
    found = [rule for rule in RULES if rule.cause == word.lower()]
    if found:
        return "\n".join(page(rule) for rule in found)
    causes = sorted({rule.cause for rule in RULES})
    raise UsageError(
        f"{word!r} is neither a rule id nor a cause",
        f"rule ids are {RULES[0].id} and the like, causes: {', '.join(causes)}",
    )


def page(rule: Rule) -> str:
    """One rule as text that reads well on a terminal and as Markdown."""
    lines = [
        f"## {rule.id}: {rule.cause}",
        "",
        f"State `{rule.state}`, reason `{plain(rule.reason)}`, **{rule.certainty}**. Origin: {PLACES[rule.place]}.",
        "",
        "Seen:",
        "",
        *(f"- {seen}" for seen in _seen(rule)),
        "",
        "It says:",
        "",
        *(f"- {plain(text)}" for text in rule.because),
    ]
    if rule.rivals:
        lines += ["", "What else it could be:", ""]
        lines += [f"- **{r.cause}**: {plain(r.because)}. To settle it: {plain(r.settle)}." for r in rule.rivals]
    if rule.remedy:
        lines += ["", "What to do:", "", *(f"- {plain(text)}" for text in rule.remedy)]
    if rule.reference:
        lines += ["", f"Reference: {rule.reference}."]
    return "\n".join(lines) + "\n"


BAR = "\\|"  # a bar inside a cell of a Markdown table

PLACES = {
    "target": "the target",
    "sender": "the sender of the ICMP error",
    "reset": "the box on the path that wrote the reset",
    "proxy": "the box on the path that answered in the target's name",
    "silence": "between the last hop that was heard of and the next",
    "host": "the target itself",
    "next-hop": "the neighbour that does not answer",
    "between": "between the two captures",
    "local": "this machine",
    "resolver": "the resolver",
    "unknown": "can't be told",
}


def _seen(rule: Rule) -> list[str]:
    """The conditions of a rule in the words of the vocabulary."""
    found = []
    for feature, words, wanted in rule.conditions:
        meanings = FEATURES[feature]
        said = " or ".join(meanings.get(word, "not asked, or not to be told") for word in sorted(words))
        found.append(f"`{feature}`: {'' if wanted else 'not: '}{said}")
    return found or ["nothing that any other rule asks for"]


def plain(text: str) -> str:
    """A text with its placeholders shown as such: {port} becomes PORT; what is only a pronoun is a scan's."""
    text = text.replace("{our}", "our").replace("{we}", "we")
    return re.sub(r"\{(\w+)\}", lambda match: match[1].upper().replace("_", " "), text)


def document() -> str:
    """docs/causes.md."""
    overview = ["", "| rule | cause | state | certainty | seen |", "|---|---|---|---|---|"]
    for r in RULES:
        seen = (r.when.strip() or "anything else").replace("|", BAR)
        overview.append(f"| [{r.id}](#{r.id.lower()}-{r.cause}) | {r.cause} | {r.state} | {r.certainty} | `{seen}` |")
    words = ["", "## The vocabulary", "", "What the conditions of the rules are made of.", ""]
    for feature, meanings in FEATURES.items():
        words.append(f"- `{feature}`: " + "; ".join(f"`{word}` {meaning}" for word, meaning in meanings.items()))
    return HEAD + "\n".join(overview) + "\n\n" + "\n".join(page(rule) for rule in RULES) + "\n".join(words) + "\n"


if __name__ == "__main__":
    print(document(), end="")
