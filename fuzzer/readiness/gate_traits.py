"""What about a feature gate is not in its stages: who acts on it, and when could it still be off?

A kubelet of any age runs a pod whose field only the scheduler reads; calling such a node too old
would be a false alarm. And a gate that is GA is locked in nearly all cases, but not in all.

Sources: where each gate is asked for in kubernetes/kubernetes pkg/ (kubelet, scheduler, controller
and volume packages), and LockToDefault in pkg/features/kube_features.go of 1.30 to 1.37.
"""

from collections.abc import Mapping

from webhook_fuzz.corpora.fields.gates import Gate, Stage
from webhook_fuzz.corpora.versions import Minor

SIDECARS = "SidecarContainers"
"""The gate of native sidecars, KEP-753."""

# Gates no kubelet acts on, with who does beside the API server.
_ELSEWHERE: Mapping[str, str] = {
    "AnyVolumeDataSource": "the volume provisioner",
    "CrossNamespaceVolumeDataSource": "the volume provisioner",
    "EvictionRequestAPI": "kube-controller-manager",
    "GenericWorkload": "kube-scheduler",
    "MatchLabelKeysInPodAffinity": "kube-scheduler",
    "MatchLabelKeysInPodTopologySpread": "kube-scheduler",
    "MatchLabelKeysInPodTopologySpreadSelectorMerge": "kube-scheduler",
    "MinDomainsInPodTopologySpread": "kube-scheduler",
    "NodeInclusionPolicyInPodTopologySpread": "kube-scheduler",
    "PodAffinityNamespaceSelector": "kube-scheduler",
    "PodSchedulingReadiness": "kube-scheduler",
    "TaintTolerationComparisonOperators": "kube-scheduler",
    "VolumeAttributesClass": "the volume provisioner",
}

# Their fields are in the template of a claim: pods keep them, and the claim made of it does not.
# Source: DropDisabledFields in pkg/api/persistentvolumeclaim/util.go, not asked for by pods.
_OF_CLAIMS = frozenset(
    {"AnyVolumeDataSource", "CrossNamespaceVolumeDataSource", "VolumeAttributesClass"}
)

# GA gates that could be switched off for another release or two.
_LOCKED_LATER: Mapping[str, Minor] = {
    "ClusterTrustBundleProjection": Minor(1, 38),
    "DynamicResourceAllocation": Minor(1, 35),
    "PodCertificateRequest": Minor(1, 38),
    "SELinuxMount": Minor(1, 38),
    "VolumeAttributesClass": Minor(1, 36),
}


def acts_elsewhere(gate: Gate) -> str | None:
    """Who acts on the field when it is not the kubelet; None when it is."""
    return _ELSEWHERE.get(gate.name)


def is_of_claims(gate: Gate) -> bool:
    """Whether the API server drops the fields from claims and leaves them in pods."""
    return gate.name in _OF_CLAIMS


def came_with(gate: Gate) -> Minor:
    """The first minor whose components know the gate."""
    return gate.stages[0].since


def ga_stage(gate: Gate) -> Stage | None:
    """The stage GA; None for a gate that has not got there."""
    return next((stage for stage in gate.stages if stage.name == "GA"), None)


def locked_since(gate: Gate) -> Minor | None:
    """From which minor on nobody can switch it off; None when that is yet to come."""
    ga = ga_stage(gate)
    return _LOCKED_LATER.get(gate.name, ga.since) if ga else None


def on_by_default_since(gate: Gate) -> Minor | None:
    """From which minor on it is on unless somebody switched it off."""
    return next((stage.since for stage in gate.stages if stage.default), None)
