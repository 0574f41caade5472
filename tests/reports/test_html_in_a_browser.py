"""The report in a real Chromium: `scripts/screenshots` installs one where it may."""

from pathlib import Path

import pytest
from browsers import find_chromium, open_browser
from hostile_samples import hostile_run
from samples import MakeRun, bad_run, crowded_run, good_run

from webhook_fuzz.reports.html.rendering import render_html

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium on this machine"),
]

OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true })"


@pytest.mark.parametrize("make", [bad_run, good_run, crowded_run, hostile_run])
async def test_it_fits_a_phone_and_the_browser_has_nothing_to_complain_about(
    tmp_path: Path, make: MakeRun
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_html(make()))
    async with open_browser() as page:
        for width in (390, 1440):
            await page.open(file.as_uri(), width=width, dark=width == 390)
            assert (await page.look(width=width, whole=False)).content_width == width
            await page.evaluate(OPEN_ALL)
            look = await page.look(width=width, whole=False)
            assert look.content_width == width
            assert look.problems == ()


async def test_it_follows_the_colour_scheme(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_html(good_run()))
    async with open_browser() as page:
        colours: list[str] = []
        for dark in (False, True):
            await page.open(file.as_uri(), width=1440, dark=dark)
            colours.append(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(15, 18, 22)"]


async def test_the_policy_stops_what_would_be_smuggled_in(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    smuggled = "<img src='data:,x'><script>document.title = 'owned'</script><p style='color:red'>"
    file.write_text(render_html(good_run()).replace("<main>", f"<main>{smuggled}"))
    async with open_browser() as page:
        await page.open(file.as_uri(), width=1440, dark=False)
        title = await page.evaluate("document.title")
        look = await page.look(width=1440, whole=False)
    assert title != "owned"
    assert sum("Content Security Policy" in problem for problem in look.problems) >= 3


async def test_details_open_without_javascript(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_html(bad_run()))
    async with open_browser() as page:
        await page.command("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(file.as_uri(), width=390, dark=False)
        before = (await page.look(width=390, whole=False)).content_height
        await page.evaluate("document.querySelector('.matrix summary').click()")
        after = (await page.look(width=390, whole=False)).content_height
    assert after > before
