"""How every page is made: jinja2 with autoescape, one style and one script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib import resources
from typing import Any

from netprobe.report.escape import escape, excerpt

# Characters of one text, and of one that is shown with its own lines (a rule set, a file's facts).
LONGEST = 2000
LONGEST_BLOCK = 200_000


def generate(template: str, values: dict[str, Any]) -> Iterator[str]:
    """The page in pieces: a template of this package with these values, of which every text is made harmless. Those
    that base.html wants: `command`, `headline`, `environment`. Raises ImportError without jinja2."""
    import jinja2
    from markupsafe import Markup

    def harmless(value: Any) -> Any:
        return excerpt(value, LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value

    def ticked(text: str) -> Markup:
        """What stands between backquotes as code."""
        parts = excerpt(text, LONGEST).split("`")
        code = Markup("<code>{}</code>")
        return Markup("").join(code.format(one) if n % 2 else one for n, one in enumerate(parts))

    def lines(text: str) -> Markup:
        """A text with its own line ends."""
        told = "\n".join(escape(line) for line in text[:LONGEST_BLOCK].split("\n"))
        more = f"\n... ({len(text):,} characters)" if len(text) > LONGEST_BLOCK else ""
        return Markup.escape(told + more)

    style, script = resource("page.css"), resource("page.js")
    world = jinja2.Environment(
        autoescape=True, loader=jinja2.FunctionLoader(resource), finalize=harmless, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    world.filters |= {"ticked": ticked, "lines": lines, "number": "{:,}".format}
    yield from world.get_template(template).generate(
        **values,
        style=Markup(style),  # noqa: S704 - the package's own
        script=Markup(script),  # noqa: S704 - likewise
        policy="default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{_sha(style)}'; script-src 'sha256-{_sha(script)}'",
    )


def resource(name: str) -> str:
    """A file of this package."""
    return resources.files("netprobe.report.html").joinpath(name).read_text("utf-8")


def _sha(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
