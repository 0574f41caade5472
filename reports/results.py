"""What does `run.json` hold?

The canonical result of a run, versioned; every other format is rendered from it and from nothing
else. These are its shapes on disk; `run.schema.json` beside this module is their JSON Schema.
"""

from typing import Literal, NotRequired, TypedDict

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.reports.cluster_results import ClusterResult
from webhook_fuzz.reports.traffic_results import FindingOccurrences, TrafficResult

SCHEMA_VERSION = "webhook-fuzz/run/v1"

Verdict = Literal["incompatible", "at-risk", "compatible", "not-exercised", "unreachable"]
Severity = Literal["critical", "error", "warning", "info"]


class ToolInfo(TypedDict):
    """Which program wrote the result."""

    name: str
    version: str


class TargetInfo(TypedDict):
    """Which Kubernetes the verdicts are about: a minor, and the newest one the catalogue knows."""

    kubernetes: str
    newest_known: str


class LostField(TypedDict):
    """A catalogue field with its version, gate and the gate's stage at the target, if any."""

    path: str
    since: str
    gate: str | None
    stage: str | None


class WebhookResult(TypedDict):
    """One webhook: its verdict, the sentence that explains it, and the fields it broke or kept.

    `lost_fields`, `moved_fields` and `kept_fields` are catalogue paths; `fields` describes each
    path named in them. `oldest_lost` and `newest_kept` are minors, None where there is none.
    `breaks_in` is the release that will break it (verdict at-risk). `rtt_ms` is the median time
    of a call in milliseconds, None when nothing was answered.
    """

    name: str
    configuration: str
    url: str
    verdict: Verdict
    sentence: str
    exercised: bool
    calls: int
    lost_fields: list[str]
    moved_fields: list[str]
    kept_fields: list[str]
    future_fields: Literal["kept", "lost", "not-tried"]
    fields: dict[str, LostField]
    mechanism: str
    oldest_lost: str | None
    newest_kept: str | None
    breaks_in: str | None
    rtt_ms: float | None


class ShownOperation(TypedDict):
    """One operation of the webhook's patch; `culprit` marks those that did the damage."""

    operation: JsonObject
    culprit: bool


class Evidence(TypedDict):
    """What shows the finding: values before and after, where, and the patch that did it.

    `before` and `after` are the values at `path` (None where absent: see `before_present`).
    `paths` are all keyed paths where it happened; `explanation` is one sentence for people.
    `moved_to` is the keyed path where a migrated value ended up (WF104). `rfc6902` says how RFC
    6902 would apply the patch, where that differs from the API server.
    """

    explanation: str
    before: JsonValue
    before_present: bool
    after: JsonValue
    after_present: bool
    paths: list[str]
    moved_to: NotRequired[str]
    rfc6902: NotRequired[str]


class Reproducer(TypedDict):
    """The smallest pod that shows the finding, and the webhook's patch for it.

    `confirmed` is `alone` when the field was sent alone on the minimal pod, `in-combination` when
    it only showed together with others, `not-needed` for findings that no pod field causes,
    `as-recorded` for recorded exchanges.
    `trigger` is the trigger the pod carries. `patch` is None when there was no usable patch;
    `patch_text` is then what was sent as one, cut short.
    """

    pod: JsonObject
    patch: list[JsonObject] | None
    patch_text: NotRequired[str]
    trigger: str
    confirmed: Literal["alone", "in-combination", "not-needed", "as-recorded"]


class FindingResult(TypedDict):
    """One finding.

    `path` is keyed (`spec.initContainers[name=logs].restartPolicy`), `field` is
    its catalogue path; both are None where a finding concerns no field. `occurrences` are there for
    recorded traffic only.
    """

    id: str
    code: str
    name: str
    severity: Severity
    webhook: str
    title: str
    path: str | None
    field: str | None
    since: str | None
    gate: str | None
    mechanism: str
    evidence: Evidence
    reproducer: Reproducer | None
    remedy: str
    occurrences: NotRequired[FindingOccurrences]


class TriggerCoverage(TypedDict):
    """What was sent with one trigger. `effect` says what it did.

    `acts`: the webhook patched pods with it; `same-as-without`: it answered like without any
    trigger, so its cases were not repeated; `no-patch`: it answered without a patch; `failed`:
    no call with it was answered.
    """

    trigger: str
    effect: Literal["acts", "same-as-without", "no-patch", "failed"]
    cases_planned: int
    sent: int
    answered: int


class Coverage(TypedDict):
    """What was tried on one webhook: probes planned, sent and answered, and each trigger.

    `confirmations` counts the calls that repeated a broken field alone on a minimal pod.
    `not_probed` are catalogue fields no pod can carry, with the reason.
    """

    webhook: str
    probes_planned: int
    probes_sent: int
    probes_answered: int
    confirmations: int
    triggers: list[TriggerCoverage]
    not_probed: dict[str, str]


class RunResult(TypedDict):
    """`run.json`. `complete` is False when the run was interrupted or could not be finished.

    `cluster` is there for runs on a cluster only, `traffic` where recordings were judged.
    """

    schema: str
    tool: ToolInfo
    target: TargetInfo
    started: str
    seconds: float
    seed: int
    complete: bool
    webhooks: list[WebhookResult]
    findings: list[FindingResult]
    coverage: list[Coverage]
    cluster: NotRequired[ClusterResult]
    traffic: NotRequired[TrafficResult]
