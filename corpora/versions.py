"""Which Kubernetes minor version is older?

Field knowledge is per minor ("since 1.29"); patch releases add no fields. Compared as numbers:
as text, "1.9" would come after "1.30".
"""

import re
from typing import NamedTuple

from webhook_fuzz.corpora.errors import InputError

_MINOR = re.compile(r"v?(\d+)\.(\d+)(?:[.+-].*)?")


class Minor(NamedTuple):
    """A Kubernetes minor version: `Minor(1, 29)` renders as `1.29` and sorts as a number."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    def shifted(self, by: int) -> "Minor":
        """The minor `by` releases later (earlier when negative)."""
        return Minor(self.major, self.minor + by)


def parse_minor(text: str) -> Minor:
    """`1.29`, `v1.29.6` or `v1.29.6-gke.100` as a Minor.

    Raises InputError when the text is no Kubernetes version.
    """
    found = _MINOR.fullmatch(text.strip())
    if found is None:
        raise InputError(
            f"{text!r} is not a Kubernetes version",
            hint="Write it as major and minor, for example 1.37.",
        )
    return Minor(int(found[1]), int(found[2]))
