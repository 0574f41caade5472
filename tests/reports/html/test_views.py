from result_parts import REMEDY
from samples import bad_run, good_run

from webhook_fuzz.reports.html.views import build_cards, build_findings


def test_cards_are_numbered_worst_first() -> None:
    cards = build_cards(bad_run())
    assert [card.number for card in cards] == [1, 2, 3, 4, 5, 6]
    assert cards[0].verdict_label == "Incompatible"
    assert cards[0].losses[0].minor == "1.28"
    assert cards[-1].losses == ()


def test_every_finding_is_in_exactly_one_group() -> None:
    run = bad_run()
    sections = build_findings(run, build_cards(run))
    groups = [
        group for section in sections for _, _, found in section.severities for group in found
    ]
    shown = [view.finding["id"] for group in groups for view in group.findings]
    assert sorted(shown) == sorted(finding["id"] for finding in run["findings"])
    for group in groups:
        if group.minors:
            within = [view for minor in group.minors for view in minor.findings]
            assert sorted(map(id, within)) == sorted(map(id, group.findings))


def test_a_remedy_that_many_findings_share_is_said_once() -> None:
    run = bad_run()
    sections = build_findings(run, build_cards(run))
    assert [section.remedy for section in sections] == [REMEDY, None, None, None]


def test_webhooks_without_findings_have_no_section() -> None:
    run = good_run()
    assert build_findings(run, build_cards(run)) == ()
