"""What does a real API server make of a webhook's answer?

Three webhooks are registered behind each other, all served here. The first can turn the pod into
the document a trial wants to start from, the second gives the answer under test, the third records
what it is sent and refuses it. What the third sees is exactly the patched, decoded and defaulted
object: validation and feature gates come after admission and have no say in it.

Trials are told apart by the name of the pod that is created (by dry run): the name of a request
does not change whatever a patch does to the object.
"""

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias, cast

import aiohttp
import orjson
from aiohttp import web

from authorities import LOOPBACK, Authority
from testbed.clusters import POLL_SECONDS, SETTLE_SECONDS, administrator
from testbed.registrations import (
    build_pod,
    build_webhook,
    in_namespaces,
    registered,
    url_client_config,
)
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.encoding import read_json
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane

AT_ONCE = 12
RECORDED = 418
"""The status the recording webhook refuses with, and no other."""
CALL_FAILED = "Internal error occurred: failed calling webhook"
INTERNAL = "Internal error occurred: "
NOT_CONVERTED = "converting ("
"""How the last word on an object begins that is of another kind after the webhooks."""
DENIED = "denied the request"
CONFIGURATION = "differential"
MANAGER = "differential"
NAMES = ("name", "generateName", "namespace")

Respond: TypeAlias = Callable[[str], bytes]
"""Makes the body of an answer from the uid of the review."""


class Chain(StrEnum):
    """How the webhook under test is registered; the names of namespaces."""

    FAIL = "differential-fail"
    IGNORE = "differential-ignore"
    BETA = "differential-v1beta1"
    LAST = "differential-last"
    """Without the recording webhook: what comes of the request is the API server's last word."""


class OutcomeKind(StrEnum):
    """What became of the request."""

    PASSED = "went on to the next webhook"
    DENIED = "denied by the webhook"
    CALL_FAILED = "the call counts as failed"
    INTERNAL = "internal error"
    PANIC = "the API server panics over it and hangs up"
    OTHER = "something else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the request: the pod that went on, or how it was refused."""

    kind: OutcomeKind
    pod: JsonObject | None = None
    code: int = 0
    message: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One answer to try: `name` is for people, `status` is that of HTTP.

    `document` is the pod the webhook under test is to be sent, after decoding and defaulting;
    without one it is what became of `pod`, which is what the client sends.
    """

    name: str
    respond: Respond
    status: int = 200
    chain: Chain = Chain.FAIL
    document: JsonObject | None = None
    pod: JsonObject = field(default_factory=lambda: build_pod("trial"))
    validation: str = "Strict"
    generated_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A trial, the bytes of the review the webhook under test was sent, and what came of it."""

    trial: Trial
    review: bytes
    outcome: Outcome


class Oracle:
    """A chain of webhooks in front of an API server. Made by `oracle`."""

    def __init__(self, plane: ControlPlane, session: aiohttp.ClientSession) -> None:
        self._plane = plane
        self._session = session
        self._trials: dict[str, Trial] = {}
        self._reviews: dict[str, bytes] = {}
        self._recorded: dict[str, JsonObject] = {}
        self._count = 0

    async def run(self, trials: Sequence[Trial]) -> list[Result]:
        """Carry out the trials, several at once; the results are in their order."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def run_one(trial: Trial) -> Result:
            async with gate:
                return await self._run(trial)

        return await asyncio.gather(*map(run_one, trials))

    async def _run(self, trial: Trial) -> Result:
        self._count += 1
        name = f"trial-{self._count}"
        self._trials[name] = trial
        metadata = trial.pod.get("metadata")
        left = metadata if isinstance(metadata, dict) else {}
        named: JsonObject = {key: left[key] for key in left if key not in NAMES}
        named["generateName" if trial.generated_name else "name"] = name
        url = f"{self._plane.url}/api/v1/namespaces/{trial.chain}/pods"
        query = {"dryRun": "All", "fieldValidation": trial.validation, "fieldManager": MANAGER}
        body = orjson.dumps({**trial.pod, "metadata": named})
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(url, params=query, data=body, headers=headers) as reply:
                status = cast("JsonObject", orjson.loads(await reply.read()))
                warnings = tuple(reply.headers.getall("Warning", []))
            outcome = _outcome(status, self._recorded.pop(name, None), warnings)
        except aiohttp.ServerDisconnectedError:
            outcome = Outcome(kind=OutcomeKind.PANIC)
        del self._trials[name]
        return Result(trial=trial, review=self._reviews.pop(name, b""), outcome=outcome)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as the webhook that the path names."""
        raw = await request.content.read()
        review = cast("JsonObject", read_json(raw))
        asked = cast("JsonObject", review["request"])
        uid, name = str(asked["uid"]), _name(asked)
        trial = self._trials.get(name)
        status, body = 200, b""
        match request.path:
            case "/prepare":
                document = trial.document if trial else None
                body = _prepare(uid, document)
            case "/record":
                self._recorded[name] = cast("JsonObject", asked["object"])
                body = answer_body(uid, allowed=False, status={"code": RECORDED})
            case _ if trial is not None:
                self._reviews[name] = raw
                status, body = trial.status, trial.respond(uid)
            case _:
                body = answer_body(uid)
        return web.Response(body=body, status=status, content_type="application/json")


def _name(request: JsonObject) -> str:
    """The name of a request, or what its object asks a name to be made of."""
    metadata = cast("JsonObject", cast("JsonObject", request["object"])["metadata"])
    return str(request.get("name") or metadata.get("generateName"))


def answer_body(uid: str, **members: JsonValue) -> bytes:
    """A v1 answer: allowed, unless `members` of the response say something else."""
    response: JsonObject = {"uid": uid, "allowed": True, **members}
    return orjson.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    )


def patch_body(uid: str, patch: bytes) -> bytes:
    """A v1 answer with a patch, as it is."""
    return answer_body(uid, patchType="JSONPatch", patch=base64.b64encode(patch).decode())


def _prepare(uid: str, document: JsonObject | None) -> bytes:
    if document is None:
        return answer_body(uid)
    return patch_body(uid, orjson.dumps([{"op": "replace", "path": "", "value": document}]))


def _outcome(status: JsonObject, recorded: JsonObject | None, warnings: tuple[str, ...]) -> Outcome:
    code, message = cast("int", status.get("code", 0)), str(status.get("message", ""))
    if recorded is not None:
        kind = OutcomeKind.PASSED if code == RECORDED else OutcomeKind.OTHER
    elif message.startswith(CALL_FAILED):
        kind = OutcomeKind.CALL_FAILED
    elif message.startswith((INTERNAL, NOT_CONVERTED)):
        kind = OutcomeKind.INTERNAL
    elif DENIED in message:
        kind = OutcomeKind.DENIED
    else:
        kind = OutcomeKind.OTHER
    return Outcome(kind=kind, pod=recorded, code=code, message=message, warnings=warnings)


@asynccontextmanager
async def oracle(plane: ControlPlane, folder: Path) -> AsyncGenerator[Oracle]:
    """Serve the webhooks, register them and wait until they are called."""
    authority = Authority(folder)
    context = ssl.create_default_context(cafile=str(plane.ca_file))
    headers = {"Authorization": f"Bearer {plane.token}"}
    connector = aiohttp.TCPConnector(limit=AT_ONCE, ssl=context)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        found = Oracle(plane, session)
        server = web.Server(found.handle, access_log=None)
        listening = await asyncio.get_running_loop().create_server(
            server, LOOPBACK[0], 0, ssl=authority.issue(*LOOPBACK).server_context()
        )
        try:
            port: int = listening.sockets[0].getsockname()[1]
            webhooks = _webhooks(f"https://{LOOPBACK[0]}:{port}", authority.ca_file)
            _create_namespaces(plane)
            with registered(administrator(plane), f"{CONFIGURATION}-{port}", *webhooks):
                await _wait(found, called=True)
                yield found
            await _wait(found, called=False)
        finally:
            listening.close()
            await server.shutdown(0.05)


def _webhooks(url: str, authority: Path) -> list[JsonObject]:
    def webhook(path: str, *chains: Chain, **others: JsonValue) -> JsonObject:
        name = f"{path.strip('/')}-{chains[0].rpartition('-')[2]}.example.com"
        config = url_client_config(url + path, authority)
        return build_webhook(name, config, namespaceSelector=in_namespaces(*chains), **others)

    return [
        webhook("/prepare", *Chain),
        webhook("/script", Chain.FAIL),
        webhook("/script", Chain.IGNORE, failurePolicy="Ignore"),
        webhook("/script", Chain.BETA, admissionReviewVersions=["v1beta1"]),
        webhook("/script", Chain.LAST),
        webhook("/record", *(chain for chain in Chain if chain is not Chain.LAST)),
    ]


def _create_namespaces(plane: ControlPlane) -> None:
    cluster = administrator(plane)
    for chain in Chain:
        body: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": chain}}
        cluster.request("POST", "/api/v1/namespaces", body=body)  # or it is there already


async def _wait(found: Oracle, *, called: bool) -> None:
    """Wait until the API server has noticed that the webhooks are registered, or are no more."""
    trials = [Trial(name="wait", respond=answer_body, chain=chain) for chain in Chain]
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        results = await found.run(trials)
        if all(bool(result.review) == called for result in results):
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {SETTLE_SECONDS:.0f} s: called is {called}")
        await asyncio.sleep(POLL_SECONDS)
