"""WF201-WF207: is the patch made in a way that is bound to break something?

These look at the operations as well as at the result: a patch that replaces a whole list loses
nothing today if the webhook's types are new enough, and will lose the next field.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import ABSENT, Absent, element_key
from webhook_fuzz.fuzzer.apiserver.json_patch_versions import json_patch_version
from webhook_fuzz.fuzzer.apiserver.patches import PatchError, apply_patch
from webhook_fuzz.fuzzer.checks.changes import lost_changes
from webhook_fuzz.fuzzer.checks.registry import check
from webhook_fuzz.fuzzer.differences.comparing import Change, ChangeKind, member_paths
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation

# Digits; int() refuses thousands of them.
_LONGEST_INDEX = 9
# A tuple, not a set: a webhook can put anything at "op", also what is not hashable.
_WRITES = ("add", "replace")
_WHOLE = {"": "the pod", "/spec": "the spec", "/metadata": "the metadata"}

# The members without which an element of the list is none (required in k8s.io/api core/v1).
_REQUIRED = {
    "containers": ("name", "image"),
    "initContainers": ("name", "image"),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("name", "mountPath"),
}

# Which findings show how a patch was made, the worst way first.
_SIGNS = {
    "full-object-replacement": {"WF201"},
    "list-replacement": {"WF202"},
    "element-recreation": {"WF203"},
    "index-comparison": {"WF104"},
    "typed-round-trip": {"WF101", "WF102", "WF103", "WF108"},
}

# Other lists of scalars (capabilities, finalizers, label values) are sets.
_ORDERED_SCALARS = {"command", "args", "nameservers", "searches"}


@check("WF201")
def full_object_replacement(observation: Observation) -> Iterator[Finding]:
    """`add` or `replace` at "", /spec or /metadata over something that was there."""
    for index, operation in enumerate(observation.operations):
        path = operation.get("path")
        if operation.get("op") not in _WRITES or not isinstance(path, str):
            continue
        if path in _WHOLE and _at_pointer(observation.sent, path) not in (ABSENT, None, {}):
            yield Finding(
                code="WF201",
                culprits=(index,),
                explanation=f"Operation {index} writes {_WHOLE[path]} anew.",
            )


@check("WF202")
def list_replaced(observation: Observation) -> Iterator[Finding]:
    """`add` or `replace` of a whole list that was there, or `replace` of an element of one."""
    for index, operation in enumerate(observation.operations):
        path = operation.get("path")
        if operation.get("op") not in _WRITES or not isinstance(path, str):
            continue
        parent, _, last = path.rpartition("/")
        replaced = _at_pointer(observation.sent, path)
        is_list = isinstance(replaced, list) and any(isinstance(e, dict) for e in replaced)
        is_element = (
            operation["op"] == "replace"
            and last.isdecimal()
            and isinstance(replaced, dict)
            and isinstance(_at_pointer(observation.sent, parent), list)
        )
        if is_list or is_element:
            what = "list" if is_list else "element of a list"
            yield Finding(
                code="WF202",
                field=_pointer_field(path),
                culprits=(index,),
                explanation=f"Operation {index} writes the whole {what} at {path} anew.",
            )


@check("WF203")
def element_recreated(observation: Observation) -> Iterator[Finding]:
    """`remove` of an element followed by `add` of one with the same key in the same list."""
    if not any(_removes_element(operation) for operation in observation.operations):
        return
    removed: dict[tuple[str, str], int] = {}
    for index, operation, document in _replay(observation):
        parent, _, _ = str(operation.get("path")).rpartition("/")
        if _removes_element(operation):
            key = _key(_at_pointer(document, str(operation["path"])))
            if key is not None:
                removed[parent, key] = index
        elif operation.get("op") == "add":
            key = _key(operation.get("value"))
            if key is not None and (parent, key) in removed:
                yield Finding(
                    code="WF203",
                    field=_pointer_field(f"{parent}/0"),
                    culprits=(removed[parent, key], index),
                    explanation=f"{key} of {parent} is removed and added again.",
                )


@check("WF204")
def order_changed(observation: Observation) -> Iterator[Finding]:
    """The user's elements are there in another order, in a list whose order has a meaning."""
    for change in observation.changes:
        if change.kind is ChangeKind.REORDERED or _is_shuffled(change):
            yield Finding(
                code="WF204",
                path=change.path,
                field=change.field,
                before=change.before,
                after=change.after,
                explanation="The elements the user brought stand in another order.",
            )


@check("WF205")
def typed_round_trip(observation: Observation) -> Iterator[Finding]:
    """What only decoding into Go types and marshalling back leaves in a patch."""
    lost = {change.field for change in lost_changes(observation)}
    traces = [
        index
        for index, operation in enumerate(observation.operations)
        if _is_trace(operation, observation.sent) or _removes_one_of(operation, lost)
    ]
    if traces:
        first = observation.operations[traces[0]]
        shown = f"{first.get('op')} {first.get('path')}"
        yield Finding(
            code="WF205",
            culprits=tuple(traces),
            explanation=f"The operation {shown} is what marshalling a typed pod leaves behind.",
        )


@check("WF206")
def ghost_element(observation: Observation) -> Iterator[Finding]:
    """An element that was added has no name, image or another member it cannot be without."""
    for change in observation.changes:
        if change.kind not in {ChangeKind.ADDED, ChangeKind.ELEMENT_ADDED}:
            continue
        for path, field, element in _elements(change.path, change.field, change.after):
            required = _REQUIRED.get(field.removesuffix("[]").rpartition(".")[2], ())
            missing = [name for name in required if not element.get(name)]
            if missing:
                yield Finding(
                    code="WF206",
                    path=path,
                    field=field,
                    after=element,
                    explanation=f"The element has no {' and no '.join(missing)}.",
                )


@check("WF207")
def needless_patch(observation: Observation) -> Iterator[Finding]:
    """A patch with operations after which the pod means what it meant before."""
    if observation.operations and observation.result is not None and not observation.changes:
        yield Finding(
            code="WF207",
            culprits=tuple(range(len(observation.operations))),
            explanation="The patched pod equals the one that was sent.",
        )


def mechanism(findings: Iterable[Finding]) -> str:
    """How a webhook made its patch, by what was found on it: the worst it shows."""
    codes = {finding.code for finding in findings}
    return next((name for name, signs in _SIGNS.items() if signs & codes), "surgical")


def _elements(
    path: str, field: str, value: JsonValue | Absent
) -> Iterator[tuple[str, str, JsonObject]]:
    """The objects in lists of an added value, itself included, by keyed and catalogue path."""
    if isinstance(value, dict):
        if field.endswith("[]"):
            yield path, field, value
        for name, member in value.items():
            if isinstance(member, (dict, list)):
                yield from _elements(*member_paths(path, field, name), member)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from _elements(f"{path}[{index}]", f"{field}[]", element)


def _is_trace(operation: JsonObject, sent: JsonObject) -> bool:
    """An empty struct or null time that only Go's marshalling writes down."""
    path, value = operation.get("path"), operation.get("value")
    if operation.get("op") != "add" or not isinstance(path, str):
        return False
    name = path.rpartition("/")[2]
    if name == "creationTimestamp":
        return value is None
    empty_struct = value == {} and name in {"status", "resources", "strategy"}
    return empty_struct and _at_pointer(sent, path) is ABSENT


def _removes_one_of(operation: JsonObject, lost: Collection[str]) -> bool:
    """A `remove` of a member that is lost: a correct prepending diff removes without losing."""
    path = operation.get("path")
    return (
        operation.get("op") == "remove" and isinstance(path, str) and _pointer_field(path) in lost
    )


def _is_shuffled(change: Change) -> bool:
    return (
        change.kind is ChangeKind.CHANGED
        and change.field.rpartition(".")[2] in _ORDERED_SCALARS
        and isinstance(change.before, list)
        and isinstance(change.after, list)
        and sorted(map(repr, change.before)) == sorted(map(repr, change.after))
    )


def _replay(observation: Observation) -> Iterator[tuple[int, JsonObject, JsonValue]]:
    """Each operation with the document it meets; stops where one does not apply."""
    document: JsonValue = observation.sent
    version = json_patch_version(observation.target)
    for index, operation in enumerate(observation.operations):
        yield index, operation, document
        if not isinstance(document, dict):
            return
        try:
            document = apply_patch(document, [operation], json_patch=version)
        except PatchError:
            return


def _removes_element(operation: JsonObject) -> bool:
    path = operation.get("path")
    return (
        operation.get("op") == "remove"
        and isinstance(path, str)
        and path.rpartition("/")[2].lstrip("-").isdecimal()
    )


def _key(element: JsonValue | Absent) -> str | None:
    return None if isinstance(element, Absent) else element_key(element, ("name",))


def _pointer_parts(pointer: str) -> Sequence[str]:
    if "~" not in pointer:
        return pointer.split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _at_pointer(document: JsonValue, pointer: str) -> JsonValue | Absent:
    value = document
    for part in _pointer_parts(pointer):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and _is_index(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return ABSENT
    return value


def _is_index(part: str) -> bool:
    return part.isdecimal() and len(part) <= _LONGEST_INDEX


def _pointer_field(pointer: str) -> str:
    """The catalogue path of a JSON Pointer into a pod."""
    # Not by way of a keyed path: a webhook can write pointers that are no path of anything.
    steps = ["[]" if part.isdecimal() else f".{part}" for part in _pointer_parts(pointer)]
    return "".join(steps).removeprefix(".")
