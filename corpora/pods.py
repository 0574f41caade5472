"""Where in a pod is a value, told in a way that survives elements being added before it?

A *keyed path* names list elements by their merge key instead of their index, so that a container
keeps its name in a path however many others a webhook puts in front of it:

    spec.initContainers[name=logs].restartPolicy
    spec.containers[name=app].ports[containerPort=80,protocol=TCP].hostPort
    metadata.annotations{sidecar.istio.io/inject}
    spec.tolerations[0].operator                      (lists without a merge key: by position)

Without the keys it is a *catalogue path*: `spec.initContainers[].restartPolicy`. A backslash
escapes `]`, `}` and itself inside brackets.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

_STEP = re.compile(
    r"\.?(?P<member>[^.\[\]{}]+)|\[(?P<element>(?:[^\]\\]|\\.)*)\]|\{(?P<entry>(?:[^}\\]|\\.)*)\}"
)


class Absent:
    """The type of ABSENT, which is not a JSON value."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()
"""What is at a path that leads nowhere: JSON null is a value, this is none."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a keyed path: a member, a list element by its key or index, or a map entry."""

    kind: str
    name: str

    def __str__(self) -> str:
        match self.kind:
            case "element":
                return f"[{escape_key(self.name, ']')}]"
            case "entry":
                return "{" + escape_key(self.name, "}") + "}"
            case _:
                return self.name


def element_key(element: JsonValue, merge_keys: Sequence[str]) -> str | None:
    """`name=logs` or `containerPort=80,protocol=TCP`; None for an element without its key.

    A port's protocol may be left out and is TCP then (SetDefaults_Pod in k8s.io/kubernetes
    pkg/apis/core/v1/defaults.go).
    """
    if not merge_keys or not isinstance(element, dict):
        return None
    if len(merge_keys) == 1:  # nearly all lists, and asked for often
        name = merge_keys[0]
        value = element.get(name)
        if type(value) is str:
            return f"{name}={value}"
    parts: list[str] = []
    for key in merge_keys:
        value = element.get(key)
        if value is None and key == "protocol":
            value = "TCP"
        if value is None or isinstance(value, (dict, list)):
            return None
        parts.append(f"{key}={value}")
    return ",".join(parts)


def element_keys(elements: Sequence[JsonValue], merge_keys: Sequence[str]) -> list[str]:
    """A distinct key for every element: its merge key, its index without one.

    The second element with the same key gets `#2` after it, the third `#3`.
    """
    keys = [
        str(index) if (key := element_key(element, merge_keys)) is None else key
        for index, element in enumerate(elements)
    ]
    return keys if len(set(keys)) == len(keys) else _numbered(keys)


def _numbered(keys: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    numbered: list[str] = []
    for key in keys:
        count = seen[key] = seen.get(key, 0) + 1
        numbered.append(key if count == 1 else f"{key}#{count}")
    return numbered


def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of a keyed path.

    Raises InputError when the text is no keyed path.
    """
    steps: list[Step] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise InputError(
                f"{path!r} is not a keyed path (column {position + 1})",
                hint="Write it like spec.initContainers[name=logs].restartPolicy.",
            )
        kind = found.lastgroup or "member"
        steps.append(Step(kind, found[kind] if kind == "member" else _unescape(found[kind])))
        position = found.end()
    return tuple(steps)


def render_path(steps: Sequence[Step]) -> str:
    """The text of a keyed path: the reverse of `parse_path`."""
    text = "".join(f".{step}" if step.kind == "member" else str(step) for step in steps)
    return text.removeprefix(".")


def catalogue_path(path: str) -> str:
    """`spec.containers[name=app].image` without the keys: `spec.containers[].image`."""
    return "".join(
        {"element": "[]", "entry": "{}"}.get(step.kind, f".{step}") for step in parse_path(path)
    ).removeprefix(".")


def value_at(pod: JsonObject, path: str) -> JsonValue | Absent:
    """The value at a keyed path of a pod; ABSENT when the path leads nowhere."""
    value: JsonValue | Absent = pod
    for step in parse_path(path):
        value = _step_into(value, step)
        if value is ABSENT:
            break
    return value


def _step_into(value: JsonValue | Absent, step: Step) -> JsonValue | Absent:
    if step.kind != "element":
        return value.get(step.name, ABSENT) if isinstance(value, dict) else ABSENT
    if not isinstance(value, list):
        return ABSENT
    if step.name.isdecimal():
        index = int(step.name)
        return value[index] if index < len(value) else ABSENT
    merge_keys = [part.partition("=")[0] for part in step.name.split(",")]
    for element, key in zip(value, element_keys(value, merge_keys), strict=True):
        if key == step.name:
            return element
    return ABSENT


def without(pod: JsonObject, path: str) -> JsonObject:
    """The pod without the member at a keyed path; the input is not changed.

    Only what lies on the path is copied. A path that leads nowhere changes nothing.
    """
    return _without(pod, parse_path(path))


def _without(value: JsonObject, steps: Sequence[Step]) -> JsonObject:
    first, rest = steps[0], steps[1:]
    if not rest:
        return {name: member for name, member in value.items() if name != first.name}
    member, inner = value.get(first.name), rest
    if isinstance(member, dict):
        return {**value, first.name: _without(member, inner)}
    if not isinstance(member, list) or inner[0].kind != "element":
        return value
    chosen = _step_into(member, inner[0])
    return {
        **value,
        first.name: [
            _without(element, inner[1:])
            if element is chosen and isinstance(element, dict) and len(inner) > 1
            else element
            for element in member
        ],
    }


def containers(pod: JsonObject, *lists: str) -> Iterator[tuple[str, JsonObject]]:
    """(list name, container) of a pod: of `containers` and `initContainers` unless told others."""
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return
    for name in lists or ("initContainers", "containers"):
        members = spec.get(name)
        for container in members if isinstance(members, list) else ():
            if isinstance(container, dict):
                yield name, container


def escape_key(name: str, closing: str) -> str:
    """A key as it stands between brackets: `closing` and backslashes escaped."""
    if closing not in name and "\\" not in name:
        return name
    return name.replace("\\", "\\\\").replace(closing, "\\" + closing)


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name) if "\\" in name else name
