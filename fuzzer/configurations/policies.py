"""Which settings of a webhook make it a burden: timeout, side effects, versions, reinvocation?

WF601, WF604, WF605, WF606 and WF607: what can be told from the entry itself, and from those that
follow it.
"""

from collections.abc import Iterator
from typing import Final

from webhook_fuzz.corpora.webhooks import DEFAULT_TIMEOUT_SECONDS, Webhook
from webhook_fuzz.fuzzer.configurations.coverage import (
    covers_new_pods,
    may_have_versions,
    strings,
)
from webhook_fuzz.fuzzer.configurations.registry import Flaw, Subject, rule
from webhook_fuzz.fuzzer.findings import Severity

SENSIBLE_TIMEOUT: Final = 5
LONGEST_TIMEOUT: Final = 15
_MOST_NAMED: Final = 3


@rule("WF601")
def find_long_timeouts(subject: Subject) -> Iterator[Flaw]:
    """A webhook that hangs holds every request it matches for its whole timeout.

    All webhooks of a request share 34 seconds (k8s.io/apiserver pkg/endpoints/handlers/rest.go
    requestTimeoutUpperBound); beyond, the request fails even where failurePolicy is Ignore.
    """
    webhook = subject.webhook
    seconds = webhook.timeout_seconds
    if "timeoutSeconds" not in webhook.entry:
        yield Flaw(
            explanation=f"timeoutSeconds is not set: the API server waits "
            f"{DEFAULT_TIMEOUT_SECONDS} s for an answer.",
            evidence=_consequence(webhook),
        )
    elif seconds > SENSIBLE_TIMEOUT:
        yield Flaw(
            severity=Severity.ERROR if seconds > LONGEST_TIMEOUT else Severity.WARNING,
            member=("timeoutSeconds",),
            explanation=f"timeoutSeconds is {seconds}: so long the API server waits for an answer.",
            evidence=_consequence(webhook),
        )


def _consequence(webhook: Webhook) -> str:
    then = "fails" if webhook.failure_policy == "Fail" else "goes on without it"
    return f"When it hangs, each request it matches waits that long and then {then}."


@rule("WF604")
def find_exact_matching(subject: Subject) -> Iterator[Flaw]:
    """Exact misses what comes in through a version or group no rule names.

    Pods and most of what Kubernetes serves have one version, where Exact is Equivalent.
    """
    webhook = subject.webhook
    if webhook.match_policy != "Exact":
        return
    for index, each in enumerate(webhook.rules):
        groups, versions = strings(each, "apiGroups"), strings(each, "apiVersions")
        several = [group for group in groups if may_have_versions(group)]
        if not several or "*" in versions:
            continue
        yield Flaw(
            member=("matchPolicy",),
            explanation=f"matchPolicy is Exact, and rules[{index}] names only the "
            f"{'version' if len(versions) == 1 else 'versions'} {', '.join(versions)} of "
            f"{', '.join(several)}: what is sent in another version passes it by.",
        )
        return


@rule("WF605")
def find_side_effects(subject: Subject) -> Iterator[Flaw]:
    """The API server refuses dry runs that meet a webhook with side effects."""
    given = subject.webhook.side_effects
    if given in {"None", "NoneOnDryRun"}:
        return
    if given is None:
        yield Flaw(
            explanation="sideEffects is not set, without which admissionregistration.k8s.io/v1 "
            "refuses the configuration."
        )
    else:
        yield Flaw(
            member=("sideEffects",),
            explanation=f"sideEffects is {given}: every dry run that meets this webhook is "
            "refused, `kubectl diff` and `kubectl apply --dry-run=server` among them.",
        )


@rule("WF606")
def find_old_review_versions(subject: Subject) -> Iterator[Flaw]:
    """The API server sends the first version it knows: v1 or v1beta1."""
    given = subject.webhook.review_versions
    known = [version for version in given if version in {"v1", "v1beta1"}]
    if not known:
        what = f"lists {', '.join(given)}" if given else "is empty"
        yield Flaw(
            severity=Severity.ERROR,
            member=("admissionReviewVersions",),
            explanation=f"admissionReviewVersions {what}: no API server speaks that.",
        )
    elif known[0] == "v1beta1":
        order = "before v1" if "v1" in known else "only"
        yield Flaw(
            member=("admissionReviewVersions",),
            explanation=f"admissionReviewVersions lists v1beta1 {order}: reviews are sent in a "
            "version that is deprecated since Kubernetes 1.16, and whose answers nobody checks.",
        )


@rule("WF607")
def find_unseen_changes(subject: Subject) -> Iterator[Flaw]:
    """A webhook that is called once does not see what those after it add.

    Whether that matters takes a run: it is a hint here, for webhooks of other programs only.
    """
    webhook = subject.webhook
    if webhook.reinvocation_policy != "Never" or not covers_new_pods(webhook):
        return
    later = [
        other.identity
        for other in subject.later
        if covers_new_pods(other) and not _is_same_program(webhook, other)
    ]
    if later:
        more = len(later) - _MOST_NAMED
        names = ", ".join(later[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        yield Flaw(
            severity=Severity.INFO,
            member=("reinvocationPolicy",),
            explanation="reinvocationPolicy is Never, and webhooks that are called later change "
            f"pods too ({names}): containers they add are not seen by this one.",
            remedy="Let it be called again (IfNeeded) if it must treat containers that others add, "
            "once `webhook-fuzz run` shows that a second call changes nothing.",
        )


def _is_same_program(one: Webhook, other: Webhook) -> bool:
    if one.configuration == other.configuration:
        return True
    here, there = one.service, other.service
    return here is not None and there is not None and here.server_name == there.server_name
