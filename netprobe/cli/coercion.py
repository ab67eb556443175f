"""Values of the command line turned into Python's plain types without loading pydantic.

House rules of this file:
1. It only saves time: typer 0.29 and later check every value with pydantic, and loading that takes longer than a scan
   of a closed port takes on the wire. Where typer has no such hook, nothing is changed.
2. Only the types in PLAIN; anything else stays typer's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import typer
import typer.core

PLAIN: dict[Any, Callable[[str], Any]] = {bool: bool, str: str, int: int, float: float, Path: Path}
_WANTED = {int: "a whole number", float: "a number"}


class Plain:
    """Takes the place of typer's coercion of one parameter."""

    def __init__(self, kind: Any, *, many: bool) -> None:
        self._kind = kind
        self._many = many

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, or each of several, as the type the parameter was declared with. Raises typer.BadParameter."""
        if self._many:
            return [self._one(item, param, ctx) for item in value or ()]
        return None if value is None else self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return PLAIN[self._kind](value)
        except ValueError:
            raise typer.BadParameter(f"{value!r} is not {_WANTED[self._kind]}", ctx=ctx, param=param) from None


def quicken() -> None:
    """From now on typer turns values of plain types into themselves by Plain, the others as ever."""
    theirs = getattr(typer.core, "build_runtime_param", None)
    if theirs is None:
        return

    def build(descriptor: Any) -> Any:
        many = getattr(descriptor.annotation, "__origin__", None) is list
        kind = get_args(descriptor.annotation)[0] if many else descriptor.annotation
        return Plain(kind, many=many) if kind in PLAIN else theirs(descriptor)

    typer.core.build_runtime_param = build  # type: ignore[attr-defined,unused-ignore]
