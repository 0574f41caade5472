import re

import pytest
from hostile_samples import hostile_run
from result_parts import newer_than, webhook
from samples import bad_run, crowded_run, good_run

from webhook_fuzz.reports.terminal import render_summary

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [40, 80, 100, 200])
@pytest.mark.parametrize("colour", [True, False])
def test_no_line_is_wider_than_the_terminal(width: int, *, colour: bool) -> None:
    for make in (bad_run, crowded_run, hostile_run):
        text = ESCAPES.sub("", render_summary(make(), width=width, colour=colour))
        assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [60, 80, 120])
def test_four_webhooks_fit_on_a_screen_however_bad_they_are(width: int) -> None:
    run = bad_run()
    run["webhooks"] = [
        each for each in run["webhooks"] if each["verdict"] not in {"compatible", "at-risk"}
    ]
    assert len(run["webhooks"]) == 4
    run["findings"] = [each for each in run["findings"] if each["code"] != "WF108"]
    for each in run["webhooks"][:4]:
        each.update(
            {
                "lost_fields": newer_than(27),
                "moved_fields": newer_than(36),
                "sentence": "word " * 80,
            }
        )
    assert len(render_summary(run, width=width, report="report.html").splitlines()) <= 24


@pytest.mark.parametrize("count", [1, 2])
def test_few_webhooks_get_more_room_and_still_fit(count: int) -> None:
    run = bad_run()
    run["webhooks"] = [each for each in run["webhooks"] if each["lost_fields"]] * count
    text = render_summary(run, width=100)
    assert len(text.splitlines()) <= 24
    assert "1.30 securityContext.appArmorProfile +2" in text


def test_it_says_what_is_lost_and_what_to_do_next() -> None:
    text = render_summary(bad_run(), width=100, report="webhook-fuzz-out/report.html")
    assert "2 of 6 webhooks would break pods on Kubernetes 1.37" in text
    assert "Lost 72: 1.28 initContainers[].restartPolicy · 1.29 *.matchLabelKeys +10" in text
    assert "Report   webhook-fuzz-out/report.html" in text
    assert "webhook-fuzz explain WF101" in text
    assert "? Not exercised vault-agent.injector.example.com" in text


def test_without_colour_there_is_no_escape_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in render_summary(bad_run(), colour=False)


def test_with_colour_there_are_only_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    run = hostile_run()
    text = render_summary(run, colour=True)
    assert ESCAPES.search(text)
    assert "\x1b" not in ESCAPES.sub("", text)
    assert set(ESCAPES.findall(text)) <= {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[1;31m"}


def test_markup_in_names_is_not_interpreted() -> None:
    run = good_run()
    run["webhooks"] = [webhook("[bold]x[/bold]:smile:", "unreachable", "[link=x]y[/link]")]
    text = render_summary(run)
    assert "[bold]x[/bold]:smile:" in text
    assert "[link=x]y[/link]" in text


def test_a_good_run_is_short() -> None:
    assert len(render_summary(good_run()).splitlines()) == 3
