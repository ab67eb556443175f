"""The page for what a client printed: what it proves, what it can be and what it can't, the one command that tells.

House rules of this file:
1. A host that was read out of the text goes into a command only if it is nothing but a host (reading.py).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from netprobe.clients.causes import ABOUT, REACHED, Stage, last
from netprobe.clients.reading import Reading, read
from netprobe.clients.texts import ROWS, Text

_SHOWN = 100  # characters of a line of the client's that is quoted


def page(output: str) -> str | None:
    """What can make a client print this, for a terminal; None where no text of it is known."""
    reading = read(output)
    if not reading.texts:
        return _gave_up(reading) if reading.followed else None
    lines = [*_head(reading.texts[0]), ""]
    possible, excluded = _sorted_out(reading)
    lines += _causes(possible, reading.texts[0], reading)
    if excluded:
        lines += ["", f"Ruled out, since {_since(reading)}:", f"  {', '.join(excluded)}"]
    lines += _several(reading)
    if reading.stage is Stage.LOGIN or all(last(cause) is Stage.LOGIN for cause in possible):
        lines += ["", "The server knows more. On it, as root:", f"    sudo netprobe doctor{_for_user(reading)}"]
        lines += ["Which methods it takes, and which keys your ssh would offer:", f"    {command(reading, login=True)}"]
    else:
        lines += ["", "Which one it is, the packets tell:", f"    {command(reading)}"]
    if possible:
        lines += ["", f"More about one of them:  netprobe explain {possible[0]}"]
    return "\n".join(lines) + "\n"


def command(reading: Reading, *, login: bool = False) -> str:
    """The scan that tells the causes apart."""
    host = reading.host or "HOST"
    port = f" -p {reading.port}" if reading.port not in (None, 22) else ""
    if login:
        user = f" --user {reading.user}" if reading.user else ""
        return f"sudo netprobe scan --auth-methods{user}{port} {host}"
    expect = " --expect ssh" if port and reading.texts and reading.texts[0].stage in (Stage.OPEN, Stage.KEX) else ""
    return f"sudo netprobe scan{port}{expect} {host}"


def _head(text: Text) -> Iterator[str]:
    yield f'"{text.text}": {text.means}.'


def _sorted_out(reading: Reading) -> tuple[list[str], list[str]]:
    """The causes that remain, and those that how far the client came rules out."""
    text = reading.texts[0]
    stage = reading.stage if reading.stage_line is not None else text.stage
    possible = [cause for cause in text.causes if last(cause) >= stage or text.stage is Stage.SESSION]
    if not possible:  # a line about another attempt
        return list(text.causes), []
    return possible, [cause for cause in text.causes if cause not in possible]


def _since(reading: Reading) -> str:
    line = reading.stage_line or ""
    line = line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
    return f'{REACHED[reading.stage]} ("{line}")'


def _causes(possible: list[str], text: Text, reading: Reading) -> Iterator[str]:
    if len(possible) == 1:
        yield f"Of the causes that netprobe knows, one does that: {possible[0]}"
        yield f"  {ABOUT[possible[0]]}"
    else:
        width = max(map(len, possible))
        yield "It can be, the most frequent first:"
        yield from (f"  {cause:{width}}  {ABOUT[cause]}" for cause in possible)
    not_yet = _not(text, reading)
    if not_yet:
        yield ""
        yield not_yet


def _not(text: Text, reading: Reading) -> str:
    """What the text alone excludes."""
    stage = max(text.stage, reading.stage)
    if stage is Stage.NAME:
        return "It is no firewall and no daemon: nothing was sent to the server."
    if stage is Stage.CONNECT:
        return "It is neither a login nor a key: no byte of SSH was exchanged."
    if stage is Stage.OPEN:
        return "It is neither a closed port nor a login: something accepted the connection, no key was exchanged."
    if stage is Stage.KEX:
        return "It is neither a closed port nor a password: SSH answers, and no login was tried yet."
    return "It is no firewall: everything up to the login works."


def _several(reading: Reading) -> Iterator[str]:
    """Several addresses of one name: ssh shows the last error only."""
    if len(reading.addresses) > 1:
        yield ""
        yield "Several addresses were tried; each has a reason of its own, and without -v only the last is shown:"
        width = max(len(address) for address, _ in reading.addresses)
        yield from (f"  {address:{width}}  {said}" for address, said in reading.addresses)


def _for_user(reading: Reading) -> str:
    return f" --user {reading.user}" if reading.user else ""


def _gave_up(reading: Reading) -> str:
    """Only lines of programs that use ssh."""
    host = reading.host or "HOST"
    return (
        "That line only says that the ssh below has given up; why, ssh says in a line of its own before it.\n\n"
        "To see that line:                  ssh -v HOST\n"
        f"Or let the packets tell, at once:  sudo netprobe scan {host}\n".replace("HOST", host)
    )


def near(output: str) -> list[str]:
    """Texts of clients that are nearly what was typed, the nearest first; for "did you mean"."""
    typed = re.sub(r"\s+", " ", output.strip()).lower()
    scored = []
    for row in ROWS:
        score = difflib.SequenceMatcher(None, typed, row.text.lower()).ratio()
        if score >= 0.7:
            scored.append((-score, row.text))
    return [text for _, text in sorted(scored)[:2]]
