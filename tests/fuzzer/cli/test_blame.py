import json
from pathlib import Path

import pytest

from command_lines import run_cli
from webhook_fuzz.corpora.bundles import Bundle, KeptAnswer, save_bundle
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod

SPEC: JsonObject = {"containers": [{"name": "app", "image": "app:1"}]}
POD: JsonObject = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": SPEC,
}
STORED = default_pod(
    {
        **POD,
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "mesh": "on"}},
    }
)
TURN = "round_0_index_4"
WHO = {"configuration": "mesh", "webhook": "inject.example.com"}
PATCH = [{"op": "add", "path": "/metadata/labels/mesh", "value": "on"}]
EVENT: JsonObject = {
    "kind": "Event",
    "level": "RequestResponse",
    "stage": "ResponseComplete",
    "verb": "create",
    "user": {"username": "alice"},
    "objectRef": {"resource": "pods", "namespace": "shop", "name": "web"},
    "responseStatus": {"code": 201},
    "requestReceivedTimestamp": "2026-01-01T10:00:00Z",
    "requestObject": default_pod(POD),
    "responseObject": STORED,
    "annotations": {
        f"mutation.webhook.admission.k8s.io/{TURN}": json.dumps({**WHO, "mutated": True}),
        f"patch.webhook.admission.k8s.io/{TURN}": json.dumps(
            {**WHO, "patch": PATCH, "patchType": "JSONPatch"}
        ),
    },
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "audit.log"
    file.write_text(json.dumps(EVENT) + "\n")
    return file


async def test_an_audit_log_is_shown_without_a_cluster(tmp_path: Path, log: Path) -> None:
    ran = await run_cli("blame", "shop/web", "--audit", log, cwd=tmp_path)
    assert ran.code == 0, ran.err
    heading = f"Pod shop/web: as alice created it at 2026-01-01T10:00:00Z, by the audit log {log}"
    assert heading in " ".join(ran.out.split())
    assert "#5 mesh  mesh/inject.example.com" in ran.out
    assert '#5 mesh │      mesh: "on"' in ran.out


async def test_the_document_of_one_field_is_small(tmp_path: Path, log: Path) -> None:
    ran = await run_cli(
        *("blame", "shop/web", "--audit", log, "--api-server", "1.33"),
        *("--path", "metadata.labels", "--format", "json"),
        cwd=tmp_path,
    )
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    by_path = {field["path"]: field["set_by"]["name"] for field in found["fields"]}
    assert by_path == {
        "metadata.labels{app}": "",
        "metadata.labels{mesh}": "mesh/inject.example.com",
    }


async def test_an_event_of_level_metadata_is_too_little(tmp_path: Path) -> None:
    without = {name: each for name, each in EVENT.items() if not name.endswith("Object")}
    file = tmp_path / "audit.log"
    file.write_text(json.dumps({**without, "level": "Metadata"}) + "\n")
    ran = await run_cli("blame", "shop/web", "--audit", file, cwd=tmp_path)
    assert ran.code == 3
    assert "mesh/inject.example.com (patched)" in ran.err
    assert "RequestResponse" in ran.err


async def test_a_bundle_is_read_instead_of_a_cluster(tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    path = "/api/v1/namespaces/shop/pods/web"
    answers = (KeptAnswer(method="GET", path=path, query={}, status=200, body=STORED),)
    save_bundle(Bundle(context="c", server="s", made_at="", tool="1", answers=answers), file)
    ran = await run_cli("blame", "shop/web", "--bundle", file, cwd=tmp_path)
    assert ran.code == 3, ran.err
    assert f"as it is stored in the bundle {file}" in " ".join(ran.out.split())
    assert "not in the bundle" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give either NAMESPACE/POD or a manifest"),
        (("a/b", "-f", "x.yaml"), "Give either NAMESPACE/POD or a manifest"),
        (("-f", "x.yaml", "--audit", "audit.log"), "give NAMESPACE/POD"),
        (("web", "--audit", "audit.log"), "web has no namespace"),
        (("a/b/c", "--audit", "audit.log"), "a/b/c is no pod"),
        (("shop/web", "--audit", "audit.log", "--path", "spec.no"), "has no spec.no"),
        (("-f", "none.yaml", "--bundle", "audit.log"), "there is no pod in it"),
        (("-f", "two.yaml", "--bundle", "audit.log"), "there are 2 pods in it"),
        (("-f", "one.yaml", "--bundle", "audit.log"), "is not a bundle of version"),
    ],
)
async def test_what_cannot_be_asked_is_said(
    tmp_path: Path, log: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "none.yaml").write_text("kind: Service\n")
    (tmp_path / "one.yaml").write_text(json.dumps(POD))
    (tmp_path / "two.yaml").write_text(f"---\n{json.dumps(POD)}\n" * 2)
    ran = await run_cli("blame", *arguments, cwd=log.parent)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""


async def test_help_reads_well(tmp_path: Path) -> None:
    ran = await run_cli("blame", "--help", cwd=tmp_path)
    assert ran.code == 0
    assert "git blame for admission" in " ".join(ran.out.split())
    assert "webhook-fuzz blame -f pod.yaml" in ran.out
