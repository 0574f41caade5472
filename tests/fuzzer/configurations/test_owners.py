"""Are those who will change a configuration back recognised, and people left alone?"""

import pytest

from configured import around, configuration, entry, lint, only
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.cluster.surroundings import View
from webhook_fuzz.fuzzer.findings import ClusterFinding, Severity


def owned(metadata: JsonObject, view: View = View.CLUSTER) -> list[ClusterFinding]:
    found = lint(configuration(entry(), entry(), metadata=metadata), surroundings=around(view))
    return [finding for finding in found if finding.code == "WF612"]


def managed(manager: str, *, fields: str = "f:webhooks") -> JsonObject:
    return {"manager": manager, "operation": "Update", "fieldsV1": {fields: {}}}


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"annotations": {"cert-manager.io/inject-ca-from": "a/b"}}, "cainjector (the caBundle)"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux"),
        ({"labels": {"olm.owner": "x"}}, "Operator Lifecycle Manager"),
        ({"annotations": {"meta.helm.sh/release-name": "x"}}, "Helm, with the next upgrade"),
        ({"ownerReferences": [{"kind": "Istio", "name": "default"}]}, "the Istio default"),
        ({"managedFields": [managed("pilot-discovery")]}, "pilot-discovery (managedFields)"),
    ],
)
def test_an_owner_is_named_once_for_the_configuration(metadata: JsonObject, owner: str) -> None:
    finding = only(owned(metadata), "WF612")
    assert finding.subject == "injector"
    assert finding.severity is Severity.INFO
    assert finding.path == "metadata"
    assert owner in finding.explanation


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"labels": {"app": "x"}},
        {"managedFields": [managed("kubectl-client-side-apply"), managed("helm")]},
        {"managedFields": [managed("kube-controller-manager", fields="f:metadata"), "odd"]},
    ],
)
def test_nobody_is_made_an_owner_for_a_label_or_an_edit_by_hand(metadata: JsonObject) -> None:
    assert owned(metadata) == []


def test_many_owners_are_counted() -> None:
    entries: list[JsonValue] = [managed(f"controller-{number}") for number in range(6)]
    assert "and 2 more" in only(owned({"managedFields": entries}), "WF612").explanation


def test_a_manifest_has_no_owner_before_it_is_applied() -> None:
    metadata: JsonObject = {"annotations": {"meta.helm.sh/release-name": "x"}}
    assert owned(metadata, View.MANIFESTS) == []
    assert owned({**metadata, "uid": "of-a-live-object"}, View.MANIFESTS) != []
