"""What came of a replay, beside what was found?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook_fuzz.fuzzer.recorded.shapes import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFacts:
    """Counts of reviews, and the reviews themselves.

    `sent` were sent as they were recorded; of these `patched_now` were answered with a patch, and
    `patched_then` of all when they were recorded. `enriched` pods were also sent with new fields,
    where `asked_to_enrich`; `not_enriched` counts the others by the reason.
    """

    samples: Sequence[Sample]
    asked_to_enrich: bool
    sent: int
    enriched: int
    patched_now: int
    not_enriched: Mapping[str, int]

    @property
    def patched_then(self) -> int:
        """How many of the reviews were answered with a patch when they were recorded."""
        return sum(sample.acted == "patched" for sample in self.samples)
