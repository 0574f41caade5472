from result_parts import FIELDS, RULES, SIDECAR, run_of, webhook
from samples import bad_run

from webhook_fuzz.reports.html.matrices import build_matrix
from webhook_fuzz.reports.overviews import order_webhooks


def test_every_field_has_one_row_in_the_group_of_its_minor() -> None:
    run = bad_run()
    matrix = build_matrix(run, order_webhooks(run))
    rows = {f"spec.{row.path}": group.minor for group in matrix.groups for row in group.rows}
    assert rows == {path: field["since"] for path, field in FIELDS.items()}
    assert all(len(row.cells) == 6 for group in matrix.groups for row in group.rows)


def test_cells_say_what_each_webhook_did() -> None:
    run = bad_run()
    matrix = build_matrix(run, order_webhooks(run))
    states = {
        f"spec.{row.path}": [cell.state for cell in row.cells]
        for group in matrix.groups
        for row in group.rows
    }
    assert states[SIDECAR] == ["lost", "kept", "kept", "not-tried", "not-tried", "kept"]
    assert states[RULES][:2] == ["lost", "moved"]


def test_a_summary_shows_the_worst_and_counts_it() -> None:
    run = bad_run()
    matrix = build_matrix(run, order_webhooks(run))
    group = next(group for group in matrix.groups if group.minor == "1.34")
    lossy, moving, keeping, unknown, *_ = group.summary
    assert (lossy.state, lossy.text) == ("lost", "6")
    assert (moving.state, moving.text) == ("moved", "1")
    assert moving.words == "1 moved, 5 kept of 6 fields"
    assert (keeping.state, keeping.text) == ("kept", "")
    assert unknown.state == "not-tried"


def test_what_was_partly_tried_is_not_called_not_tried() -> None:
    one = webhook("a", "compatible", "")
    one.update({"kept_fields": ["spec.os"], "fields": FIELDS})
    two = webhook("b", "compatible", "")
    two.update({"kept_fields": [path for path in FIELDS if "grpc" in path], "fields": FIELDS})
    matrix = build_matrix(run_of(one, two), [one, two])
    group = next(group for group in matrix.groups if group.minor == "1.23")
    assert group.summary[0].words == "1 kept, 6 not tried of 7 fields"


def test_nothing_tried_is_an_empty_matrix() -> None:
    assert build_matrix(run_of(), []).groups == ()
