"""In which formats can a run be shown?

One entry a format: what its file is called and the function that renders it. Adding a format is one
module and one line here; nothing else lists them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from webhook_fuzz.reports.files import render_json
from webhook_fuzz.reports.html.rendering import render_html
from webhook_fuzz.reports.junit import render_junit
from webhook_fuzz.reports.markdown import render_markdown
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.sarif import render_sarif
from webhook_fuzz.reports.terminal import render_summary

Render: TypeAlias = Callable[[RunResult], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """A format: `suffix` ends the name of its files (`report.html`), `render` gives their text."""

    suffix: str
    render: Render

    @property
    def file_name(self) -> str:
        """The name a report of this format has in the folder of a run."""
        return f"report{self.suffix}"


FORMATS: Mapping[str, Renderer] = MappingProxyType(
    {
        "html": Renderer(suffix=".html", render=render_html),
        "json": Renderer(suffix=".json", render=render_json),
        "junit": Renderer(suffix=".junit.xml", render=render_junit),
        "markdown": Renderer(suffix=".md", render=render_markdown),
        "sarif": Renderer(suffix=".sarif", render=render_sarif),
        "terminal": Renderer(suffix=".txt", render=render_summary),
    }
)
