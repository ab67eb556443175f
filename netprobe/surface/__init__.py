"""The command line as data, and what is made of it: help pages, the man page, completions for three shells.

Glossary:

    Surface     every command with its options, arguments, examples        tree.py, from typer's commands
    pages       `-h` (one screen) and `--help` (everything)                 screens.py
    manual      netprobe(1)                                                 manual.py
    completion  what TAB offers in bash, zsh and fish                       bash.py, zsh.py, fish.py

House rules of this package:
1. `python -m netprobe.surface` (`make pages`) writes all of it, a test says when it is stale; nothing of it is edited.
2. The same commands give the same bytes: no date, no width of a terminal, no path of a machine.
3. A run of netprobe never imports this package: it reads the pages as text (netprobe/cli/pages.py).
"""
