"""What is known around webhooks: namespaces, the services behind them, the certificates they serve?

The same shape, whether it was read from a cluster (`surveying.py`) or from the manifests that lie
beside a configuration: what is judged must not care. What is not in it is not known, which is not
the same as "there is none".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from webhook_fuzz.corpora.cluster_api.failures import Seen, Unseen
from webhook_fuzz.corpora.versions import Minor

Labels: TypeAlias = Mapping[str, str]


class View(StrEnum):
    """Where configurations come from: a live API server, or files that are yet to be applied."""

    CLUSTER = "cluster"
    MANIFESTS = "manifests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What stands behind a service reference.

    `ports` are those of the Service, `ready` counts its ready endpoints (None where they are not
    known, or not counted: a Service of type ExternalName has none). `replicas` is what the
    workloads it selects ask for, None where no workload is known or something else scales them.
    `pod_labels` are those of the pods it selects, as far as they are known.
    """

    exists: bool
    ports: tuple[int, ...] = ()
    ready: int | None = None
    replicas: int | None = None
    pod_labels: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCertificate:
    """What a TLS handshake with a webhook showed, verified as the API server does it.

    `problem` says why it was not accepted, None where it was; then `expires` and `lifetime` are
    those of the certificate.
    """

    address: str
    problem: str | None = None
    expires: datetime | None = None
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything around a set of webhooks, at the moment `now`.

    `namespaces` are the labels of those that are known, by name; `backends` go by namespace and
    name of the Service, `certificates` by the webhook's position. `version` is the API server's.
    """

    view: View
    now: datetime
    version: Minor | None = None
    namespaces: Mapping[str, Labels] = field(default_factory=dict[str, Labels])
    backends: Mapping[tuple[str, str], Seen[Backend]] = field(
        default_factory=dict[tuple[str, str], Seen[Backend]]
    )
    certificates: Mapping[int, ServedCertificate] = field(
        default_factory=dict[int, ServedCertificate]
    )
    not_seen: tuple[Unseen, ...] = ()
