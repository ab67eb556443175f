"""JSON Schemas as tables: the reference of all that netprobe writes, made of the schemas that it ships.

House rules of this file:
1. The schema is the source: a key without a description there has none here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

Schema = Mapping[str, Any]

# The file, its heading, and what writes or reads such a document.
SCHEMAS = (
    ("netprobe/report/schema.json", "Verdicts", "`netprobe scan`, `analyze` and `wait` with `--json` or `--jsonl`"),
    ("netprobe/report/difference_schema.json", "What changed", "`netprobe diff --json`"),
    ("netprobe/report/doctor_schema.json", "The server's side", "`netprobe doctor --json`"),
    ("netprobe/replay/schema.json", "Regression tests", "`netprobe replay --json` or `--jsonl`"),
    ("netprobe/replay/case.schema.json", "Case files", "TOML beside a capture, read by `netprobe replay`"),
)


def page() -> str:
    """The reference of every schema."""
    lines = [
        "# JSON reference",
        "",
        ("Made of the JSON Schemas that are installed with netprobe; each can be downloaded here. What is stable, and "
        "an example, stands in [Commands, exit codes, JSON](interface.md). **Required** keys are always there."),
    ]
    for file, heading, about in SCHEMAS:
        schema = load(file)
        lines += ["", f"## {heading}", "", f"{about}. Schema: [{name(file)}](schemas/{name(file)})."]
        if "description" in schema:
            lines += ["", _prose(str(schema["description"]))]
        lines += _object("", schema, heading)
        for key, part in schema.get("$defs", {}).items():
            lines += _definition(key, part, heading)
    return "\n".join(lines) + "\n"


def load(file: str) -> dict[str, Any]:
    """A schema of the package."""
    text = resources.files("netprobe").joinpath(file.removeprefix("netprobe/")).read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def name(file: str) -> str:
    """What a schema is called where it can be downloaded: case.schema.json and the others have names of their own."""
    return file.removeprefix("netprobe/").replace("/", "-")


def _place(heading: str, key: str) -> str:
    return f"{heading.lower().replace(' ', '-').replace(chr(39), '')}-{key}"


def _definition(key: str, part: Schema, heading: str) -> Iterator[str]:
    """A definition with keys of its own, or a list of such; others are told where they are used."""
    if not _has_keys(part) and not _rows_of_items(part):
        return
    yield from ("", f"### `{key}` {{ #{_place(heading, key)} }}", "")
    if "description" in part:
        yield from (_prose(str(part["description"])), "")
    yield from _object("", part, heading)
    if _rows_of_items(part):
        yield from _object("[].", part["items"], heading)


def _has_keys(part: Schema) -> bool:
    return bool(part.get("properties"))


def _rows_of_items(part: Schema) -> bool:
    items = part.get("items")
    return isinstance(items, Mapping) and _has_keys(items)


def _object(prefix: str, part: Schema, heading: str) -> Iterator[str]:
    rows = list(_rows(prefix, part, heading))
    if rows:
        yield from ("", "| key | | type | meaning |", "|---|---|---|---|", *rows)


def _rows(prefix: str, part: Schema, heading: str) -> Iterator[str]:
    """A row for each key; objects without a name of their own are told key by key, as `a.b` and `a[].b`."""
    needed = part.get("required", ())
    for key, value in part.get("properties", {}).items():
        path = f"{prefix}{key}"
        mark = "**required**" if key in needed else ""
        yield f"| `{path}` | {mark} | {_type(value, heading)} | {_about(value, heading)} |"
        if _has_keys(value):
            yield from _rows(f"{path}.", value, heading)
        items = value.get("items", {})
        if isinstance(items, Mapping) and _has_keys(items):
            yield from _rows(f"{path}[].", items, heading)


def _type(part: Schema, heading: str) -> str:
    """What a value is, in words."""
    if "$ref" in part:
        return _reference(str(part["$ref"]), heading)
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return " or ".join(f"`{json.dumps(one)}`" for one in part["enum"])
    for word in ("oneOf", "anyOf"):
        if word in part:
            return " or ".join(dict.fromkeys(_type(one, heading) for one in part[word]))
    kind = part.get("type", "any")
    if kind == "array":
        items = part.get("items")
        return f"list of {_type(items, heading)}" if isinstance(items, Mapping) and items else "list"
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    limits = [f"{sign} {part[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in part]
    more = part.get("additionalProperties")
    of = f" of {_type(more, heading)}" if kind == "object" and isinstance(more, Mapping) and more else ""
    return f"{words}{of}{' ' if limits else ''}{', '.join(limits)}"


def _reference(ref: str, heading: str) -> str:
    """A definition: a link where it has keys, its own type where it is only a name for one."""
    key = ref.rpartition("/")[2]
    part = _definitions(heading).get(key, {})
    if _has_keys(part) or _rows_of_items(part):
        return f"[`{key}`](#{_place(heading, key)})"
    return _type(part, heading) if part else f"`{key}`"


def _about(part: Schema, heading: str) -> str:
    """What a value means: its own description, else that of the definition that stands for it."""
    if "description" not in part and "$ref" in part:
        part = _definitions(heading).get(str(part["$ref"]).rpartition("/")[2], {})
        if _has_keys(part) or _rows_of_items(part):  # told there
            return ""
    return _prose(str(part.get("description", "")))


@cache
def _definitions(heading: str) -> dict[str, Any]:
    file = next(file for file, one, _ in SCHEMAS if one == heading)
    found: dict[str, Any] = load(file).get("$defs", {})
    return found


def _prose(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("#/$defs/", "")
