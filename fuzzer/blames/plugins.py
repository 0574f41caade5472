"""Which in-tree admission plugin put something into a pod, told by what it is?

In-tree plugins run before the webhooks and leave no trace of their own, but what some add has a
form nobody else has a reason to use: a volume called kube-api-access-…, two tolerations for five
minutes, resources that an annotation names. What fits none is never given to one for want of
others.

Source: plugin/pkg/admission of k8s.io/kubernetes v1.37.2, the file named at each rule.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import list_at, object_at
from webhook_fuzz.corpora.pods import catalogue_path, escape_key, value_at
from webhook_fuzz.fuzzer.blames.actors import Actor, ActorKind, Recognise, Touch

_TOKEN_MOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
# Five letters and digits without vowels: names.SimpleNameGenerator.
_TOKEN_VOLUME: Final = re.compile(r"kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}")
_SHORT_STAYS: Final = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
_LIMITS: Final = "metadata.annotations{kubernetes.io/limit-ranger}"
_LIMITS_PREFIX: Final = "LimitRanger plugin set: "
_SET_ONCE: Final = (
    "serviceAccountName", "serviceAccount", "priority", "preemptionPolicy", "overhead",
)  # fmt: skip
_CONTAINER_LISTS: Final = ("initContainers", "containers")

_Fits: TypeAlias = Callable[[JsonValue], bool]


def is_token_volume(volume: JsonValue) -> bool:
    """Whether it is the volume of serviceaccount/admission.go mountServiceAccountToken."""
    name = volume.get("name") if isinstance(volume, dict) else None
    return (
        isinstance(volume, dict)
        and isinstance(name, str)
        and "projected" in volume
        and _TOKEN_VOLUME.fullmatch(name) is not None
    )


def _is_token_mount(mount: JsonValue) -> bool:
    return isinstance(mount, dict) and mount.get("mountPath") == _TOKEN_MOUNT


def _is_short_stay(toleration: JsonValue) -> bool:
    """Source: defaulttolerationseconds/admission.go; how many seconds is a flag."""
    return (
        isinstance(toleration, dict)
        and toleration.get("key") in _SHORT_STAYS
        and toleration.get("operator") == "Exists"
        and toleration.get("effect") == "NoExecute"
        and isinstance(toleration.get("tolerationSeconds"), int)
    )


def _is_default(account: JsonValue) -> bool:
    return account == "default"


def _is_any(_: JsonValue) -> bool:
    return True


# Priority and RuntimeClass refuse a pod in which somebody else's value differs from theirs.
_RULES: Final[tuple[tuple[str, str, _Fits], ...]] = (
    ("ServiceAccount", r"spec\.volumes\[\]", is_token_volume),
    ("ServiceAccount", r"spec\.(initC|c)ontainers\[\]\.volumeMounts\[\]", _is_token_mount),
    ("ServiceAccount", r"spec\.serviceAccount(Name)?", _is_default),
    ("DefaultTolerationSeconds", r"spec\.tolerations\[\]", _is_short_stay),
    ("Priority", r"spec\.(priority|preemptionPolicy)", _is_any),
    ("RuntimeClass", r"spec\.overhead", _is_any),
)
_LISTS: Final[Mapping[str, tuple[str, _Fits]]] = {
    "volumes": ("ServiceAccount", is_token_volume),
    "volumeMounts": ("ServiceAccount", _is_token_mount),
    "tolerations": ("DefaultTolerationSeconds", _is_short_stay),
}


def recognise_plugin(touch: Touch) -> Actor | None:
    """The in-tree plugin that sets what `touch` says; None where none is known by it."""
    if touch.gone:
        return None
    field, value = catalogue_path(touch.path), touch.value
    for name, path, fits in _RULES:
        if re.fullmatch(path, field) and fits(value):
            return _plugin(name)
    name, fits = _LISTS.get(touch.steps[-1].name, ("", _is_any))
    if name and isinstance(value, list) and value and all(map(fits, value)):
        return _plugin(name)
    return None


def limits_recogniser(pod: JsonObject) -> Recognise:
    """Recognises what LimitRanger says in its annotation on `pod` that it has set.

    `LimitRanger plugin set: cpu, memory request for container app; cpu limit for init container
    setup`. Source: limitranger/admission.go mergeContainerResources.
    """
    text = value_at(pod, _LIMITS)
    said = text.removeprefix(_LIMITS_PREFIX) if isinstance(text, str) else ""
    paths = {_LIMITS, *_limit_paths(said)} if said else set[str]()

    def recognise(touch: Touch) -> Actor | None:
        leaves = set(_leaf_paths(touch.path, touch.value))
        return _plugin("LimitRanger") if not touch.gone and leaves and leaves <= paths else None

    return recognise


def _leaf_paths(path: str, value: JsonValue) -> Iterator[str]:
    """The paths of what is set at and below a place of `resources`, maps of two levels at most."""
    if not isinstance(value, dict):
        yield path
    elif path.endswith(".resources"):
        for name, member in value.items():
            yield from _leaf_paths(f"{path}.{name}", member)
    else:
        for name in value:
            yield path + "{" + escape_key(name, "}") + "}"


def _limit_paths(said: str) -> Iterator[str]:
    for part in said.split("; "):
        what, _, whose = part.partition(" for ")
        names, _, kind = what.rpartition(" ")
        which = "initContainers" if whose.startswith("init ") else "containers"
        container = f"spec.{which}[name={whose.rpartition(' ')[2]}]"
        for name in names.split(", "):
            yield f"{container}.resources.{kind}s{{{name}}}"


def preview(pod: JsonObject, reply: JsonObject) -> JsonObject:
    """A defaulted pod with what in-tree plugins have added to it by the time webhooks see it.

    That is not shown by the API server: it is taken out of its `reply` at the end of the chain, by
    what is recognised without doubt. Plugins append to lists.
    """
    spec, final = object_at(pod, "spec"), object_at(reply, "spec")
    changes: JsonObject = {
        name: final[name]
        for name in _SET_ONCE
        if name in final
        and not spec.get(name)
        and (not name.startswith("serviceAccount") or _is_default(final[name]))
    }
    for name in ("volumes", "tolerations"):
        _append(changes, spec, final, name)
    for name in _CONTAINER_LISTS:
        containers = [_with_mounts(each, list_at(final, name)) for each in list_at(spec, name)]
        if containers != list_at(spec, name):
            changes[name] = containers
    return {**pod, "spec": {**spec, **changes}} if changes else pod


def _with_mounts(container: JsonValue, final: list[JsonValue]) -> JsonValue:
    if not isinstance(container, dict):
        return container
    changes: JsonObject = {}
    for other in final:
        if isinstance(other, dict) and other.get("name") == container.get("name"):
            _append(changes, container, other, "volumeMounts")
    return {**container, **changes}


def _append(changes: JsonObject, holder: JsonObject, final: JsonObject, name: str) -> None:
    fits = _LISTS[name][1]
    had = list_at(holder, name)
    added = [each for each in list_at(final, name) if fits(each) and each not in had]
    if added:
        changes[name] = [*had, *added]


def _plugin(name: str) -> Actor:
    return Actor(
        kind=ActorKind.PLUGIN,
        name=name,
        known_by=f"It has the form of what the in-tree admission plugin {name} sets.",
    )
