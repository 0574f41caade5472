"""Which specimens are there?"""

from collections.abc import Mapping
from types import MappingProxyType

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.specimens import (
    faultless,
    protocol_faults,
    round_trips,
    shape_faults,
    triggered,
)
from webhook_fuzz.fuzzer.specimens.programs import Specimen

# Losses first: they are what the program is about.
SPECIMENS: Mapping[str, Specimen] = MappingProxyType(
    {
        specimen.name: specimen
        for room in (round_trips, faultless, protocol_faults, shape_faults, triggered)
        for specimen in room.SPECIMENS
    }
)


def get_specimen(name: str) -> Specimen:
    """The specimen called `name`. Raises InputError with the known names."""
    if name not in SPECIMENS:
        raise InputError(
            f"there is no specimen {name!r}", hint=f"Known are: {', '.join(SPECIMENS)}."
        )
    return SPECIMENS[name]
