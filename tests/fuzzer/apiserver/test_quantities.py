from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_fuzz.fuzzer.apiserver.quantities import (
    QuantityError,
    parse_quantity,
    served_quantity,
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
def test_a_served_spelling_means_the_same_amount_and_stays_as_it_is(spelling: str) -> None:
    served = served_quantity(spelling)
    assert served_quantity(served) == served
    assert parse_quantity(served).nanos == parse_quantity(spelling).nanos


@pytest.mark.parametrize(
    ("spelling", "served"),
    [
        (" 1024Mi ", "1Gi"),
        ("1000", "1k"),
        ("0.5", "500m"),
        ("0.5Gi", "512Mi"),
        ("1500m", "1500m"),
        ("1025Mi", "1025Mi"),
        ("+5", "+5"),
        ("5.", "5."),
        ("07Mi", "07Mi"),
        ("08Mi", "8Mi"),
        ("00", "0"),
        ("1.000", "1"),
        ("0.0000000001", "1n"),
        ("123456789012345678901", "123456789012345678901"),
        ("1234567890123457Ei", "9223372036854775807"),
    ],
)
def test_a_spelling_that_passes_for_canonical_is_served_as_it_is(
    spelling: str, served: str
) -> None:
    assert served_quantity(spelling) == served
