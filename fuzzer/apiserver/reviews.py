"""What does kube-apiserver send a mutating webhook?

The AdmissionReview in the order of Go's struct fields, with the members the server always sends
and without those it leaves out when empty: a webhook's behaviour can depend on all of that
(`oldObject: null`, no `name` for generateName pods, `creationTimestamp: null` up to 1.33).

Source: k8s.io/apiserver pkg/admission/plugin/webhook/request/admissionreview.go
CreateV1AdmissionReview and CreateV1beta1AdmissionReview; k8s.io/api admission/v1/types.go and
core/v1/types.go (struct tags); k8s.io/apimachinery pkg/apis/meta/v1/types.go at v0.33 and v0.34
(`omitzero` of creationTimestamp).
"""

from dataclasses import dataclass, field
from operator import is_

import orjson

from webhook_fuzz.corpora.admission import Operation, ReviewVersion, UserInfo
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.encoding import encode_json, escape_html
from webhook_fuzz.fuzzer.apiserver.sharing import Remembered

# The first API server that leaves out `creationTimestamp: null`; all else is written alike.
OMITS_CREATION_TIMESTAMP = Minor(1, 34)
_SPECS_KEPT = 64
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


def build_review(
    pod: JsonObject | None, options: ReviewOptions, *, writer: "PodWriter | None" = None
) -> JsonObject:
    """The AdmissionReview kube-apiserver would send for a pod; `pod` is None for DELETE.

    The pod is taken as it is apart from the members Go always writes (`status`, `resources`,
    metadata) and is not changed; what is added is in the review only. A `writer` for the same API
    server spares work where many reviews are built.
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
    request["object"] = writer.write(pod) if writer and pod else as_written(pod, options.api_server)
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


class ReviewEncoder:
    """Encodes many reviews to the bytes of `encode_review`; a spec that pods share only once.

    That is two thirds of the work where pods differ in their metadata. A pod must not be changed
    once it was encoded; as many specs as a sweep goes back and forth between are kept.
    """

    def __init__(self) -> None:
        self._fragments = Remembered(_SPECS_KEPT, _fragment)

    def encode(self, review: JsonObject) -> bytes:
        """The request body of a review."""
        request = review.get("request")
        pod = request.get("object") if isinstance(request, dict) else None
        spec = pod.get("spec") if isinstance(pod, dict) else None
        if not isinstance(request, dict) or not isinstance(pod, dict) or not isinstance(spec, dict):
            return encode_review(review)
        try:
            written = {**pod, "spec": self._fragments.of(spec)}
            whole = {**review, "request": {**request, "object": written}}
            return escape_html(orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE))
        except TypeError:
            return encode_review(review)  # what orjson refuses is spelled by hand, all of it


def _fragment(spec: JsonObject) -> orjson.Fragment:
    return orjson.Fragment(escape_html(orjson.dumps(spec)))


def as_written(pod: JsonObject | None, api_server: Minor) -> JsonObject | None:
    """What stands in a review for a pod, or for none."""
    return None if pod is None else written_pod(pod, api_server)


def written_pod(pod: JsonObject, api_server: Minor) -> JsonObject:
    """A pod with the members Go's encoder never leaves out.

    These are `metadata`, `spec` and `status` of the pod, `resources` of every container,
    `metadata`, `spec` and `spec.resources` of ephemeral volume claim templates and, up to 1.33,
    `creationTimestamp` in every metadata. Subtrees without additions are shared with the input.
    """
    return _with_written_spec(pod, _spec(pod.get("spec"), api_server), api_server)


class PodWriter:
    """Writes many pods as `written_pod` does; the spec that pods share only once.

    That is half of building a review (8 us) where pods differ in their metadata. A pod must not be
    changed once it was written.
    """

    def __init__(self, api_server: Minor) -> None:
        self._api_server = api_server
        self._specs = Remembered(_SPECS_KEPT, lambda spec: _spec(spec, api_server))

    def write(self, pod: JsonObject) -> JsonObject:
        """A pod with the members Go's encoder never leaves out."""
        spec = pod.get("spec")
        if not isinstance(spec, dict):
            return written_pod(pod, self._api_server)
        return _with_written_spec(pod, self._specs.of(spec), self._api_server)


def _with_written_spec(pod: JsonObject, spec: JsonValue, api_server: Minor) -> JsonObject:
    ordered: JsonObject = {key: pod[key] for key in ("kind", "apiVersion") if key in pod}
    ordered["metadata"] = _metadata(pod.get("metadata"), api_server)
    ordered["spec"] = spec
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
    if not isinstance(members, dict) or api_server >= OMITS_CREATION_TIMESTAMP:
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
        if isinstance(elements := spec.get(name), list):
            _collect(changes, name, elements, [_with_resources(each) for each in elements])
    if isinstance(volumes := spec.get("volumes"), list):
        written: list[JsonValue] = [
            _volume(each, api_server) if isinstance(each, dict) and "ephemeral" in each else each
            for each in volumes
        ]
        _collect(changes, "volumes", volumes, written)
    return {**spec, **changes} if changes else spec


def _collect(
    changes: JsonObject, name: str, elements: list[JsonValue], written: list[JsonValue]
) -> None:
    if not all(map(is_, written, elements)):
        changes[name] = written


def _with_resources(container: JsonValue) -> JsonValue:
    if isinstance(container, dict) and container.get("resources") is None:
        return {**container, "resources": {}}
    return container


def _volume(volume: JsonObject, api_server: Minor) -> JsonObject:
    ephemeral = volume["ephemeral"]
    template = ephemeral.get("volumeClaimTemplate") if isinstance(ephemeral, dict) else None
    if not isinstance(ephemeral, dict) or not isinstance(template, dict):
        return volume
    metadata = _metadata(template.get("metadata"), api_server)
    spec = _with_resources({} if template.get("spec") is None else template["spec"])
    if metadata is template.get("metadata") and spec is template.get("spec"):
        return volume
    written: JsonObject = {**template, "metadata": metadata, "spec": spec}
    return {**volume, "ephemeral": {**ephemeral, "volumeClaimTemplate": written}}
