"""What may be asked of a throw-away control plane?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhook_fuzz.corpora.json_values import JsonObject

SERVICE_RANGE = "127.64.0.0/24"
"""On loopback: a webhook that listens on the clusterIP of a Service is then called by the API
server by service reference, without any kube-proxy."""

REQUEST_LEVEL_POLICY: JsonObject = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Request"}],
}
"""Holds the objects as they were sent and every patch a webhook made (level Request or above)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who may authenticate with which bearer token, and the groups RBAC knows them by."""

    name: str
    token: str
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneOptions:
    """What differs from a plain control plane.

    `context` names the kubeconfig's context. `users` may log in beside the administrator.
    `feature_gates` are those of both programs. `controllers` are kube-controller-manager's
    (`--controllers`; `*` is all that are on by default); without any it is not started.
    ServiceAccount admission is off, because without controllers no namespace has a service
    account. `audit_policy` switches the audit log on. `apiserver_flags` are appended as they are.
    """

    context: str = "webhook-fuzz"
    users: Sequence[User] = ()
    feature_gates: Mapping[str, bool] = field(default_factory=dict[str, bool])
    runtime_config: Mapping[str, bool] = field(default_factory=dict[str, bool])
    disabled_admission_plugins: Sequence[str] = ("ServiceAccount",)
    controllers: Sequence[str] = ()
    audit_policy: JsonObject | None = None
    service_range: str = SERVICE_RANGE
    apiserver_flags: Sequence[str] = ()
