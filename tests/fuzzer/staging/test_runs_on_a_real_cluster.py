"""Does a run on a cluster with eight webhooks name exactly the culprits, and leave nothing?"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_lines import Ran, run_cli
from testbed.clusters import Cluster, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.expectations import expect, topmost
from testbed.fixtures import past_capture
from testbed.registrations import build_pod
from testbed.staging import BACKEND_GONE, MATCHES_NOTHING, OPTED_IN, SPARED, Staging, staging
from webhook_fuzz.corpora.bundles import load_bundle
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.fuzzer.plans import build_plan

pytestmark = pytest.mark.real

READER = User(name="reader", token="t-reader", groups=("readers",))
NOBODY = User(name="nobody", token="t-nobody")
LOSSY = {"20-identity", "30-logging", "40-mesh"}
FAULTLESS = {"10-labels", "50-secrets", "55-metrics"}
SIDECAR = "spec.initContainers[].restartPolicy"


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    options = ControlPlaneOptions(
        context="staging",
        users=(READER, NOBODY),
        controllers=("*",),
        disabled_admission_plugins=(),
    )
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(programs, options=options) as plane:
        yield plane


@pytest.fixture(scope="module")
def staged(
    plane: ControlPlane, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Staging]:
    folder = tmp_path_factory.mktemp("staging")
    with staging(plane, folder=folder, progress=past_capture(request.config)) as staged:
        yield staged


async def run(staged: Staging, folder: Path, *arguments: object) -> tuple[Ran, dict[str, Any]]:
    kubeconfig = staged.plane.kubeconfig
    ran = await run_cli(
        *("run", "--context", "staging", "--kubeconfig", kubeconfig, "--trigger", "none"),
        *("--output", folder / "out", *arguments),
        cwd=folder,
    )
    return ran, json.loads((folder / "out" / "run.json").read_text())


def everything(cluster: Cluster) -> dict[str, list[JsonObject]]:
    """All objects of all kinds, but for leases and events, which controllers renew all the time."""
    found: dict[str, list[JsonObject]] = {}
    groups = [group["preferredVersion"]["groupVersion"] for group in _items(cluster, "/apis")]
    for prefix in ("/api/v1", *(f"/apis/{version}" for version in groups)):
        for resource in _items(cluster, prefix, "resources"):
            name = str(resource["name"])
            if "list" in resource["verbs"] and name not in {"leases", "events"}:
                found[f"{prefix}/{name}"] = _items(cluster, f"{prefix}/{name}")
    return found


def _items(cluster: Cluster, path: str, member: str = "") -> list[dict[str, Any]]:
    document: dict[str, Any] = cluster.get(path)
    found: list[dict[str, Any]] = document[member or ("groups" if path == "/apis" else "items")]
    return found


def configuration_names(webhooks: list[dict[str, Any]], verdict: str) -> set[str]:
    return {each["configuration"] for each in webhooks if each["verdict"] == verdict}


async def test_the_culprits_are_named_each_with_exactly_what_it_breaks_and_nothing_is_left(
    staged: Staging, tmp_path: Path
) -> None:
    before = everything(staged.cluster)
    ran, result = await run(staged, tmp_path)
    # A controller takes the temporary namespace away a moment after it was deleted.
    wait_until(lambda: everything(staged.cluster) == before, what="the cluster is as it was")
    webhooks = result["webhooks"]
    assert ran.code == 1
    assert configuration_names(webhooks, "incompatible") == LOSSY
    assert configuration_names(webhooks, "compatible") == FAULTLESS
    assert configuration_names(webhooks, "unreachable") == {BACKEND_GONE}
    assert configuration_names(webhooks, "not-exercised") == {MATCHES_NOTHING}
    plan = build_plan(NEWEST)
    for each in webhooks:
        real = staged.webhooks.get(each["configuration"])
        if real is not None:
            expected = expect(real, plan.sweep.cases, plan.catalogue)
            assert set(each["lost_fields"]) == expected.lost
            assert set(each["moved_fields"]) == expected.moved


async def test_the_chain_is_in_server_order_with_the_way_to_each_webhook(
    staged: Staging, tmp_path: Path
) -> None:
    _, result = await run(staged, tmp_path, "--skip", "webhooks", "--skip", "lint")
    matched = {hop["configuration"]: hop["matched"] for hop in result["cluster"]["chain"]}
    assert matched[OPTED_IN] == "matches"  # the temporary namespace has the label it asks for
    assert matched[MATCHES_NOTHING] == "skipped"
    ways = {hop["configuration"]: hop["way"] for hop in result["cluster"]["chain"]}
    assert list(ways) == sorted(ways)
    assert ways["10-labels"] == ways["30-logging"] == "cluster-ip"
    assert ways["50-secrets"] == ways["55-metrics"] == "url"
    assert ways[BACKEND_GONE] == "dry-run"
    gone = next(h for h in result["cluster"]["chain"] if h["configuration"] == BACKEND_GONE)
    assert any("no ready endpoint" in each["reason"] for each in gone["refused"])


async def test_what_the_whole_chain_loses_is_pinned_to_the_hop_that_loses_it(
    staged: Staging, tmp_path: Path
) -> None:
    _, result = await run(staged, tmp_path, "--skip", "doctor", "--skip", "lint")
    lost: dict[str, set[str]] = {}
    since = {field.path: field.since for field in build_plan(NEWEST).catalogue.fields}
    for loss in result["cluster"]["dry_run"]["lost"]:
        lost.setdefault(loss["hop"].partition("/")[0], set()).add(loss["field"])
    # The first on the way takes what is newer than its API; the next one what is left.
    assert set(lost) == {"20-identity", "30-logging"}
    assert all(since[path] > Minor(1, 31) for path in lost["20-identity"])
    assert all(Minor(1, 27) < since[path] <= Minor(1, 31) for path in lost["30-logging"])
    assert SIDECAR in lost["30-logging"]
    findings = [each for each in result["cluster"]["findings"] if each["code"] == "WF506"]
    assert {each["subject"].partition("/")[0] for each in findings} == set(lost)
    assert lost["30-logging"] == topmost(lost["30-logging"])


async def test_the_refusal_that_names_no_webhook_is_explained(
    staged: Staging, tmp_path: Path
) -> None:
    pod = build_pod("incident")
    pod["spec"] = {
        "initContainers": [
            {
                "name": "proxy",
                "image": "registry.example.com/proxy:1",
                "restartPolicy": "Always",
                "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            }
        ],
        "containers": [{"name": "app", "image": "registry.example.com/app:1"}],
    }
    refused = staged.cluster.dry_run("/api/v1/namespaces/default/pods", pod)
    assert refused.status == 422
    assert "may not be set for init containers without restartPolicy=Always" in refused.message
    assert "logging" not in refused.message
    ran, result = await run(staged, tmp_path, "--webhook", "30-logging")
    (webhook,) = result["webhooks"]
    assert webhook["verdict"] == "incompatible"
    assert SIDECAR in webhook["lost_fields"]
    assert "30-logging.example.com" in ran.out
    sidecar = next(each for each in result["findings"] if each["code"] == "WF101")
    assert sidecar["remedy"]


async def test_a_reader_gets_a_partial_result_that_calls_nothing_compatible_it_did_not_try(
    staged: Staging, tmp_path: Path
) -> None:
    kubeconfig = staged.plane.write_kubeconfig(tmp_path / "reader", user=READER)
    rules = [
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["mutatingwebhookconfigurations"],
            "verbs": ["get", "list"],
        }
    ]
    _grant(staged.cluster, "reader", rules, READER)
    ran = await run_cli(
        *("run", "--context", "staging", "--kubeconfig", kubeconfig, "--trigger", "none"),
        *("--output", tmp_path / "out", "--fail-on", "never"),
        cwd=tmp_path,
    )
    result = json.loads((tmp_path / "out" / "run.json").read_text())
    assert ran.code == 3
    assert result["complete"] is False
    not_seen = " ".join(each["what"] for each in result["cluster"]["not_seen"])
    assert "nodes" in not_seen
    # Only what answers at a URL could be called: services may not be read.
    assert configuration_names(result["webhooks"], "compatible") == {"50-secrets", "55-metrics"}


async def test_without_any_permission_the_error_is_a_sentence_with_a_way_out(
    staged: Staging, tmp_path: Path
) -> None:
    kubeconfig = staged.plane.write_kubeconfig(tmp_path / "nobody", user=NOBODY)
    ran = await run_cli(
        *("run", "--context", "staging", "--kubeconfig", kubeconfig, "--output", tmp_path / "out"),
        cwd=tmp_path,
    )
    assert ran.code == 3
    assert "forbidden" in ran.err
    assert "webhook-fuzz rbac" in ran.err


async def test_pods_that_podsecurity_refuses_are_a_gap_and_nobodys_fault(
    staged: Staging, tmp_path: Path
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", SPARED: "yes"}
    staged.cluster.create_namespace("locked", **labels)
    ran, result = await run(
        staged, tmp_path, "--namespace", "locked", "--skip", "webhooks", "--fail-on", "never"
    )
    assert ran.code == 3
    dry_run = result["cluster"]["dry_run"]
    assert dry_run["accepted"] == 0
    assert any(each["by"].startswith("pod-security") for each in dry_run["refused"])
    assert dry_run["lost"] == []
    assert not configuration_names(result["webhooks"], "compatible")


async def test_a_webhook_or_namespace_there_is_not_is_said_at_once(
    staged: Staging, tmp_path: Path
) -> None:
    kubeconfig = staged.plane.kubeconfig
    for option, said in (("--webhook", "no webhook"), ("--namespace", "no namespace")):
        ran = await run_cli(
            *("run", "--context", "staging", "--kubeconfig", kubeconfig, option, "nope"),
            *("--output", tmp_path / "out", "--skip", "doctor", "--skip", "lint"),
            cwd=tmp_path,
        )
        assert ran.code == 2
        assert said in ran.err


def _grant(cluster: Cluster, name: str, rules: list[dict[str, Any]], user: User) -> None:
    base = "/apis/rbac.authorization.k8s.io/v1"
    cluster.create(f"{base}/clusterroles", {"metadata": {"name": name}, "rules": [*rules]})
    subject: JsonObject = {
        "kind": "User",
        "name": user.name,
        "apiGroup": "rbac.authorization.k8s.io",
    }
    cluster.create(
        f"{base}/clusterrolebindings",
        {
            "metadata": {"name": name},
            "subjects": [subject],
            "roleRef": {
                "kind": "ClusterRole",
                "name": name,
                "apiGroup": "rbac.authorization.k8s.io",
            },
        },
    )


async def test_live_pods_are_gone_afterwards_and_an_offline_bundle_answers_without_the_cluster(
    staged: Staging, tmp_path: Path
) -> None:
    staged.cluster.create_namespace("spared", **{SPARED: "yes"})
    bundle = tmp_path / "staging.json.gz"
    ran, result = await run(
        staged,
        tmp_path,
        *("--namespace", "spared", "--live", "--skip", "webhooks", "--skip", "doctor"),
        *("--offline-bundle", bundle, "--fail-on", "never"),
    )
    assert ran.code == 3  # the webhook that nobody serves
    dry_run = result["cluster"]["dry_run"]
    assert dry_run["accepted"] == dry_run["sent"]
    assert dry_run["lost"] == []
    assert _items(staged.cluster, "/api/v1/namespaces/spared/pods") == []
    kept = load_bundle(bundle)
    assert len(kept.dry_runs) == dry_run["sent"]
    assert staged.plane.token not in gzip.decompress(bundle.read_bytes()).decode()
    listed = await run_cli("webhooks", "--bundle", bundle, "--format", "json", cwd=tmp_path)
    assert len(json.loads(listed.out)["webhooks"]) == 8
    linted = await run_cli("lint", "--bundle", bundle, "--format", "json", cwd=tmp_path)
    codes = {each["code"] for each in json.loads(linted.out)["findings"]}
    assert codes == {each["code"] for each in result["cluster"]["findings"]}


async def test_the_doctor_names_the_webhook_that_takes_the_field(
    staged: Staging, tmp_path: Path
) -> None:
    ran = await run_cli(
        *("doctor", "--context", "staging", "--kubeconfig", staged.plane.kubeconfig),
        *("--namespace", "default"),
        cwd=tmp_path,
    )
    assert ran.code == 1
    assert "WF101" in ran.out
    assert "30-logging/30-logging.example.com" in ran.out
    assert "20-identity" not in ran.out
