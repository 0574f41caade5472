"""May a field be set when a pod is created, and may it change afterwards?

Rules of the API server's validation, by field path. Used when the catalogue is generated.
"""

import re
from collections.abc import Sequence
from enum import StrEnum


class Mutability(StrEnum):
    """What an update of an existing pod may do to a field."""

    MUTABLE = "mutable"
    IMMUTABLE = "immutable"
    ADDITIONS = "additions-only"
    REMOVALS = "removals-only"
    WHILE_GATED = "while-scheduling-gated"
    RESIZE = "through-resize"
    EPHEMERAL = "through-ephemeralcontainers"
    SYSTEM = "set-by-the-system"


_SYSTEM_METADATA = (
    "clusterName|creationTimestamp|deletionGracePeriodSeconds|deletionTimestamp|generation"
    "|managedFields|resourceVersion|selfLink|uid"
)

_CLAIM_METADATA = r"spec\.volumes\[\]\.ephemeral\.volumeClaimTemplate\.metadata"
_CLAIM_IDENTITY = "finalizers|generateName|name|namespace|ownerReferences"

# First match wins. Sources: ValidatePodUpdate, ValidatePodResize and
# ValidatePodEphemeralContainersUpdate in kubernetes/kubernetes pkg/apis/core/validation/
# validation.go; rest.BeforeCreate and rest.BeforeUpdate in k8s.io/apiserver pkg/registry/rest.
_MUTABILITY: Sequence[tuple[str, Mutability]] = (
    (rf"metadata\.({_SYSTEM_METADATA})\b.*", Mutability.SYSTEM),
    (r"metadata\.(annotations|labels|finalizers|ownerReferences)\b.*", Mutability.MUTABLE),
    (r"spec\.ephemeralContainers\b.*", Mutability.EPHEMERAL),
    (r"spec\.(containers|initContainers)\[\]\.image", Mutability.MUTABLE),
    (r"spec\.(containers|initContainers)\[\]\.(resources|resizePolicy)\b.*", Mutability.RESIZE),
    (r"spec\.resources\b.*", Mutability.RESIZE),
    (r"spec\.(activeDeadlineSeconds|terminationGracePeriodSeconds)", Mutability.MUTABLE),
    (r"spec\.tolerations\b.*", Mutability.ADDITIONS),
    (r"spec\.schedulingGates\b.*", Mutability.REMOVALS),
    (r"spec\.(nodeSelector|affinity\.nodeAffinity)\b.*", Mutability.WHILE_GATED),
    (r".*", Mutability.IMMUTABLE),
)

# Why a client can never bring these in with a new pod. The first is the API server's own
# metadata (wiped in rest.FillObjectMetaSystemFields), the others its validation of new pods.
_NOT_CREATABLE: Sequence[tuple[str, str]] = (
    (rf"metadata\.({_SYSTEM_METADATA})\b.*", "set by the API server"),
    (r"spec\.ephemeralContainers\b.*", "only through the ephemeralcontainers subresource"),
    (
        rf"{_CLAIM_METADATA}\.({_SYSTEM_METADATA}|{_CLAIM_IDENTITY})\b.*",
        "a claim template's metadata takes labels and annotations only",
    ),
    (
        r"spec\.\w+\[\]\.readinessProbe\.terminationGracePeriodSeconds",
        "refused on readiness probes",
    ),
    (r"spec\.resources\.claims\b.*", "refused in the resources of a whole pod"),
    (
        r"spec\.volumes\[\]\.ephemeral\.volumeClaimTemplate\.spec\.resources\.claims\b.*",
        # DropDisabledFields in pkg/api/persistentvolumeclaim/util.go
        "dropped by every API server: it was never meant to be there",
    ),
)


def mutability(path: str) -> Mutability:
    """What an update may do to the field at a catalogue path."""
    return next(rule for pattern, rule in _MUTABILITY if re.fullmatch(pattern, path))


def why_not_creatable(path: str) -> str | None:
    """Why no valid new pod has the field at this catalogue path; None when one can."""
    for pattern, reason in _NOT_CREATABLE:
        if re.fullmatch(pattern, path):
            return reason
    return None
