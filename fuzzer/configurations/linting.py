"""What is wrong with all these webhook configurations?

Every rule on every webhook, in the order the API server calls them, and what concerns the cluster
as a whole. Where a finding is written is the business of whoever read the configurations.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from webhook_fuzz.corpora.manifest_lines import Step
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.cluster.surroundings import Surroundings, View
from webhook_fuzz.fuzzer.configurations.all_rules import ALL_RULES
from webhook_fuzz.fuzzer.configurations.registry import Flaw, Subject
from webhook_fuzz.fuzzer.findings import ClusterFinding, Place, Severity, load_codes

STATIC_SINCE: Final = Minor(1, 36)
STATIC_BY_DEFAULT: Final = Minor(1, 37)
STATIC_CODE: Final = "WF613"
"""Found on a cluster, not on a webhook: that is what it is about."""

Locate: TypeAlias = Callable[[Webhook, Sequence[Step]], Place | None]
"""Where a member of a configuration is written, or the nearest member that is there."""


def nowhere(_webhook: Webhook, _path: Sequence[Step]) -> None:
    """Where a configuration is written that was read from a cluster."""


def lint_webhooks(
    webhooks: Sequence[Webhook], around: Surroundings, *, locate: Locate
) -> Iterator[ClusterFinding]:
    """The findings on webhooks given in the order the API server calls them."""
    for index, webhook in enumerate(webhooks):
        subject = Subject(webhook=webhook, around=around, later=tuple(webhooks[index + 1 :]))
        for code, function in ALL_RULES.items():
            for flaw in function(subject):
                yield _finding(code, flaw, webhook, locate)
    yield from _find_static_webhooks(around)


def _finding(code: str, flaw: Flaw, webhook: Webhook, locate: Locate) -> ClusterFinding:
    entry = () if flaw.whole else ("webhooks", webhook.index)
    path: tuple[Step, ...] = (*entry, *flaw.member)
    return ClusterFinding(
        code=code,
        severity=flaw.severity or load_codes()[code].severity,
        subject=webhook.configuration if flaw.whole else webhook.identity,
        explanation=flaw.explanation,
        evidence=flaw.evidence,
        remedy=flaw.remedy,
        path=render_path(path),
        place=locate(webhook, path),
    )


def _find_static_webhooks(around: Surroundings) -> Iterator[ClusterFinding]:
    """Find WF613: alpha in 1.36, on by default in 1.37.

    Source: k8s.io/apiserver pkg/admission/plugin/webhook/generic/composite_webhook_source.go and
    pkg/features/kube_features.go.
    """
    if around.view is not View.CLUSTER or not around.version or around.version < STATIC_SINCE:
        return
    on = around.version >= STATIC_BY_DEFAULT
    yield ClusterFinding(
        code=STATIC_CODE,
        severity=Severity.INFO,
        subject="API server",
        explanation=f"Kubernetes {around.version} can load webhooks from files on the control "
        f"plane{'' if on else ', where the feature gate is on'}; they are called before all others "
        "and no API shows them.",
        evidence=f"The API server says that it is {around.version}.",
    )


def render_path(path: Sequence[Step]) -> str:
    """`webhooks[0].rules[1].operations`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")
