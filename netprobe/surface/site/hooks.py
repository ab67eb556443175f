"""mkdocs calls this while it builds the site (mkdocs.yml, `hooks`): pages are given to it here."""

from __future__ import annotations

from typing import Any

from netprobe.surface.site.pages import Site, site

_made: list[Site] = []


def on_config(config: Any) -> Any:
    """The navigation, before mkdocs looks at it."""
    _made[:] = [site()]
    config.nav = _made[0].nav
    return config


def on_files(files: Any, config: Any) -> Any:
    """Every page and file of the site: the documents as they are changed for it, and what is made."""
    from mkdocs.structure.files import File

    (found,) = _made
    for name, text in found.made.items():
        _put(files, File.generated(config, name, content=text))
    for name, path in found.copied.items():
        _put(files, File.generated(config, name, abs_src_path=str(path)))
    return files


def _put(files: Any, one: Any) -> None:
    old = files.get_file_from_path(one.src_uri)
    if old is not None:
        files.remove(old)
    files.append(one)
