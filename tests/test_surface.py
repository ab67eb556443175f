"""Help pages, manual and completions: made of today's commands, fit for a screen, and working in real shells."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from netprobe.cli import pages, run
from netprobe.surface import __main__ as generator
from netprobe.surface import screens
from netprobe.surface.tree import Command, Option, Surface, surface

ROOT = Path(__file__).parent.parent
SHARE = ROOT / "share"
BASH = SHARE / "bash-completion" / "completions" / "netprobe"
ZSH = SHARE / "zsh" / "site-functions" / "_netprobe"
FISH = SHARE / "fish" / "vendor_completions.d" / "netprobe.fish"
MAN = SHARE / "man" / "man1" / "netprobe.1"
NAMES = ("", *(one.name for one in surface().commands))


@cache
def found() -> Surface:
    return surface()


def command(name: str) -> Command:
    return next((one for one in found().commands if one.name == name), found().top)


def test_what_is_generated_is_up_to_date() -> None:
    assert not generator.stale(), "run `make pages`"


def test_what_is_outdated_is_told(tmp_path: Path) -> None:
    for name, text in generator.files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    assert generator.stale(tmp_path) == []
    (tmp_path / "netprobe/help/scan.txt").write_text("old", "utf-8")
    (tmp_path / "netprobe/help/gone.txt").write_text("", "utf-8")
    (tmp_path / "share/man/man1/netprobe.1").unlink()
    assert generator.stale(tmp_path) == [
        "netprobe/help/gone.txt", "netprobe/help/scan.txt", "share/man/man1/netprobe.1",
    ]  # fmt: skip


# ---------------------------------------------------------------------- pages


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_a_screen(name: str) -> None:
    short, whole = screens.short(found(), command(name)), screens.whole(found(), command(name))
    assert len(short.splitlines()) <= screens.SHORT_LINES <= 23  # of 24, one is the next prompt's
    assert max(map(len, (short + whole).splitlines())) <= screens.WIDTH


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_five_examples(name: str) -> None:
    shown = screens.short(found(), command(name)).partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert len(shown) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_every_option(name: str) -> None:
    words = set(re.findall(r"(?<![\w-])--?[\w-]+", screens.short(found(), command(name))))
    for option in command(name).options:
        assert words & set(option.words), option


@pytest.mark.parametrize("name", NAMES)
def test_examples_have_options_that_exist(name: str) -> None:
    for line, _ in command(name).examples:
        words = shlex.split(line.partition("#")[0].partition(">")[0])
        if "netprobe" not in words:
            continue
        called = words[words.index("netprobe") + 1 :]
        known = {word for option in command(called[0]).options for word in option.words}
        for word in called[1:]:
            if word.startswith("-") and word != "-":
                assert word in known or word[:2] in known, f"{line}: {word}"


@pytest.mark.parametrize("name", NAMES[1:])
def test_every_way_of_asking_gives_the_same_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in (
        ([name, "-h"], pages.page(name, whole=False)),
        ([name, "--help"], pages.page(name, whole=True)),
        (["help", name], pages.page(name, whole=True)),
    ):
        assert run(words) == 0
        assert capsys.readouterr().out == text


def test_help_amid_other_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", "-v", "-h"]) == 0
    assert capsys.readouterr().out == pages.page("scan", whole=False)


@pytest.mark.parametrize("words", [["../scan", "-h"], ["/etc/passwd", "--help"], ["help", "nothing"], ["scna", "-h"]])
def test_a_page_that_is_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert pages.asked(words) is None
    assert run(words) == 2
    assert "No such command" in capsys.readouterr().err


# ---------------------------------------------------------------------- bash


def completed(*words: str) -> list[str]:
    """What bash offers for the last of these words."""
    line = " ".join(shlex.quote(word) for word in words)
    program = (
        f"source {shlex.quote(str(BASH))}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _netprobe; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program], capture_output=True, text=True, check=True, timeout=20, cwd=ROOT
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_takes_the_script() -> None:
    subprocess.run(["bash", "-n", BASH], check=True, timeout=20)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("sc",), ["scan"]),
        (("explain", "no-li"), ["no-listener"]),
        (("explain", "NP11"), ["NP110", "NP111", "NP112"]),
        (("scan", "--auth"), ["--auth-methods"]),
        (("scan", "--color", "a"), ["auto", "always"]),
        (("scan", "--color", "=", "n"), ["never"]),
        (("analyze", "--cause", "dropped,host-s"), ["dropped,host-silent"]),
        (("analyze", "--vantage", "m"), ["middle"]),
        (("scan", "-w", "pyproj"), ["pyproject.toml"]),
        (("analyze", "pyproj"), ["pyproject.toml"]),
        (("scan", "--rate", "1"), []),
        (("--ver",), ["--version"]),
    ],
)
def test_bash_completes(words: tuple[str, ...], offered: list[str]) -> None:
    got = completed("netprobe", *words)
    assert got == offered or (offered and set(offered) <= set(got) and words[0] == "explain")


def test_bash_offers_every_option_of_every_command() -> None:
    for one in found().commands:
        assert set(completed("netprobe", one.name, "-")) == {w for option in one.options for w in option.words}
    assert completed("netprobe", "") == [*(one.name for one in found().commands), "help"]
    assert len(completed("netprobe", "explain", "")) < 100  # causes; ids only where one was begun


# ---------------------------------------------------------------------- the others

needs_fish = pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
needs_zsh = pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
needs_mandoc = pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs mandoc")


@needs_fish
def test_fish_completes(tmp_path: Path) -> None:
    def offered(line: str) -> list[str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {FISH}; complete -C {shlex.quote(line)}"],
            capture_output=True, text=True, check=True, timeout=60, cwd=ROOT,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    assert offered("netprobe sc") == ["scan"]
    assert offered("netprobe scan --auth") == ["--auth-methods"]
    assert "no-listener" in offered("netprobe explain no-")
    assert offered("netprobe scan --color ne") == ["never"]
    assert "pyproject.toml" in offered("netprobe analyze pypro")


@needs_zsh
def test_zsh_takes_the_script() -> None:
    done = subprocess.run(["zsh", "-n", ZSH], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


_ZSH_TYPES = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= ; unsetopt zle_bracketed_paste; fpath=({folder} \\$fpath); autoload -Uz compinit"
zpty -w shell "compinit -u -d {dump}; bindkey '^I' complete-word; print BEGUN"
zpty -r shell begun $'*BEGUN\\r\\n*'
zpty -w -n shell $'netprobe {typed}\\t'
sleep 0.2
zpty -w -n shell $'\\C-aprint -r -- \\"ANSWER: \\C-e\\"\\n'
zpty -r shell answer $'*\\nANSWER: *\\r\\n*'
print -r -- "$answer"
"""


@needs_zsh
@pytest.mark.parametrize(
    ("typed", "becomes"),
    [("sc", "netprobe scan"), ("scan --auth", "netprobe scan --auth-methods"),
     ("explain no-lis", "netprobe explain no-listener"), ("scan --color nev", "netprobe scan --color never")],
)  # fmt: skip
def test_zsh_completes(typed: str, becomes: str, tmp_path: Path) -> None:
    program = _ZSH_TYPES.format(folder=ZSH.parent, dump=tmp_path / "dump", typed=typed)
    done = subprocess.run(
        ["zsh", "-f", "-c", program], capture_output=True, text=True, check=False, timeout=60,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "dumb"},
    )  # fmt: skip
    assert f"ANSWER: {becomes}" in done.stdout, done.stdout + done.stderr


@needs_mandoc
def test_the_manual_is_clean() -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", MAN], capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.stdout, done.returncode) == ("", 0)


@needs_mandoc
def test_the_manual_says_what_was_written() -> None:
    text = subprocess.run(
        ["mandoc", "-T", "utf8", "-O", "width=400", MAN], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    text = re.sub(r".\x08", "", text)
    for one in found().commands:
        for option in one.options:
            assert option.told in text
            assert " ".join(option.help.split()) in " ".join(text.split())


def test_option_heads() -> None:
    assert Option(("-p", "--ports"), "PORTS", "").told == "-p, --ports PORTS"
    assert Option(("--json",), "", "").told == "--json"
