"""`python -m netprobe.surface` writes help pages, manual and completions; with --check it says what is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from netprobe.surface import bash, fish, manual, screens, zsh
from netprobe.surface.tree import surface

ROOT = Path(__file__).resolve().parent.parent.parent


def files() -> dict[str, str]:
    """Every generated file by its path in the project, and what must be in it."""
    found = surface()
    made = {}
    for command in (found.top, *found.commands):
        name = command.name or "netprobe"
        made[f"netprobe/help/{name}.short.txt"] = screens.short(found, command)
        made[f"netprobe/help/{name}.txt"] = screens.whole(found, command)
    made["share/man/man1/netprobe.1"] = manual.page(found)
    made["share/bash-completion/completions/netprobe"] = bash.script(found)
    made["share/zsh/site-functions/_netprobe"] = zsh.script(found)
    made["share/fish/vendor_completions.d/netprobe.fish"] = fish.script(found)
    return made


def stale(root: Path = ROOT) -> list[str]:
    """What isn't as it must be: missing, outdated, or of a command that is gone."""
    made = files()
    there = {str(path.relative_to(root)) for path in (root / "netprobe" / "help").glob("*")}
    wrong = [name for name, text in made.items() if not _is(root / name, text)]
    return sorted({*wrong, *(there - made.keys())})


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def main(arguments: list[str]) -> int:
    """Write what is stale, or only tell."""
    wrong = stale()
    made = files()
    for name in wrong:
        print(name)
        if "--check" not in arguments:
            path = ROOT / name
            if name in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(made[name], "utf-8")
            else:
                path.unlink()
    return int(bool(wrong) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
