import re

import pytest
from hostile_samples import hostile_run
from samples import bad_run, good_run

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.reports.markdown import block, code, plain, render_markdown

SPANS = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)


def outside_code(text: str) -> str:
    without_blocks = re.sub(r"^(`{3,})[a-z]*\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    escaped = re.sub(r"\\.", "", without_blocks)
    return SPANS.sub("", escaped)


def test_nothing_a_webhook_chose_is_interpreted() -> None:
    left = outside_code(render_markdown(hostile_run()))
    assert not re.search(r"<script|<img|\]\(|@", left)


@pytest.mark.parametrize("text", ["a`b", "``", "`", "a", "x```y````z", ""])
def test_code_is_fenced_with_more_backticks_than_it_holds(text: str) -> None:
    span = code(text)
    fence = re.match("`+", span)
    assert fence is not None
    assert f"`{fence[0]}" not in text
    assert span.endswith(fence[0])
    assert block(text, "yaml").split("\n")[0] not in text


def test_plain_text_stays_on_one_line() -> None:
    assert plain("a\n# b @team") == "a␊\\# b \\@team"


def test_a_section_a_webhook_complete_by_itself() -> None:
    sections = render_markdown(bad_run()).split("\n## ")[1:]
    assert len(sections) == 6
    for part in ("Lost: 72 fields", "```yaml\napiVersion: v1", "```diff", "### Remedy", "Cause: "):
        assert part in sections[0]
    assert '- {"op": "remove", "path": "/spec/initContainers/0/restartPolicy"}' in sections[0]
    assert "Triggers tried, none of which" in sections[4]


def test_a_long_patch_is_cut_but_never_at_what_touched_the_field() -> None:
    run = bad_run()
    made = next(each for each in run["findings"] if each["code"] == "WF101")
    assert made["reproducer"] is not None
    harmless: JsonObject = {"op": "add", "path": "/metadata/labels", "value": {}}
    made["reproducer"]["patch"] = [harmless] * 90 + [{"op": "remove", "path": "/spec"}]
    text = render_markdown(run)
    assert "… 51 more operations" in text
    assert '- {"op": "remove", "path": "/spec"}' in text


def test_a_reproducer_without_a_patch_is_shown_without_one() -> None:
    run = bad_run()
    run["findings"] = [each for each in run["findings"] if each["code"] == "WF101"]
    assert run["findings"][0]["reproducer"] is not None
    run["findings"][0]["reproducer"]["patch"] = None
    run["findings"][0]["remedy"] = ""
    text = render_markdown(run)
    assert "kind: Pod" in text
    assert "```diff" not in text
    assert "### Remedy" not in text


def test_a_good_run_has_nothing_to_complain_about() -> None:
    assert "Remedy" not in render_markdown(good_run())
