"""Is somebody there to answer?

WF609: the Service behind a webhook, its port, and how many pods stand behind it. One pod is one
node's maintenance away from none.
"""

from collections.abc import Iterator
from typing import Final

from webhook_fuzz.corpora.cluster_api.failures import Unseen
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook
from webhook_fuzz.fuzzer.cluster.surroundings import Backend
from webhook_fuzz.fuzzer.configurations.registry import Flaw, Subject, rule
from webhook_fuzz.fuzzer.findings import Severity

# The API server calls itself with its own credentials (k8s.io/apiserver pkg/util/webhook
# authentication.go): there is no pod to count.
_API_SERVER: Final = ("default", "kubernetes")
_SERVICE: Final = ("clientConfig", "service")


@rule("WF609")
def find_missing_backends(subject: Subject) -> Iterator[Flaw]:
    """No Service, no such port, nobody ready, or one only."""
    service = subject.webhook.service
    if service is None or (service.namespace, service.name) == _API_SERVER:
        return
    backend = subject.around.backends.get((service.namespace, service.name))
    if backend is None or isinstance(backend, Unseen):
        return
    yield from _flaws(subject.webhook, service, backend)


def _flaws(webhook: Webhook, service: ServiceReference, backend: Backend) -> Iterator[Flaw]:
    name = f"{service.namespace}/{service.name}"
    then = _consequence(webhook)
    if not backend.exists:
        yield Flaw(
            severity=Severity.ERROR,
            member=_SERVICE,
            explanation=f"There is no Service {name}: {then}.",
            remedy="Delete the configuration if its program is gone; otherwise correct name and "
            "namespace of the Service in clientConfig.",
        )
    elif backend.ports and service.port not in backend.ports:
        yield Flaw(
            severity=Severity.ERROR,
            member=(*_SERVICE, "port") if _has_port(webhook) else _SERVICE,
            explanation=f"The Service {name} has no port {service.port}, only "
            f"{', '.join(map(str, backend.ports))}: {then}.",
            remedy="Correct clientConfig.service.port (443 where it is not set), or the Service.",
        )
    else:
        yield from _count_flaws(webhook, name, backend)


def _count_flaws(webhook: Webhook, name: str, backend: Backend) -> Iterator[Flaw]:
    if 0 in (backend.ready, backend.replicas):
        what = "no ready endpoint" if backend.ready == 0 else "no replica"
        yield Flaw(
            severity=Severity.ERROR,
            member=_SERVICE,
            explanation=f"The Service {name} has {what}: {_consequence(webhook)}.",
        )
    elif 1 in (backend.ready, backend.replicas):
        fails = webhook.failure_policy == "Fail"
        what = "one ready endpoint" if backend.ready == 1 else "one replica"
        meanwhile = "what it guards is refused" if fails else "objects pass without it"
        yield Flaw(
            severity=Severity.WARNING if fails else Severity.INFO,
            member=_SERVICE,
            explanation=f"The Service {name} has {what} only: whenever that pod is restarted or "
            f"its node drained, {meanwhile}.",
        )


def _consequence(webhook: Webhook) -> str:
    if webhook.failure_policy == "Fail":
        return "every request it matches is refused"
    return "objects pass without it, and nobody is told"


def _has_port(webhook: Webhook) -> bool:
    config = webhook.entry.get("clientConfig")
    service = config.get("service") if isinstance(config, dict) else None
    return isinstance(service, dict) and "port" in service
