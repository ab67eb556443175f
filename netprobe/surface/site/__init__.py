"""The documentation as a site: what `make docs` gives to mkdocs, made of the rules, captures, clients' texts and docs/.

    texts      the table of what clients print, and what each of them prints
    cause      a page for each cause
    probes     what is sent, or looked at, to learn what the rules ask for
    picture    a recorded ladder as an SVG
    reference  JSON Schemas as tables
    pages      every page and file of the site, by its place; the navigation
    hooks      mkdocs's way in

House rules of this package:
1. mkdocs is imported by hooks.py alone, and only when mkdocs calls: pages are made, and tested, without it.
2. Nothing is written here but the table in docs/index.md; mkdocs writes the site.
"""
