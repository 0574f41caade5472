"""Who put a webhook configuration there, and who keeps writing to it?

Told by the marks that package managers, operators and controllers leave in the metadata. Facts
only: nothing is judged here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import objects_at, text_at

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
HELM_RELEASE: Final = "meta.helm.sh/release-name"
HELM_NAMESPACE: Final = "meta.helm.sh/release-namespace"
OLM_OWNER: Final = "olm.owner"
INJECTIONS: Final = (
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
)
"""Annotations that ask a controller to write the caBundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Who wrote fields of the object: `Apply` keeps them, `Update` wrote them at least once."""

    name: str
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The marks in the metadata of a configuration.

    `helm_release` is `NAMESPACE/NAME`, `bundle_injection` the annotation that asks for a caBundle
    as `KEY=VALUE`, `references` are `KIND/NAME` of the objects that own it.
    """

    helm_release: str | None = None
    managed_by: str | None = None
    olm_owner: str | None = None
    bundle_injection: str | None = None
    references: tuple[str, ...] = ()
    managers: tuple[Manager, ...] = ()

    @property
    def short(self) -> str:
        """The one a person would ask first; empty where nobody left a mark."""
        if self.references:
            return self.references[0]
        if self.helm_release:
            return f"Helm {self.helm_release}"
        if self.olm_owner:
            return f"OLM {self.olm_owner}"
        if self.managed_by:
            return self.managed_by
        return self.managers[0].name if self.managers else ""


def read_ownership(metadata: JsonObject) -> Ownership:
    """The marks in `metadata`; members of the wrong type count as not there."""
    labels, annotations = _texts(metadata.get("labels")), _texts(metadata.get("annotations"))
    release = annotations.get(HELM_RELEASE)
    namespace = annotations.get(HELM_NAMESPACE)
    injections = [f"{key}={annotations[key]}" for key in INJECTIONS if key in annotations]
    return Ownership(
        helm_release=f"{namespace}/{release}" if release and namespace else release,
        managed_by=labels.get(MANAGED_BY),
        olm_owner=labels.get(OLM_OWNER),
        bundle_injection=injections[0] if injections else None,
        references=tuple(
            f"{each.get('kind')}/{each.get('name')}"
            for each in objects_at(metadata, "ownerReferences")
        ),
        managers=_managers(metadata),
    )


def last_writer(metadata: JsonObject, *, but: str) -> str:
    """Who wrote last of all but one manager; empty where nobody left a mark.

    Times in managedFields have a resolution of a second (metav1.Time): of two in the same second
    the later entry counts.
    """
    entries = [each for each in objects_at(metadata, "managedFields") if each.get("manager") != but]
    newest = max(
        enumerate(entries), key=lambda each: (text_at(each[1], "time"), each[0]), default=None
    )
    return "" if newest is None else text_at(newest[1], "manager")


def _managers(metadata: JsonObject) -> tuple[Manager, ...]:
    found = [
        Manager(name=str(each.get("manager", "")), operation=str(each.get("operation", "")))
        for each in objects_at(metadata, "managedFields")
    ]
    return tuple(dict.fromkeys(found))


def _texts(given: JsonValue) -> Mapping[str, str]:
    if not isinstance(given, dict):
        return {}
    return {key: value for key, value in given.items() if isinstance(value, str)}
