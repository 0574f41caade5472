"""Was the same pod answered the same way before, but for what a trigger put into it?

Then what was found still holds and need not be found again: with a hundred triggers to screen, that
is most of what there is to judge (a quarter of the time of a sweep). Checks read the pod sent, the
patch, what it changes, and the trigger of what it changes; so little counts as alike:

- the answers carry the same patch, byte for byte, and it leads somewhere;
- the pods share all but labels, annotations, the namespace and what is below `/spec`;
- each operation sets one label or annotation that is none of the trigger's, in a map that both pods
  have, or changes something below `/spec`: anything where the pods share the whole spec. Where they
  do not, it appends a container or a volume with a name that neither pod has yet, nothing was found
  before, and the target has every field there is.

A patch cannot see the trigger then, and nothing it changes belongs to it: appending changes nothing
that was there, and what is appended decodes and is compared without regard to the rest of the pod.
"""

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.apiserver.answers import Answer
from webhook_fuzz.fuzzer.apiserver.decoding import Decoded
from webhook_fuzz.fuzzer.apiserver.pointers import tokens_of
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.observations import Observation

_CHANGED = frozenset({"metadata", "spec"})
_MAPS = frozenset({"labels", "annotations"})
_OF_TRIGGER = _MAPS | {"namespace"}
_ENTRY_DEPTH = 3  # metadata, labels, key
# Where an element is appended to a list that is keyed by name.
_APPENDING = {
    "/spec/initContainers/-": "initContainers",
    "/spec/containers/-": "containers",
    "/spec/volumes/-": "volumes",
}


def is_alike(case: Case, observation: Observation, earlier: CaseJudged) -> bool:
    """Whether the findings on `earlier`, a case without a trigger, are those on this one as well.

    Both were sent as `as_written` has their pods, for the same API server.
    """
    if not _have_same_patch(observation, earlier.observation):
        return False
    pod, other = case.pod, earlier.case.pod
    if not _share(pod, other, but=_CHANGED):
        return False
    if not _share(_members(pod, "metadata"), _members(other, "metadata"), but=_OF_TRIGGER):
        return False
    operations = earlier.observation.operations
    if pod.get("spec") is other.get("spec"):
        return _is_metadata_only(case.trigger) and all(
            _is_apart(operation, case, earlier.case) for operation in operations
        )
    return _is_flawless(earlier) and all(
        _is_addition(operation, case, earlier.case) for operation in operations
    )


def _is_metadata_only(trigger: Trigger) -> bool:
    return trigger.image is None and trigger.service_account_name is None and not trigger.spec


def _share(one: JsonObject, other: JsonObject, *, but: frozenset[str]) -> bool:
    """Whether all members but some are the same objects in both."""
    names = one.keys() - but
    return names == other.keys() - but and all(one[name] is other[name] for name in names)


def _have_same_patch(observation: Observation, earlier: Observation) -> bool:
    patch_bytes = _patch_bytes(earlier)
    return (
        patch_bytes is not None
        and patch_bytes == _patch_bytes(observation)
        and earlier.result is not None
    )


def _patch_bytes(observation: Observation) -> bytes | None:
    answer = observation.answer
    return answer.patch_bytes if isinstance(answer, Answer) and answer.patch else None


def _is_apart(operation: JsonObject, case: Case, earlier: Case) -> bool:
    """Whether an operation neither meets nor makes anything that differs between the pods."""
    kind, path, value = operation.get("op"), operation.get("path"), operation.get("value")
    if not isinstance(path, str):
        return False
    if kind == "remove":
        return path.startswith("/spec/")
    # Applying a bare null makes the whole pod a new object, of which nothing is shared any more.
    if kind not in ("add", "replace") or value is None:
        return False
    return path.startswith("/spec/") or _sets_shared_entry(path, case, earlier)


def _is_flawless(earlier: CaseJudged) -> bool:
    """Whether nothing was found, not even what only the pod sent could have excused (WF009)."""
    judged = earlier.observation
    return (
        not earlier.findings
        and judged.target == judged.catalogue.newest
        and isinstance(judged.decoded, Decoded)
        and not judged.decoded.dropped
    )


def _is_addition(operation: JsonObject, case: Case, earlier: Case) -> bool:
    """Whether an operation adds what neither pod has, whatever the rest of their specs is."""
    path, value = operation.get("path"), operation.get("value")
    if operation.get("op") != "add" or not isinstance(path, str) or value is None:
        return False
    name = _APPENDING.get(path)
    if name is None:
        return _sets_shared_entry(path, case, earlier)
    key = value.get("name") if isinstance(value, dict) else None
    return isinstance(key, str) and all(_lacks(each.pod, name, key) for each in (case, earlier))


def _lacks(pod: JsonObject, name: str, key: str) -> bool:
    """Whether a list of the spec is there, has objects only, and none with this name."""
    elements = _members(pod, "spec").get(name)
    return isinstance(elements, list) and all(
        isinstance(element, dict) and element.get("name") != key for element in elements
    )


def _sets_shared_entry(path: str, case: Case, earlier: Case) -> bool:
    tokens = tokens_of(path)
    if not path.startswith("/metadata/") or len(tokens) != _ENTRY_DEPTH:
        return False
    _, name, key = tokens
    ours = _members(case.pod, "metadata").get(name)
    theirs = _members(earlier.pod, "metadata").get(name)
    return (
        name in _MAPS
        and isinstance(ours, dict)
        and isinstance(theirs, dict)
        and key not in case.trigger.labels
        and key not in case.trigger.annotations
        and ours.get(key) == theirs.get(key)
    )


def _members(pod: JsonObject, name: str) -> JsonObject:
    members: JsonValue = pod.get(name)
    return members if isinstance(members, dict) else {}
