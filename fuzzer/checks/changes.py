"""What does a change of the pod amount to: a loss, another value, or nothing of the user's?

A member that is not there any more is not always lost. It may be on another element, it may have
been exchanged for another member of its one-of, it may be the API server's own or the trigger's;
and a member that is there may be lost, if it is there only because the API server filled it in.
"""

import json
from collections.abc import Iterable, Iterator

from webhook_fuzz.corpora.fields.generating import FIRST_MINOR
from webhook_fuzz.corpora.fields.unions import is_union_member
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.pods import Absent, parse_path, value_at, without
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.differences.comparing import Change, ChangeKind
from webhook_fuzz.fuzzer.observations import Observation

SIDECAR_FIELD = "spec.initContainers[].restartPolicy"

_LOSING = frozenset({ChangeKind.LOST, ChangeKind.CHANGED})

# Set by the API server before webhooks are called, so that whoever sets priorityClassName has to
# take the first two out (plugin/pkg/admission/priority/admission.go); the last is the deprecated
# mirror of serviceAccountName.
_SET_BY_ADMISSION = {"spec.priority", "spec.preemptionPolicy", "spec.serviceAccount"}


def lost_changes(observation: Observation) -> Iterator[Change]:
    """The members the webhook dropped, and that did not move to another element."""
    moved = [migration.source_path for migration in observation.migrations]
    for change in observation.changes:
        if change.kind not in _LOSING or change.field in _SET_BY_ADMISSION:
            continue
        if is_old_map(change, observation):
            continue
        if change.kind is ChangeKind.LOST:
            is_lost = not _is_above_any(change.path, moved)
            is_lost = is_lost and not is_exchanged_member(change, observation)
        else:
            is_lost = is_replaced_by_default(change, observation)
        if is_lost:
            yield change


def loss_code(change: Change, observation: Observation) -> str:
    """Which of WF101, WF102, WF103 and WF108 a dropped member is."""
    if change.field == SIDECAR_FIELD and change.before == "Always":
        return "WF101"
    if observation.catalogue.get(change.field) is None:
        return "WF108"
    if is_union_member(change.struct, _name(change)) and not _other_member(change, observation):
        return "WF103"
    return "WF102"


def overwritten_changes(observation: Observation) -> Iterator[Change]:
    """The values of the user that the webhook set to something else."""
    arrived = {migration.target_path for migration in observation.migrations}
    for change in observation.changes:
        if change.kind not in _LOSING:
            continue
        if change.field in _SET_BY_ADMISSION or belongs_to_trigger(change, observation):
            continue
        if is_exchanged_member(change, observation) or (
            change.kind is ChangeKind.CHANGED
            and change.path not in arrived
            and not is_replaced_by_default(change, observation)
            and not _keeps_meaning(change)
            and not _is_default(change, observation)
        ):
            yield change


def is_old_map(change: Change, observation: Observation) -> bool:
    """Whether a whole map is gone that has always been there: its entries are what is lost."""
    if change.kind is not ChangeKind.LOST or not isinstance(change.before, dict):
        return False
    field = observation.catalogue.get(change.field)
    return field is not None and field.type.startswith("map[") and field.since <= FIRST_MINOR


def is_exchanged_member(change: Change, observation: Observation) -> bool:
    """Whether a member of a one-of gave way to another one: a gRPC probe that became HTTP.

    Not in lists told apart by position: what stands there now may be another element.
    """
    return (
        change.kind is ChangeKind.LOST
        and is_union_member(change.struct, _name(change))
        and not _has_position(change.path)
        and _other_member(change, observation)
    )


def is_replaced_by_default(change: Change, observation: Observation) -> bool:
    """Whether the webhook dropped a value and the API server filled in its default."""
    if change.kind is not ChangeKind.CHANGED or not isinstance(observation.patched, dict):
        return False
    if _has_position(change.path) or belongs_to_trigger(change, observation):
        return False
    left = value_at(observation.patched, change.path)
    return left is None or isinstance(left, Absent)


def belongs_to_trigger(change: Change, observation: Observation) -> bool:
    """Whether the value was only set to make the webhook act: webhooks consume such values."""
    trigger, name = observation.trigger, parse_path(change.path)[-1].name
    if change.field.startswith("metadata."):
        return name in trigger.annotations or name in trigger.labels
    if name == "image":
        return trigger.image is not None
    if name == "serviceAccountName":
        return trigger.service_account_name is not None
    return bool(trigger.spec) and _has_key(trigger.spec, name)


def lost_json_keys(change: Change) -> tuple[str, ...]:
    """The keys that JSON in an annotation has lost."""
    if change.field != "metadata.annotations{}" or change.kind is not ChangeKind.CHANGED:
        return ()
    old, new = _json(change.before), _json(change.after)
    if not isinstance(old, dict):
        return ()
    return tuple(key for key in old if not isinstance(new, dict) or key not in new)


def _keeps_meaning(change: Change) -> bool:
    """Whether what the user set is in the new value: that is another finding, or none."""
    before, after = change.before, change.after
    if isinstance(before, list) and isinstance(after, list):
        return sorted(map(repr, before)) == sorted(map(repr, after))  # WF204, if it matters
    return change.field == "metadata.annotations{}" and (
        bool(lost_json_keys(change)) or _extends(_json(before), _json(after))
    )


def _extends(old: JsonValue, new: JsonValue) -> bool:
    """Whether `new` says everything `old` says."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and _extends(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return all(element in new for element in old)
    return old is not None and old == new


def _json(value: JsonValue | Absent) -> JsonValue:
    """An object or a list an annotation holds as JSON; None for anything else."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return None
    try:
        parsed: JsonValue = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return parsed


def _is_default(change: Change, observation: Observation) -> bool:
    """Whether the API server would have filled in the same value, had the user left it out."""
    if parse_path(change.path)[-1].kind == "element":
        return False
    left_out = default_pod(without(observation.sent, change.path), reuse=observation.sent)
    return value_at(left_out, change.path) == change.before


def _other_member(change: Change, observation: Observation) -> bool:
    """Whether another member of the one-of is left; one the API server defaulted does not count."""
    if not isinstance(observation.patched, dict):
        return True
    # Positions in lists without a merge key are those of the pod that was sent.
    left = value_at(observation.patched, change.path.rpartition(".")[0])
    return isinstance(left, dict) and any(
        is_union_member(change.struct, member) and not _says_nothing(change.struct, value)
        for member, value in left.items()
    )


def _says_nothing(struct: str, value: JsonValue) -> bool:
    """Whether a member of a one-of is there in name only.

    `source: {}` is what types of 1.26 to 1.30 write for every resource claim. Only a volume has a
    member that is complete when it is empty: `emptyDir: {}`.
    """
    return value is None or (value == {} and struct != "Volume")


def _name(change: Change) -> str:
    return change.path.rpartition(".")[2]


def _has_position(path: str) -> bool:
    return any(step.kind == "element" and step.name.isdecimal() for step in parse_path(path))


def _is_above_any(path: str, others: Iterable[str]) -> bool:
    return any(
        other == path or (other.startswith(path) and other[len(path)] in ".[{") for other in others
    )


def _has_key(value: JsonValue, name: str) -> bool:
    if isinstance(value, dict):
        return name in value or any(_has_key(member, name) for member in value.values())
    return isinstance(value, list) and any(_has_key(element, name) for element in value)
