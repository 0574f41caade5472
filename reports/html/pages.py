"""How does a template become a page that needs nothing but itself?

No script, no font, no image, no network. The page's own Content Security Policy says so, with the
hash of its style sheet as the only exception. All strings in it come from webhooks and pods, so
autoescaping is on, undefined names are errors, and what is not printable is made visible on its way
in.
"""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from webhook_fuzz.reports.results import ToolInfo
from webhook_fuzz.reports.texts import capitalised, counted, duration, visible

_PATH_DOT = re.compile(r"(?<=[\w\])}])\.(?=[A-Za-z])")  # not the dot of 1.29


def render_page(
    template: str, *, tool: ToolInfo, headline: str, rules: str = "", **values: object
) -> str:
    """A template that extends `page.html` as a self-contained HTML page (UTF-8).

    `rules` are CSS of ours that goes before the style sheet, `values` what else is in the template.
    """
    style = rules + _read("style.css")
    return (
        _environment()
        .get_template(template)
        .render(
            tool=tool,
            headline=headline,
            style=Markup(style),  # noqa: S704 (our own file, and rules of ours)
            policy=_policy(style),
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: _read("templates", name)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = environment.filters
    filters["counted"] = counted
    filters["capitalised"] = capitalised
    filters["duration"] = duration
    filters["breakable"] = _breakable
    return environment


def _finalize(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, lines=True)
    return value


def _breakable(path: str) -> Markup:
    """Text with paths in it, escaped, that may be broken after the dots of the paths."""
    return Markup(".<wbr>").join(escape(part) for part in _PATH_DOT.split(visible(path)))


def _read(*parts: str) -> str:
    return resources.files(str(__package__)).joinpath(*parts).read_text(encoding="utf-8")


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
