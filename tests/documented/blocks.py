"""What the documents hold: fenced blocks, and in ```sh and ```console blocks every command with its output.

House rules of this file:
1. In ```sh blocks every line is a command, or a comment; in ```console blocks a command has the prompt `$ `, everything
   else is output.
2. `...` in an output stands for any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# In causes.md, which is generated, and in the change log there are no blocks of commands.
LANGUAGES = {"sh", "console", "text", "toml", "json", "yaml", "python"}
_PROMPT = re.compile(r"^\$ ")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `first`: the number of its first line within, from 1."""

    document: str
    first: int
    language: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `text`: all its lines without the prompt; `output`: what is shown, "" for nothing, None in a ```sh
    block; `at`: the line numbers of that output, from and to, counted from 0."""

    document: str
    line: int
    text: str
    output: str | None = None
    at: tuple[int, int] = (0, 0)

    @property
    def bare(self) -> str:
        """The command in one line, without comments: what the table looks at."""
        joined = self.text.replace("\\\n", " ")
        kept = "\n".join(re.sub(r"\s+#\s.*$", "", line) for line in joined.splitlines())
        return " ".join(kept.split())

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.bare}"


def documents() -> list[Path]:
    """Everything with commands in it."""
    return [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "causes.md")]


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a document. ValueError where one has no end."""
    opened: tuple[int, str] | None = None
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        fence = re.match(r"```(\w*)\s*$", line)
        if fence is None:
            continue
        if opened is None:
            opened = number, fence[1]
        else:
            start, language = opened
            yield Block(path.name, start + 2, language, tuple(lines[start + 1 : number]))
            opened = None
    if opened is not None:
        raise ValueError(f"{path.name}:{opened[0] + 1}: the block has no end")


def commands(path: Path) -> list[Command]:
    """Every command of a document, in its order."""
    return [one for block in blocks(path) for one in _commands(block)]


def _commands(block: Block) -> Iterator[Command]:
    if block.language == "sh":
        yield from _of_script(block)
    elif block.language == "console":
        yield from _of_session(block)


def _of_script(block: Block) -> Iterator[Command]:
    at = 0
    while at < len(block.lines):
        last = at
        while block.lines[last].endswith("\\"):
            last += 1
        text = "\n".join(block.lines[at : last + 1])
        if text.strip() and not text.lstrip().startswith("#"):
            yield Command(block.document, block.first + at, text)
        at = last + 1


def _of_session(block: Block) -> Iterator[Command]:
    starts = [n for n, line in enumerate(block.lines) if _PROMPT.match(line)]
    if not starts or starts[0] != 0:
        raise ValueError(f"{block.document}:{block.first}: a ```console block begins with a prompt")
    for start, end in zip(starts, [*starts[1:], len(block.lines)], strict=True):
        last = start
        while block.lines[last].endswith("\\"):
            last += 1
        text = "\n".join(block.lines[start : last + 1])
        output = "\n".join(block.lines[last + 1 : end]).strip("\n")
        first = block.first - 1
        yield Command(
            block.document, block.first + start, _PROMPT.sub("", text), output, (first + last + 1, first + end)
        )
