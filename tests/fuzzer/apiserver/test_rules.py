from dataclasses import replace

import pytest

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes, Resource, pod_attributes
from webhook_fuzz.fuzzer.apiserver.rules import (
    first_equivalent_rule,
    first_rule,
    is_never_sent,
    is_virtual,
    may_have_equivalent_rule,
)

POD = pod_attributes({"metadata": {"name": "p"}}, namespace="shop")
NAMESPACE = replace(POD, resource="namespaces", namespace="shop", kind="Namespace")
NODE = replace(POD, resource="nodes", namespace="", kind="Node")
STATUS = replace(POD, subresource="status", operation="UPDATE")


def _rule(**given: JsonValue) -> JsonObject:
    rule: JsonObject = {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods"],
    }
    return {**rule, **given}


@pytest.mark.parametrize(
    ("given", "attributes", "matches"),
    [
        ({}, POD, True),
        ({"operations": ["*"]}, POD, True),
        ({"operations": ["DELETE"]}, POD, False),
        ({"operations": []}, POD, False),
        ({"apiGroups": ["*"]}, POD, True),
        ({"apiGroups": ["apps"]}, POD, False),
        ({"apiVersions": ["*"]}, POD, True),
        ({"apiVersions": ["v2"]}, POD, False),
        ({"resources": ["*"]}, POD, True),
        ({"resources": ["*"]}, STATUS, False),
        ({"resources": ["pods"]}, STATUS, False),
        ({"resources": ["pods/*"]}, STATUS, True),
        ({"resources": ["pods/*"]}, POD, True),
        ({"resources": ["pods/status"]}, STATUS, True),
        ({"resources": ["pods/status"]}, POD, False),
        ({"resources": ["*/status"]}, STATUS, True),
        ({"resources": ["*/*"]}, POD, True),
        ({"resources": ["*/*"]}, STATUS, True),
        ({"resources": None}, POD, False),
        ({"scope": "*"}, POD, True),
        ({"scope": None}, POD, True),
        ({"scope": "Namespaced"}, POD, True),
        ({"scope": "Cluster"}, POD, False),
        ({"scope": "Other"}, POD, False),
        ({"scope": "Namespaced", "resources": ["*"]}, NODE, False),
        ({"scope": "Cluster", "resources": ["*"]}, NODE, True),
        ({"scope": "Namespaced", "resources": ["*"]}, NAMESPACE, False),
        ({"scope": "Cluster", "resources": ["*"]}, NAMESPACE, True),
    ],
)
def test_a_rule_is_for_what_the_api_server_says(
    given: JsonObject,
    attributes: Attributes,
    matches: bool,  # noqa: FBT001 - a table
) -> None:
    assert (first_rule([_rule(**given)], attributes) == 0) is matches


def test_the_first_rule_that_fits_is_the_one() -> None:
    assert first_rule([_rule(resources=["jobs"]), _rule(), _rule()], POD) == 1


def test_only_cohabiting_resources_are_equivalent() -> None:
    hpa = replace(POD, group="autoscaling", version="v1", resource="horizontalpodautoscalers")
    rules = [_rule(), _rule(apiGroups=["autoscaling"], apiVersions=["v2"], resources=["*"])]
    assert first_equivalent_rule(rules, hpa) == (
        1,
        Resource("autoscaling", "v2", "horizontalpodautoscalers"),
    )
    assert first_equivalent_rule(rules, POD) is None
    assert first_equivalent_rule(rules[:1], hpa) is None


def test_other_versions_of_a_custom_resource_may_count_and_of_a_workload_do_not() -> None:
    custom = replace(POD, group="example.com", version="v1", resource="widgets")
    rule = _rule(apiGroups=["example.com"], apiVersions=["v2"], resources=["widgets"])
    assert may_have_equivalent_rule([rule], custom)
    assert not may_have_equivalent_rule([_rule()], custom)
    deployment = replace(POD, group="apps", resource="deployments")
    old = _rule(apiGroups=["apps"], apiVersions=["v1beta1"], resources=["*"])
    assert not may_have_equivalent_rule([old], deployment)


def test_the_configuration_of_admission_itself_is_never_sent() -> None:
    own = replace(
        POD, group="admissionregistration.k8s.io", resource="mutatingwebhookconfigurations"
    )
    assert is_never_sent(own)
    assert not is_never_sent(replace(own, resource="others"))
    assert not is_never_sent(POD)


def test_reviews_that_are_not_stored_are_virtual() -> None:
    assert is_virtual(replace(POD, group="authentication.k8s.io", resource="tokenreviews"))
    assert not is_virtual(POD)


def test_a_resource_is_written_as_people_do() -> None:
    assert str(Resource("", "v1", "pods")) == "v1/pods"
    assert str(Resource("apps", "v1", "deployments")) == "apps/v1/deployments"
