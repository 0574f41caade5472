"""The roles that are printed: least, explained, and valid YAML."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.fuzzer.cluster.permissions import DEFAULT_MODES, Extent, Mode, permissions_of
from webhook_fuzz.fuzzer.cluster.roles import RoleOptions, render_roles


def rendered(modes: Sequence[Mode], **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - options
    return list(yaml.safe_load_all(render_roles(RoleOptions(modes=modes, **options))))


def rules_of(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [rule for each in documents if each["kind"] == kind for rule in each["rules"]]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("namespace", [None, "shop"])
def test_the_rules_are_the_permissions_of_the_mode(mode: Mode, namespace: str | None) -> None:
    documents = rendered([mode], namespace=namespace)

    granted = {
        (group, resource, verb)
        for kind in ("ClusterRole", "Role")
        for rule in rules_of(documents, kind)
        for group in rule.get("apiGroups", [""])
        for resource in [*rule.get("resources", []), *rule.get("nonResourceURLs", [])]
        for verb in rule["verbs"]
    }
    assert granted == {
        (permission.group, resource, verb)
        for permission in permissions_of(mode, namespace=namespace)
        for resource in (*permission.resources, *permission.paths)
        for verb in permission.verbs
    }


@pytest.mark.parametrize("mode", list(Mode))
def test_every_rule_says_what_it_is_for(mode: Mode) -> None:
    lines = render_roles(RoleOptions(modes=[mode])).splitlines()

    for before, line in itertools.pairwise(lines):
        if line.startswith(("  - apiGroups", "  - nonResourceURLs")):
            assert before.startswith("  # ")
    assert max(map(len, lines)) <= 100


def test_no_role_allows_everything() -> None:
    assert "*" not in render_roles(RoleOptions(modes=list(Mode)))


def test_each_role_has_a_binding_with_a_placeholder() -> None:
    documents = rendered(list(DEFAULT_MODES), namespace="shop", name="fuzz.team")

    assert [each["kind"] for each in documents] == [
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ]
    for role, binding in (documents[:2], documents[2:]):
        assert role["metadata"] == binding["metadata"]
        assert binding["roleRef"]["name"] == role["metadata"]["name"] == "fuzz.team"
        assert binding["roleRef"]["kind"] == role["kind"]
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "fuzz.team", "namespace": "shop"}
        ]
    assert documents[2]["metadata"]["namespace"] == "shop"


def test_a_given_namespace_takes_less() -> None:
    here, everywhere = rendered([Mode.RUN], namespace="shop"), rendered([Mode.RUN])

    assert ["create"] in [rule["verbs"] for rule in rules_of(here, "Role")]
    assert "create" not in str(rules_of(here, "ClusterRole"))
    assert {"create", "delete"} <= set(str(rules_of(everywhere, "ClusterRole")).split("'"))


def test_the_service_proxy_can_be_limited_to_single_services() -> None:
    services = (
        ServiceReference(namespace="vault", name="injector", port=443),
        ServiceReference(namespace="vault", name="other", port=8443),
        ServiceReference(namespace="mesh", name="istiod", port=443),
    )

    documents = rendered([Mode.RUN, Mode.SERVICE_PROXY], namespace="vault", services=services)

    proxies = [each for each in documents if each["metadata"]["name"] == "webhook-fuzz-proxy"]
    assert [(each["kind"], each["metadata"]["namespace"]) for each in proxies] == [
        ("Role", "mesh"),
        ("RoleBinding", "mesh"),
        ("Role", "vault"),
        ("RoleBinding", "vault"),
    ]
    assert proxies[2]["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["services/proxy"],
            "resourceNames": ["https:injector:443", "https:other:8443"],
            "verbs": ["create"],
        }
    ]
    assert "services/proxy" not in str(rules_of(documents, "ClusterRole"))


def test_resources_that_several_modes_need_share_a_rule() -> None:
    documents = rendered([Mode.DOCTOR, Mode.SEEDS, Mode.LINT])

    rules = rules_of(documents, "ClusterRole")
    targets = [(rule.get("apiGroups"), rule.get("resources")) for rule in rules]
    assert len({str(target) for target in targets}) == len(targets)
    jobs = next(rule for rule in rules if "jobs" in rule.get("resources", []))
    assert jobs["verbs"] == ["get", "list"]


def test_reading_modes_ask_for_no_writing_but_dry_runs() -> None:
    for mode in (Mode.WEBHOOKS, Mode.LINT, Mode.SEEDS, Mode.URL):
        for permission in permissions_of(mode):
            assert set(permission.verbs) <= {"get", "list"}
            assert permission.extent is Extent.CLUSTER
