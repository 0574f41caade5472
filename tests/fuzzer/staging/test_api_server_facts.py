import pytest

from fake_clusters import FakeCluster
from webhook_fuzz.corpora.cluster_api.failures import Trouble, Unseen
from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.staging.api_server_facts import read_gates, read_policies, read_version

METRICS = """\
# HELP kubernetes_feature_enabled [BETA] …
kubernetes_feature_enabled{name="ImageVolume",stage="BETA"} 1
kubernetes_feature_enabled{name="HPAScaleToZero",stage="ALPHA"} 0
kubernetes_build_info{name="x"} 1
"""
POLICIES = "/apis/admissionregistration.k8s.io/{}/mutatingadmissionpolicies"


async def test_the_version_is_the_servers_own_word_and_its_minor() -> None:
    api = FakeCluster(objects={"/version": {"gitVersion": "v1.33.4-gke.12"}})
    assert await read_version(api) == ("v1.33.4-gke.12", Minor(1, 33))


async def test_what_is_no_version_ends_the_run_with_a_sentence() -> None:
    api = FakeCluster(objects={"/version": {"gitVersion": "teapot"}})
    with pytest.raises(IncompleteRunError, match="teapot"):
        await read_version(api)


async def test_gates_are_read_off_the_metrics() -> None:
    api = FakeCluster(texts={"/metrics": METRICS})
    assert await read_gates(api) == {"ImageVolume": True, "HPAScaleToZero": False}


async def test_gates_that_may_not_be_read_are_unseen() -> None:
    seen = await read_gates(FakeCluster(refusals={"/metrics": (403, "no")}))
    assert isinstance(seen, Unseen)
    assert seen.trouble is Trouble.FORBIDDEN


async def test_policies_are_those_of_the_newest_version_there_is() -> None:
    policy: JsonObject = {"kind": "MutatingAdmissionPolicy", "metadata": {"name": "add-labels"}}
    api = FakeCluster(collections={POLICIES.format("v1beta1"): [policy]})
    assert await read_policies(api) == ("MutatingAdmissionPolicy add-labels",)


async def test_an_api_server_without_policies_has_none() -> None:
    assert await read_policies(FakeCluster()) == ()


async def test_policies_that_may_not_be_listed_are_unseen() -> None:
    refusals = {POLICIES.format("v1"): (403, "no")}
    assert isinstance(await read_policies(FakeCluster(refusals=refusals)), Unseen)
