"""What one may not do, asked of the API server itself."""

import json
from collections.abc import Callable
from typing import Any

from webhook_fuzz.corpora.cluster_api.failures import Trouble
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.fuzzer.cluster.access_reviews import review_needs
from webhook_fuzz.fuzzer.cluster.permissions import Mode, needs_of

Allows = Callable[[dict[str, Any]], bool]


class Authorizer:
    """Answers access reviews, and nothing else."""

    def __init__(self, allows: Allows, *, status: int = 201, body: object = None) -> None:
        self.specifications: list[dict[str, Any]] = []
        self._allows = allows
        self._status = status
        self._body = body

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        assert request.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        specification = json.loads(request.body or b"")["spec"]
        self.specifications.append(specification)
        attributes = next(iter(specification.values()))
        body = self._body or {"status": {"allowed": self._allows(attributes)}}
        return ClusterAnswer(status=self._status, body=json.dumps(body).encode())


async def test_nothing_is_missing_where_everything_is_allowed() -> None:
    rights = await review_needs(Authorizer(lambda _: True), needs_of(list(Mode)))

    assert (rights.missing, rights.not_seen) == ((), ())


async def test_what_is_missing_is_a_sentence_that_says_what_for() -> None:
    authorizer = Authorizer(
        lambda asked: asked.get("resource") != "nodes" and asked.get("path") != "/metrics"
    )

    rights = await review_needs(authorizer, needs_of([Mode.DOCTOR]))

    assert [missing.sentence for missing in rights.missing] == [
        "cannot get nodes: doctor will not see kubelet versions",
        "cannot list nodes: doctor will not see kubelet versions",
        "cannot get nodes/proxy: doctor will tell a node's feature gates by its version only",
        "cannot get /metrics: doctor will tell the API server's feature gates by its version only",
    ]


async def test_a_group_and_a_namespace_are_named_where_there_are_any() -> None:
    rights = await review_needs(
        Authorizer(lambda _: False), needs_of([Mode.BLAME], namespace="shop"), namespace="shop"
    )

    sentences = [missing.sentence.partition(":")[0] for missing in rights.missing]
    assert "cannot get statefulsets.apps in the namespace shop" in sentences
    assert "cannot create pods in the namespace shop" in sentences
    assert "cannot list mutatingwebhookconfigurations.admissionregistration.k8s.io" in sentences


async def test_the_same_thing_is_asked_once_and_told_for_every_mode() -> None:
    authorizer = Authorizer(lambda asked: asked.get("resource") != "services")

    rights = await review_needs(authorizer, needs_of([Mode.RUN, Mode.LINT]))

    services = [each for each in authorizer.specifications if "services" in str(each)]
    assert len(services) == 1
    assert [missing.mode for missing in rights.missing] == [Mode.RUN, Mode.LINT]


async def test_the_service_proxy_is_asked_for_by_the_names_rbac_compares() -> None:
    authorizer = Authorizer(lambda _: False)
    service = ServiceReference(namespace="vault", name="injector", port=8443)

    rights = await review_needs(authorizer, needs_of([Mode.SERVICE_PROXY]), services=[service])

    assert authorizer.specifications == [
        {
            "resourceAttributes": {
                "verb": "create",
                "group": "",
                "resource": "services",
                "subresource": "proxy",
                "namespace": "vault",
                "name": "https:injector:8443",
            }
        }
    ]
    assert rights.missing[0].sentence.startswith(
        "cannot create services/proxy https:injector:8443 in the namespace vault: service-proxy"
    )


async def test_what_cannot_be_asked_is_not_taken_for_allowed() -> None:
    for authorizer, trouble in (
        (Authorizer(lambda _: True, status=403, body={"message": "no"}), Trouble.FORBIDDEN),
        (Authorizer(lambda _: True, body={"status": {}}), Trouble.BROKEN),
        (Authorizer(lambda _: True, body=[1]), Trouble.BROKEN),
    ):
        rights = await review_needs(authorizer, needs_of([Mode.URL]))

        assert rights.missing == ()
        assert [unseen.trouble for unseen in rights.not_seen] == [trouble]
