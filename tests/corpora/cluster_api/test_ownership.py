from webhook_fuzz.corpora.cluster_api.ownership import Manager, last_writer, read_ownership
from webhook_fuzz.corpora.json_values import JsonObject

MANAGED: JsonObject = {
    "managedFields": [
        {"manager": "helm", "operation": "Update"},
        {"manager": "cainjector", "operation": "Apply"},
        {"manager": "helm", "operation": "Update"},
        "not an object",
    ]
}
HELM: JsonObject = {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {
        "meta.helm.sh/release-name": "istiod",
        "meta.helm.sh/release-namespace": "istio-system",
        "cert-manager.io/inject-ca-from": "ns/cert",
    },
}


def test_the_marks_of_a_helm_release_are_read() -> None:
    owner = read_ownership({**HELM, **MANAGED})
    assert owner.helm_release == "istio-system/istiod"
    assert owner.managed_by == "Helm"
    assert owner.bundle_injection == "cert-manager.io/inject-ca-from=ns/cert"
    assert owner.managers == (
        Manager(name="helm", operation="Update"),
        Manager(name="cainjector", operation="Apply"),
    )
    assert owner.short == "Helm istio-system/istiod"


def test_a_release_without_a_namespace_goes_by_its_name() -> None:
    assert read_ownership({"annotations": {"meta.helm.sh/release-name": "x"}}).helm_release == "x"


def test_an_owning_object_is_named_before_everything_else() -> None:
    references: JsonObject = {"ownerReferences": [{"kind": "Widget", "name": "w"}]}
    assert read_ownership({**HELM, **references}).short == "Widget/w"


def test_the_next_best_owner_is_named() -> None:
    assert read_ownership({"labels": {"olm.owner": "op.v1"}}).short == "OLM op.v1"
    assert read_ownership({"labels": {"app.kubernetes.io/managed-by": "x"}}).short == "x"
    assert read_ownership(MANAGED).short == "helm"
    assert read_ownership({}).short == ""


def test_members_of_the_wrong_type_count_as_not_there() -> None:
    odd: JsonObject = {"labels": [], "annotations": {"meta.helm.sh/release-name": 1}}
    assert read_ownership({**odd, "managedFields": "x"}) == read_ownership({})


def test_who_wrote_last_is_told_by_the_times_and_not_by_the_order() -> None:
    entries: JsonObject = {
        "managedFields": [
            {"manager": "helm", "time": "2026-05-01T00:00:00Z"},
            {"manager": "operator", "time": "2026-05-01T00:00:09Z"},
            {"manager": "us", "time": "2026-05-01T00:00:10Z"},
            {"manager": "cainjector", "time": "2026-05-01T00:00:05Z"},
        ]
    }
    assert last_writer(entries, but="us") == "operator"
    assert last_writer(entries, but="operator") == "us"
    assert last_writer({}, but="us") == ""
