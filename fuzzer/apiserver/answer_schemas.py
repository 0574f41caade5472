"""Which members does an AdmissionReview have, and of which types?

Source: k8s.io/api admission/v1/types.go (v1beta1 has the same), authentication/v1/types.go
UserInfo, k8s.io/apimachinery pkg/apis/meta/v1/types.go Status.
"""

from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind

_STRING = FieldSchema(kind=Kind.STRING)
_BOOLEAN = FieldSchema(kind=Kind.BOOLEAN)
_ANY = FieldSchema(kind=Kind.ANY)
_STRINGS = FieldSchema(kind=Kind.LIST, element=_STRING)
_TEXTS = FieldSchema(kind=Kind.MAP, element=_STRING)


def _struct(struct: str, /, **members: FieldSchema) -> FieldSchema:
    return FieldSchema(kind=Kind.OBJECT, struct=struct, members=members)


_GROUP_VERSION_KIND = _struct("GroupVersionKind", group=_STRING, version=_STRING, kind=_STRING)
_GROUP_VERSION_RESOURCE = _struct(
    "GroupVersionResource", group=_STRING, version=_STRING, resource=_STRING
)
_USER_INFO = _struct(
    "UserInfo",
    username=_STRING,
    uid=_STRING,
    groups=_STRINGS,
    extra=FieldSchema(kind=Kind.MAP, element=_STRINGS),
)
_REQUEST = _struct(
    "AdmissionRequest",
    uid=_STRING,
    kind=_GROUP_VERSION_KIND,
    resource=_GROUP_VERSION_RESOURCE,
    subResource=_STRING,
    requestKind=_GROUP_VERSION_KIND,
    requestResource=_GROUP_VERSION_RESOURCE,
    requestSubResource=_STRING,
    name=_STRING,
    namespace=_STRING,
    operation=_STRING,
    userInfo=_USER_INFO,
    object=_ANY,
    oldObject=_ANY,
    dryRun=_BOOLEAN,
    options=_ANY,
)
_STATUS = _struct(
    "Status",
    kind=_STRING,
    apiVersion=_STRING,
    metadata=_ANY,
    status=_STRING,
    message=_STRING,
    reason=_STRING,
    details=_ANY,
    code=FieldSchema(kind=Kind.INTEGER),
)
_RESPONSE = _struct(
    "AdmissionResponse",
    uid=_STRING,
    allowed=_BOOLEAN,
    status=_STATUS,
    patch=_STRING,
    patchType=_STRING,
    auditAnnotations=_TEXTS,
    warnings=_STRINGS,
)

ANSWER = _struct(
    "AdmissionReview", kind=_STRING, apiVersion=_STRING, request=_REQUEST, response=_RESPONSE
)
