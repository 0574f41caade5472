"""What of a pod had its user asked for, before anybody added anything?

A manifest says it itself. Audit logs, templates and stored pods have the API server's defaults in
them already: what a default would be filled in for anyway is given to the default. Of a stored pod
without an owner, managedFields say which fields its creator sent: they are written before
admission, so what webhooks add is owned by nobody.

Source: k8s.io/apiserver pkg/endpoints/handlers/create.go; sigs.k8s.io/structured-merge-diff
fieldpath/serialize.go (FieldsV1).
"""

from collections.abc import Iterator
from typing import Final

import orjson

from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import Step, element_keys, render_path
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.differences.comparing import UNKNOWN

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

# The members `default_pod` fills in, wherever they are; what it would not fill in stays.
_DEFAULTED: Final = frozenset(
    {
        "apiVersion", "defaultMode", "divisor", "dnsPolicy", "enableServiceLinks",
        "expirationSeconds", "failureThreshold", "fsType", "hostPort", "imagePullPolicy",
        "optional", "path", "periodSeconds", "protocol", "requests", "restartPolicy",
        "schedulerName", "scheme", "serviceAccount", "storageMode", "successThreshold",
        "terminationGracePeriodSeconds", "terminationMessagePath", "terminationMessagePolicy",
        "timeoutSeconds", "type", "volumeMode",
    }
)  # fmt: skip


def without_defaults(pod: JsonObject) -> JsonObject:
    """A pod without what the API server fills in: written out or not, it comes to the same."""
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return pod
    filled = default_pod({**pod, "spec": _stripped(spec)}).get("spec")
    return {**pod, "spec": _restored(spec, filled)}


def _stripped(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return {
                name: _stripped(member) for name, member in value.items() if name not in _DEFAULTED
            }
        case list():
            return [_stripped(element) for element in value]
        case _:
            return value


def _restored(value: JsonValue, filled: JsonValue) -> JsonValue:
    """`value` without the members that were filled in again with what they had."""
    match value, filled:
        case dict(), dict():
            return {
                name: _restored(member, filled.get(name))
                for name, member in value.items()
                if name not in _DEFAULTED or filled.get(name) != member
            }
        case list(), list() if len(value) == len(filled):
            return [_restored(*pair) for pair in zip(value, filled, strict=True)]
        case _:
            return value


def template_of(workload: JsonObject) -> JsonObject | None:
    """The pod template of a workload as a pod; None where it has none."""
    spec = workload.get("spec")
    for holder in (spec, workload, _inner_spec(spec)):
        template = holder.get("template") if isinstance(holder, dict) else None
        if isinstance(template, dict) and isinstance(template.get("spec"), dict):
            metadata = template.get("metadata")
            kept: JsonObject = (
                {name: each for name, each in metadata.items() if name != "creationTimestamp"}
                if isinstance(metadata, dict)
                else {}
            )
            return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": template["spec"]}
    return None


def _inner_spec(spec: JsonValue) -> JsonValue:
    """That of a CronJob's jobs."""
    jobs = spec.get("jobTemplate") if isinstance(spec, dict) else None
    return jobs.get("spec") if isinstance(jobs, dict) else None


def applied_by_user(pod: JsonObject) -> JsonObject | None:
    """What `kubectl apply` was last given for a stored pod; None where it was made otherwise."""
    metadata = pod.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    text = annotations.get(LAST_APPLIED) if isinstance(annotations, dict) else None
    try:
        applied: JsonValue = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return None
    return applied if isinstance(applied, dict) and isinstance(applied.get("spec"), dict) else None


def managed_paths(fields: JsonValue, schema: FieldSchema) -> Iterator[str]:
    """The keyed paths of a FieldsV1 (`managedFields[].fieldsV1`), parents before children."""
    yield from map(render_path, _managed(fields, schema, ()))


def only_managed(pod: JsonObject, paths: set[str], schema: FieldSchema) -> JsonObject:
    """The pod without what is at none of the managed `paths`; status is left out."""
    kept = _only(pod, paths, schema, ())
    return {"apiVersion": "v1", "kind": "Pod", **(kept if isinstance(kept, dict) else {})}


def _only(
    value: JsonValue, paths: set[str], schema: FieldSchema, steps: tuple[Step, ...]
) -> JsonValue:
    kind = "entry" if schema.kind is Kind.MAP else "member"
    if isinstance(value, dict):
        below = [((*steps, Step(kind, name)), name, member) for name, member in value.items()]
        kept = {
            name: _only(member, paths, schema.members.get(name) or schema.element or UNKNOWN, here)
            for here, name, member in below
            if render_path(here) in paths
        }
        # An atomic object is one place: nothing in it is managed by itself.
        return kept or value
    if isinstance(value, list) and schema.merge_keys:
        keys = element_keys(value, schema.merge_keys)
        heres = [(*steps, Step("element", key)) for key in keys]
        inner = schema.element or UNKNOWN
        return [
            _only(element, paths, inner, here)
            for here, element in zip(heres, value, strict=True)
            if render_path(here) in paths
        ]
    return value


def _managed(
    fields: JsonValue, schema: FieldSchema, steps: tuple[Step, ...]
) -> Iterator[tuple[Step, ...]]:
    for key, below in fields.items() if isinstance(fields, dict) else ():
        kind, _, name = key.partition(":")
        step = _managed_step(kind, name, schema)
        if step is not None:
            here = (*steps, step)
            yield here
            inner = schema.members.get(name) or schema.element or UNKNOWN
            yield from _managed(below, inner, here)


def _managed_step(kind: str, name: str, schema: FieldSchema) -> Step | None:
    """`f:NAME` is a member, `k:{…}` an element by its keys; `.` and values are no places."""
    if kind == "f":
        return Step("entry" if schema.kind is Kind.MAP else "member", name)
    if kind != "k":
        return None
    try:
        keys: JsonValue = orjson.loads(name)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(keys, dict):
        return None
    names = schema.merge_keys if set(schema.merge_keys) <= keys.keys() else tuple(keys)
    return Step("element", element_keys([keys], names)[0])
