"""Are minor versions read as people and clusters write them, and compared as numbers?"""

import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.versions import Minor, parse_minor


@pytest.mark.parametrize(
    "text", ["1.29", "v1.29", "1.29.6", "v1.29.6-gke.1200", "1.29+", "1.29.6+k3s1", " 1.29 "]
)
def test_a_version_is_read_in_any_of_its_spellings(text: str) -> None:
    assert parse_minor(text) == Minor(1, 29)


@pytest.mark.parametrize("text", ["", "1", "1.", "1.x", "v1.29rc", "latest", "1,29", "-1.2"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_minor(text)
    assert repr(text) in caught.value.message
    assert "1.37" in caught.value.hint


def test_minors_sort_as_numbers_and_render_as_text() -> None:
    assert Minor(1, 9) < Minor(1, 30) < Minor(2, 0)
    assert str(Minor(1, 30)) == "1.30"
    assert Minor(1, 30).shifted(-1) == Minor(1, 29)
