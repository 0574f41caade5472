"""What must one be allowed to do for each way of using this program?

Data: every permission with what it is for and what is missing without it. `roles.py` makes roles of
it, `access_reviews.py` asks the API server what is missing. Least means: no verb that is not used,
and nothing that every user may do anyway (/version and the reviews of one's own rights, which
Kubernetes binds to system:authenticated; plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go,
system:public-info-viewer and system:basic-user).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Mode(StrEnum):
    """A way of using the program. SERVICE_PROXY and LIVE add to the others, and are never implied.

    URL is calling webhooks that have a `url` and nothing else; a webhook given by `--url` needs no
    cluster at all.
    """

    RUN = "run"
    SERVICE_PROXY = "service-proxy"
    URL = "url"
    DOCTOR = "doctor"
    WEBHOOKS = "webhooks"
    LINT = "lint"
    BLAME = "blame"
    SEEDS = "seeds"
    LIVE = "live"
    PROXY = "proxy"


DEFAULT_MODES: Final = (Mode.RUN, Mode.DOCTOR, Mode.LINT, Mode.SEEDS)
"""What `webhook-fuzz run --context` does unless told otherwise."""


class Extent(StrEnum):
    """Where a permission is needed.

    CLUSTER: of cluster-scoped objects, or in every namespace. WORK: in the namespace pods are tried
    in. TEMPORARY: cluster-wide, but only where no such namespace is given and one is made.
    """

    CLUSTER = "cluster"
    WORK = "work"
    TEMPORARY = "temporary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Some verbs on some resources of one API group, or on `paths`, which are no resources.

    `why` says what it is for, `without` what does not work when it is missing; both end a sentence
    that begins with the mode. `names` limits it to objects of these names.
    """

    verbs: tuple[str, ...]
    resources: tuple[str, ...] = ()
    group: str = ""
    paths: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    extent: Extent = Extent.CLUSTER
    why: str
    without: str


_CONFIGURATIONS: Final = Permission(
    verbs=("list",),
    group="admissionregistration.k8s.io",
    resources=("mutatingwebhookconfigurations",),
    why="finds the mutating webhooks and their order",
    without="will not find any webhook",
)
_SERVICES: Final = Permission(
    verbs=("get",),
    resources=("services",),
    why="finds the address of a webhook",
    without="will not know whether a webhook's service exists",
)
_ENDPOINTS: Final = Permission(
    verbs=("list",),
    group="discovery.k8s.io",
    resources=("endpointslices",),
    why="sees whether anybody answers for a webhook",
    without="will not know whether a webhook has ready endpoints",
)
_BACKEND_PODS: Final = Permission(
    verbs=("list",),
    resources=("pods",),
    why="sees which image a webhook runs, and whether it matches its own pods",
    without="will not see which image a webhook runs",
)
_NAMESPACE: Final = Permission(
    verbs=("get",),
    resources=("namespaces",),
    why="reads the labels that namespaceSelectors look at",
    without="will not know which webhooks select a namespace",
)
_NAMESPACES: Final = replace(
    _NAMESPACE,
    verbs=("list",),
    without="will not know which namespaces a webhook selects",
)
_METRICS: Final = Permission(
    verbs=("get",),
    paths=("/metrics",),
    why="asks the API server for its feature gates",
    without="will tell the API server's feature gates by its version only",
)
_TRIED_PODS: Final = Permission(
    verbs=("create",),
    resources=("pods",),
    extent=Extent.WORK,
    why="sends pods through all webhooks by server-side dry run; nothing is stored",
    without="will not see what the webhooks together do to a pod",
)
_RESTRICTIONS: Final = Permission(
    verbs=("list",),
    resources=("resourcequotas", "limitranges"),
    extent=Extent.WORK,
    why="sees what may refuse a pod besides webhooks",
    without="will not foresee refusals by quotas and limit ranges",
)
_TEMPORARY_NAMESPACE: Final = Permission(
    verbs=("create", "delete"),
    resources=("namespaces",),
    extent=Extent.TEMPORARY,
    why="makes a namespace of its own and deletes it, also those that crashed runs left behind; "
    "not needed with --namespace",
    without="needs --namespace: it cannot make a namespace of its own and delete it",
)
_OWNERS: Final = Permission(
    verbs=("get",),
    group="apps",
    resources=("deployments", "replicasets", "statefulsets", "daemonsets"),
    why="compares a pod with the template it was made from",
    without="will not know what a workload's pods were meant to be",
)
_JOB_OWNERS: Final = replace(
    _OWNERS,
    group="batch",
    resources=("jobs", "cronjobs"),
    without="will not know what a job's pods were meant to be",
)
_OLD_OWNERS: Final = replace(
    _OWNERS,
    group="",
    resources=("replicationcontrollers",),
    without="will not know what a replication controller's pods were meant to be",
)
_LIVE_PODS: Final = Permission(
    verbs=("create", "get", "list", "delete"),
    resources=("pods",),
    extent=Extent.WORK,
    why="creates pods that are never scheduled, reads them back and deletes them",
    without="will not be able to create pods and remove them again",
)


def _in_work_namespace(*permissions: Permission) -> tuple[Permission, ...]:
    return tuple(replace(permission, extent=Extent.WORK) for permission in permissions)


_PERMISSIONS: Final[Mapping[Mode, tuple[Permission, ...]]] = {
    Mode.RUN: (
        _CONFIGURATIONS,
        Permission(
            verbs=("list",),
            group="admissionregistration.k8s.io",
            resources=("mutatingadmissionpolicies",),
            why="sees what changes pods besides webhooks",
            without="will not know whether a policy changes pods too",
        ),
        _SERVICES,
        _ENDPOINTS,
        _BACKEND_PODS,
        _METRICS,
        _NAMESPACE,
        _NAMESPACES,
        _TEMPORARY_NAMESPACE,
        _TRIED_PODS,
        _RESTRICTIONS,
    ),
    Mode.SERVICE_PROXY: (
        Permission(
            verbs=("create",),
            resources=("services/proxy",),
            why="calls webhooks one by one through the API server; narrow it with --service",
            without="will not be able to call single webhooks through the API server",
        ),
    ),
    Mode.URL: (_CONFIGURATIONS,),
    Mode.DOCTOR: (
        Permission(
            verbs=("get", "list"),
            resources=("nodes",),
            why="sees the kubelets' versions",
            without="will not see kubelet versions",
        ),
        Permission(
            verbs=("get",),
            resources=("nodes/proxy",),
            why="asks every kubelet for its feature gates; it opens all of a kubelet's API, and "
            "may be left out where that is too much",
            without="will tell a node's feature gates by its version only",
        ),
        _METRICS,
        replace(
            _ENDPOINTS,
            why="finds the replicas of the API server",
            without="will ask one replica of the API server only",
        ),
        Permission(
            verbs=("get", "list"),
            resources=("pods",),
            why="finds pods that hang in Init and jobs that cannot finish",
            without="will not find pods that hang",
        ),
        _OWNERS,
        _JOB_OWNERS,
        _OLD_OWNERS,
        _CONFIGURATIONS,
        _NAMESPACE,
        replace(
            _TRIED_PODS,
            why="sends a pod with the feature through admission by dry run; nothing is stored",
            without="will not see whether the feature survives admission",
        ),
    ),
    Mode.WEBHOOKS: (
        _CONFIGURATIONS,
        _SERVICES,
        _ENDPOINTS,
        _BACKEND_PODS,
        _NAMESPACE,
        _NAMESPACES,
    ),
    Mode.LINT: (
        _CONFIGURATIONS,
        replace(
            _CONFIGURATIONS,
            resources=("validatingwebhookconfigurations",),
            why="counts the webhooks it does not look at",
            without="will not say how many validating webhooks there are",
        ),
        _SERVICES,
        _ENDPOINTS,
        replace(_BACKEND_PODS, without="will not know whether a webhook matches its own pods"),
        _NAMESPACE,
    ),
    Mode.BLAME: (
        _CONFIGURATIONS,
        _SERVICES,
        _ENDPOINTS,
        _NAMESPACE,
        _TRIED_PODS,
        *_in_work_namespace(
            Permission(
                verbs=("get",),
                resources=("pods",),
                why="reads the pod that is asked about",
                without="will not be able to explain a pod that runs",
            ),
            replace(_OWNERS, resources=("replicasets", "statefulsets", "daemonsets")),
            replace(_JOB_OWNERS, resources=("jobs",)),
            _OLD_OWNERS,
        ),
    ),
    Mode.SEEDS: (
        Permission(
            verbs=("list",),
            resources=("pods",),
            why="takes pods without a controller as seeds",
            without="will not try pods that have no controller",
        ),
        Permission(
            verbs=("list",),
            group="apps",
            resources=_OWNERS.resources,
            why="takes the pod templates of the cluster's own workloads as seeds",
            without="will not try the pods of the cluster's own workloads",
        ),
        Permission(
            verbs=("list",),
            group="batch",
            resources=_JOB_OWNERS.resources,
            why="takes the pod templates of the cluster's own jobs as seeds",
            without="will not try the pods of the cluster's own jobs",
        ),
        replace(_NAMESPACES, without="will not know what triggers by namespace"),
    ),
    Mode.LIVE: (_LIVE_PODS,),
    Mode.PROXY: (
        Permission(
            verbs=("get", "list", "watch", "patch"),
            group="admissionregistration.k8s.io",
            resources=("mutatingwebhookconfigurations",),
            why="leads a webhook's calls through the proxy and back, and sees who interferes",
            without="will not be able to get between the API server and a webhook",
        ),
        _SERVICES,
    ),
}


def permissions_of(mode: Mode, *, namespace: str | None = None) -> tuple[Permission, ...]:
    """What a mode needs; with `namespace` pods are tried in that one, and none is made."""
    return tuple(
        permission
        for permission in _PERMISSIONS[mode]
        if namespace is None or permission.extent is not Extent.TEMPORARY
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A permission and the mode that needs it."""

    mode: Mode
    permission: Permission


def needs_of(modes: Iterable[Mode], *, namespace: str | None = None) -> tuple[Need, ...]:
    """What several modes need, in their order."""
    return tuple(
        Need(mode=mode, permission=permission)
        for mode in dict.fromkeys(modes)
        for permission in permissions_of(mode, namespace=namespace)
    )
