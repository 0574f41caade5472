"""`webhook-fuzz doctor`, as its users run it."""

import json
from pathlib import Path

import pytest
import yaml

from command_lines import Ran, run_cli
from examined_clusters import WEBHOOK, ExaminedCluster, gone, node, off, on, strip
from served_clusters import CONTEXT, served
from stuck_pods import stuck_pod
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cli.exits import Exit

MIXED = ExaminedCluster(
    metrics=gone(),
    nodes=[
        *(node(f"new-{number}", "v1.33.1") for number in range(30)),
        node("old-0", "v1.27.1"),
        node("off-0", "v1.28.9"),
    ],
    kubelets={**{f"new-{number}": on("") for number in range(30)}, "old-0": "", "off-0": off()},
)
FINE = ExaminedCluster(metrics=gone(), nodes=[node("a", "v1.36.3")], kubelets={"a": gone()})


async def doctor(cluster: ExaminedCluster, folder: Path, *options: str) -> Ran:
    async with served(cluster, folder) as kubeconfig:
        return await run_cli(
            "doctor", "--kubeconfig", kubeconfig, "--context", CONTEXT, *options, cwd=folder
        )


async def test_a_cluster_that_can_exits_0(tmp_path: Path) -> None:
    ran = await doctor(FINE, tmp_path)

    assert ran.code == Exit.CLEAN
    assert "on (locked)" in ran.out
    assert "No findings; 0 pods looked at." in ran.out
    assert "Way to adopt it: switch" in ran.out


async def test_many_nodes_are_few_lines(tmp_path: Path) -> None:
    ran = await doctor(MIXED, tmp_path)

    assert ran.code == Exit.FINDINGS
    assert "30 nodes" in ran.out
    assert "new-7" not in ran.out
    assert "node old-0" in ran.out
    for code in ("WF702", "WF703", "WF706"):
        assert code in ran.out
    table = ran.out.split("\n\n")[1]
    assert all(len(line) <= 100 for line in table.splitlines())
    assert "sidecar-old-way" in ran.out


async def test_fail_on_never_leaves_findings_to_the_reader(tmp_path: Path) -> None:
    assert (await doctor(MIXED, tmp_path, "--fail-on", "never")).code == Exit.CLEAN


async def test_what_was_not_seen_exits_3_and_is_told(tmp_path: Path) -> None:
    cluster = ExaminedCluster(
        metrics=gone(), refusals={"/api/v1/nodes": (403, "nodes is forbidden")}
    )
    ran = await doctor(cluster, tmp_path)

    assert ran.code == Exit.INCOMPLETE
    assert "not seen: nodes (GET /api/v1/nodes: nodes is forbidden (403))" in ran.out


async def test_the_document_for_machines_says_the_same(tmp_path: Path) -> None:
    ran = await doctor(MIXED, tmp_path, "--format", "json")

    found = json.loads(ran.out)
    assert found["schema"] == "webhook-fuzz/doctor/v1"
    assert found["complete"] is True
    assert [group["count"] for group in found["nodes"]] == [1, 1, 30]
    assert found["api_servers"]["asked"][0]["state"] == "on"
    assert found["probe"]["result"] == "present"
    assert found["strategy"]["fit"] == "universal-pair"
    assert [each["code"] for each in found["findings"]] == ["WF702", "WF703", "WF706"]
    assert found["room"]["capable_nodes"] == 30
    assert all(each["remedy"] for each in found["findings"])


async def test_a_field_that_gets_lost_is_shown_with_its_path(tmp_path: Path) -> None:
    cluster = ExaminedCluster(version="v1.29.6", metrics=on(), admit=strip)
    ran = await doctor(cluster, tmp_path, "--namespace", "default")

    assert "Probe    in default: " in ran.out


async def test_one_pod_is_explained(tmp_path: Path) -> None:
    pod = stuck_pod(stored=True, noted=True, owner=None, node="old")
    cluster = ExaminedCluster(
        metrics=gone(),
        nodes=[node("old", "v1.27.1")],
        kubelets={"old": ""},
        objects={"/api/v1/namespaces/shop/pods/web-1": pod},
    )
    ran = await doctor(cluster, tmp_path, "--pod", "shop/web-1")
    document = await doctor(cluster, tmp_path, "--pod", "shop/web-1", "--format", "json")

    assert ran.code == Exit.FINDINGS
    assert "pod shop/web-1" in ran.out
    assert "The node did it." in ran.out
    assert json.loads(document.out)["pod"]["stuck"]["culprit"] == "node"


@pytest.mark.parametrize("text", ["web-1", "/web-1", "shop/", "a/b/c"])
async def test_a_pod_is_a_namespace_and_a_name(tmp_path: Path, text: str) -> None:
    ran = await run_cli("doctor", "--pod", text, cwd=tmp_path)

    assert ran.code == Exit.USAGE
    assert "NAMESPACE/NAME" in ran.err


async def test_a_feature_nobody_knows_is_an_input_error(tmp_path: Path) -> None:
    ran = await run_cli("doctor", "--feature", "SidecarContainer", cwd=tmp_path)

    assert ran.code == Exit.USAGE
    assert "Did you mean SidecarContainers?" in ran.err
    assert "--list-features" in (await run_cli("doctor", "--feature", "zzz", cwd=tmp_path)).err


@pytest.mark.parametrize("option", ["--feature", "--list-features"])
async def test_features_are_listed_without_a_cluster(tmp_path: Path, option: str) -> None:
    text = await run_cli("doctor", option, cwd=tmp_path)
    document = await run_cli("doctor", "--list-features", "--format", "json", cwd=tmp_path)

    assert text.code == Exit.CLEAN
    assert "SidecarContainers" in text.out
    assert "acted on by kube-scheduler, not by kubelets" in text.out
    assert [each["name"] for each in json.loads(document.out)] == list(load_gates())


async def test_the_universal_pair_needs_no_cluster(tmp_path: Path) -> None:
    ran = await run_cli("doctor", "--universal-pair", cwd=tmp_path)

    assert ran.code == Exit.CLEAN
    assert yaml.safe_load(ran.out)["spec"]["volumes"]


MANIFEST = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"inject": "yes"}},
    "spec": {
        "initContainers": [
            {
                "name": "logs",
                "image": "logs:1",
                "restartPolicy": "Always",
                "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            }
        ],
        "containers": [{"name": "app", "image": "app:1"}],
    },
}

REFUSAL = (
    "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without "
    "restartPolicy=Always"
)


async def test_a_pod_of_the_users_own_is_tried_in_its_namespace(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(MANIFEST))
    sent: list[JsonObject] = []

    def refuse(pod: JsonObject) -> tuple[int, str]:
        sent.append(pod)
        return 422, REFUSAL

    cluster = ExaminedCluster(metrics=gone(), webhooks=[WEBHOOK], admit=refuse)
    ran = await doctor(cluster, tmp_path, "-f", "web.yaml")

    assert ran.code == Exit.FINDINGS
    assert "WF101" in ran.out
    assert "strippers/strip.example.com" in ran.out
    assert "mutating admission in namespace shop" in ran.out
    assert sent[0]["metadata"]["labels"] == {"inject": "yes"}  # type: ignore[index,call-overload]  # JSON
    assert "name" not in sent[0]["metadata"]  # type: ignore[operator]  # JSON


async def test_a_manifest_without_the_field_or_with_two_pods_is_an_input_error(
    tmp_path: Path,
) -> None:
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(MANIFEST))
    (tmp_path / "two.yaml").write_text(yaml.safe_dump_all([MANIFEST, MANIFEST]))

    for options in (
        ("-f", "web.yaml", "--feature", "ImageVolume"),
        ("-f", "two.yaml"),
        ("-f", "web.yaml", "--pod", "a/b"),
    ):
        assert (await run_cli("doctor", *options, cwd=tmp_path)).code == Exit.USAGE
