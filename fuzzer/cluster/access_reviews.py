"""What of all that is needed may we not do?

Asked of the API server itself (SelfSubjectAccessReview), because roles are not the only thing that
decides: clusters have webhooks and clouds that authorize. Nothing is stored by asking.

Source: k8s.io/api authorization/v1/types.go SelfSubjectAccessReview, ResourceAttributes.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from webhook_fuzz.corpora.cluster_api.failures import (
    Seen,
    Trouble,
    Unseen,
    attempt,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.fuzzer.cluster.permissions import Extent, Mode, Need

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One thing one may or may not do: a verb on a resource, or on a path that is none.

    `namespace` is empty for all of them, `name` for any object.
    """

    verb: str
    group: str = ""
    resource: str = ""
    path: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        group = f".{self.group}" if self.group and "/" not in self.resource else ""
        where = f" in the namespace {self.namespace}" if self.namespace else ""
        name = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.path or self.resource}{group}{name}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What one may not do, and what a mode will lack for it."""

    access: Access
    mode: Mode
    without: str

    @property
    def sentence(self) -> str:
        """`cannot list nodes: doctor will not see kubelet versions`."""
        return f"cannot {self.access}: {self.mode} {self.without}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What is missing, and what could not be found out."""

    missing: tuple[Missing, ...]
    not_seen: tuple[Unseen, ...]


async def review_needs(
    api: ClusterApi,
    needs: Iterable[Need],
    *,
    namespace: str | None = None,
    services: Sequence[ServiceReference] = (),
) -> Rights:
    """Ask for everything `needs` says, each thing once.

    `namespace` is where pods are tried, `services` are the ones the service proxy is used for.
    """
    asked = [
        (access, need)
        for need in needs
        for access in _accesses(need, namespace=namespace or "", services=services)
    ]
    different = list(dict.fromkeys(access for access, _ in asked))
    answers = await asyncio.gather(*(_ask(api, access) for access in different))
    allowed = dict(zip(different, answers, strict=True))
    missing = [
        Missing(access=access, mode=need.mode, without=need.permission.without)
        for access, need in asked
        if allowed[access] is False
    ]
    unseen = [answer for answer in answers if isinstance(answer, Unseen)]
    return Rights(missing=tuple(dict.fromkeys(missing)), not_seen=tuple(dict.fromkeys(unseen)))


def _accesses(
    need: Need, *, namespace: str, services: Sequence[ServiceReference]
) -> Iterator[Access]:
    permission = need.permission
    where = namespace if permission.extent is Extent.WORK else ""
    for verb in permission.verbs:
        for path in permission.paths:
            yield Access(verb=verb, path=path)
        for resource in permission.resources:
            if need.mode is Mode.SERVICE_PROXY and services:
                for service in services:
                    name = f"https:{service.name}:{service.port}"
                    yield Access(
                        verb=verb, resource=resource, namespace=service.namespace, name=name
                    )
            else:
                yield Access(verb=verb, group=permission.group, resource=resource, namespace=where)


async def _ask(api: ClusterApi, access: Access) -> Seen[bool]:
    return await attempt(_review(api, access), f"the permission to {access}")


async def _review(api: ClusterApi, access: Access) -> bool:
    body = orjson.dumps(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": _specification(access),
        }
    )
    # Virtual: a repetition changes nothing, and the API server does not count it as a write.
    answer = await api.ask(ClusterRequest(method="POST", path=_REVIEWS, query={}, body=body))
    asked = f"POST {_REVIEWS}"
    if answer.status >= 300:  # noqa: PLR2004 - HTTP
        raise cluster_error(asked, answer.message, trouble_of(answer.status), status=answer.status)
    status = (answer.document() or {}).get("status")
    allowed = status.get("allowed") if isinstance(status, dict) else None
    if not isinstance(allowed, bool):
        raise cluster_error(asked, "the answer does not say whether it is allowed", Trouble.BROKEN)
    return allowed


def _specification(access: Access) -> JsonObject:
    if access.path:
        return {"nonResourceAttributes": {"path": access.path, "verb": access.verb}}
    resource, _, subresource = access.resource.partition("/")
    return {
        "resourceAttributes": {
            "verb": access.verb,
            "group": access.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": access.namespace,
            "name": access.name,
        }
    }
