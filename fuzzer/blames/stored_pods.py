"""What was a pod that is stored in a cluster made of, and what happened to it since?

Its user wrote a template or a manifest; a controller made a pod of it; the chain, the scheduler and
others did the rest. The pod is made anew of what is known of its origin, so that it can be sent
again, and what differs in the stored one is told by who manages the field: managedFields name the
manager of every later change, but nobody for what webhooks did.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at
from webhook_fuzz.corpora.pods import ABSENT, value_at
from webhook_fuzz.corpora.seeds.workloads import pods_of_manifest
from webhook_fuzz.fuzzer.blames.actors import Actor, ActorKind, Recognise, Stage, Touch
from webhook_fuzz.fuzzer.blames.histories import SERVER_METADATA, recognise_server
from webhook_fuzz.fuzzer.blames.origins import (
    applied_by_user,
    managed_paths,
    only_managed,
    template_of,
    without_defaults,
)
from webhook_fuzz.fuzzer.blames.plugins import is_token_volume, recognise_plugin

# The collection of every kind of owner whose template is known how to find.
OWNER_PATHS: Final = {
    ("apps/v1", "ReplicaSet"): "/apis/apps/v1/namespaces/{}/replicasets/{}",
    ("apps/v1", "StatefulSet"): "/apis/apps/v1/namespaces/{}/statefulsets/{}",
    ("apps/v1", "DaemonSet"): "/apis/apps/v1/namespaces/{}/daemonsets/{}",
    ("batch/v1", "Job"): "/apis/batch/v1/namespaces/{}/jobs/{}",
    ("v1", "ReplicationController"): "/api/v1/namespaces/{}/replicationcontrollers/{}",
}
_SCHEDULER: Final = Actor(
    kind=ActorKind.NODE, name="kube-scheduler", known_by="The scheduler binds pods to nodes."
)
_SINCE: Final = Actor(
    kind=ActorKind.UNKNOWN,
    known_by="The pod was not made so today: the chain, or somebody since, did it.",
)
_FRESH: Final = frozenset({"name", "generateName", "namespace", "labels", "annotations"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a stored pod was made of.

    `given` is what the user wrote, `made` the pod a controller makes of it (None without one),
    `pod` what to send to have it made again, with generateName: its own name is taken. `known_by`
    says where all that comes from.
    """

    given: JsonObject = field(repr=False)
    pod: JsonObject = field(repr=False)
    known_by: str
    made: JsonObject | None = field(default=None, repr=False)
    controller: str = ""


def controller_of(pod: JsonObject) -> tuple[str, str, str] | None:
    """(apiVersion, kind, name) of the controller that owns a pod; None without one."""
    owners = object_at(pod, "metadata").get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        if isinstance(owner, dict) and owner.get("controller") is True:
            return str(owner.get("apiVersion")), str(owner.get("kind")), str(owner.get("name"))
    return None


def origin_of(stored: JsonObject, owner: JsonObject | None, schema: FieldSchema) -> Origin:
    """The origin of a stored pod; `owner` is its controller's object, None where there is none."""
    template = template_of(owner) if owner else None
    if owner is not None and template is not None:
        kind = str(owner.get("kind"))
        made = _made_by(owner, stored)
        return Origin(
            given=without_defaults(template),
            made=without_defaults(made),
            pod=made,
            controller=f"{kind} controller",
            known_by=f"The template of the {kind} {_text(owner, 'name')} says what was asked for.",
        )
    applied = applied_by_user(stored)
    if applied is not None:
        return Origin(
            given=applied,
            pod=_to_send(applied),
            known_by="The last-applied-configuration annotation says what was asked for.",
        )
    created = _as_created(stored, schema)
    return Origin(
        given=without_defaults(created),
        pod=_to_send(created),
        known_by="managedFields say which fields the pod was created with; their values are "
        "taken to be those it has now.",
    )


def _made_by(owner: JsonObject, stored: JsonObject) -> JsonObject:
    """The pod the controller made, with the names and hashes of the stored one."""
    _, pod = next(pods_of_manifest(owner))
    metadata, actual = object_at(pod, "metadata"), object_at(stored, "metadata")
    labels, actual_labels = object_at(metadata, "labels"), object_at(actual, "labels")
    kept: JsonObject = {
        **metadata,
        "labels": {key: actual_labels.get(key, value) for key, value in labels.items()},
        "generateName": actual.get("generateName") or f"{actual.get('name')}-",
        "ownerReferences": actual.get("ownerReferences"),
    }
    kept.pop("name", None)
    return {**pod, "metadata": kept, "spec": _with_names(object_at(pod, "spec"), stored, owner)}


def _with_names(spec: JsonObject, stored: JsonObject, owner: JsonObject) -> JsonObject:
    """Replica, claims and node of the stored pod: the controller makes each pod a little other."""
    actual = object_at(stored, "spec")
    both = spec.keys() & actual.keys()
    named: JsonObject = {name: actual[name] for name in ("hostname", "subdomain") if name in both}
    if owner.get("kind") == "DaemonSet" and "affinity" in actual:
        named["affinity"] = actual["affinity"]
    claims = {
        volume.get("name"): volume for volume in objects_at(actual, "volumes") if _is_claim(volume)
    }
    if "volumes" in spec:
        named["volumes"] = [
            claims.get(volume.get("name"), volume) if _is_claim(volume) else volume
            for volume in objects_at(spec, "volumes")
        ]
    return {**spec, **named}


def _is_claim(volume: JsonObject) -> bool:
    return "persistentVolumeClaim" in volume


def _as_created(stored: JsonObject, schema: FieldSchema) -> JsonObject:
    """The stored pod without what its creator did not send, as far as managedFields say."""
    sent = {path for entry in _managers(stored)[:1] for path in _paths(entry, schema)}
    if not sent:
        return stored
    return only_managed(stored, sent, schema)


def missing_since_creation(stored: JsonObject, schema: FieldSchema) -> tuple[str, ...]:
    """The keyed paths a pod was created with that are not in it: what admission took.

    Managed fields are written before admission, and stay as they were until the next update.
    """
    paths = [path for entry in _managers(stored)[:1] for path in _paths(entry, schema)]
    gone = [path for path in paths if value_at(stored, path) is ABSENT]
    return tuple(
        path for path in gone if not any(path != each and _is_below(path, each) for each in gone)
    )


def stored_stage(stored: JsonObject, schema: FieldSchema) -> Stage:
    """The last stage: the pod as it is stored."""
    return Stage(actor=_SINCE, pod=stored, recognise=_recogniser(stored, schema), observed=True)


def _recogniser(stored: JsonObject, schema: FieldSchema) -> Recognise:
    managers = _managers(stored)
    created = str(object_at(stored, "metadata").get("creationTimestamp"))
    editors = {
        str(entry.get("manager")): _lowest(_paths(entry, schema))
        for entry in managers
        if str(entry.get("time")) > created
    }

    def recognise(touch: Touch) -> Actor | None:
        if touch.path == "spec.nodeName":
            return _SCHEDULER
        for name, paths in editors.items():
            if not touch.gone and any(_is_below(touch.path, path) for path in paths):
                return Actor(
                    kind=ActorKind.EDITOR,
                    name=name,
                    known_by=f"managedFields say that {name} changed it after the creation.",
                )
        return recognise_server(touch) or recognise_plugin(touch)

    return recognise


def with_names_of(reply: JsonObject, stored: JsonObject) -> JsonObject:
    """The reply of a dry run, with the stored pod's own of what the API server draws each time.

    That is the metadata it sets, and the name of the token's volume.
    """
    metadata, actual = object_at(reply, "metadata"), object_at(stored, "metadata")
    kept = {name: value for name, value in metadata.items() if name not in SERVER_METADATA}
    set_then = {name: value for name, value in actual.items() if name in SERVER_METADATA}
    named: JsonObject = {**reply, "metadata": {**kept, **set_then}}
    old, new = _token_volume(reply), _token_volume(stored)
    if not old or not new or old == new:
        return named
    renamed = _renamed(named, old, new)
    return renamed if isinstance(renamed, dict) else named


def _token_volume(pod: JsonObject) -> str:
    volumes = objects_at(object_at(pod, "spec"), "volumes")
    return next((str(each.get("name")) for each in volumes if is_token_volume(each)), "")


def _renamed(value: JsonValue, old: str, new: str) -> JsonValue:
    match value:
        case dict():
            return {name: _renamed(member, old, new) for name, member in value.items()}
        case list():
            return [_renamed(element, old, new) for element in value]
        case _:
            return new if value == old else value


def _to_send(pod: JsonObject) -> JsonObject:
    metadata = object_at(pod, "metadata")
    kept: JsonObject = {name: each for name, each in metadata.items() if name in _FRESH}
    if "name" in kept:
        kept["generateName"] = f"{kept.pop('name')}-"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": pod.get("spec")}


def _managers(pod: JsonObject) -> list[JsonObject]:
    """managedFields, the creator's first."""
    found = [
        entry
        for entry in objects_at(object_at(pod, "metadata"), "managedFields")
        if entry.get("fieldsType") == "FieldsV1"
    ]
    return sorted(found, key=lambda entry: (bool(entry.get("subresource")), str(entry.get("time"))))


def _paths(entry: JsonObject, schema: FieldSchema) -> Iterator[str]:
    return managed_paths(entry.get("fieldsV1"), schema)


def _lowest(paths: Iterable[str]) -> set[str]:
    """The paths with none below: what is above them is on the way, and owned by nobody."""
    found: list[str] = []
    for path in paths:  # parents come before their children
        if found and _is_below(path, found[-1]):
            found.pop()
        found.append(path)
    return set(found)


def _is_below(path: str, above: str) -> bool:
    return path == above or (path.startswith(above) and path[len(above)] in ".[{")


def _text(manifest: JsonObject, name: str) -> str:
    return str(object_at(manifest, "metadata").get(name, ""))
