"""The functions of loops compiled with Numba: the same source, the same tables, a hundred times as fast.

House rules of this file:
1. Numba is imported here and nowhere else, and only when there is enough to do: it costs 0.2 s, and 15 s the
   first time.
2. What was compiled is kept in the user's cache directory, under a name made of the sources it came from. Where that
   can't be written it is kept for this process only.
3. Nothing of the modules is changed: each gets a twin whose functions are compiled and call one another.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from netprobe.settling import numba_inside
from netprobe.tracker import octets
from netprobe.wire import index

ENVIRONMENT = "NETPROBE_INTERPRETED"  # set to anything, nothing is ever compiled


def available() -> bool:
    """Whether Numba is installed and wanted."""
    import importlib.util

    return not os.environ.get(ENVIRONMENT) and importlib.util.find_spec("numba") is not None


def cached(modules: Iterable[ModuleType], name: str = "") -> bool:
    """Whether these modules' functions have been compiled before, or the one with this name."""
    return any(folder(modules).rglob(f"*.{name}-*.nbc" if name else "*.nbc"))


def compiled(
    modules: Iterable[ModuleType],
    entries: Iterable[Callable[..., Any]],
    inlined: Iterable[Callable[..., Any]],
    apart: Iterable[Callable[..., Any]],
    notice: Callable[[str], None],
) -> dict[str, Callable[..., Any]]:
    """The functions `entries` compiled, by name; `modules` hold them and all that they call; `inlined` become part of
    whoever calls them, `apart` never do. Numba compiles each for the types it is first called with, or takes it from
    the cache. `notice` hears when it will take long."""
    sources = tuple(modules)
    into = _writable(folder(sources))
    os.environ["NUMBA_CACHE_DIR"] = str(into)
    if not any(into.rglob("*.nbc")):
        notice("compiling the packet loop for this machine, once: about 15 s")
    with numba_inside.uncollected(), numba_inside.alone():
        import numba

    numba.config.CACHE_DIR = str(into)  # type: ignore[attr-defined]
    wanted, inner, outer = set(entries), set(inlined), set(apart)
    twins: dict[Any, Any] = {octets.borrowed: numba_inside.borrowed(), octets.copy: numba_inside.copied()}
    sources_of = {index.four: index.four_by_octets}  # where the interpreter has a quicker way than Numba knows
    spaces = []
    for module in sources:
        space = dict(vars(module))
        spaces.append(space)
        for name, value in vars(module).items():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__ and value not in twins:
                source = sources_of.get(value, value)
                twin = FunctionType(source.__code__, space, name, source.__defaults__, source.__closure__)
                twin.__module__ = value.__module__
                twin.__qualname__ = value.__qualname__
                options: dict[str, Any] = {"cache": value in wanted, "no_cpython_wrapper": value not in wanted}
                if value in inner or value in outer:  # and, where nothing else is said, all that is called from there
                    options["forceinline"] = value in inner
                made = numba.njit(nogil=True, error_model="numpy", **options)(twin)
                twins[value] = numba_inside.without_literals(made)
    for space in spaces:
        space.update({name: twins[v] for name, v in space.items() if isinstance(v, FunctionType) and v in twins})
    return {function.__name__: twins[function] for function in wanted}


@contextlib.contextmanager
def compiling(
    modules: Iterable[ModuleType], entries: Iterable[Callable[..., Any]], apart: Iterable[Callable[..., Any]]
) -> Iterator[None]:
    """While this lasts, what `compiled` gave for these modules and entries is called for the first time."""
    names = {name for module in modules for name, value in vars(module).items() if isinstance(value, FunctionType)}
    inner = names - {entry.__name__ for entry in entries}
    outer = {function.__name__ for function in apart}
    with numba_inside.uncollected(), numba_inside.only_linked(inner), numba_inside.apart(outer):
        yield


def folder(modules: Iterable[ModuleType]) -> Path:
    """A folder of its own for each state of the sources: Numba looks only at the file of the function it caches, not at
    those that it calls."""
    digest = hashlib.blake2s(sys.version.encode(), digest_size=8)
    for module in modules:
        digest.update(Path(module.__file__ or "").read_bytes())
    for how in ("jit.py", "numba_inside.py", "engines.py"):
        digest.update(Path(__file__).with_name(how).read_bytes())
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return root / "netprobe" / f"compiled-{digest.hexdigest()}"


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="netprobe-compiled-"))
