"""Was the same pod answered the same way before, but for what a trigger put into its metadata?

Then what was found still holds and need not be found again: with a hundred triggers to screen, that
is most of what there is to judge (a fifth of the time of a sweep). Checks read the pod sent, the
patch, what it changes, and the trigger of what it changes; so little counts as alike:

- the trigger adds labels, annotations or a namespace and nothing else, and the pods share the rest;
- the answers carry the same patch, byte for byte, and it leads somewhere;
- each operation adds, replaces or removes something below `/spec`, or sets one label or annotation
  that is none of the trigger's, in a map that both pods have.

A patch cannot see the trigger then, and nothing it changes belongs to it.
"""

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.apiserver.answers import Answer
from webhook_fuzz.fuzzer.apiserver.pointers import tokens_of
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.observations import Observation

_METADATA = frozenset({"metadata"})
_MAPS = frozenset({"labels", "annotations"})
_OF_TRIGGER = _MAPS | {"namespace"}
_ENTRY_DEPTH = 3  # metadata, labels, key


def is_alike(case: Case, observation: Observation, earlier: CaseJudged) -> bool:
    """Whether the findings on `earlier`, a case without a trigger, are those on this one as well.

    Both were sent as `as_written` has their pods, for the same API server.
    """
    return (
        _is_metadata_only(case.trigger)
        and _share_all_but_metadata(case.pod, earlier.case.pod)
        and _have_same_patch(observation, earlier.observation)
        and all(
            _is_apart(operation, case, earlier.case) for operation in earlier.observation.operations
        )
    )


def _is_metadata_only(trigger: Trigger) -> bool:
    return trigger.image is None and trigger.service_account_name is None and not trigger.spec


def _share_all_but_metadata(pod: JsonObject, other: JsonObject) -> bool:
    return _share(pod, other, but=_METADATA) and _share(
        _metadata(pod), _metadata(other), but=_OF_TRIGGER
    )


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


def _sets_shared_entry(path: str, case: Case, earlier: Case) -> bool:
    tokens = tokens_of(path)
    if not path.startswith("/metadata/") or len(tokens) != _ENTRY_DEPTH:
        return False
    _, name, key = tokens
    ours, theirs = _metadata(case.pod).get(name), _metadata(earlier.pod).get(name)
    return (
        name in _MAPS
        and isinstance(ours, dict)
        and isinstance(theirs, dict)
        and key not in case.trigger.labels
        and key not in case.trigger.annotations
        and ours.get(key) == theirs.get(key)
    )


def _metadata(pod: JsonObject) -> JsonObject:
    metadata: JsonValue = pod.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
