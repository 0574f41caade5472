"""Which release of evanphx/json-patch does an API server apply patches with?

Source: go.mod of k8s.io/apiserver at its tags v0.20 to v0.37.
"""

from enum import StrEnum

from webhook_fuzz.corpora.versions import Minor


class JsonPatchVersion(StrEnum):
    """The releases of evanphx/json-patch that differ; v4.12 also stands for v4.9 to v4.11."""

    V4_12 = "4.12"
    V4_13 = "4.13"


def json_patch_version(api_server: Minor) -> JsonPatchVersion:
    """The library release a kube-apiserver of this minor has."""
    return JsonPatchVersion.V4_13 if api_server >= Minor(1, 35) else JsonPatchVersion.V4_12
