"""Two sets of traits become changes: what counts as one, and what is noise.

House rules of this file:
1. A trait that only one side knows is no change; nor is a TTL seen from another side of the connection.
2. A value counts where it is new (or gone) and has a share: always among a few attempts, from 5 % on among many.
3. Times count only by far: three times as long (or short), and five milliseconds at least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median

from netprobe.diffing.traits import LISTS, Traits
from netprobe.report.difference import Change, Place, Side

SHARE = 0.05
MANY = 20  # attempts; among fewer every value counts
SHIFT = 0.25  # a cause's share that grew or shrank so much is a change, too
FACTOR = 3.0
LEAST_MS = 5.0

Key = tuple[str | None, str, int]  # address, else target; port
_FROM_ONE_SIDE = ("TTL", "where")  # that read otherwise when captured elsewhere


def compare(old: Mapping[Key, Traits], new: Mapping[Key, Traits], *, common: bool = False) -> tuple[list[Place], int]:
    """The places that differ, in the order of the new result, then what is gone; and how many don't. `common`: only
    those that both have."""
    places: list[Place] = []
    same = 0
    moved = _moved(old, new)
    for key, after in new.items():
        before = old.get(key) or old.get(moved.get(key, key))
        if before is None:
            if not common:
                places.append(_place(after, "new", new=after.side))
            continue
        changes = list(changed(before, after))
        if changes:
            places.append(_place(after, "changed", old=before.side, new=after.side, changes=tuple(changes)))
        else:
            same += 1
    met = {*new, *moved.values()}
    if not common:
        places += [_place(before, "gone", old=before.side) for key, before in old.items() if key not in met]
    return places, same


def changed(old: Traits, new: Traits) -> Iterator[Change]:
    """What differs between two days of one place."""
    if old.address != new.address:
        yield Change("address", {str(old.address): old.attempts}, {str(new.address): new.attempts})
    elsewhere = bool(old.vantages and new.vantages and old.vantages.isdisjoint(new.vantages))
    for trait in dict.fromkeys((*old.values, *new.values)):
        if elsewhere and trait in _FROM_ONE_SIDE:
            continue
        before, after = old.values.get(trait), new.values.get(trait)
        if not before or not after:
            continue
        if _differ(before, after) or (trait == "cause" and _shifted(before, after)):
            yield _change(trait, before, after)
    path = _path(old.path, new.path)
    if path is not None:
        yield path
    time = None if elsewhere else _time(old.times_ms, new.times_ms)
    if time is not None:
        yield time


def _change(trait: str, old: Counter[str], new: Counter[str]) -> Change:
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    if trait in LISTS:
        before = dict.fromkeys(name for value in old for name in value.split(","))
        after = dict.fromkeys(name for value in new for name in value.split(","))
        added = tuple(name for name in after if name not in before)
        gone = tuple(name for name in before if name not in after)
    return Change(trait, dict(old.most_common()), dict(new.most_common()), added, gone)


def _differ(old: Counter[str], new: Counter[str]) -> bool:
    return _has_own(new, old) or _has_own(old, new)


def _has_own(values: Counter[str], others: Counter[str]) -> bool:
    """Whether there are values that the others don't have, with a share."""
    own = sum(count for value, count in values.items() if value not in others)
    total = values.total()
    return own > 0 if total < MANY else own >= SHARE * total


def _shifted(old: Counter[str], new: Counter[str]) -> bool:
    before, after = old.total(), new.total()
    if min(before, after) < MANY:
        return False
    return any(abs(old[value] / before - new[value] / after) >= SHIFT for value in {*old, *new})


def _path(old: tuple[str | None, ...], new: tuple[str | None, ...]) -> Change | None:
    """The routers of a walk: a hop that was silent once is no change."""
    if not old or not new:
        return None
    both = zip(old, new, strict=False)
    beyond = (*old[len(new) :], *new[len(old) :])
    if all(before == after or None in (before, after) for before, after in both) and not any(beyond):
        return None
    return Change("path", {_told(old): 1}, {_told(new): 1})


def _told(path: tuple[str | None, ...]) -> str:
    return " > ".join(address or "*" for address in path)


def _time(old: list[float], new: list[float]) -> Change | None:
    if not old or not new:
        return None
    before, after = median(old), median(new)
    low, high = sorted((before, after))
    if high - low < LEAST_MS or high < FACTOR * low:
        return None
    return Change("round trip", {f"{before:.3g} ms": len(old)}, {f"{after:.3g} ms": len(new)})


def _place(
    one: Traits, status: str, *, old: Side | None = None, new: Side | None = None, changes: tuple[Change, ...] = ()
) -> Place:
    return Place(
        target=one.target, address=one.address, port=one.port, status=status, old=old, new=new, changes=changes
    )


def _moved(old: Mapping[Key, Traits], new: Mapping[Key, Traits]) -> dict[Key, Key]:
    """New places that are old ones at another address: names that had one address of a family, and have another."""
    gone = _by_name(old, new)
    come = _by_name(new, old)
    return {keys[0]: gone[name][0] for name, keys in come.items() if len(keys) == 1 == len(gone.get(name, ()))}


def _by_name(these: Mapping[Key, Traits], others: Mapping[Key, Traits]) -> dict[tuple[str, int, bool], list[Key]]:
    found: dict[tuple[str, int, bool], list[Key]] = {}
    for key, one in these.items():
        if key not in others and one.address is not None and one.target != one.address:
            found.setdefault((one.target, one.port, ":" in one.address), []).append(key)
    return found
