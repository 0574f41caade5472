"""Secrets planted wherever pods and requests carry them, each one of its own, to be found again."""

import base64
import gzip
import json
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import orjson

from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.recordings.raw_exchanges import Headers, RawAnswer, RawExchange

PLACES: Final = (
    *("env", "init-env", "ephemeral-env", "template-env", "annotation", "last-applied"),
    *("secret-data", "string-data", "config-map", "docker-config", "option", "url-userinfo"),
    *("authorization", "cookie", "query", "username", "user-uid", "group", "extra", "old-object"),
    *("patch-list", "patch-element", "patch-value", "patch-annotation", "patch-pod"),
    *("audit", "csi", "probe-header", "bearer", "jwt"),
)
CANARIES: Final = {
    place: f'canary/"{place}+{number:03d}&zebra' for number, place in enumerate(PLACES)
}
"""With what base64, URLs and JSON spell differently."""
CANARIES["option"] = "canary-option-7f3a9c1"
CANARIES["url-userinfo"] = "canary-userinfo-7f3a9c2"
CANARIES["authorization"] = "canary-authorization-7f3a9c3"
CANARIES["bearer"] = "canary-bearer-7f3a9c4"
CANARIES["jwt"] = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJqd3QifQ.c2lnbmF0dXJl"
WEBHOOK: Final = WebhookIdentity(
    configuration="sidecars", name="web.example.com", url="https://web.example.com"
)


def _env(value: str) -> list[JsonValue]:
    return [{"name": "PASSWORD", "value": value}]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def pod_with_secrets() -> JsonObject:
    """A pod whose words that are no secret are to stay."""
    known = CANARIES
    applied = json.dumps({"spec": {"containers": [{"env": _env(known["last-applied"])}]}})
    return {
        "metadata": {
            "name": "checkout-7d9f",
            "labels": {"app": "checkout"},
            "annotations": {
                "example.com/key": known["annotation"],
                "kubectl.kubernetes.io/last-applied-configuration": applied,
            },
        },
        "spec": {
            "restartPolicy": "Always",
            "containers": [
                {
                    "name": "app",
                    "image": "shop/checkout:1.2",
                    "env": _env(known["env"]),
                    "args": [f"--password={known['option']}", "--verbose"],
                    "command": ["run", f"postgres://me:{known['url-userinfo']}@db/shop"],
                    "resources": {"limits": {"cpu": "250m", "memory": "64Mi"}},
                    "livenessProbe": {
                        "httpGet": {
                            "httpHeaders": [{"name": "X-Own", "value": known["probe-header"]}]
                        }
                    },
                }
            ],
            "initContainers": [{"name": "init", "env": _env(known["init-env"])}],
            "ephemeralContainers": [{"name": "debug", "env": _env(known["ephemeral-env"])}],
            "volumes": [{"csi": {"volumeAttributes": {"own": known["csi"]}}}],
        },
    }


def other_objects() -> list[JsonObject]:
    """A Secret, a registry's login, a ConfigMap and a template."""
    known = CANARIES
    login = json.dumps({"auths": {"r": {"password": known["docker-config"]}}})
    return [
        {
            "kind": "Secret",
            "data": {"p": _base64(known["secret-data"])},
            "stringData": {"q": known["string-data"]},
        },
        {"kind": "Secret", "data": {".dockerconfigjson": _base64(login)}},
        {"kind": "ConfigMap", "data": {"c": known["config-map"]}},
        {"spec": {"template": {"spec": {"containers": [{"env": _env(known["template-env"])}]}}}},
    ]


def review_of(object_: JsonObject, uid: str) -> JsonObject:
    """A review of an object, by somebody, with an old object."""
    known = CANARIES
    old: JsonObject = {"spec": {"containers": [{"env": _env(known["old-object"])}]}}
    user: JsonObject = {
        "username": known["username"],
        "uid": known["user-uid"],
        "groups": ["system:authenticated", known["group"]],
        "extra": {"scopes": [known["extra"]]},
    }
    request: JsonObject = {"uid": uid, "operation": "UPDATE", "object": object_, "oldObject": old}
    return {"kind": "AdmissionReview", "request": {**request, "userInfo": user}}


def answer_with_secrets(uid: str) -> JsonObject:
    """An answer that puts secrets into the pod, and tells of them."""
    known = CANARIES
    containers: JsonValue = [{"name": "app", "env": _env(known["patch-pod"])}]
    patch: list[JsonValue] = [
        {"op": "add", "path": "/spec/containers/0/env", "value": _env(known["patch-list"])},
        {
            "op": "add",
            "path": "/spec/containers/0/env/-",
            "value": {"name": "A", "value": known["patch-element"]},
        },
        {
            "op": "replace",
            "path": "/spec/containers/0/env/0/value",
            "value": known["patch-value"],
        },
        {
            "op": "add",
            "path": "/metadata/annotations/example.com~1own",
            "value": known["patch-annotation"],
        },
        {"op": "replace", "path": "", "value": {"spec": {"containers": containers}}},
    ]
    return {
        "response": {
            "uid": uid,
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(orjson.dumps(patch)).decode(),
            "status": {"message": f"cannot use {known['env']} and Bearer {known['bearer']}"},
            "warnings": [f"{_base64(known['annotation'])} is weak", known["jwt"]],
            "auditAnnotations": {"own": known["audit"]},
        }
    }


def exchange(body: bytes, answer: RawAnswer | CallFailure) -> RawExchange:
    """One call with headers and a query that authenticate."""
    known = CANARIES
    headers: Headers = (
        (b"Authorization", f"Bearer {known['authorization']}".encode()),
        (b"Cookie", f"session={known['cookie']}".encode()),
        (b"User-Agent", b"kube-apiserver"),
    )
    return RawExchange(
        webhook=WEBHOOK,
        started_at=1_800_000_000.0,
        seconds=0.02,
        upstream_seconds=0.01,
        target=f"/mutate?timeout=5s&own={quote(known['query'], safe='')}".encode(),
        request_headers=headers,
        request_body=body,
        answer=answer,
    )


def answer_of(body: bytes, *headers: tuple[bytes, bytes]) -> RawAnswer:
    """An answer of 200."""
    return RawAnswer(
        status=200, headers=((b"Content-Type", b"application/json"), *headers), body=body
    )


def exchanges_with_secrets() -> list[RawExchange]:
    """Calls that hold every canary, answered in every way there is."""
    known = CANARIES
    body = orjson.dumps(review_of(pod_with_secrets(), "u-1"))
    answer = orjson.dumps(answer_with_secrets("u-1"))
    told = f"the value {known['env']} is taken".encode()
    status = FailureKind.STATUS
    first = exchange(body, answer_of(answer))
    packed = answer_of(gzip.compress(answer), (b"Content-Encoding", b"gzip"))
    failed = CallFailure(kind=status, detail=f"is {known['env']}", status=500, body=told)
    return [
        first,
        *(
            exchange(orjson.dumps(review_of(each, f"o-{number}")), answer_of(b"{}"))
            for number, each in enumerate(other_objects())
        ),
        replace(first, answer=packed),
        replace(first, answer=answer_of(told)),
        replace(first, answer=RawAnswer(status=500, headers=(), body=told)),
        replace(first, answer=failed),
        replace(first, request_body=b"no JSON: " + told),
    ]


def spellings(value: str) -> set[bytes]:
    """How a secret may stand in a file."""
    plain = value.encode()
    found = {plain, quote(value).encode(), quote(value, safe="").encode()}
    found.add(json.dumps(value)[1:-1].encode())
    found.add(json.dumps(json.dumps(value)[1:-1])[1:-1].encode())
    # In base64 at any of the three offsets, without the edges that hold what is around it.
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + plain)
        found.add(encoded[4 if shift else 0 : len(encoded) - 4])
    return found
