"""A small cluster with webhooks in it, for tests of what lists them."""

from collections.abc import Mapping
from typing import Final

from fake_clusters import FakeCluster
from webhook_fuzz.corpora.json_values import JsonObject

CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
RULE: Final[JsonObject] = {
    "operations": ["CREATE"],
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["pods"],
}
INJECTOR: Final[JsonObject] = {
    "kind": "MutatingWebhookConfiguration",
    "metadata": {
        "name": "injector",
        "annotations": {
            "meta.helm.sh/release-name": "inj",
            "meta.helm.sh/release-namespace": "sys",
        },
    },
    "webhooks": [
        {
            "name": "inject.example.com",
            "clientConfig": {"service": {"namespace": "sys", "name": "inject", "path": "/in"}},
            "rules": [RULE],
            "namespaceSelector": {"matchLabels": {"inject": "on"}},
            "objectSelector": {"matchLabels": {"app": "shop"}},
        },
        {
            "name": "gone.example.com",
            "clientConfig": {"service": {"namespace": "sys", "name": "gone"}},
            "rules": [{**RULE, "resources": ["configmaps"]}],
            "failurePolicy": "Ignore",
        },
    ],
}
FIRST: Final[JsonObject] = {
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "a-first"},
    "webhooks": [
        {
            "name": "url.example.com",
            "clientConfig": {"url": "https://127.0.0.1:1/mutate"},
            "rules": [RULE],
            "timeoutSeconds": 3,
            "matchConditions": [
                {"name": "not-me", "expression": "request.userInfo.username != 'me'"}
            ],
        }
    ],
}


def small_cluster(refusals: Mapping[str, tuple[int, str]] | None = None) -> FakeCluster:
    """Three webhooks: a URL one, one behind a Service with a pod, one whose Service is missing."""
    return FakeCluster(
        collections={
            CONFIGURATIONS: [INJECTOR, FIRST],
            "/api/v1/namespaces": [
                {"kind": "Namespace", "metadata": {"name": "sys"}},
                {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"inject": "on"}}},
                {"kind": "Namespace", "metadata": {"name": "kube-system"}},
            ],
            "/api/v1/namespaces/sys/services": [
                {
                    "kind": "Service",
                    "metadata": {"name": "inject"},
                    "spec": {
                        "clusterIP": "None",
                        "ports": [{"port": 443}],
                        "selector": {"app": "i"},
                    },
                }
            ],
            "/apis/discovery.k8s.io/v1/namespaces/sys/endpointslices": [
                {
                    "kind": "EndpointSlice",
                    "metadata": {"labels": {"kubernetes.io/service-name": "inject"}},
                    "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}],
                }
            ],
            "/api/v1/namespaces/sys/pods": [
                {
                    "kind": "Pod",
                    "metadata": {"name": "i-1", "labels": {"app": "i"}},
                    "spec": {"containers": [{"name": "i", "image": "example.com/inject:1.2"}]},
                }
            ],
        },
        objects={
            "/version": {"gitVersion": "v1.37.2"},
            "/apis/authentication.k8s.io/v1/selfsubjectreviews": {
                "status": {"userInfo": {"username": "me", "groups": ["dev"]}}
            },
        },
        refusals=refusals or {},
    )
