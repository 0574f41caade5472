"""What else does the API server do to new pods, beside calling webhooks?

Feature gates make it drop fields, and MutatingAdmissionPolicies change pods without any webhook:
neither may be taken for a webhook's doing.
"""

import re
from collections.abc import Mapping
from typing import Final

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    Unseen,
    attempt,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import (
    ClusterApi,
    ClusterRequest,
    get_object,
    list_objects,
)
from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.corpora.versions import Minor, parse_minor

_ADMISSION: Final = "/apis/admissionregistration.k8s.io"
# v1 since 1.36, v1beta1 since 1.34, v1alpha1 since 1.32.
_POLICY_VERSIONS: Final = ("v1", "v1beta1", "v1alpha1")
_GATE = re.compile(
    rb'^kubernetes_feature_enabled\{[^}\n]*\bname="([^"]+)"[^}\n]*\}[ \t]+(\S+)', re.MULTILINE
)
_ERROR: Final = 300
_MOST_BYTES: Final = 128 << 20


async def read_version(api: ClusterApi) -> tuple[str, Minor]:
    """The API server's own version (`v1.37.2`) and its minor.

    Raises ClusterError where it does not say, IncompleteRunError for what is no version.
    """
    said = str((await get_object(api, "/version")).get("gitVersion") or "")
    found = re.match(r"v?(\d+\.\d+)", said)
    if found is None:
        raise IncompleteRunError(
            f"the API server calls its version {said!r}",
            hint="Is it a Kubernetes API server? `kubectl version` must say.",
        )
    return said, parse_minor(found[1])


async def read_gates(api: ClusterApi) -> Mapping[str, bool] | Unseen:
    """Every feature gate the API server reports (kubernetes_feature_enabled, since 1.26)."""
    try:
        request = ClusterRequest(
            method="GET", path="/metrics", query={}, accept="*/*", most_bytes=_MOST_BYTES
        )
        answer = await api.ask(request)
        if answer.status >= _ERROR:
            trouble = trouble_of(answer.status)
            raise cluster_error("GET /metrics", answer.message, trouble, status=answer.status)
    except ClusterError as error:
        return Unseen(
            what="the API server's feature gates", why=error.message, trouble=error.trouble
        )
    return {
        name.decode("utf-8", "replace"): float(value) != 0
        for name, value in _GATE.findall(answer.body)
    }


async def read_policies(api: ClusterApi) -> tuple[str, ...] | Unseen:
    """The MutatingAdmissionPolicies there are; none where the API server has no such thing."""
    for version in _POLICY_VERSIONS:
        path = f"{_ADMISSION}/{version}/mutatingadmissionpolicies"
        found = await attempt(list_objects(api, path), "MutatingAdmissionPolicies")
        if not isinstance(found, Unseen):
            names = (each.get("metadata") for each in found)
            return tuple(
                f"MutatingAdmissionPolicy {each.get('name')}"
                for each in names
                if isinstance(each, dict)
            )
        if found.trouble is not Trouble.NOT_FOUND:
            return found
    return ()
