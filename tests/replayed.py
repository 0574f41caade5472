"""Recorded exchanges as a proxy in front of a webhook would have kept them, without the proxy."""

from collections.abc import Iterable
from dataclasses import replace

from fakes import outcome_of
from webhook_fuzz.corpora.exchanges import Exchange, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.seeds.loading import load_shipped_seeds
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.specimens.programs import Program

RECORDED_WEBHOOK = WebhookIdentity(
    configuration="injector", name="mpod.example.com", url="https://mpod.shop.svc:443/mutate"
)
PLAIN_SEEDS = ("minimal", "bare", "cronjob", "daemonset")
"""Shipped seeds without any field that is newer than 1.27."""


def creation(pod: JsonObject, number: int = 0, *, namespace: str = "default") -> JsonObject:
    """The review of a pod's creation, not a dry run, as a controller asks for it."""
    options = ReviewOptions(
        api_server=Minor(1, 30),
        uid=f"00000000-0000-4000-8000-{number:012}",
        namespace=namespace,
        dry_run=False,
        user={"username": "system:serviceaccount:kube-system:replicaset-controller"},
    )
    return build_review(pod, options)


def recorded(
    review: JsonObject,
    program: Program,
    number: int = 0,
    *,
    webhook: WebhookIdentity = RECORDED_WEBHOOK,
) -> RecordedExchange:
    """What is kept of one call to a program."""
    exchange = Exchange(
        webhook=webhook, review=review, outcome=outcome_of(program(review)), seconds=0.002
    )
    return RecordedExchange(
        id=f"{number:08}",
        exchange=exchange,
        started_at=1_700_000_000.0 + number,
        upstream_seconds=0.002,
        target="/mutate?timeout=10s",
        request=f"request-{number}",
        status=200,
    )


def plain_pods() -> list[JsonObject]:
    """Pods of old fields only, with their defaults."""
    return [default_pod(seed.pod) for seed in load_shipped_seeds() if seed.name in PLAIN_SEEDS]


def record_all(program: Program, pods: Iterable[JsonObject]) -> list[RecordedExchange]:
    """What is kept of the creation of pods."""
    return [recorded(creation(pod, number), program, number) for number, pod in enumerate(pods)]


def of_webhook(each: RecordedExchange, name: str) -> RecordedExchange:
    """The same call to another webhook."""
    webhook = WebhookIdentity(configuration="injector", name=name, url=f"https://{name}/mutate")
    return replace(each, exchange=replace(each.exchange, webhook=webhook))
