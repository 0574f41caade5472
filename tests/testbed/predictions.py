"""What must come out of a real webhook, by what is known about its mechanism?

An oracle that shares nothing with the program under test: it is given the pod and the set of
field paths the webhook is too old for, and works out the pod that follows. Go writes some fields
that were not there (`resources: {}`, `creationTimestamp: null`, `service: null`): `without_empty`
takes such members out of both sides before they are compared.

A path here is a field's place with list elements as `[]`: `spec.containers[].restartPolicy`.
"""

import copy
from collections.abc import Set as AbstractSet

from testbed.webhooks import Effect, Injection, RealWebhook
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

INJECTED_LABEL = "testbed.example.com/injected"
INJECTED = {"initContainers": ("testbed-setup", "setup"), "containers": ("testbed-agent", "agent")}


def predict_pod(webhook: RealWebhook, pod: JsonObject, unknown: AbstractSet[str]) -> JsonObject:
    """The pod one of our own webhooks must make of `pod`; `unknown` are paths newer than its api.

    Raises ValueError for webhooks that are not ours: what they add is their own business.
    """
    match webhook.effect:
        case Effect.KEEPS:
            return _injected(pod, webhook.injection)
        case Effect.DROPS_IN_POD:
            return _injected(drop(pod, unknown), webhook.injection)
        case Effect.LEAVES_BEHIND:
            result = _injected(drop(pod, unknown), webhook.injection)
            left = leave_behind(pod, result, unknown)
            return left if isinstance(left, dict) else result
        case Effect.DROPS_IN_CONTAINERS:
            raise ValueError(f"{webhook.name} adds what only it knows")


def drop(pod: JsonObject, unknown: AbstractSet[str]) -> JsonObject:
    """The pod without the members at `unknown` paths: what decoding into a Go type leaves."""
    return {name: _dropped(value, name, unknown) for name, value in pod.items()}


def _dropped(value: JsonValue, path: str, unknown: AbstractSet[str]) -> JsonValue:
    if isinstance(value, list):
        return [_dropped(element, path + "[]", unknown) for element in value]
    if isinstance(value, dict):
        return {
            name: _dropped(member, f"{path}.{name}", unknown)
            for name, member in value.items()
            if f"{path}.{name}" not in unknown
        }
    return value


def leave_behind(
    sent: JsonValue, result: JsonValue, unknown: AbstractSet[str], path: str = ""
) -> JsonValue:
    """`result`, with the unknown members of `sent` where they were: same names, same INDEX.

    A patch made by index never names them, so they survive wherever the object around them does,
    whichever container that has become; with an object that is removed they go.
    """
    if isinstance(sent, list) and isinstance(result, list):
        both = min(len(sent), len(result))
        paired = zip(sent[:both], result[:both], strict=True)
        merged = [leave_behind(old, new, unknown, path + "[]") for old, new in paired]
        return merged + result[both:]
    if isinstance(sent, dict) and isinstance(result, dict):
        return _left_behind_members(sent, result, unknown, path)
    return result


def _left_behind_members(
    sent: JsonObject, result: JsonObject, unknown: AbstractSet[str], path: str
) -> JsonObject:
    prefix = path + "." if path else ""
    merged = {
        name: leave_behind(sent[name], value, unknown, prefix + name) if name in sent else value
        for name, value in result.items()
    }
    left = {name: value for name, value in sent.items() if prefix + name in unknown}
    return merged | left


def without_empty(value: JsonValue) -> JsonValue:
    """The value without members that are null or an empty object, from the inside out."""
    if isinstance(value, list):
        return [without_empty(element) for element in value]
    if isinstance(value, dict):
        members = {name: without_empty(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member not in (None, {})}
    return value


def _injected(pod: JsonObject, injection: Injection) -> JsonObject:
    result = copy.deepcopy(pod)
    labels = _member(_member(result, "metadata"), "labels")
    labels[INJECTED_LABEL] = "true"
    if injection is not Injection.NONE:
        spec = _member(result, "spec")
        for list_name, (name, image) in INJECTED.items():
            added: JsonObject = {
                "name": name,
                "image": f"registry.example.com/testbed/{image}:1",
                "resources": {},
            }
            present = spec.get(list_name)
            others = present if isinstance(present, list) else []
            last = injection is Injection.LAST
            spec[list_name] = [*others, added] if last else [added, *others]
    return result


def _member(parent: JsonObject, name: str) -> JsonObject:
    value = parent.setdefault(name, {})
    if not isinstance(value, dict):
        raise TypeError(f"{name} is not an object")
    return value
