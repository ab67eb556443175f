"""The report page (`--html`): one file that needs nothing else, for people who have no terminal at hand.

    attempts  verdicts packed: texts that like ones share once, their own numbers a row
    drawing   a ladder as the coordinates of an SVG
    charts    when attempts began, by cause; causes by server
    page      all of it, put into page.html by jinja2

House rules of this package:
1. Every foreign text passes through `escape`, then through jinja2's autoescape; the script sets text, never markup.
2. The page asks for nothing: style and script are in it, by hash in its own content security policy.
3. jinja2 is loaded when a page is made, not before.
"""
