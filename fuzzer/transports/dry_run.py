"""What would the API server store, had this pod been created?

A server-side dry run goes through all of it: decoding, in-tree plugins, every webhook, the feature
gates, validation and quota; nothing is stored. It is the only view of the whole chain from outside,
and the only one in which webhooks are called with the API server's own credentials.

Fields the API server does not know are told by itself (`fieldValidation=Strict`). They are taken
out and the pod is sent again, so that one field of the next release does not hide what happens to
all others. What is refused is data; only an API server that does not answer is an error.

Source: k8s.io/apiserver pkg/endpoints/handlers/create.go; sigs.k8s.io/json strict errors.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

from webhook_fuzz.corpora.cluster_api.failures import Trouble, cluster_error, trouble_of
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.denials import Denial, Refuser, read_denial

FIELD_MANAGER: Final = "webhook-fuzz"
# A request's own limit is 34 s (k8s.io/apiserver pkg/endpoints/handlers/rest.go), then it is 504.
_TIMEOUT_SECONDS: Final = 40.0
# Strict errors are counted up to a hundred (sigs.k8s.io/json), so what is left is told next time.
_MOST_ROUNDS: Final = 8
_ERROR_STATUS: Final = 300
_NOT_ABOUT_THE_POD: Final = frozenset({401, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The pod as it would have been stored; `warnings` are the texts of the Warning headers."""

    pod: JsonObject
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The pod was refused: `denial` says by whom, `message` is the API server's own."""

    code: int
    message: str
    denial: Denial
    warnings: tuple[str, ...] = ()


DryRunOutcome: TypeAlias = Created | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """One dry run. `sent` is the pod without the fields the API server does not know.

    Those are `unknown_fields`, by catalogue path (`spec.containers[].restartPolicyRules`).
    """

    sent: JsonObject
    unknown_fields: tuple[str, ...]
    outcome: DryRunOutcome


async def dry_run_pod(
    api: ClusterApi, pod: JsonObject, *, namespace: str, keep_unknown: bool = False
) -> DryRun:
    """Create a pod in a namespace without storing it.

    With `keep_unknown`, fields the API server does not know are not taken out: it refuses the pod.
    Raises ClusterError when the API server does not answer, does not know the credentials, or is
    too busy.
    """
    sent, unknown = _in_namespace(pod, namespace), list[str]()
    outcome = await _create(api, sent, namespace)
    for _ in range(_MOST_ROUNDS):
        paths = _unknown_paths(outcome)
        left = _without_all(sent, paths)
        if keep_unknown or left == sent:
            break
        unknown += map(_catalogue_path, paths)
        sent, outcome = left, await _create(api, left, namespace)
    return DryRun(sent=sent, unknown_fields=tuple(dict.fromkeys(unknown)), outcome=outcome)


async def _create(api: ClusterApi, pod: JsonObject, namespace: str) -> DryRunOutcome:
    path = f"/api/v1/namespaces/{namespace}/pods"
    answer = await api.ask(
        ClusterRequest(
            method="POST",
            path=path,
            query={"dryRun": "All", "fieldValidation": "Strict", "fieldManager": FIELD_MANAGER},
            body=orjson.dumps(pod),
            timeout_seconds=_TIMEOUT_SECONDS,
        )
    )
    document = answer.document()
    if answer.status < _ERROR_STATUS and document is not None:
        return Created(pod=document, warnings=answer.warnings)
    if document is None or document.get("kind") != "Status":
        raise cluster_error(f"POST {path}", answer.message, Trouble.BROKEN, status=answer.status)
    denial = read_denial(document)
    if answer.status in _NOT_ABOUT_THE_POD and not denial.by_a_webhook:
        trouble = trouble_of(answer.status)
        raise cluster_error(f"POST {path}", answer.message, trouble, status=answer.status)
    return Refused(
        code=answer.status, message=answer.message, denial=denial, warnings=answer.warnings
    )


def _unknown_paths(outcome: DryRunOutcome) -> list[str]:
    """The fields a refusal names as unknown, with indexes: `spec.containers[0].image2`."""
    if isinstance(outcome, Created) or outcome.denial.refuser is not Refuser.STRICT_DECODING:
        return []
    return [
        _unquote(cause.field) for cause in outcome.denial.fields if cause.reason == "unknown-field"
    ]


def _unquote(quoted: str) -> str:
    """Go's %q of what is no plain text in a member's name."""
    return re.sub(r'\\(["\\])', r"\1", quoted)


def _catalogue_path(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)


def _without_all(pod: JsonObject, paths: list[str]) -> JsonObject:
    left: JsonValue = pod
    for path in paths:
        left = _without(left, path)
    return left if isinstance(left, dict) else pod


def _without(value: JsonValue, path: str) -> JsonValue:
    """A value without the member at an indexed path. Names may hold dots: any prefix may be one."""
    if isinstance(value, list):
        found = re.match(r"\[(\d+)\]\.?", path)
        place = int(found[1]) if found else len(value)
        if found is None or place >= len(value):
            return value
        below = _without(value[place], path[found.end() :])
        return [*value[:place], below, *value[place + 1 :]]
    if not isinstance(value, dict):
        return value
    if path in value:
        return {name: member for name, member in value.items() if name != path}
    for name, member in value.items():
        if path.startswith((f"{name}.", f"{name}[")):
            below = _without(member, path.removeprefix(name).removeprefix("."))
            if below != member:
                return {**value, name: below}
    return value


def _in_namespace(pod: JsonObject, namespace: str) -> JsonObject:
    metadata = pod.get("metadata")
    members: JsonObject = metadata if isinstance(metadata, dict) else {}
    return {**pod, "metadata": {**members, "namespace": namespace}}
