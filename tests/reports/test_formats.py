"""Every format, as a whole. To write the golden files anew, see goldens.py."""

import json

import pytest
from cluster_samples import cluster_run
from goldens import check_golden
from hostile_samples import hostile_run
from samples import MakeRun, bad_run, crowded_run, good_run

from webhook_fuzz.reports.formats import FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_a_bad_run_renders_as_reviewed(name: str) -> None:
    check_golden(f"bad{FORMATS[name].suffix}", FORMATS[name].render(bad_run()))


@pytest.mark.parametrize("name", FORMATS)
def test_a_good_run_renders_as_reviewed(name: str) -> None:
    check_golden(f"good{FORMATS[name].suffix}", FORMATS[name].render(good_run()))


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_on_a_cluster_renders_as_reviewed(name: str) -> None:
    check_golden(f"cluster{FORMATS[name].suffix}", FORMATS[name].render(cluster_run()))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("make", [crowded_run, hostile_run])
def test_every_format_renders_every_run_as_utf_8(name: str, make: MakeRun) -> None:
    assert FORMATS[name].render(make()).encode()


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "json"])
def test_no_format_carries_control_or_direction_characters_on(name: str) -> None:
    text = FORMATS[name].render(hostile_run())
    assert not set(text) & {"\x1b", "\x00", "\u202e", "\u2028", "\ud800"}


def test_json_carries_every_string_on_as_it_was() -> None:
    assert json.loads(FORMATS["json"].render(hostile_run())) == hostile_run()


@pytest.mark.parametrize("name", FORMATS)
def test_rendering_is_repeatable(name: str) -> None:
    assert FORMATS[name].render(bad_run()) == FORMATS[name].render(bad_run())


def test_a_report_has_a_name_for_each_format() -> None:
    assert FORMATS["html"].file_name == "report.html"
    assert len({each.file_name for each in FORMATS.values()}) == len(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_run_renders(name: str) -> None:
    run = good_run()
    run.update({"webhooks": [], "findings": [], "coverage": []})
    assert FORMATS[name].render(run)
