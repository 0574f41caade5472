"""Will this webhook break pods on the target version?

The verdict is relative to the target: what the target has and the webhook breaks makes it
incompatible; what only newer releases have, or no release yet, makes it a risk. A webhook that
never patched anything was not exercised, which is never the same as compatible.
"""

from collections.abc import Collection, Iterable
from enum import StrEnum

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.versions import Minor


class Verdict(StrEnum):
    """What a run says of one webhook."""

    INCOMPATIBLE = "incompatible"
    AT_RISK = "at-risk"
    COMPATIBLE = "compatible"
    NOT_EXERCISED = "not-exercised"
    UNREACHABLE = "unreachable"


# Findings that break a pod by themselves, whatever field they are about.
BREAKING_CODES = frozenset(
    {
        "WF002",
        "WF003",
        "WF004",
        "WF005",
        "WF006",
        "WF010",
        "WF105",
        "WF106",
        "WF204",
        "WF206",
        "WF403",
    }
)
# Findings that break a pod that has the field they name.
FIELD_CODES = frozenset({"WF007", "WF008", "WF101", "WF102", "WF103", "WF104"})
FUTURE_CODES = frozenset({"WF108"})


def decide(
    found: Collection[tuple[str, str | None]],
    *,
    catalogue: Catalogue,
    target: Minor,
    reached: bool,
    exercised: bool,
) -> Verdict:
    """The verdict from the (code, field) of all findings.

    `reached`: at least one call got an answer over HTTP. `exercised`: at least one pod was patched.
    """
    if not reached:
        return Verdict.UNREACHABLE
    since = [_since(field, catalogue) for code, field in found if code in FIELD_CODES]
    if any(code in BREAKING_CODES for code, _ in found):
        return Verdict.INCOMPATIBLE
    if any(minor is not None and minor <= target for minor in since):
        return Verdict.INCOMPATIBLE
    if since or any(code in FUTURE_CODES for code, _ in found):
        return Verdict.AT_RISK
    return Verdict.COMPATIBLE if exercised else Verdict.NOT_EXERCISED


def breaking_release(
    fields: Iterable[str], *, catalogue: Catalogue, target: Minor, future_lost: bool
) -> Minor | None:
    """The first release after the target that has one of the broken fields.

    Where only synthetic fields are lost: the first release after the newest one known.
    """
    later = [
        minor
        for field in fields
        if (minor := _since(field, catalogue)) is not None and minor > target
    ]
    if later:
        return min(later)
    return catalogue.newest.shifted(1) if future_lost else None


def _since(path: str | None, catalogue: Catalogue) -> Minor | None:
    """The minor a broken field is since; None for fields no release has."""
    field = catalogue.get(path) if path else None
    return field.since if field else None
