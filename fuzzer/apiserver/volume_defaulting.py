"""What does the API server fill in where a volume says nothing?

A volume without a source becomes an emptyDir: that is how an image volume turns into an empty
directory once a webhook has dropped the source it does not know.

Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/v1 zz_generated.defaults.go SetObjectDefaults_Pod
and defaults.go SetDefaults_Volume and following.
"""

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.filling import (
    Defaulter,
    changed,
    changed_list,
    filled_in,
    rounded_lists,
)
from webhook_fuzz.fuzzer.apiserver.image_references import default_pull_policy

_ISCSI: JsonObject = {"iscsiInterface": "default"}
_RBD: JsonObject = {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}
_SCALE_IO: JsonObject = {"storageMode": "ThinProvisioned", "fsType": "xfs"}
_AZURE_DISK: JsonObject = {
    "cachingMode": "ReadWrite",
    "fsType": "ext4",
    "readOnly": False,
    "kind": "Shared",
}


def default_volume(volume: JsonObject) -> JsonObject:
    """A volume with its defaults; the same object where nothing was missing."""
    source = next((name for name in volume if name != "name" and volume[name] is not None), None)
    if source is None:
        return {**volume, "emptyDir": {}}
    for name in volume:
        if (default := _SOURCES.get(name)) is not None:
            volume = changed(volume, name, default)
    return volume


def set_if_absent(members: JsonObject, defaults: JsonObject) -> JsonObject:
    """Members with defaults where Go has a nil pointer: a 0 or "" that is there stays."""
    missing = {name: value for name, value in defaults.items() if members.get(name) is None}
    return {**members, **missing} if missing else members


def _with_default_mode(source: JsonObject) -> JsonObject:
    return source if source.get("defaultMode") is not None else {**source, "defaultMode": 0o644}


def _default_downward_api(source: JsonObject) -> JsonObject:
    return _with_default_mode(_with_references(source))


def _with_references(source: JsonObject) -> JsonObject:
    return changed_list(source, "items", _default_item)


def _default_item(item: JsonObject) -> JsonObject:
    item = changed(item, "fieldRef", lambda ref: filled_in(ref, {"apiVersion": "v1"}))
    return changed(item, "resourceFieldRef", lambda ref: filled_in(ref, {"divisor": "0"}))


def _default_projected(source: JsonObject) -> JsonObject:
    return _with_default_mode(changed_list(source, "sources", _default_projection))


def _default_projection(projection: JsonObject) -> JsonObject:
    projection = changed(projection, "downwardAPI", _with_references)
    return changed(
        projection,
        "serviceAccountToken",
        lambda token: set_if_absent(token, {"expirationSeconds": 3600}),
    )


def _default_image(image: JsonObject) -> JsonObject:
    reference = image.get("reference")
    text = reference if isinstance(reference, str) else ""
    return filled_in(image, {"pullPolicy": default_pull_policy(text)})


def _default_ephemeral(source: JsonObject) -> JsonObject:
    return changed(source, "volumeClaimTemplate", _default_claim_template)


def _default_claim_template(template: JsonObject) -> JsonObject:
    spec: JsonValue = template.get("spec")
    if spec is None:
        return {**template, "spec": {"volumeMode": "Filesystem"}}
    return changed(template, "spec", _default_claim)


def _default_claim(spec: JsonObject) -> JsonObject:
    spec = set_if_absent(spec, {"volumeMode": "Filesystem"})
    return changed(spec, "resources", rounded_lists)


_SOURCES: dict[str, Defaulter] = {
    "azureDisk": lambda source: set_if_absent(source, _AZURE_DISK),
    "configMap": _with_default_mode,
    "downwardAPI": _default_downward_api,
    "ephemeral": _default_ephemeral,
    "hostPath": lambda source: set_if_absent(source, {"type": ""}),
    "image": _default_image,
    "iscsi": lambda source: filled_in(source, _ISCSI),
    "projected": _default_projected,
    "rbd": lambda source: filled_in(source, _RBD),
    "scaleIO": lambda source: filled_in(source, _SCALE_IO),
    "secret": _with_default_mode,
}
