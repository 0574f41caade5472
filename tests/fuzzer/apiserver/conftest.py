"""What the tests of the API server's rules share: the tables made by the real libraries, a pod."""

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.versions import Minor

_HERE = Path(__file__).parent


def table(name: str) -> list[dict[str, Any]]:
    """The cases of a table beside the tests; its `source` says which library made it."""
    cases: list[dict[str, Any]] = orjson.loads((_HERE / name).read_bytes())["cases"]
    return cases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument `<name>_case` runs on every case of `<name>_table.json`."""
    for name in metafunc.fixturenames:
        if name.endswith("_case"):
            metafunc.parametrize(name, table(f"{name.removesuffix('_case')}_table.json"))


@pytest.fixture
def schema() -> FieldSchema:
    return load_catalogue().schema(Minor(1, 37))


_CONTAINER: dict[str, Any] = {
    "name": "app",
    "image": "registry.example.com/team/app:1.4.2",
    "command": ["/app"],
    "args": ["--listen=:8080", "--config=/etc/app/config.yaml"],
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    "env": [
        {
            "name": "POD",
            "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
        },
        *({"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(12)),
    ],
    "resources": {
        "limits": {"cpu": "500m", "memory": "512Mi"},
        "requests": {"cpu": "100m", "memory": "128Mi"},
    },
    "volumeMounts": [
        {"name": "config", "readOnly": True, "mountPath": "/etc/app"},
        {
            "name": "kube-api-access-x7k2p",
            "readOnly": True,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        },
    ],
    "livenessProbe": {
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
    "securityContext": {"runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}},
}
_SPEC: dict[str, Any] = {
    "volumes": [
        {"name": "config", "configMap": {"name": "app", "defaultMode": 420}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
        {
            "name": "kube-api-access-x7k2p",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {
                        "configMap": {
                            "name": "kube-root-ca.crt",
                            "items": [{"key": "ca.crt", "path": "ca.crt"}],
                        }
                    },
                ],
                "defaultMode": 420,
            },
        },
    ],
    "initContainers": [
        {**_CONTAINER, "name": "proxy", "restartPolicy": "Always"},
        {**_CONTAINER, "name": "migrate"},
    ],
    "containers": [{**_CONTAINER, "name": name} for name in ("app", "worker")],
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "serviceAccountName": "default",
    "serviceAccount": "default",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "tolerations": [
        {
            "key": "node.kubernetes.io/not-ready",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        }
    ],
    "priority": 0,
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
}


@pytest.fixture
def pod() -> dict[str, Any]:
    """About 7 kB of a pod as the API server sends it: it decodes and has its defaults."""
    return copy.deepcopy(
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {
                "generateName": "app-5d4f8c7b9-",
                "namespace": "default",
                "labels": {"app": "app", "pod-template-hash": "5d4f8c7b9"},
                "annotations": {"example.com/owner": "team-a"},
            },
            "spec": _SPEC,
            "status": {},
        }
    )
