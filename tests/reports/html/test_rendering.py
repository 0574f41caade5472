import base64
import hashlib
import html
import itertools
import re
from html.parser import HTMLParser

import pytest
from hostile_samples import HOSTILE, hostile_run
from samples import MakeRun, bad_run, crowded_run, good_run

from webhook_fuzz.reports.html.rendering import render_html
from webhook_fuzz.reports.results import RunResult

VOID = {"meta", "wbr", "br", "link", "img"}


class Document(HTMLParser):
    """Tags and attributes in order; complains about tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


RUNS = [bad_run, good_run, crowded_run, hostile_run]


@pytest.mark.parametrize("make", RUNS)
def test_the_page_is_well_formed_and_needs_nothing_but_itself(make: MakeRun) -> None:
    page = Document(render_html(make()))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "base", "svg", "video"}
    assert all(address.startswith("#") for address in page.values("href"))
    attributes = {name for _, attributes in page.tags for name in attributes}
    assert not [name for name in attributes if name.startswith("on")]
    assert not attributes & {"style", "src", "srcset", "action", "background"}


@pytest.mark.parametrize("make", RUNS)
def test_anchors_are_unique_and_links_lead_somewhere(make: MakeRun) -> None:
    page = Document(render_html(make()))
    anchors = page.values("id")
    assert len(set(anchors)) == len(anchors)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", anchor) for anchor in anchors)
    targets = {address[1:] for address in page.values("href")}
    assert targets | set(page.values("aria-labelledby")) <= set(anchors)


def test_anchors_stay_the_same_when_other_findings_go() -> None:
    run = bad_run()
    run["findings"] = [each for each in run["findings"] if each["code"] == "WF101"]
    (anchor,) = re.findall(r'id="(finding-[^"]+)"', render_html(run))
    assert f'id="{anchor}"' in render_html(bad_run())


@pytest.mark.parametrize("make", RUNS)
def test_headings_descend_one_level_at_a_time(make: MakeRun) -> None:
    levels = [
        int(tag[1])
        for tag, _ in Document(render_html(make())).tags
        if tag[:1] == "h" and tag[1:].isdigit()
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_policy_allows_the_style_sheet_and_nothing_else() -> None:
    text = render_html(bad_run())
    policy = html.unescape(re.search(r'Policy" content="([^"]+)"', text)[1])  # type: ignore[index]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_hostile_string_is_text_and_only_text() -> None:
    text = render_html(hostile_run())
    assert "<script" not in text
    assert "<img" not in text
    assert "49" not in re.findall(r"\{\{7\*7\}\}|49", text)
    shown = "".join(Document(text).texts)
    assert "<script>alert('x')</script>\"'`\u241b[31m\u2400\ufffd]]>&{{7*7}}{%x%}" in shown


def test_hostile_strings_do_not_escape_attributes() -> None:
    page = Document(render_html(hostile_run()))
    labels = [value for value in page.values("aria-label") if "alert" in value]
    assert labels
    assert all(HOSTILE[:20] in label for label in labels)


def visible_words(run: RunResult) -> str:
    return " ".join(" ".join(Document(render_html(run)).texts).split())


def test_what_was_not_exercised_is_said_loudly_with_the_triggers_tried() -> None:
    words = visible_words(bad_run())
    assert "Not exercised. None of these triggers made it change a pod." in words
    assert "annotation vault.hashicorp.com/agent-inject=true" in words


def test_many_findings_of_one_code_are_folded_by_minor() -> None:
    text = render_html(bad_run())
    assert text.count('class="minor-group"') == 10
    assert text.count('class="finding"') == 70 + 7


def test_a_page_with_twelve_webhooks_numbers_its_columns() -> None:
    text = render_html(crowded_run())
    assert "--columns: 12" in text
    assert 'class="matrix unnamed"' in text


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [
        ("ink", "paper"), ("ink", "wash"), ("soft", "paper"), ("soft", "wash"),
        ("accent", "paper"), ("accent", "wash"), ("lost", "paper"), ("lost", "lost-wash"),
        ("moved", "paper"), ("moved", "moved-wash"), ("kept", "paper"), ("kept", "kept-wash"),
    ],
)  # fmt: skip
def test_colours_have_the_contrast_wcag_aa_asks_for(scheme: int, front: str, back: str) -> None:
    text = render_html(good_run())
    colours = {
        name: re.findall(rf"--{name}: (#[0-9a-f]{{6}});", text)[scheme] for name in (front, back)
    }
    light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
