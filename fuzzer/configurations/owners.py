"""Who writes a configuration, and will write over what others change in it?

WF612: operators and controllers, told by the marks they leave. An edit by hand (a narrower
selector, a shorter timeout) lasts until the owner looks at the object again.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from webhook_fuzz.corpora.cluster_api.ownership import HELM_RELEASE, OLM_OWNER, read_ownership
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import objects_at
from webhook_fuzz.fuzzer.cluster.surroundings import View
from webhook_fuzz.fuzzer.configurations.registry import Flaw, Subject, rule

_CAINJECTOR: Final = "cert-manager's cainjector"
_OPENSHIFT: Final = "service.beta.openshift.io/"
# Annotations and labels of those who put objects back as they want them.
_OWNERS: Final = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    OLM_OWNER: "the Operator Lifecycle Manager",
    "olm.managed": "the Operator Lifecycle Manager",
    "addonmanager.kubernetes.io/mode": "the add-on manager",
    HELM_RELEASE: "Helm, with the next upgrade",
}
# People and their tools; what they wrote they do not write again by themselves.
_BY_HAND: Final = ("kubectl", "helm", "k9s", "lens", "mozilla", "terraform", "python-", "unknown")
_OF_A_LIVE_OBJECT: Final = ("uid", "resourceVersion", "managedFields")
_MOST_NAMED: Final = 4


@rule("WF612")
def find_owners(subject: Subject) -> Iterator[Flaw]:
    """Said once for a configuration, whose owner is the same for all its webhooks."""
    webhook, view = subject.webhook, subject.around.view
    if webhook.index or not _is_live(webhook.metadata, view):
        return
    owners = list(dict.fromkeys(_owners(webhook.metadata)))
    if owners:
        yield Flaw(
            whole=True,
            member=("metadata",),
            explanation=f"The configuration is kept by {_join(owners)}: what is changed by hand is "
            "likely to be changed back.",
        )


def find_bundle_injector(metadata: JsonObject) -> str | None:
    """Who fills in the caBundle, by the annotation that asks for it."""
    asked = read_ownership(metadata).bundle_injection
    if asked is None:
        return None
    return "OpenShift's service CA operator" if asked.startswith(_OPENSHIFT) else _CAINJECTOR


def _is_live(metadata: JsonObject, view: View) -> bool:
    return view is View.CLUSTER or any(key in metadata for key in _OF_A_LIVE_OBJECT)


def _owners(metadata: JsonObject) -> Iterator[str]:
    injector = find_bundle_injector(metadata)
    if injector:
        yield f"{injector} (the caBundle)"
    marks = {**_texts(metadata.get("labels")), **_texts(metadata.get("annotations"))}
    yield from (name for key, name in _OWNERS.items() if key in marks)
    for reference in read_ownership(metadata).references:
        yield f"the {reference.replace('/', ' ', 1)} that owns it"
    for entry in objects_at(metadata, "managedFields"):
        manager = str(entry.get("manager", ""))
        if manager and not manager.lower().startswith(_BY_HAND) and _writes_webhooks(entry):
            yield f"{manager} (managedFields)"


def _writes_webhooks(entry: JsonObject) -> bool:
    """Whether a manager set anything in the webhooks; a label alone does no harm."""
    fields = entry.get("fieldsV1")
    return isinstance(fields, dict) and "f:webhooks" in fields


def _join(names: list[str]) -> str:
    shown = names[:_MOST_NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _texts(given: JsonValue) -> Mapping[str, JsonValue]:
    return given if isinstance(given, dict) else {}
