"""Pages from the table of rules, with the packets of a recorded capture: for the terminal, and docs/causes.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from netprobe.clients import ABOUT, near, printed_for
from netprobe.errors import UsageError
from netprobe.evidence import FEATURES
from netprobe.examples import Example, examples
from netprobe.report.columns import columns, wrap
from netprobe.report.ladder import draw
from netprobe.rules import BY_ID, RULES, Rule
from netprobe.suggest import close

HEAD = """# Causes

Every verdict names a rule; each rule has its section here. This file is generated from the table of rules
(`netprobe/rules`) and from captures (`captures/`) by `make docs`; `netprobe explain ID` and `netprobe explain CAUSE`
print the same.

**certain**: the evidence proves it. **likely**: the evidence favours it, and the rivals are named with what would
settle
each. **possible**: the wire narrows it to a named set and can't go further from here.

The packets of a section are those of a recorded capture: the ones that decide have a star, time is in seconds.
"""

# Longer than this, it is a text.
_A_WORD = 100

# Causes of which no client prints anything, or of which nothing is wrong.
_OTHER = {
    "up": "it answers as it should",
    "inconclusive": "too little was seen to tell",
}


def explain(what: str, *, unicode: bool = False, others: Iterable[str] = ()) -> str:
    """The page of a rule id or of a cause. Raises UsageError when it is neither, with what may have been meant, also
    among `others`. `unicode`: as for ladders."""
    word = what.strip()
    if word.upper() in BY_ID:
        return page(BY_ID[word.upper()], unicode=unicode)
    if word.lower() in causes():
        return cause_page(word.lower(), unicode=unicode)
    if len(word) > _A_WORD or "\n" in word:
        raise UsageError(
            "no text of a client that is known is in this",
            "give all the lines that ssh -v prints; or let the packets tell: netprobe scan HOST",
        )
    raise UsageError(
        f"{word!r} is neither a rule id, nor a cause, nor a text of a client that is known",
        f"{_meant(word, others)}`netprobe explain` lists what there is",
    )


def _meant(word: str, others: Iterable[str]) -> str:
    """Ids, causes, texts and `others` that are nearly this word, the nearest first."""
    known = {one.lower(): one for one in (*causes(), *BY_ID, *others)}
    begun = [name for one, name in known.items() if len(word) > 2 and one.startswith(word.lower())]
    nearest = sorted(begun)[:3] or close(word, known.values(), like=0.7)
    nearest += [f'"{text}"' for text in near(word)]
    return f"did you mean {' or '.join(nearest[:3])}? " if nearest else ""


def causes() -> dict[str, str]:
    """Every cause with what it means, in the order in which a packet would meet them."""
    return {**ABOUT, **{rule.cause: _OTHER.get(rule.cause, "") for rule in RULES if rule.cause not in ABOUT}}


def listing() -> str:
    """Everything that has a page, a line each."""
    known = causes()
    width = max(map(len, known))
    lines = ["Causes: netprobe explain CAUSE", ""]
    for cause, about in known.items():
        count = sum(rule.cause == cause for rule in RULES)
        rules = f" ({count} rules)" if count > 1 else ""
        lines.append(f"  {cause:{width}}  {about}{rules}")
    lines += ["", f"Rules: netprobe explain {RULES[0].id}", ""]
    ids = ", ".join(sorted(BY_ID))
    lines += wrap(ids, 78, first="  ", rest="  ")
    lines += ["", "What a client printed, also several lines of it; - reads them from standard input:", ""]
    lines += ['  netprobe explain "Connection refused"', "  ssh -v HOST 2>&1 | netprobe explain -"]
    return "\n".join(lines) + "\n"


def cause_page(cause: str, *, unicode: bool = False) -> str:
    """All there is to say of a cause: what it means, what a client prints, how it shows, what else it could be, what to
    do, and the packets of a recorded capture."""
    rules = [rule for rule in RULES if rule.cause == cause]
    lines = [f"## {cause}", "", f"{sentence(causes()[cause])}", *_seen_by_clients(cause)]
    if not rules:
        return "\n".join([*lines, "", "No rule of netprobe's gives it yet: only the client's text tells of it."]) + "\n"
    example = best(rules)
    lines += _recorded(example, unicode=unicode) if example is not None else []
    lines += ["", "How it shows:", ""]
    lines += [f"- **{rule.id}** ({rule.certainty}): {plain(rule.because[0])}" for rule in rules]
    rivals: dict[str, dict[str, None]] = {}
    for rival in (rival for rule in rules for rival in rule.rivals):
        rivals.setdefault(rival.cause, {})[plain(rival.settle)] = None
    if rivals:
        lines += ["", "What else it could be, and what settles it:", ""]
        lines += [f"- **{name}**: {_ended('; or '.join(list(ways)[:2]))}" for name, ways in rivals.items()]
    remedies = dict.fromkeys(plain(text) for rule in rules for text in rule.remedy)
    if remedies:
        lines += ["", "What to do:", "", *(f"- {text}" for text in remedies)]
    references = dict.fromkeys(one for rule in rules for one in re.split(r"[;,] ", rule.reference) if one)
    if references:
        lines += ["", f"References: {', '.join(references)}."]
    lines += ["", f"Each rule has a page of its own: `netprobe explain {rules[0].id}`."]
    return "\n".join(lines) + "\n"


def best(rules: list[Rule]) -> Example | None:
    """The example that shows a cause best: real packets, one capture, the surest rule."""
    order = {"certain": 0, "likely": 1, "possible": 2}
    found = [
        ((one.ladder is None, one.capture.startswith("forged"), order[rule.certainty]), one)
        for rule in rules
        if (one := examples().get(rule.id)) is not None
    ]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _ended(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _seen_by_clients(cause: str) -> Iterator[str]:
    texts = printed_for(cause)
    if texts:
        yield from ("", "A client prints:", "")
        yield from (f"- `{text}`" for text in texts)


def _recorded(example: Example, *, unicode: bool = False) -> Iterator[str]:
    """The packets of an example, indented as Markdown wants what is not to be touched."""
    yield from ("", f"Recorded (`{example.capture}`: {example.about}):", "")
    lines = list(example.lines) if example.ladder is None else draw(example.ladder, width=76, unicode=unicode)
    yield from (f"    {line}".rstrip() for line in lines)


def page(rule: Rule, *, unicode: bool = False) -> str:
    """One rule as text that reads well on a terminal and as Markdown."""
    about = causes()[rule.cause]
    lines = [
        f"## {rule.id}: {rule.cause}",
        "",
        *([sentence(about), ""] if about else []),
        f"State `{rule.state}`, reason `{plain(rule.reason)}`, **{rule.certainty}**. Origin: {PLACES[rule.place]}.",
        *_seen_by_clients(rule.cause),
        "",
        "Seen:",
        "",
        *(f"- {one}" for one in conditions(rule)),
        "",
        "It says:",
        "",
        *(f"- {plain(text)}" for text in rule.because),
    ]
    example = examples().get(rule.id)
    if example is not None:
        lines += _recorded(example, unicode=unicode)
    if rule.rivals:
        lines += ["", "What else it could be:", ""]
        lines += [f"- **{r.cause}**: {plain(r.because)}. To settle it: {plain(r.settle)}." for r in rule.rivals]
    if rule.remedy:
        lines += ["", "What to do:", "", *(f"- {plain(text)}" for text in rule.remedy)]
    if rule.reference:
        lines += ["", f"Reference: {rule.reference}."]
    return "\n".join(lines) + "\n"


def folded(text: str, width: int | None) -> str:
    """A page for a terminal of this width: prose is folded, indented lines are left as they are."""
    if width is None:
        return text
    lines: list[str] = []
    for line in text.splitlines():
        if columns(line) <= width or line.startswith("    "):
            lines.append(line)
            continue
        # What doesn't fit stands below the words it belongs to: of a list, or of a table's last column.
        indent = re.match(r" +(\S+ {2,})+| *(- )?", line)
        hang = " " * (len(indent[0]) if indent and len(indent[0]) <= width // 2 else 0)
        lines += wrap(line, width, rest=hang, whole_words=True)
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


def conditions(rule: Rule) -> list[str]:
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
