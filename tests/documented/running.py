"""One document's commands, one after the other in a folder of their own; what was printed, held to what is shown.

House rules of this file:
1. Texts are compared word by word: a terminal folds lines, and a ladder is as wide as it; strokes count as one word.
2. `...` in the document stands for any text.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.documented.blocks import Command
from tests.documented.table import How, Row, row_of
from tests.documented.world import furnish

LONGEST_S = 120
# A host of the examples, and placeholders that stand for one.
HOST = "server.example.com"
_PLACEHOLDERS = {r"\bHOST\b": HOST}
# A shell remembers its folder, and `from` of docs/install.md, from one command to the next.
_MEMORY_BEFORE = "[ ! -e ~/.state ] || . ~/.state"
_MEMORY_AFTER = 'code=$?; { declare -p from 2>&-; echo "cd \\"$PWD\\""; } >~/.state; exit $code'


@dataclass(frozen=True, slots=True)
class Ran:
    """A command, its class, its exit code, and what it printed on standard output, or else on standard error."""

    command: Command
    row: Row
    code: int
    printed: str
    complaint: str

    def faults(self) -> list[str]:
        """What is wrong; empty where all is as the document says."""
        found = []
        if self.code not in self.row.codes:
            found.append(f"exit code {self.code}, not {self.row.codes}: {self.complaint[-600:]}")
        if "Traceback" in self.complaint or "internal error" in self.complaint:
            found.append(self.complaint[-1500:])
        if self.command.output is not None and not same(self.command.output, self.printed):
            found.append(f"it prints\n{self.printed}\nand the document shows\n{self.command.output}")
        return found


def run(commands: Iterable[Command], folder: Path) -> list[Ran]:
    """Run those that are meant for it in a fresh folder, in their order."""
    env = furnish(folder)
    classes = ((command, row_of(command)) for command in commands)
    return [
        one(command, row, folder / "work", env, lambda line: ["bash", "-c", line])
        for command, row in classes
        if row is not None and row.how is How.RUN and not missing(row)
    ]


def missing(row: Row) -> str:
    """The program that this machine lacks for it; empty where it has all."""
    return row.needs if row.needs and shutil.which(row.needs) is None else ""


def one(
    command: Command, row: Row, work: Path, env: Mapping[str, str], argv: Callable[[str], list[str]]
) -> Ran:
    """Run one command."""
    text = row.instead or command.text
    for pattern, value in _PLACEHOLDERS.items():
        text = re.sub(pattern, value, text)
    text = f"{_MEMORY_BEFORE}\n{text}\n{_MEMORY_AFTER}"
    if row.before:
        subprocess.run(argv(row.before), cwd=work, env=env, capture_output=True, timeout=LONGEST_S, check=False)
    done = subprocess.run(
        argv(text), cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_S, check=False
    )
    printed, complaint = (out.decode().replace(env["HOME"], "~") for out in (done.stdout, done.stderr))
    return Ran(command, row, done.returncode, printed or complaint, complaint)


def same(shown: str, printed: str) -> bool:
    """Whether a program printed what the document shows."""
    if not shown:
        return not printed.strip()
    wanted = r"(?:.*\s)?".join(
        r"\s+".join(re.escape(word) for word in words(part)) + (r"\s+" if part.strip() else "")
        for part in re.split(r"(?m)\s*\.\.\.$|^\s*\.\.\.\s*", shown)
    )
    return re.fullmatch(wanted, " ".join(words(printed)) + " ", re.DOTALL) is not None


def words(text: str) -> list[str]:
    """The words of an output; a ladder's strokes are one, however long. The machine's OpenSSH may be another one."""
    text = re.sub(r"[-\u2500\u254c](?:[ +|\u253c\u2502]?[-\u2500\u254c])+", "--", text)
    text = re.sub(r"OpenSSH_\S+( Debian-\S+)?", "OpenSSH_9.2p1", text)
    return text.split()
