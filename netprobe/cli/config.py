"""Defaults from outside: a file of the user's, and NETPROBE_* of the environment; the command line wins over both.

House rules of this file:
1. A key that no command has is an error, with what may have been meant: a default that is silently not in force is
   worse than none.
2. Under sudo the file is the calling user's, and is read with that user's permissions.
3. Nothing is read that isn't there: without a file and without variables no parser is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netprobe.cli.command import RIVALS, opposite
from netprobe.cli.common import Taken
from netprobe.errors import CannotMeasure, UsageError
from netprobe.suggest import meant

PREFIX = "NETPROBE_"
LARGEST = 1 << 20  # bytes: a configuration is short, a device or a capture is not
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_GENERAL = ""  # stands for every command that has the key

Values = dict[str, dict[str, Any]]  # by command, by key


@dataclass(frozen=True, slots=True)
class Found:
    """What was found outside: the file, where there is one, and the variables."""

    path: str | None = None
    file: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def defaults(self, app: Any) -> Values:
        """For each command its parameters' defaults, as typer takes them. Raises UsageError."""
        if not self.file and not self.variables:
            return {}
        from typer.main import get_command

        keys = {name: _keys(one) for name, one in get_command(app).commands.items()}  # type: ignore[attr-defined]
        found: Values = {name: {} for name in keys}
        for source in (_of_file(self.file, keys, self.path or ""), _of_variables(self.variables, keys)):
            for command in (_GENERAL, *keys):
                for key, value in source.get(command, {}).items():
                    for name in keys if command == _GENERAL else (command,):
                        if key in keys[name]:
                            _set(found[name], *keys[name][key], value)
        return found

    def explained(self, code: int) -> int:
        """The same exit code; where a usage error may come from outside, that is said."""
        if code == UsageError.exit_code and (self.file or self.variables):
            from netprobe.cli.output import tell

            whence = [self.path] if self.path and self.file else []
            tell(f"defaults came from {', '.join([*whence, *self.variables])}; --no-config goes without")
        return code


def find(taken: Taken, environment: Mapping[str, str]) -> Found:
    """What there is for this run. Raises CannotMeasure for a file that can't be read, UsageError for one that makes no
    sense."""
    if taken.no_config:
        return Found()
    variables = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
    asked = taken.config or variables.pop(f"{PREFIX}CONFIG", None)
    path = asked or usual_path(environment)
    text = _text(path, must=asked is not None) if path else None
    return Found(path, _parsed(text, path) if text and path else {}, variables)


def usual_path(environment: Mapping[str, str]) -> str | None:
    """Where the calling user's file lies; None where there is no such place."""
    folder = environment.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):  # a relative one is to be ignored (XDG Base Directory Specification)
        home = _home(environment)
        if not home:
            return None
        folder = os.path.join(home, ".config")  # noqa: PTH118 - pathlib is slow to load
    return os.path.join(folder, "netprobe", "config.toml")  # noqa: PTH118


def _home(environment: Mapping[str, str]) -> str | None:
    if os.geteuid() == 0 and environment.get("SUDO_UID", "").isdecimal():
        import pwd

        try:
            return pwd.getpwuid(int(environment["SUDO_UID"])).pw_dir
        except (KeyError, OverflowError):
            return None
    return environment.get("HOME")


def _text(path: str, *, must: bool) -> str | None:
    if not must and not os.path.lexists(path) and os.geteuid() != 0:
        return None
    from netprobe.wire.privilege import as_caller

    try:
        with as_caller(), open(path, "rb") as file:  # noqa: PTH123
            data = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if must:
            raise CannotMeasure(f"--config {path}: {error.strerror}", "name a file that exists") from None
        return None
    except OSError as error:
        raise CannotMeasure(f"{path}: {error.strerror}", "make it readable, or go without it by --no-config") from None
    if len(data) > LARGEST:
        raise CannotMeasure(f"{path}: larger than a configuration can be", "name a TOML file")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8", "name a TOML file") from None


def _parsed(text: str, path: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}", "correct it, or go without it by --no-config") from None


# ---------------------------------------------------------------------- keys

Key = tuple[Any, bool]  # the parameter, and whether the key is a switch's opposite


def _keys(command: Any) -> dict[str, Key]:
    """The keys of a command: its options' long words, or their only one, without dashes."""
    found: dict[str, Key] = {}
    for param in command.params:
        if param.param_type_name != "option" or param.hidden:
            continue
        words = [word for word in param.opts if word.startswith("--")] or param.opts
        found |= {word.lstrip("-"): (param, False) for word in words}
        if param.is_flag and not param.count:
            found |= {opposite(f"--{w.lstrip('-')}").lstrip("-"): (param, True) for w in words if len(w) > 2}
    return found


def _of_file(file: Mapping[str, Any], keys: Mapping[str, dict[str, Key]], path: str) -> Values:
    found: Values = {}
    every = {key for of in keys.values() for key in of}
    for name, value in file.items():
        if isinstance(value, dict):
            if name not in keys:
                raise UsageError(f"{path}: [{name}] is no command", _guess(name, keys))
            for key in value:
                if key not in keys[name]:
                    raise UsageError(f"{path}: [{name}] has no {key!r}", _guess(key, keys[name]))
            found[name] = {key: _value(keys[name][key], one, f"{path}: {key}") for key, one in value.items()}
        elif name not in every:
            raise UsageError(f"{path}: no command has {name!r}", _guess(name, [*every, *keys]))
        else:
            known = next(of[name] for of in keys.values() if name in of)
            found.setdefault(_GENERAL, {})[name] = _value(known, value, f"{path}: {name}")
    return found


def _of_variables(variables: Mapping[str, str], keys: Mapping[str, dict[str, Key]]) -> Values:
    """NETPROBE_SCAN_RATE of one command, NETPROBE_COLOR of all. Others that begin so are somebody else's."""
    found: Values = {}
    for variable, text in variables.items():
        word = variable.removeprefix(PREFIX)
        command = next((name for name in keys if word.startswith(f"{name.upper()}_")), _GENERAL)
        word = word.removeprefix(f"{command.upper()}_") if command else word
        known = {key.upper().replace("-", "_"): key for name in ([command] if command else keys) for key in keys[name]}
        if word not in known:
            if command:
                raise UsageError(f"{variable}: `netprobe {command}` has no {word!r}", _guess(word, known))
            continue
        key = known[word]
        kind = next(of[key] for name, of in keys.items() if key in of and command in (_GENERAL, name))
        found.setdefault(command, {})[key] = _value(kind, _read(kind[0], text, variable), variable)
    return found


def _read(param: Any, text: str, where: str) -> Any:
    """A variable's text as what the option takes."""
    if param.count:
        if not text.isdecimal():
            raise UsageError(f"{where}={text}: no number", "0, 1 or 2")
        return int(text)
    if param.is_flag:
        if text.lower() not in _TRUE | _FALSE:
            raise UsageError(f"{where}={text}: neither yes nor no", "1 or 0")
        return text.lower() in _TRUE
    return text.split() if param.multiple else text


def _value(key: Key, value: Any, where: str) -> Any:
    """A value as typer takes it as a default. Raises UsageError for one of the wrong kind."""
    param = key[0]
    if param.count:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise UsageError(f"{where} = {value!r}: a number is meant", "0, 1 or 2")
        return value
    if param.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{where} = {value!r}: a switch", "true or false")
        return value
    several = value if isinstance(value, list) else [value]
    if not several or any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in several):
        raise UsageError(f"{where} = {value!r}: a text or a number is meant", "write it as on the command line")
    texts = [str(one) for one in several]
    return texts if param.multiple else ",".join(texts)


def _set(defaults: dict[str, Any], param: Any, negated: bool, value: Any) -> None:
    """One default; it takes away what it excludes of a source that counts less."""
    for group in RIVALS:
        if param.name in group and value:
            for other in group - {param.name}:
                defaults.pop(other, None)
    defaults[param.name] = not value if negated else value


def _guess(word: str, known: Iterable[str]) -> str:
    return meant(word.replace("_", "-") if word.islower() else word, known) or "see `netprobe --help`"
