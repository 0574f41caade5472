from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_fuzz.fuzzer.apiserver.quantities import (
    QuantityError,
    canonical_quantity,
    parse_quantity,
)


def test_every_spelling_is_read_as_kubernetes_reads_it(quantities_case: dict[str, Any]) -> None:
    spelling = quantities_case["spelling"]
    if "error" in quantities_case:
        with pytest.raises(QuantityError) as caught:
            parse_quantity(spelling)
        assert str(caught.value) == quantities_case["error"]
        return
    quantity = parse_quantity(spelling)
    assert str(quantity) == quantities_case["canonical"]
    assert str(quantity.rounded_up_to_milli()) == quantities_case["milli"]


@pytest.mark.parametrize("spelling", ["1e999999999", "9" * 100_000, "1e" + "9" * 10_000])
def test_quantities_nobody_means_are_refused_instead_of_computed(spelling: str) -> None:
    with pytest.raises(QuantityError):
        parse_quantity(spelling)


spellings = st.from_regex(
    r"-?[0-9]{1,12}(\.[0-9]{1,6})?(n|u|m|k|M|G|Ki|Mi|Gi|e-?[0-9])?", fullmatch=True
)


@given(spellings)
def test_a_canonical_spelling_means_the_same_amount_and_is_its_own(spelling: str) -> None:
    canonical = canonical_quantity(spelling)
    assert canonical_quantity(canonical) == canonical
    assert parse_quantity(canonical).nanos == parse_quantity(spelling).nanos


def test_space_around_a_quantity_is_ignored_where_json_is_decoded() -> None:
    assert canonical_quantity(" 1024Mi ") == "1Gi"
