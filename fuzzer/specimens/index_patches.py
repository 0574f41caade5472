"""Which JSON Patch do Go webhooks compute between two documents?

Written after the behaviour of gomodules.xyz/jsonpatch/v2 CreatePatch, which controller-runtime and
kubewebhook use: lists are compared index by index, the tail is removed or added first, and an
element that moved shows as a series of replaced members. PyPI's `jsonpatch` is not used: it finds
moves, so the faults that come from comparing by index would not appear.
"""

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.fuzzer.specimens.replies import Patch


def diff(original: JsonValue, changed: JsonValue, path: str = "") -> Patch:
    """Operations that turn `original` into `changed`."""
    if original is None and changed is None:
        return []
    if json_type_name(original) != json_type_name(changed):
        return [{"op": "replace", "path": path, "value": changed}]
    if isinstance(original, dict) and isinstance(changed, dict):
        return _diff_objects(original, changed, path)
    if isinstance(original, list) and isinstance(changed, list):
        return _diff_lists(original, changed, path)
    return [] if original == changed else [{"op": "replace", "path": path, "value": changed}]


def join(path: str, *parts: str | int) -> str:
    """`path` with further reference tokens, escaped (RFC 6901 section 3)."""
    tokens = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "/".join((path, *tokens))


def _diff_objects(original: JsonObject, changed: JsonObject, path: str) -> Patch:
    patch: Patch = []
    for key, value in changed.items():
        if key in original:
            patch += diff(original[key], value, join(path, key))
        else:
            patch.append({"op": "add", "path": join(path, key), "value": value})
    for key in original:
        if key not in changed:
            patch.append({"op": "remove", "path": join(path, key)})
    return patch


def _diff_lists(original: list[JsonValue], changed: list[JsonValue], path: str) -> Patch:
    both = min(len(original), len(changed))
    patch: Patch = [
        {"op": "remove", "path": join(path, index)}
        for index in range(len(original) - 1, both - 1, -1)
    ]
    for index in range(both, len(changed)):
        patch.append({"op": "add", "path": join(path, index), "value": changed[index]})
    for index in range(both):
        patch += diff(original[index], changed[index], join(path, index))
    return patch
