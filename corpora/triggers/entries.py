"""Is this entry of a file a trigger that can be added to a pod?

The members are checked one by one, and an error names file, entry and member. Whatever passes can
be applied to any valid pod without making it invalid, as far as that can be known without the
cluster's API.
"""

from collections.abc import Callable
from dataclasses import dataclass

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.corpora.triggers.merging import CONTAINER_LISTS, EVERY_CONTAINER, LIST_KEYS
from webhook_fuzz.corpora.triggers.syntax import (
    fault_of_annotation_key,
    fault_of_annotations,
    fault_of_dns_label,
    fault_of_dns_subdomain,
    fault_of_label_key,
    fault_of_label_value,
)

MEMBERS = (
    "name",
    "annotations",
    "labels",
    "serviceAccountName",
    "namespace",
    "namespaceLabels",
    "image",
    "spec",
)
_MEMBERS_HINT = f"A trigger has these members: {', '.join(MEMBERS)}."
_QUOTING_HINT = 'Put the value in quotes: "true", "8080".'


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an entry stands, for error messages, and what the catalogue says about it."""

    entry: str
    source: str
    webhook: str = ""
    because: str = ""

    def error(self, member: str, problem: str, hint: str) -> InputError:
        """An InputError naming file, entry and member."""
        return InputError(f"{self.entry}: {member}: {problem}", hint=hint)


def parse_trigger(entry: JsonObject, origin: Origin) -> Trigger:
    """The entry as a Trigger. Raises InputError on the first member that is wrong."""
    for member in entry:
        if member not in MEMBERS:
            raise origin.error(member, "is not a member of a trigger", _MEMBERS_HINT)
    return Trigger(
        name=_name(entry, origin),
        webhook=origin.webhook,
        because=origin.because,
        source=origin.source,
        annotations=_annotations(entry, origin),
        labels=_labels(entry, "labels", origin),
        service_account_name=_text(entry, "serviceAccountName", origin, fault_of_dns_subdomain),
        namespace=_text(entry, "namespace", origin, fault_of_dns_label),
        namespace_labels=_labels(entry, "namespaceLabels", origin),
        image=_text(entry, "image", origin, _fault_of_image),
        spec=_spec(entry, origin),
    )


def _name(entry: JsonObject, origin: Origin) -> str:
    name = _text(entry, "name", origin, fault_of_dns_label)
    if name is None:
        raise origin.error("name", "is missing", "Give each trigger a name of its own.")
    if name == NO_TRIGGER.name:
        raise origin.error("name", f"{name!r} means no trigger at all", "Choose another name.")
    return name


def _text(
    entry: JsonObject, member: str, origin: Origin, fault_of: Callable[[str], str | None]
) -> str | None:
    value = entry.get(member)
    if member not in entry:
        return None
    if not isinstance(value, str):
        raise origin.error(member, _must_be("string", value), _QUOTING_HINT)
    if (fault := fault_of(value)) is not None:
        raise origin.error(member, f"{value!r} {fault}", "Correct it as the API server wants it.")
    return value


def _fault_of_image(image: str) -> str | None:
    """The API server asks for more than nothing, and for no white space around it."""
    return None if image and image == image.strip() else "is empty or has white space around it"


def _strings(entry: JsonObject, member: str, origin: Origin) -> dict[str, str]:
    value = entry.get(member, {})
    if not isinstance(value, dict):
        raise origin.error(member, _must_be("mapping", value), "Write key: value lines below it.")
    strings = {key: each for key, each in value.items() if isinstance(each, str)}
    for key in value.keys() - strings.keys():
        raise origin.error(f"{member}[{key!r}]", _must_be("string", value[key]), _QUOTING_HINT)
    return strings


def _annotations(entry: JsonObject, origin: Origin) -> dict[str, str]:
    annotations = _strings(entry, "annotations", origin)
    for key in annotations:
        _check_key("annotations", key, fault_of_annotation_key(key), origin)
    if (fault := fault_of_annotations(annotations)) is not None:
        raise origin.error("annotations", fault, "Shorten them.")
    return annotations


def _labels(entry: JsonObject, member: str, origin: Origin) -> dict[str, str]:
    labels = _strings(entry, member, origin)
    for key, value in labels.items():
        _check_key(member, key, fault_of_label_key(key) or fault_of_label_value(value), origin)
    return labels


def _check_key(member: str, key: str, fault: str | None, origin: Origin) -> None:
    if fault is not None:
        hint = "Keys are [prefix/]name; label values have at most 63 letters, digits, '-_.'."
        raise origin.error(f"{member}[{key!r}]", fault, hint)


def _spec(entry: JsonObject, origin: Origin) -> JsonObject:
    spec = entry.get("spec", {})
    if not isinstance(spec, dict):
        raise origin.error("spec", _must_be("mapping", spec), "Write members of a pod's spec.")
    for member in CONTAINER_LISTS & spec.keys():
        if not isinstance(spec[member], list):
            problem = _must_be("list", spec[member])
            raise origin.error(f"spec.{member}", problem, 'Write: - name: "*" below it.')
    _check_lists(spec, "spec", origin)
    return spec


def _check_lists(value: JsonValue, path: str, origin: Origin) -> None:
    """Every element of a keyed list below `value` has its key."""
    match value:
        case dict():
            for member, each in value.items():
                if isinstance(each, list) and member in LIST_KEYS:
                    _check_keyed_list(each, member, f"{path}.{member}", origin)
                _check_lists(each, f"{path}.{member}", origin)
        case list():
            for index, each in enumerate(value):
                _check_lists(each, f"{path}[{index}]", origin)
        case _:
            pass


def _check_keyed_list(elements: list[JsonValue], member: str, path: str, origin: Origin) -> None:
    key = LIST_KEYS[member][0]
    for index, element in enumerate(elements):
        place = f"{path}[{index}]"
        if not isinstance(element, dict) or not element.get(key):
            hint = "It says which element of the pod's list is meant."
            raise origin.error(place, f"has no {key}", hint)
        if member in CONTAINER_LISTS:
            _check_container(element, place, origin)


def _check_container(container: JsonObject, place: str, origin: Origin) -> None:
    """A container that may have to be appended must be one the API server accepts."""
    if container["name"] == EVERY_CONTAINER or container.get("image"):
        return
    raise origin.error(
        place,
        "names one container but gives no image",
        'A pod without this container gets it appended; use name: "*" for every container.',
    )


def _must_be(wanted: str, value: JsonValue) -> str:
    return f"must be a {wanted}, not {json_type_name(value)}"
