"""What does an AdmissionReview look like on the wire?

The API's own keys (admission.k8s.io/v1, k8s.io/api/admission/v1/types.go). v1beta1 has the same
members. Pods stay plain JSON objects.
"""

from typing import Literal, NotRequired, TypedDict

from webhook_fuzz.corpora.json_values import JsonObject

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
ReviewVersion = Literal["v1", "v1beta1"]


class GroupVersionKind(TypedDict):
    """A kind and the API group and version it is served under."""

    group: str
    version: str
    kind: str


class GroupVersionResource(TypedDict):
    """A resource and the API group and version it is served under."""

    group: str
    version: str
    resource: str


class UserInfo(TypedDict):
    """Who made the request; empty members are left out on the wire."""

    username: NotRequired[str]
    uid: NotRequired[str]
    groups: NotRequired[list[str]]
    extra: NotRequired[dict[str, list[str]]]


class AdmissionRequest(TypedDict):
    """`request` of an AdmissionReview: what the API server asks a webhook."""

    uid: str
    kind: GroupVersionKind
    resource: GroupVersionResource
    subResource: NotRequired[str]
    requestKind: NotRequired[GroupVersionKind]
    requestResource: NotRequired[GroupVersionResource]
    requestSubResource: NotRequired[str]
    name: NotRequired[str]
    namespace: NotRequired[str]
    operation: Operation
    userInfo: UserInfo
    object: JsonObject | None
    oldObject: JsonObject | None
    dryRun: bool
    options: JsonObject | None


class AdmissionResponse(TypedDict):
    """`response` of an AdmissionReview: what a webhook answers. `patch` is base64."""

    uid: str
    allowed: bool
    status: NotRequired[JsonObject]
    patch: NotRequired[str]
    patchType: NotRequired[str]
    auditAnnotations: NotRequired[dict[str, str]]
    warnings: NotRequired[list[str]]


class RequestReview(TypedDict):
    """The body the API server sends."""

    kind: str
    apiVersion: str
    request: AdmissionRequest
