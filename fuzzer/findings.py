"""What is a finding?

A finding is a value: what one webhook does wrong, where, and what shows it. Findings are equal by
code, webhook and field, so that a thousand pods with the same loss are one finding, and two
different losses stay two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import TypedDict

import yaml

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.pods import ABSENT, Absent


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)

    def at_least(self, other: "Severity") -> bool:
        """Whether this is as bad as `other` or worse."""
        return self.rank <= other.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An entry of the finding catalogue (`checks/codes.yaml`)."""

    code: str
    name: str
    severity: Severity
    title: str
    remedy: str

    @property
    def page(self) -> str:
        """The documentation page, as Markdown."""
        pages = resources.files("webhook_fuzz.fuzzer.checks").joinpath("pages")
        return pages.joinpath(f"{self.code}.md").read_text("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a webhook does wrong, as one exchange shows it.

    `path` is keyed, `field` its catalogue path; both None where no field is concerned. `before` and
    `after` are the values at `path`. `moved_to` is the keyed path a migrated value is found at.
    `culprits` are the indexes of the patch operations that did it. `explanation` is one sentence.
    """

    code: str
    explanation: str
    path: str | None = None
    field: str | None = None
    before: JsonValue | Absent = ABSENT
    after: JsonValue | Absent = ABSENT
    moved_to: str | None = None
    culprits: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes two findings on one webhook the same."""
        return (self.code, self.field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a file something is written; `line` counts from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFinding:
    """One thing that is wrong with a configuration, a node or the cluster around the webhooks.

    `subject` names it for people (`istio-sidecar-injector/rev.object.sidecar-injector.istio.io`,
    `node worker-3`, `pod shop/cart-0`); `severity` may be milder or worse than the code's own.
    `evidence` says how it is known, one sentence; `remedy` replaces the code's own where the case
    allows a better one. `path` is where in the object, `place` where in a file.
    """

    code: str
    severity: Severity
    subject: str
    explanation: str
    evidence: str = ""
    remedy: str | None = None
    path: str | None = None
    place: Place | None = None


class _CodeEntry(TypedDict):
    name: str
    severity: str
    title: str
    remedy: str


@cache
def load_codes() -> Mapping[str, Code]:
    """The finding catalogue by code."""
    text = resources.files("webhook_fuzz.fuzzer.checks").joinpath("codes.yaml").read_text("utf-8")
    entries: dict[str, _CodeEntry] = yaml.safe_load(text)["codes"]
    return {
        code: Code(
            code=code,
            name=entry["name"],
            severity=Severity(entry["severity"]),
            title=entry["title"],
            remedy=entry["remedy"],
        )
        for code, entry in entries.items()
    }
