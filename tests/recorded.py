"""Traffic as a cluster makes it: replicas, jobs, other kinds, and what goes wrong in between."""

import base64
import copy
import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from replayed import RECORDED_WEBHOOK, creation, recorded
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, FailureKind, Outcome
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import objects_at
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.seeds.loading import load_shipped_seeds
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program
from webhook_fuzz.fuzzer.specimens.replies import build_response, pod_of, reply

_DRAWN: Final = "bcdfghjklmnpqrstvwxz2456789"
_UNUSUAL: Final = {"slow", "oversized-answer"}


def pod_review(pod: Mapping[str, Any], **request: JsonValue) -> JsonObject:
    """The review of a pod, with other members of its request."""
    review = creation({**pod})
    asked = review["request"]
    assert isinstance(asked, dict)
    return {**review, "request": {**asked, **request}}


def answered(patch: object, uid: str, **response: JsonValue) -> Answered:
    """An allowing answer with a patch."""
    encoded = base64.b64encode(orjson.dumps(patch)).decode()
    members: JsonObject = {"uid": uid, "allowed": True, "patchType": "JSONPatch", "patch": encoded}
    return Answered(
        status=200,
        content_type="application/json",
        body=reply(members | response).body,
    )


def exchange_of(
    review: JsonObject, outcome: Outcome, number: int = 0, **members: object
) -> RecordedExchange:
    """One recorded call that ended so."""
    made = recorded(review, SPECIMENS["perfect"].program, number)
    made = replace(made, exchange=replace(made.exchange, outcome=outcome))
    return replace(made, **members)  # type: ignore[arg-type]  # names are the caller's


def drawn(chance: random.Random, length: int = 5) -> str:
    """What the API server and controllers end names with."""
    return "".join(chance.choice(_DRAWN) for _ in range(length))


def uid_of(chance: random.Random) -> str:
    """A random uid."""
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


class Workloads:
    """Pods of a few workloads, as their controllers and the API server make them.

    `unusual` now and then gives a pod what a name, a tag or an annotation can be at worst.
    """

    def __init__(self, seed: int, *, unusual: bool = True) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - to be the same every time
        self._unusual = unusual
        self._pods = [
            pod
            for each in load_shipped_seeds()
            if len(orjson.dumps(pod := default_pod(each.pod))) < 8_000
        ]
        self._revisions = [drawn(self.chance, 10) for _ in range(len(self._pods) * 2)]

    def pod(self) -> JsonObject:
        """One pod."""
        number = self.chance.randrange(len(self._revisions))
        pod = copy.deepcopy(self._pods[number % len(self._pods)])
        kind = ("replica", "job", "stateful", "daemon")[number % 4]
        _name(pod, kind, f"web-{self._revisions[number]}", self.chance)
        _mount_token(pod, f"kube-api-access-{drawn(self.chance)}")
        if self._unusual and self.chance.random() < 0.3:
            self._spoil(pod)
        return pod

    def _spoil(self, pod: JsonObject) -> None:
        metadata, spec = pod["metadata"], pod["spec"]
        assert isinstance(metadata, dict)
        assert isinstance(spec, dict)
        first = next(iter(objects_at(spec, "containers")))
        name = str(metadata.get("name") or str(metadata.get("generateName")).rstrip("-"))
        match self.chance.randrange(9):
            case 0:
                spec["schedulerName"] = name
            case 1:
                metadata["name"] = "default-scheduler"
            case 2:
                first["image"] = f"registry.example/{name}"
            case 3:
                first["image"] = f"registry.example/app:{name}"
            case 4:
                metadata["name"] = self.chance.choice(["latest", "1e-3", "500m", "always", "0"])
            case 5:
                first["env"] = [{"name": "POD", "value": name}, {"name": name, "value": "x"}]
            case 6:
                metadata["labels"] = {**_labels(metadata), name: "yes", f"a/{name}": name}
            case 7:
                metadata["annotations"] = {"config": orjson.dumps({name: 1, "b": [name]}).decode()}
            case _:
                first["resources"] = {"limits": {"cpu": self.chance.choice(["1", "1000m", "2"])}}


def _name(pod: JsonObject, kind: str, workload: str, chance: random.Random) -> None:
    metadata, spec = pod["metadata"], pod["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    metadata.pop("name", None)
    labels = _labels(metadata)
    owner = uid_of(random.Random(workload))  # noqa: S311 - the same for all of its pods
    if kind == "replica":
        metadata["generateName"] = f"{workload}-"
        labels["pod-template-hash"] = workload.removeprefix("web-")
    elif kind == "job":
        workload, owner = f"nightly-{chance.randrange(10**7, 10**8)}", uid_of(chance)
        metadata["generateName"] = f"{workload}-"
        labels |= {"job-name": workload, "controller-uid": owner}
    elif kind == "stateful":
        name = f"{workload}-{chance.randrange(20)}"
        metadata["name"] = spec["hostname"] = name
        labels["statefulset.kubernetes.io/pod-name"] = name
    else:
        metadata["generateName"] = "agent-"
        node: JsonValue = [
            {
                "key": "metadata.name",
                "operator": "In",
                "values": [f"node-{chance.randrange(1000):03}"],
            }
        ]
        required: JsonObject = {"nodeSelectorTerms": [{"matchFields": node}]}
        spec["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}
        }
    metadata["labels"] = labels
    metadata["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": workload, "uid": owner}
    ]


def _labels(metadata: JsonObject) -> JsonObject:
    labels = metadata.get("labels")
    return dict(labels) if isinstance(labels, dict) else {}


def _mount_token(pod: JsonObject, name: str) -> None:
    spec = pod["spec"]
    assert isinstance(spec, dict)
    volumes = spec.setdefault("volumes", [])
    assert isinstance(volumes, list)
    kept = [each for each in volumes if not str(each).startswith("{'name': 'kube-api-access-")]
    sources: JsonValue = [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]
    spec["volumes"] = [*kept, {"name": name, "projected": {"sources": sources, "defaultMode": 420}}]
    for container in objects_at(spec, "containers"):
        mounts = container.get("volumeMounts")
        container["volumeMounts"] = [
            *(
                each
                for each in (mounts if isinstance(mounts, list) else [])
                if not str(each).startswith("{'name': 'kube-api-access-")
            ),
            {"name": name, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ]


def copies_names(review: JsonObject) -> Answer:
    """A webhook that writes names into keys, values and lists, and takes the token away."""
    pod = pod_of(review)
    metadata, spec = pod["metadata"], pod["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    name = str(metadata.get("name") or metadata.get("generateName")).rstrip("-")
    volumes = spec["volumes"]
    assert isinstance(volumes, list)
    patch: list[JsonObject] = [
        {"op": "add", "path": f"/metadata/annotations/seen~1{name}", "value": name},
        {"op": "replace", "path": "/spec/volumes", "value": volumes[:-1]},
        {"op": "add", "path": "/spec/containers/0/env", "value": [{"name": "POD", "value": name}]},
    ]
    if "annotations" not in metadata:
        patch.insert(0, {"op": "add", "path": "/metadata/annotations", "value": {}})
    return reply(build_response(review, patch))


def breaks_names(review: JsonObject) -> Answer:
    """A webhook whose patches go to places that are named after the pod, and fail there."""
    metadata = pod_of(review)["metadata"]
    assert isinstance(metadata, dict)
    name = str(metadata.get("name") or metadata.get("generateName")).rstrip("-")
    patch: list[JsonObject] = [
        {"op": "add", "path": f"/spec/{name}", "value": {name: [name]}},
        {"op": "replace", "path": "/metadata", "value": {**metadata, "labels": {name: "1"}}},
        {"op": "replace", "path": f"/spec/containers/0/{name}/0", "value": [{"name": name}]},
    ]
    return reply(build_response(review, patch[: 2 + (len(name) % 2)]))


def mixed_programs() -> list[Program]:
    """Every specimen that answers in time, and webhooks that copy names."""
    programs = [each.program for each in SPECIMENS.values() if each.name not in _UNUSUAL]
    return [*programs, copies_names, breaks_names]


def mixed_traffic(seed: int, count: int) -> Iterator[RecordedExchange]:
    """Pods of a few workloads, answered by webhooks of every kind; other things now and then."""
    workloads, programs = Workloads(seed), mixed_programs()
    chance = workloads.chance
    for number in range(count):
        pod = workloads.pod()
        review = pod_review(pod, uid=uid_of(chance))
        if chance.random() < 0.1:
            review["apiVersion"] = "admission.k8s.io/v1beta1"
        index = chance.randrange(len(programs))
        made = recorded(
            review,
            programs[index],
            number,
            webhook=replace(RECORDED_WEBHOOK, name=f"w{index}.example.com"),
        )
        yield replace(
            _unusual(made, chance),
            attempt=1 + (chance.random() < 0.05),
            invocation=1 + (chance.random() < 0.1),
        )


def _unusual(made: RecordedExchange, chance: random.Random) -> RecordedExchange:
    exchange = made.exchange
    request = exchange.review["request"]
    assert isinstance(request, dict)
    match chance.randrange(40):
        case 0:
            request = {**request, "operation": "DELETE", "oldObject": request["object"]}
            request["object"] = None
        case 1:
            kind: JsonObject = {"group": "apps", "version": "v1", "kind": "Deployment"}
            request = {**request, "kind": kind, "resource": {"resource": "deployments"}}
        case 2:
            failed = CallFailure(kind=FailureKind.TIMEOUT, detail="no answer within 10 s")
            exchange = replace(exchange, outcome=failed)
        case 3 if isinstance(exchange.outcome, Answered):
            body = exchange.outcome.body.replace(b"{", b"\n {", 1)
            exchange = replace(exchange, outcome=replace(exchange.outcome, body=body))
        case 4 if isinstance(exchange.outcome, Answered):
            body = b"response: " + exchange.outcome.body[-80:]
            exchange = replace(exchange, outcome=replace(exchange.outcome, body=body))
        case 5:
            request = {**request, "dryRun": True, "subResource": "ephemeralcontainers"}
        case _:
            return made
    return replace(made, exchange=replace(exchange, review={**exchange.review, "request": request}))
