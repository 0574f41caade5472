"""What does `run.json` say of the cluster a run was made on?

The member `cluster` is there only where there was one: the chain in the order the API server calls
it, how each webhook was reached, what the whole chain did to pods in a dry run, whether the cluster
is ready for the new fields, what is wrong with configurations and nodes, and what could not be
seen. What was not seen is listed, never left out.
"""

from typing import Literal, TypedDict

Severity = Literal["critical", "error", "warning", "info"]
Way = Literal["url", "service-name", "cluster-ip", "service-proxy", "dry-run", "none"]
Matched = Literal["matches", "skipped", "rejected", "undecided"]
Answer = Literal["on", "off", "unknown"]


class RefusedWay(TypedDict):
    """A way to a webhook that was not taken, and why."""

    way: Way
    reason: str


class HopResult(TypedDict):
    """One webhook of the chain, in the order the API server calls them (`position` from 0).

    `matched` says whether it would be called for the pods of this run and `matching` why. `way` is
    how it was judged: `dry-run` means only as part of the whole chain, `none` not at all; `reason`
    says why this way, `refused` why none of the better ones.
    """

    position: int
    configuration: str
    name: str
    matched: Matched
    matching: str
    failure_policy: str
    timeout_seconds: int
    reinvocation_policy: str
    way: Way
    reason: str
    refused: list[RefusedWay]


class ChainLoss(TypedDict):
    """A field that went in and did not come out of the whole chain.

    `hop` is the webhook (`CONFIG/NAME`) that lost it, None where that is not known; `known_by` is
    one sentence on how it is known. `since` is the field's minor, None for a field of no release.
    """

    path: str
    field: str
    since: str | None
    hop: str | None
    known_by: str


class RefusedPod(TypedDict):
    """Pods the API server refused: who refused them, in which words, how many."""

    by: str
    message: str
    count: int


class DryRunResult(TypedDict):
    """Server-side dry runs through the real chain: pods sent and accepted, and what came of them.

    `not_admitted_fields` are catalogue paths the API server itself does not know or drops: no
    webhook is to blame for them.
    """

    namespace: str
    sent: int
    accepted: int
    refused: list[RefusedPod]
    lost: list[ChainLoss]
    not_admitted_fields: dict[str, str]


class ReadinessRow(TypedDict):
    """Components of one kind that gave the same answer: whether the feature is on, how it is known.

    `names` are at most the first three of `count`.
    """

    component: str
    version: str
    count: int
    names: list[str]
    answer: Answer
    known_by: str


class ReadinessResult(TypedDict):
    """Whether the cluster can run a feature; `advice` is what to do, one paragraph a line."""

    feature: str
    rows: list[ReadinessRow]
    advice: list[str]


class ClusterFindingResult(TypedDict):
    """Something wrong with a configuration, a node or a pod of the cluster (WF6xx, WF7xx).

    `file` and `line` are where it is written, None on a cluster.
    """

    code: str
    name: str
    severity: Severity
    subject: str
    explanation: str
    evidence: str
    remedy: str
    path: str | None
    file: str | None
    line: int | None


class UnseenResult(TypedDict):
    """Something the cluster did not show, and why."""

    what: str
    why: str


class ClusterResult(TypedDict):
    """The cluster of a run. `version` is what its API server says, such as `v1.37.2`."""

    context: str
    server: str
    version: str
    chain: list[HopResult]
    dry_run: DryRunResult | None
    readiness: list[ReadinessResult]
    findings: list[ClusterFindingResult]
    not_seen: list[UnseenResult]
