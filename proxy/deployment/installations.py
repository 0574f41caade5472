"""What is installed in a cluster?

The manifests of `manifests/`, as `kubectl apply -k deploy` takes them, and with a volume those of
`components/recordings`. What differs from cluster to cluster is put in by `build_objects`, which
touches nothing else: whoever reads the files has read what is installed.
"""

import base64
import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final, cast

import jsonpatch
import yaml

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import list_at, object_at, objects_at, text_at

NAMESPACE: Final = "webhook-fuzz"
IMAGE: Final = "localhost/webhook-fuzz:0.1.0"
PROXY: Final = "webhook-fuzz-proxy"
"""The name of the Deployment, its Service, its budget and its account."""
KEEPER: Final = "webhook-fuzz-keeper"
ROUTES: Final = "webhook-fuzz-routes"
ROUTES_FILE: Final = "routes.yaml"
ROUTES_ANNOTATION: Final = "webhook-fuzz/routes"
"""Of the pods: the SHA-256 of the routes they were started with."""
CERTIFICATE: Final = "webhook-fuzz-certificate"
AUTHORITY: Final = "webhook-fuzz-authority"
LABELS: Final[Mapping[str, str]] = {
    "app.kubernetes.io/managed-by": "webhook-fuzz",
    "app.kubernetes.io/part-of": "webhook-fuzz-proxy",
}
"""What every object that is installed is labelled with."""
MOST_TTL: Final = 90 * 86_400.0
"""How long an interception may be asked for at once, in seconds."""
_FOLDER: Final = "manifests"
_VOLUME: Final = "components/recordings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A claim for recordings: `size` is a quantity, no `storage_class` means the default one."""

    size: str
    storage_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What differs from cluster to cluster.

    `namespace_labels` are added to those of the namespace, `configurations` are the
    MutatingWebhookConfigurations the keeper may patch, `routes` the text of the proxy's routes,
    `certificate` and `authority` the files in the two Secrets, `egress_to` networks (CIDR) of
    webhooks that are not in pods.
    """

    namespace: str = NAMESPACE
    image: str = IMAGE
    namespace_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    configurations: Sequence[str] = ()
    routes: str | None = None
    certificate: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    authority: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    egress_to: Sequence[str] = ()
    volume: Volume | None = None

    @property
    def server_name(self) -> str:
        """The name the API server calls the proxy by."""
        return f"{PROXY}.{self.namespace}.svc"


def load_manifests(*, volume: bool = False) -> list[JsonObject]:
    """The manifests as they are in the files, in the order they are to be applied in."""
    found = _load_folder(_FOLDER)
    if not volume:
        return found
    component = _read_one(_VOLUME, "kustomization.yaml")
    claims = _load_folder(_VOLUME)
    return [*_before_workloads(found, claims), *_patched(found, objects_at(component, "patches"))]


def _before_workloads(
    found: Sequence[JsonObject], claims: Sequence[JsonObject]
) -> list[JsonObject]:
    return [*(each for each in found if not _is_workload(each)), *claims]


def build_objects(installation: Installation) -> list[JsonObject]:
    """What is to be in the cluster, in the order it is to be applied in."""
    objects = load_manifests(volume=installation.volume is not None)
    for each in objects:
        _settle(each, installation)
    return objects


def find(objects: Iterable[JsonObject], kind: str, name: str) -> JsonObject:
    """The object of a kind and a name. Raises LookupError where there is none."""
    for each in objects:
        if each.get("kind") == kind and text_at(object_at(each, "metadata"), "name") == name:
            return each
    raise LookupError(f"there is no {kind} {name} among the manifests")


def _settle(manifest: JsonObject, installation: Installation) -> None:
    """Put in what belongs into this one."""
    _move(manifest, installation.namespace)
    for container in _containers(manifest):
        container["image"] = installation.image
    if settle := _BY_KIND.get(text_at(manifest, "kind")):
        settle(manifest, installation)


def _label(namespace: JsonObject, installation: Installation) -> None:
    object_at(namespace, "metadata", "labels").update(installation.namespace_labels)


def _fill_routes(routes: JsonObject, installation: Installation) -> None:
    if installation.routes is not None:
        routes["data"] = {ROUTES_FILE: installation.routes}


def _fill_secret(secret: JsonObject, installation: Installation) -> None:
    is_served = text_at(object_at(secret, "metadata"), "name") == CERTIFICATE
    given = installation.certificate if is_served else installation.authority
    if given:
        encoded = {file: base64.b64encode(content).decode() for file, content in given.items()}
        secret["data"] = {**encoded}


def _limit(role: JsonObject, installation: Installation) -> None:
    for rule in objects_at(role, "rules"):
        if "resourceNames" in rule and installation.configurations:
            rule["resourceNames"] = [*installation.configurations]


def _let_out(policy: JsonObject, installation: Installation) -> None:
    networks: list[JsonValue] = [{"ipBlock": {"cidr": cidr}} for cidr in installation.egress_to]
    if networks and text_at(object_at(policy, "metadata"), "name") == PROXY:
        list_at(object_at(policy, "spec"), "egress").append({"to": networks})


def _claim(claim: JsonObject, installation: Installation) -> None:
    volume = installation.volume
    if volume is None:
        return
    spec = object_at(claim, "spec")
    object_at(spec, "resources", "requests")["storage"] = volume.size
    if volume.storage_class is not None:
        spec["storageClassName"] = volume.storage_class


def _roll(deployment: JsonObject, installation: Installation) -> None:
    """Other routes take other pods: a mounted file follows its ConfigMap only after a while."""
    if installation.routes is not None:
        digest = hashlib.sha256(installation.routes.encode()).hexdigest()
        metadata = object_at(deployment, "spec", "template", "metadata")
        metadata["annotations"] = {ROUTES_ANNOTATION: digest}


_BY_KIND: Final[Mapping[str, Callable[[JsonObject, Installation], None]]] = {
    "Namespace": _label,
    "ConfigMap": _fill_routes,
    "Secret": _fill_secret,
    "ClusterRole": _limit,
    "NetworkPolicy": _let_out,
    "PersistentVolumeClaim": _claim,
    "Deployment": _roll,
}


def _move(manifest: JsonObject, namespace: str) -> None:
    """Into another namespace; what is in none gets a name of its own for each of them."""
    metadata = object_at(manifest, "metadata")
    if "namespace" in metadata:
        metadata["namespace"] = namespace
    elif manifest.get("kind") == "Namespace":
        metadata["name"] = namespace
    else:
        metadata["name"] = keeper_role(namespace)
    if "roleRef" in manifest:
        object_at(manifest, "roleRef")["name"] = keeper_role(namespace)
    for subject in objects_at(manifest, "subjects"):
        subject["namespace"] = namespace


def keeper_role(namespace: str) -> str:
    """The name of the ClusterRole and its binding for an installation in a namespace."""
    return KEEPER if namespace == NAMESPACE else f"{KEEPER}-{namespace}"


def pod_template(manifest: JsonObject) -> JsonObject | None:
    """The template of the pods a Deployment or a CronJob makes; None for anything else."""
    if manifest.get("kind") == "CronJob":
        return object_at(manifest, "spec", "jobTemplate", "spec", "template")
    return object_at(manifest, "spec", "template") if _is_workload(manifest) else None


def _containers(manifest: JsonObject) -> Iterator[JsonObject]:
    yield from objects_at(object_at(pod_template(manifest) or {}, "spec"), "containers")


def _is_workload(manifest: JsonObject) -> bool:
    return manifest.get("kind") in {"Deployment", "CronJob"}


def _patched(found: Sequence[JsonObject], patches: Sequence[JsonObject]) -> list[JsonObject]:
    """The workloads, with the patches of a component applied to those they name."""
    return [_patch(each, patches) for each in found if _is_workload(each)]


def _patch(manifest: JsonObject, patches: Sequence[JsonObject]) -> JsonObject:
    for patch in patches:
        target = object_at(patch, "target")
        if _is_meant(manifest, target):
            operations = yaml.safe_load(text_at(patch, "patch"))
            manifest = cast("JsonObject", jsonpatch.apply_patch(manifest, operations))
    return manifest


def _is_meant(manifest: JsonObject, target: JsonObject) -> bool:
    name = text_at(object_at(manifest, "metadata"), "name")
    return (manifest.get("kind"), name) == (target.get("kind"), target.get("name"))


def _load_folder(folder: str) -> list[JsonObject]:
    kustomization = _read_one(folder, "kustomization.yaml")
    return [
        manifest
        for file in list_at(kustomization, "resources")
        for manifest in _read(folder, str(file))
    ]


def _read_one(folder: str, file: str) -> JsonObject:
    (document,) = _read(folder, file)
    return document


def _read(folder: str, file: str) -> list[JsonObject]:
    text = _files().joinpath(folder, file).read_text("utf-8")
    documents: Iterator[Any] = yaml.safe_load_all(text)
    return [cast("JsonObject", document) for document in documents]


def _files() -> Traversable:
    return resources.files(str(__package__))


def check_networks(networks: Iterable[str]) -> None:
    """Raises ValueError, which names it, where one is no network (`10.0.0.0/8`)."""
    for each in networks:
        if "/" not in each:
            raise ValueError(f"{each!r} is no network: write 192.0.2.7/32 for one address")
        ipaddress.ip_network(each)
