"""What does kube-apiserver send a mutating webhook?

The AdmissionReview in the order of Go's struct fields, with the members the server always sends
and without those it leaves out when empty: a webhook's behaviour can depend on all of that
(`oldObject: null`, no `name` for generateName pods, `creationTimestamp: null` up to 1.33).

Source: k8s.io/apiserver pkg/admission/plugin/webhook/request/admissionreview.go
CreateV1AdmissionReview and CreateV1beta1AdmissionReview; k8s.io/api admission/v1/types.go and
core/v1/types.go (struct tags); k8s.io/apimachinery pkg/apis/meta/v1/types.go at v0.33 and v0.34
(`omitzero` of creationTimestamp).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from webhook_fuzz.corpora.admission import Operation, ReviewVersion, UserInfo
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.encoding import encode_json

# The first API server that leaves out `creationTimestamp: null`.
_OMITS_CREATION_TIMESTAMP = Minor(1, 34)
_POD_KIND: JsonObject = {"group": "", "version": "v1", "kind": "Pod"}
_POD_RESOURCE: JsonObject = {"group": "", "version": "v1", "resource": "pods"}
_OPTIONS_KINDS: dict[Operation, str] = {
    "CREATE": "CreateOptions",
    "UPDATE": "UpdateOptions",
    "DELETE": "DeleteOptions",
}
# What Go's ObjectMeta puts before creationTimestamp.
_BEFORE_CREATION_TIMESTAMP = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
)
_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")

DEFAULT_USER: UserInfo = {
    "username": "kubernetes-admin",
    "groups": ["kubeadm:cluster-admins", "system:authenticated"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """What a review says besides the pod.

    `uid` names the call, not the pod: the API server draws a new one for every call. `name` is
    for requests whose object has no name of its own (DELETE).
    """

    api_server: Minor
    uid: str
    version: ReviewVersion = "v1"
    namespace: str = "default"
    name: str = ""
    operation: Operation = "CREATE"
    old_object: JsonObject | None = None
    sub_resource: str = ""
    dry_run: bool = True
    user: UserInfo = field(default_factory=lambda: DEFAULT_USER)
    field_manager: str = "kubectl-create"


def build_review(pod: JsonObject | None, options: ReviewOptions) -> JsonObject:
    """The AdmissionReview kube-apiserver would send for a pod; `pod` is None for DELETE.

    The pod is taken as it is apart from the members Go always writes (`status`, `resources`,
    metadata) and is not changed; what is added is in the review only.
    """
    request: JsonObject = {"uid": options.uid, "kind": _POD_KIND, "resource": _POD_RESOURCE}
    _put(request, "subResource", options.sub_resource)
    request["requestKind"] = _POD_KIND
    request["requestResource"] = _POD_RESOURCE
    _put(request, "requestSubResource", options.sub_resource)
    _put(request, "name", options.name or _name(pod) or _name(options.old_object))
    _put(request, "namespace", options.namespace)
    request["operation"] = options.operation
    request["userInfo"] = _user_info(options.user)
    request["object"] = as_written(pod, options.api_server)
    request["oldObject"] = as_written(options.old_object, options.api_server)
    request["dryRun"] = options.dry_run
    request["options"] = _operation_options(options)
    api_version = f"admission.k8s.io/{options.version}"
    return {"kind": "AdmissionReview", "apiVersion": api_version, "request": request}


def encode_review(review: JsonObject) -> bytes:
    """The request body: compact, HTML characters escaped, a newline at the end.

    Source: encoding/json Encoder.Encode, which k8s.io/apimachinery's json serializer uses.
    """
    return encode_json(review) + b"\n"


def as_written(pod: JsonObject | None, api_server: Minor) -> JsonObject | None:
    """A pod with the members Go's encoder never leaves out.

    These are `metadata`, `spec` and `status` of the pod, `resources` of every container,
    `metadata`, `spec` and `spec.resources` of ephemeral volume claim templates and, up to 1.33,
    `creationTimestamp` in every metadata. Subtrees without additions are shared with the input.
    """
    if pod is None:
        return None
    ordered: JsonObject = {key: pod[key] for key in ("kind", "apiVersion") if key in pod}
    ordered["metadata"] = _metadata(pod.get("metadata"), api_server)
    ordered["spec"] = _spec(pod.get("spec"), api_server)
    status = pod.get("status")
    rest = {key: value for key, value in pod.items() if key not in ordered and key != "status"}
    return {**ordered, **rest, "status": {} if status is None else status}


def _put(members: JsonObject, key: str, value: str) -> None:
    if value:
        members[key] = value


def _name(pod: JsonObject | None) -> str:
    metadata = pod.get("metadata") if pod else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _user_info(user: UserInfo) -> JsonObject:
    """Source: k8s.io/api authentication/v1 UserInfo, whose members are all `omitempty`."""
    info: JsonObject = {}
    _put(info, "username", user.get("username", ""))
    _put(info, "uid", user.get("uid", ""))
    if groups := user.get("groups"):
        info["groups"] = list(groups)
    if extra := user.get("extra"):
        info["extra"] = {key: list(extra[key]) for key in sorted(extra)}
    return info


def _operation_options(options: ReviewOptions) -> JsonObject | None:
    kind = _OPTIONS_KINDS.get(options.operation)
    if kind is None:
        return None
    written: JsonObject = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if options.dry_run:
        written["dryRun"] = ["All"]
    if options.operation != "DELETE":
        _put(written, "fieldManager", options.field_manager)
        written["fieldValidation"] = "Strict"
    return written


def _metadata(metadata: JsonValue, api_server: Minor) -> JsonValue:
    members = {} if metadata is None else metadata
    if not isinstance(members, dict) or api_server >= _OMITS_CREATION_TIMESTAMP:
        return members
    if "creationTimestamp" in members:
        return members
    before = {key: members[key] for key in _BEFORE_CREATION_TIMESTAMP if key in members}
    return {**before, "creationTimestamp": None, **members}


def _spec(spec: JsonValue, api_server: Minor) -> JsonValue:
    if spec is None:
        return {"containers": None}
    if not isinstance(spec, dict):
        return spec
    changes: JsonObject = {}
    for name in _CONTAINER_LISTS:
        _collect(changes, spec, name, _with_resources)
    _collect(changes, spec, "volumes", lambda volume: _volume(volume, api_server))
    return {**spec, **changes} if changes else spec


def _collect(
    changes: JsonObject, spec: JsonObject, name: str, write: Callable[[JsonValue], JsonValue]
) -> None:
    elements = spec.get(name)
    if not isinstance(elements, list):
        return
    written = [write(element) for element in elements]
    if any(new is not old for new, old in zip(written, elements, strict=True)):
        changes[name] = written


def _with_resources(container: JsonValue) -> JsonValue:
    if isinstance(container, dict) and container.get("resources") is None:
        return {**container, "resources": {}}
    return container


def _volume(volume: JsonValue, api_server: Minor) -> JsonValue:
    ephemeral = volume.get("ephemeral") if isinstance(volume, dict) else None
    template = ephemeral.get("volumeClaimTemplate") if isinstance(ephemeral, dict) else None
    if not (
        isinstance(volume, dict) and isinstance(ephemeral, dict) and isinstance(template, dict)
    ):
        return volume
    metadata = _metadata(template.get("metadata"), api_server)
    spec = _with_resources({} if template.get("spec") is None else template["spec"])
    if metadata is template.get("metadata") and spec is template.get("spec"):
        return volume
    written: JsonObject = {**template, "metadata": metadata, "spec": spec}
    return {**volume, "ephemeral": {**ephemeral, "volumeClaimTemplate": written}}
