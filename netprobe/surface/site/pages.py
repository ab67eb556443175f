"""Every page and file of the site by its place, and the navigation.

House rules of this file:
1. Pure but for reading the project: what is made is given back, mkdocs writes it.
2. A document that is in no list here still gets a page, at the end: none is lost.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netprobe.explain import causes
from netprobe.report.columns import wrap
from netprobe.surface.site import cause, reference, texts

ROOT = Path(__file__).resolve().parent.parent.parent.parent
# Pages that are documents of docs/, in the order of the navigation.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Tutorials": ("tutorial-refused.md", "tutorial-capture.md", "tutorial-suite.md"),
    "Using it": (
        *("install.md", "interface.md", "analyze.md", "two-captures.md", "doctor.md", "diff.md", "captures.md"),
        *("formats.md", "bundle.md"),
    ),
    "SSH": ("ssh.md", "ssh-credentials.md", "ssh-login.md"),
    "How it works": ("probing.md", "design.md", "lab.md"),
}
# The table takes the whole width, and is found before what only mentions its words.
_FIRST_PAGE = "---\nhide: [navigation, toc]\nsearch:\n  boost: 4\n---\n"
_COMMANDS = ("scan", "wait", "analyze", "replay", "diff", "doctor", "explain")
# What the sources link to and the site has elsewhere, or not at all: README.md is the site's overview.
_MOVED = {"../CHANGELOG.md": "changes.md", "../README.md": "overview.md", "LICENSE": "license.md"}


@dataclass(frozen=True, slots=True)
class Site:
    """`made`: pages by their place, as Markdown; `copied`: files by theirs; `nav`: as mkdocs wants it."""

    made: Mapping[str, str]
    copied: Mapping[str, Path]
    nav: list[Any]


def site(root: Path = ROOT) -> Site:
    """All of it. `root`: the project's folder, which has docs/, captures/, README.md and CHANGELOG.md."""
    made = {
        "index.md": _first((root / "docs/index.md").read_text("utf-8")),
        "overview.md": _overview((root / "README.md").read_text("utf-8")),
        "changes.md": (root / "CHANGELOG.md").read_text("utf-8"),
        "license.md": f"# License\n\n```text\n{(root / 'LICENSE').read_text('utf-8')}\n```\n",
        "clients.md": texts.clients(),
        "causes.md": cause.overview(),
        "json.md": reference.page(),
        "commands.md": _commands(root),
    }
    copied: dict[str, Path] = {}
    for path in sorted((root / "docs").glob("*.md")):
        made.setdefault(path.name, _moved(path.read_text("utf-8")))
    for one in causes():
        made[f"causes/{one}.md"] = cause.page(one, root / "captures", lambda names: said(root, names))
        copied |= {f"captures/{path.name}": path for path in cause.files_of(one, root / "captures")}
    copied |= {f"schemas/{reference.name(file)}": root / file for file, _, _ in reference.SCHEMAS}
    copied |= {f"assets/{path.name}": path for path in sorted((root / "docs/assets").glob("*")) if path.is_file()}
    return Site(made, copied, _nav(made))


def said(root: Path, names: tuple[str, ...]) -> str:
    """What `netprobe analyze` prints about captures of the project's: one, or the server's and the client's."""
    from netprobe.cli import run

    paths = [str(root / "captures" / name) for name in names]
    pair = ["--client", paths[1], "--server", paths[0]] if len(paths) > 1 else paths
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        run(["analyze", "--no-config", "--color", "never", *pair])
    return folded(out.getvalue().replace(f"{root}/captures/", ""), 96)


def folded(text: str, width: int) -> str:
    """What was printed into a pipe, in lines of a terminal: what doesn't fit stands below the words it belongs to."""
    lines = []
    for line in text.rstrip("\n").splitlines():
        # Ladders and tables are as wide as they are.
        fits = len(line) <= width or "--" in line or len(re.findall(r"\S {2,}(?=\S)", line)) > 2
        lines += [line] if fits else wrap(line, width, rest=" " * _hang(line), whole_words=True)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _hang(line: str) -> int:
    """Where the words of a line begin: behind its label (`  because   `, `no          `), or behind its indent."""
    if line[:12].strip() and line[11:12] == " " and line[12:13] != " ":
        return 12
    label = re.match(r" *\S+(?: \S+)* {2,}", line[:30])
    return len(label[0]) if label else len(line) - len(line.lstrip())


def _link(one: str) -> str:
    return f"[{one}](causes/{one}.md)"


def _moved(text: str) -> str:
    """A document's links, where they lead on the site."""
    return re.sub(r"\]\(([^)#]+)", lambda link: f"]({_MOVED.get(link[1], link[1])}", text)


def _first(document: str) -> str:
    """docs/index.md with links that only the site has."""
    made = f'<div class="np-stack" markdown>\n\n{texts.table(_link)}\n</div>\n'
    text = _FIRST_PAGE + texts.between(document, texts.SOURCE, made)
    return _moved(text.replace("`netprobe/clients/lines.py`", "[every client's own words](clients.md)"))


def _overview(readme: str) -> str:
    """The README as a page."""
    return _moved(readme.replace("](docs/", "](").replace("](CHANGELOG.md", "](changes.md"))


def _commands(root: Path) -> str:
    """The help of every command."""
    lines = ["# Every command and option", "", "What `netprobe help COMMAND` prints."]
    for name in ("netprobe", *_COMMANDS):
        path = root / "netprobe" / "help" / f"{name}.txt"
        if path.exists():
            heading = "netprobe" if name == "netprobe" else f"netprobe {name}"
            lines += ["", f"## {heading}", "", "```text", path.read_text("utf-8").rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _nav(made: Mapping[str, str]) -> list[Any]:
    """The navigation; titles are the pages' own."""
    by_stage = {
        stage: [{one: f"causes/{one}.md"} for one in found] for stage, found in cause.by_stage().items()
    }
    groups: dict[str, list[Any]] = {group: [n for n in names if n in made] for group, names in _GROUPS.items()}
    start = ["index.md", {"What netprobe does": "overview.md"}]
    groups["Causes"] = ["causes.md", *({stage: found} for stage, found in by_stage.items())]
    groups["Reference"] = ["commands.md", "json.md", "clients.md", "changes.md", "license.md"]
    listed = {n for group in groups.values() for n in group if isinstance(n, str)} | {"index.md", "overview.md"}
    rest = sorted(name for name in made if name not in listed and not name.startswith("causes/"))
    order = ("Tutorials", "Causes", "Using it", "SSH", "How it works", "Reference")
    nav: list[Any] = [{"Start here": start}, *({name: groups[name]} for name in order if groups[name])]
    return nav + ([{"More": rest}] if rest else [])
