"""What is used of Numba's inside, all in one place: arrays without an owner, memory that is moved, functions that are
only linked into others.

House rules of this file:
1. Nothing here is Numba's public interface. Where a version of Numba has it differently, the loops are compiled without
   it: more slowly, with the same results.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any


def without_literals(dispatcher: Any) -> Any:
    """A constant argument is an integer like others: Numba would compile a function anew for each. Halves the time."""
    from numba.core import types

    template = dispatcher.get_call_template

    plain: Callable[[Any], Any] = types.unliteral

    def get_call_template(args: Iterable[Any], kws: Mapping[str, Any]) -> Any:
        return template(tuple(map(plain, args)), {name: plain(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = get_call_template
    return dispatcher


def borrowed() -> Any:
    """octets.borrowed() for compiled code: an array without an owner, whose references nobody counts."""
    from numba.extending import intrinsic

    cgutils = _part("numba.core.cgutils")

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()  # noqa: SLF001  there is no other way

    def borrowed(_: Any, memory: Any) -> Any:
        return memory(memory), code

    return intrinsic(borrowed)


def copied() -> Any:
    """octets.copy() for compiled code, which takes seconds to compile a slice and copies byte by byte without."""
    from numba.core import types
    from numba.extending import intrinsic

    cgutils = _part("numba.core.cgutils")

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, source = (context.make_array(signature.args[n])(context, builder, arguments[n]).data for n in (0, 2))
        to, begin, count = arguments[1], arguments[3], arguments[4]
        place = builder.gep(target, [to])
        cgutils.raw_memcpy(builder, place, builder.gep(source, [begin]), count, itemsize=1)
        return context.get_dummy_value()

    def copy(_: Any, target: Any, to: Any, source: Any, begin: Any, count: Any) -> Any:  # noqa: ARG001  Numba's way
        return types.void(target, types.int64, source, types.int64, types.int64), code

    return intrinsic(copy)


def _part(name: str) -> Any:
    """A part of Numba that has no types."""
    return importlib.import_module(name)


@contextlib.contextmanager
def only_linked(inner: Collection[str]) -> Iterator[None]:
    """While this lasts, the functions with these names are made for others to be built from: neither optimized nor
    turned into machine code for themselves, which took half of the time. Nobody may call them from Python."""
    library, context = _part("numba.core.codegen").CPUCodeLibrary, _part("numba.core.cpu").CPUContext
    try:
        optimize, finalize = library._optimize_final_module, library._finalize_final_module  # noqa: SLF001  as above
        executable, make_function = context.get_executable, _part("numba._dynfunc").make_function
    except AttributeError:  # another version
        yield
        return

    def no_code(self: Any) -> None:
        self._finalized = True

    def nothing(_: Any) -> None:
        pass

    def never_called(self: Any, made: Any, described: Any, environment: Any) -> Any:
        if made.name not in inner:
            return executable(self, made, described, environment)
        name = described.qualname.split(".")[-1]
        return make_function(described.lookup_module(), name, "", 0, environment, (made,))

    library._optimize_final_module = lambda self: (nothing if self.name in inner else optimize)(self)  # noqa: SLF001
    library._finalize_final_module = lambda self: (no_code if self.name in inner else finalize)(self)  # noqa: SLF001
    context.get_executable = never_called
    try:
        yield
    finally:
        library._optimize_final_module, library._finalize_final_module = optimize, finalize  # noqa: SLF001
        context.get_executable = executable


@contextlib.contextmanager
def apart(names: Collection[str]) -> Iterator[None]:
    """While this lasts, the functions with these names stay functions of their own, however small: what is called
    seldom is not worked out anew in each place that calls it."""
    lower = _part("numba.core.lowering").BaseLower
    try:
        set_up = lower.setup_function
    except AttributeError:  # another version
        yield
        return

    def set_up_apart(self: Any, described: Any) -> None:
        set_up(self, described)
        if described.qualname.split(".")[-1] in names:
            self.function.attributes.add("noinline")

    lower.setup_function = set_up_apart
    try:
        yield
    finally:
        lower.setup_function = set_up


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Work without looking for garbage: where there is hardly any, looking for it takes a fifth of the time. What is
    there in the end stays, and isn't looked at later either."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hide from Numba what it imports for the sake of others, where that is installed: it takes a fifth of its own
    import."""
    hidden = [name for name in ("cffi", "coverage") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "no such module" (import system, 5.3.1)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
