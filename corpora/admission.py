"""Which words does an AdmissionReview use?

The API's own (admission.k8s.io/v1, k8s.io/api/admission/v1/types.go); v1beta1 has the same. Reviews
themselves stay plain JSON objects, the pods in them included.
"""

from typing import Literal, NotRequired, TypedDict

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
ReviewVersion = Literal["v1", "v1beta1"]


class UserInfo(TypedDict):
    """Who made the request; empty members are left out on the wire."""

    username: NotRequired[str]
    uid: NotRequired[str]
    groups: NotRequired[list[str]]
    extra: NotRequired[dict[str, list[str]]]
