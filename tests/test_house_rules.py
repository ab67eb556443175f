"""House rules of the whole program that a test can hold: layers, start-up, documents."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "netprobe"
MODULES = sorted(PACKAGE.rglob("*.py"))

# The layers, from the ground up: a file imports from its own layer and from those named for it, nothing else.
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    # layer: (the modules in it, the layers it may import from)
    "nouns": ({"model", "icmp", "ladder", "rhythm", "errors", "spoken", "suggest", "__init__"}, set()),
    "request": ({"addresses", "ports", "targets", "selection", "options", "urls"}, {"nouns"}),
    "core": (
        {
            *(
                "tracker",
                "attempts",
                "evidence",
                "greeting",
                "origin",
                "path",
                "prober",
                "rules",
                "ssh",
                "texts",
                "verdict",
            ),
            "watch",
            "ration",
            "steps",
            "clients",
            "pairing",
        },
        {"nouns", "request"},
    ),
    "wire": ({"wire"}, {"nouns"}),
    "doctor": ({"doctor"}, {"nouns"}),
    "report": ({"report"}, {"nouns", "doctor"}),
    "drivers": (
        {
            *("interrupts", "wait", "logins", "offering", "scan", "marked", "analyze", "analyze_pair"),
            *("annotate", "packing", "crosscheck", "diffing", "settling", "replay", "rereading", "explain", "examples"),
            *("probelog", "sifting", "keeping"),
            "redaction",
            "bundle",
            "sweep",
            *("jobs", "tables"),
        },
        {"nouns", "request", "core", "wire", "report"},
    ),
    "cli": ({"cli", "__main__", "pytest_plugin"}, {"nouns", "request", "core", "wire", "doctor", "report", "drivers"}),
    "surface": ({"surface"}, {"nouns", "request", "core", "doctor", "report", "drivers", "cli"}),
}
LAYER_OF = {module: layer for layer, (modules, _) in LAYERS.items() for module in modules}

# What only a wire may touch: sockets, clocks, other programs, the packages that craft or read packets.
IMPURE = {
    *(
        "socket",
        "select",
        "selectors",
        "time",
        "threading",
        "subprocess",
        "multiprocessing",
        "asyncio",
        "random",
        "secrets",
    ),
    *("fcntl", "ctypes", "signal", "scapy", "pyshark", "dns", "asyncssh", "ssl", "tempfile", "shutil"),
}
ONLY_IN_WIRE = {"socket", "scapy", "pyshark", "dns", "fcntl", "ctypes"}


def name_of(path: Path) -> str:
    """netprobe.wire.codec for its file, netprobe.wire for the package's."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


NAMES = {name_of(path) for path in MODULES}


def top(name: str) -> str:
    """The part that has a layer: `wire` of netprobe.wire.codec."""
    return [*name.split("."), "__init__"][1]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions; of ours the very module that a name comes from."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                yield whole if whole in NAMES else module


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_downwards(path: Path) -> None:
    own = LAYER_OF.get(top(name_of(path)))
    assert own, f"{path.relative_to(ROOT)} has no layer: put it into LAYERS"
    allowed = {own} | LAYERS[own][1]
    for imported in imports_of(path):
        if imported.split(".")[0] == "netprobe" and imported != "netprobe":
            assert LAYER_OF[top(imported)] in allowed, f"{name_of(path)} ({own}) must not import {imported}"


def test_imports_make_no_circle() -> None:
    graph = {name_of(path): {name for name in imports_of(path) if name in NAMES} - {name_of(path)} for path in MODULES}
    # A package's own __init__ may gather its modules; they may name the package only for its version.
    graph = {name: {other for other in others if other != "netprobe"} for name, others in graph.items()}
    finished: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"circle: {' -> '.join([*above[above.index(name) :], name])}"
        if name not in finished:
            for other in sorted(graph[name]):
                walk(other, (*above, name))
            finished.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in MODULES
        if LAYER_OF.get(top(name_of(path))) in {"nouns", "request", "core", "doctor", "report"}
        and not name_of(path).startswith("netprobe.doctor.collect")
    ],
    ids=name_of,
)
def test_the_core_and_the_renderers_are_pure(path: Path) -> None:
    imported = {name.split(".")[0] for name in imports_of(path)}
    assert not imported & IMPURE, f"{name_of(path)} imports {imported & IMPURE}"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "open", "input"}, (
                f"{name_of(path)}:{node.lineno} calls {node.func.id}()"
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in {"now", "utcnow", "today"}, f"{name_of(path)}:{node.lineno} reads a clock"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_wire_has_sockets_and_packet_libraries(path: Path) -> None:
    if top(name_of(path)) != "wire":
        imported = {name.split(".")[0] for name in imports_of(path)}
        assert not imported & ONLY_IN_WIRE, f"{name_of(path)} imports {imported & ONLY_IN_WIRE}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_scapy_is_imported_piece_by_piece_and_late(path: Path) -> None:
    assert "scapy.all" not in set(imports_of(path))
    for node in tree_of(path).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for name in names:
                late = {"scapy", "pyshark", "numba", "asyncssh", "tabulate", "jinja2", "markupsafe"}
                assert name.split(".")[0] not in late, f"{name_of(path)} imports {name} when it is loaded itself"


@pytest.mark.parametrize(
    "path", sorted([*MODULES, *(ROOT / "tests").rglob("*.py")]), ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_file_says_what_it_is_for(path: Path) -> None:
    words = ast.get_docstring(tree_of(path))
    assert words, f"{path.relative_to(ROOT)} has no docstring"
    first = words.split("\n\n")[0]
    assert first.rstrip().endswith((".", "?")), f"{path.relative_to(ROOT)}: the first line is a sentence"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_types_are_looked_up_late(path: Path) -> None:
    future = [node for node in tree_of(path).body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    code = [node for node in tree_of(path).body if not isinstance(node, ast.Expr)]
    assert future or not code or name_of(path) == "netprobe"


def documents() -> dict[str, str]:
    """Every document by its path."""
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in found if path.exists()}


def test_the_documents_name_every_rule() -> None:
    if not (PACKAGE / "rules").exists() or not (ROOT / "docs" / "causes.md").exists():
        pytest.skip("docs/causes.md or the rules are not there yet")
    rules = importlib.import_module("netprobe.rules")
    missing = [rule for rule in rules.BY_ID if rule not in documents()["docs/causes.md"]]
    assert not missing, f"run `make docs`: {missing}"


def test_rule_ids_are_unique_and_well_formed() -> None:
    rules = importlib.import_module("netprobe.rules")
    ids = [rule.id for rule in rules.RULES]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"NP[0-9]{3}", one) for one in ids)


@pytest.mark.parametrize("name", sorted(documents()))
def test_links_between_documents_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", documents()[name]):
        assert (ROOT / name).parent.joinpath(link).exists(), f"{name} links to {link}"


def test_the_examples_of_the_readme_are_commands_and_options_that_exist() -> None:
    scan = (PACKAGE / "cli" / "scan.py").read_text("utf-8") + (PACKAGE / "cli" / "choices.py").read_text("utf-8")
    text = "\n".join(documents().values())
    for line in re.findall(r"^\s*(?:sudo )?netprobe scan (.*)$", text, re.MULTILINE):
        for option in re.findall(r"(?<=\s)(--?[a-zA-Z46][a-zA-Z-]*)", f" {line.partition('#')[0]}"):
            known = option if option != "-vv" else "-v"
            assert f'"{known}"' in scan, f"netprobe scan has no {option}"


def test_every_ignored_lint_rule_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text[text.index("\nignore = [") :]
    lines = block[: block.index("\n]")].splitlines()[2:]
    assert lines
    assert all("#" in line for line in lines)


def test_the_package_says_what_it_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "netprobe-wire"
    assert project["license"] == "GPL-2.0-or-later"
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text("utf-8")
