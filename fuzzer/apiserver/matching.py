"""Would kube-apiserver call a webhook for a request, and what decides that?

The order is the server's: namespaceSelector, objectSelector, rules, equivalent resources,
matchConditions; the first no ends it. What is not known (the labels of a namespace, a condition
only the server can evaluate) never becomes a yes: the answer is UNDECIDED unless something else
says no.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/generic/webhook.go ShouldCallHook, Dispatch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import (
    UNKNOWN_USER,
    Attributes,
    Resource,
    pod_attributes,
)
from webhook_fuzz.fuzzer.apiserver.match_conditions import (
    ConditionResult,
    Verdict,
    evaluate_conditions,
)
from webhook_fuzz.fuzzer.apiserver.rules import (
    first_equivalent_rule,
    first_rule,
    is_never_sent,
    is_virtual,
    may_have_equivalent_rule,
)
from webhook_fuzz.fuzzer.apiserver.selectors import (
    SelectorError,
    is_empty,
    match_selector,
    object_labels,
)

__all__ = [
    "UNKNOWN_USER",
    "Attributes",
    "Decision",
    "Matching",
    "match_webhook",
    "pod_attributes",
]

# Every namespace has it: k8s.io/api core/v1 LabelMetadataName.
_NAME_LABEL = "kubernetes.io/metadata.name"


class Decision(StrEnum):
    """What comes of a webhook for a request.

    REJECTED: a matchCondition fails and failurePolicy is Fail. UNDECIDED: it takes the server.
    """

    MATCHES = "matches"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """The decision, and one sentence on which selector, rule or condition made it."""

    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """How far one step got: None where it cannot be told, and why it did not fit or is unclear."""

    fits: bool | None
    why: str = ""


def match_webhook(webhook: Webhook, attributes: Attributes) -> Matching:
    """Whether the API server would call `webhook`, one registered with it, for a request."""
    if is_never_sent(attributes):
        return _skipped(f"No webhook is ever asked about {attributes.resource}.")
    steps = (_match_namespace, _match_object, _match_rules)
    unclear: list[str] = []
    for step in steps:
        fit = step(webhook, attributes)
        if fit.fits is False:
            return _skipped(fit.why)
        if fit.fits is None:
            unclear.append(fit.why)
    matching = _match_conditions(webhook, attributes)
    if unclear and matching.decision is not Decision.SKIPPED:
        return Matching(decision=Decision.UNDECIDED, reason=unclear[0])
    return matching


def _match_namespace(webhook: Webhook, attributes: Attributes) -> _Fit:
    """Source: predicates/namespace/matcher.go MatchNamespaceSelector, GetNamespaceLabels."""
    if not attributes.namespace and attributes.resource != "namespaces":
        return _Fit(fits=True)  # a cluster-scoped object is never exempted
    if is_empty(webhook.namespace_selector):
        return _Fit(fits=True)
    labels, complete = attributes.namespace_labels, True
    if _is_written_namespace(attributes):
        labels = object_labels(attributes.object)
    elif labels is None:
        labels, complete = {_NAME_LABEL: attributes.namespace}, False
    try:
        selected = match_selector(webhook.namespace_selector, labels, complete=complete)
    except SelectorError as error:
        return _invalid("namespaceSelector", error)
    name = attributes.namespace or attributes.name
    if selected is None:
        return _Fit(fits=None, why=f"The labels of the namespace {name} are not known.")
    return _Fit(
        fits=selected, why=f"namespaceSelector does not select the labels of the namespace {name}."
    )


def _is_written_namespace(attributes: Attributes) -> bool:
    """A Namespace that is being written is taken by its own labels, not by the stored ones."""
    return (
        attributes.resource == "namespaces"
        and not attributes.subresource
        and attributes.operation in {"CREATE", "UPDATE"}
    )


def _match_object(webhook: Webhook, attributes: Attributes) -> _Fit:
    """Source: predicates/object/matcher.go MatchObjectSelector.

    What CONNECT carries are options without metadata; they fit no selector but the empty one.
    """
    if is_empty(webhook.object_selector):
        return _Fit(fits=True)
    objects = [each for each in (attributes.object, attributes.old_object) if each is not None]
    try:
        verdicts = [match_selector(webhook.object_selector, object_labels(o)) for o in objects]
        match_selector(webhook.object_selector, {})
    except SelectorError as error:
        return _invalid("objectSelector", error)
    selected = attributes.operation != "CONNECT" and any(verdicts)
    return _Fit(fits=selected, why="objectSelector does not select the labels of the object.")


def _match_rules(webhook: Webhook, attributes: Attributes) -> _Fit:
    asked = _describe(attributes)
    if first_rule(webhook.rules, attributes) is None:
        if webhook.match_policy == "Exact":
            return _Fit(fits=False, why=f"No rule is for {asked} (matchPolicy Exact).")
        if may_have_equivalent_rule(webhook.rules, attributes):
            return _Fit(
                fits=None,
                why=f"A rule is for another version of {attributes.resource}; "
                "it counts if the API server serves that version too.",
            )
        if first_equivalent_rule(webhook.rules, attributes) is None:
            return _Fit(fits=False, why=f"No rule is for {asked}.")
    if is_virtual(attributes):
        return _Fit(
            fits=None,
            why=f"API servers since 1.37 send {attributes.resource} to no webhook, older ones do.",
        )
    return _Fit(fits=True)


def _match_conditions(webhook: Webhook, attributes: Attributes) -> Matching:
    """Any false skips, whatever else fails; then failurePolicy decides on errors.

    Source: matchconditions/matcher.go Match.
    """
    equivalent = _equivalent(webhook, attributes)
    called = _Called(webhook=webhook, attributes=attributes, equivalent=equivalent)
    if not webhook.match_conditions:
        return Matching(decision=Decision.MATCHES, reason=called.sentence())
    if equivalent is not None:
        return _undecided(f"The matchConditions see the object converted to {equivalent}.")
    results = evaluate_conditions(webhook.match_conditions, attributes)
    return _weigh(results, called)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Called:
    """What is said of a webhook whose rules and selectors fit."""

    webhook: Webhook
    attributes: Attributes
    equivalent: Resource | None

    def sentence(self) -> str:
        asked = _describe(self.attributes)
        if self.equivalent is not None:
            return f"Its rules are for {self.equivalent}, the equivalent of {asked}."
        others = [
            name
            for name, given in (
                ("namespaceSelector", not is_empty(self.webhook.namespace_selector)),
                ("objectSelector", not is_empty(self.webhook.object_selector)),
                ("matchConditions", bool(self.webhook.match_conditions)),
            )
            if given
        ]
        verb = "agrees" if len(others) == 1 and others != ["matchConditions"] else "agree"
        agree = f", and its {' and '.join(others)} {verb}" if others else ""
        return f"Its rules are for {asked}{agree}."


def _weigh(results: Sequence[ConditionResult], called: _Called) -> Matching:
    first = {verdict: _first(results, verdict) for verdict in Verdict}
    ignores = called.webhook.failure_policy == "Ignore"
    if (false := first[Verdict.FALSE]) is not None:
        return _skipped(f"The matchCondition {false.name} is false.")
    failed, unclear = first[Verdict.ERROR], first[Verdict.UNDECIDED]
    if failed is not None and ignores:
        return _skipped(
            f"The matchCondition {failed.name} fails ({failed.why}), and failurePolicy is Ignore."
        )
    if unclear is not None:
        return _undecided(f"The matchCondition {unclear.name} is decided by the server: "
                          f"{unclear.why}.")  # fmt: skip
    if failed is not None:
        return Matching(
            decision=Decision.REJECTED,
            reason=f"The matchCondition {failed.name} fails ({failed.why}), and failurePolicy is "
            "Fail: the request is refused.",
        )
    return Matching(decision=Decision.MATCHES, reason=called.sentence())


def _first(results: Sequence[ConditionResult], verdict: Verdict) -> ConditionResult | None:
    return next((result for result in results if result.verdict is verdict), None)


def _equivalent(webhook: Webhook, attributes: Attributes) -> Resource | None:
    """The resource an object is converted to, where no rule is for the one it came as."""
    if first_rule(webhook.rules, attributes) is not None:
        return None
    found = first_equivalent_rule(webhook.rules, attributes)
    return found[1] if found else None


def _invalid(name: str, error: SelectorError) -> _Fit:
    return _Fit(fits=None, why=f"{name} is one the API server does not accept: {error}.")


def _describe(attributes: Attributes) -> str:
    sub = f"/{attributes.subresource}" if attributes.subresource else ""
    return f"{attributes.operation} of {attributes.group_resource}{sub}"


def _skipped(reason: str) -> Matching:
    return Matching(decision=Decision.SKIPPED, reason=reason)


def _undecided(reason: str) -> Matching:
    return Matching(decision=Decision.UNDECIDED, reason=reason)
