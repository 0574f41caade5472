"""Do findings on manifests carry the line of what is wrong, and is what lies beside them used?"""

from pathlib import Path

import pytest

from configured import NAME_LABEL, NOW
from webhook_fuzz.fuzzer.cluster.surroundings import Backend
from webhook_fuzz.fuzzer.configurations.linting import lint_webhooks
from webhook_fuzz.fuzzer.configurations.manifest_sets import ManifestSet, load_manifest_set

CHART = """\
# Source: injector/templates/webhook.yaml
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata:
  name: injector
  annotations:
    cert-manager.io/inject-ca-from: injector/serving
webhooks:
- name: a.example.com
  admissionReviewVersions: [v1]
  sideEffects: Some
  timeoutSeconds: 25
  clientConfig:
    service: {name: injector, namespace: injector, port: 443}
  rules:
  - operations: [CREATE, DELETE]
    apiGroups: [""]
    apiVersions: [v1]
    resources: [pods]
- name: b.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig:
    url: https://example.com
  rules: []
"""
SERVICE = """\
---
kind: Service
metadata: {name: injector}
spec: {ports: [{port: 443}], selector: {app: injector}}
"""
DEPLOYMENT = """\
---
kind: Deployment
metadata: {name: injector}
spec: {%s template: {metadata: {labels: {app: injector, tier: control}}}}
"""


def load(folder: Path, text: str, name: str = "chart.yaml") -> ManifestSet:
    (folder / name).write_text(text)
    return load_manifest_set([str(folder)], now=NOW)


def lines(found: ManifestSet) -> dict[str, int]:
    places: dict[str, int] = {}
    for finding in lint_webhooks(found.webhooks, found.around, locate=found.locate):
        assert finding.place is not None
        assert finding.place.file.endswith("chart.yaml")
        places[f"{finding.code} {finding.subject.rpartition('/')[2]}"] = finding.place.line
    return places


def test_findings_point_at_the_culprit_or_at_the_name_of_the_webhook(tmp_path: Path) -> None:
    assert lines(load(tmp_path, CHART)) == {
        "WF601 a.example.com": 12,
        "WF602 a.example.com": 9,
        "WF603 a.example.com": 16,
        "WF605 a.example.com": 11,
        "WF610 a.example.com": 16,
        "WF611 a.example.com": 9,
        "WF601 b.example.com": 20,
    }


def test_a_member_of_the_configuration_points_at_it(tmp_path: Path) -> None:
    live = CHART.replace("  name: injector\n", "  uid: x\n  name: injector\n", 1)
    assert lines(load(tmp_path, live))["WF612 injector"] == 4


def test_a_webhook_without_a_name_points_at_its_beginning(tmp_path: Path) -> None:
    found = load(tmp_path, CHART.replace("- name: b.example.com\n  adm", "- adm"))
    assert lines(found)["WF601 "] == 20


def test_the_template_is_known_where_helm_names_it(tmp_path: Path) -> None:
    found = load(tmp_path, CHART)
    place = found.locate(found.webhooks[0], ("webhooks", 0))
    assert found.find_chart_file(place) == "injector/templates/webhook.yaml"


def test_configurations_are_put_in_the_order_of_the_api_server(tmp_path: Path) -> None:
    load(tmp_path, CHART.replace("name: injector\n", "name: zz\n", 1), "1.yaml")
    found = load(tmp_path, CHART, "2.yaml")
    assert [(w.configuration, w.position) for w in found.webhooks] == [
        ("injector", 0),
        ("injector", 1),
        ("zz", 2),
        ("zz", 3),
    ]
    assert found.origins[0].file.endswith("2.yaml")
    assert found.configurations == 2


@pytest.mark.parametrize(
    ("beside", "backend"),
    [
        ("", None),
        (SERVICE.replace("{name: injector}", "{name: injector, namespace: other}"), None),
        (SERVICE, Backend(exists=True, ports=(443,), pod_labels={"app": "injector"})),
        (SERVICE + DEPLOYMENT % "", 1),
        (SERVICE + DEPLOYMENT % "replicas: 3,", 3),
        (SERVICE + DEPLOYMENT % "replicas: 0,", 0),
        (SERVICE + (DEPLOYMENT % "").replace("Deployment", "DaemonSet"), "nodes"),
        (
            SERVICE + DEPLOYMENT % "" + "---\nkind: HorizontalPodAutoscaler\n"
            "spec: {scaleTargetRef: {kind: Deployment, name: injector}}\n",
            "nodes",
        ),
        (SERVICE + (DEPLOYMENT % "").replace("app: injector", "app: other"), "nobody"),
        (
            SERVICE.replace("{name: injector}", "{name: injector, namespace: injector}")
            + (DEPLOYMENT % "").replace("{name: injector}", "{name: injector, namespace: b}"),
            "nobody",
        ),
        (SERVICE.replace("app: injector", "app: [odd]"), Backend(exists=True, ports=(443,))),
    ],
)
def test_services_and_workloads_beside_it_are_its_backend(
    beside: str, backend: Backend | int | str | None, tmp_path: Path
) -> None:
    found = load(tmp_path, CHART + beside).around.backends.get(("injector", "injector"))
    labels = {"app": "injector", "tier": "control"}
    match backend:
        case int():
            expected = Backend(exists=True, ports=(443,), replicas=backend, pod_labels=labels)
        case "nodes":
            expected = Backend(exists=True, ports=(443,), pod_labels=labels)
        case "nobody":
            expected = Backend(exists=True, ports=(443,), pod_labels={"app": "injector"})
        case _:
            assert found == backend
            return
    assert found == expected


def test_a_selector_no_server_takes_selects_nothing(tmp_path: Path) -> None:
    odd = SERVICE.replace("app: injector", "-app: injector") + DEPLOYMENT % ""
    found = load(tmp_path, CHART + odd).around.backends["injector", "injector"]
    assert found == Backend(exists=True, ports=(443,), pod_labels={"-app": "injector"})


def test_a_namespace_beside_it_brings_its_labels(tmp_path: Path) -> None:
    found = load(tmp_path, CHART + "---\nkind: Namespace\nmetadata: {name: mine, labels: {a: b}}\n")
    assert found.around.namespaces == {"mine": {"a": "b", NAME_LABEL: "mine"}}


def test_what_is_not_looked_at_is_counted(tmp_path: Path) -> None:
    other = "---\nkind: ValidatingWebhookConfiguration\n"
    found = load(tmp_path, CHART.replace("k8s.io/v1\n", "k8s.io/v1beta1\n") + other)
    assert (found.configurations, found.validating, found.outdated) == (1, 1, 1)
    assert found.documents == 2
