"""Do the real webhooks do what webhooks.py says of them?

Built once and cached: the first run takes minutes. The fields below are a few of every Kubernetes
minor since 1.28, at every depth, with a value of its own in every container.
"""

import base64
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import jsonpatch
import pytest

from testbed.builds import ALL_MODULES, API_032, EKS, GoModule
from testbed.fixtures import Programs, past_capture, running_programs
from testbed.predictions import predict_pod, without_empty
from testbed.programs import RunningProgram, serving_async
from testbed.test_processes import ends
from testbed.webhooks import EKS_POD_IDENTITY, NAMESPACE, REAL_WEBHOOKS, RealWebhook
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor, parse_minor

pytestmark = pytest.mark.real

NEW_IN_POD = {
    "spec.securityContext.appArmorProfile": Minor(1, 30),
    "spec.volumes[].image": Minor(1, 31),
    "spec.resources": Minor(1, 32),
    "spec.hostnameOverride": Minor(1, 34),
    "spec.volumes[].emptyDir.mode": Minor(1, 37),
}
NEW_IN_CONTAINERS = {
    "restartPolicy": Minor(1, 28),
    "lifecycle.preStop.sleep": Minor(1, 29),
    "volumeMounts[].recursiveReadOnly": Minor(1, 30),
    "lifecycle.stopSignal": Minor(1, 33),
    "env[].valueFrom.fileKeyRef": Minor(1, 34),
    "restartPolicyRules": Minor(1, 34),
    "livenessProbe.grpc.mode": Minor(1, 37),
    "volumeMounts[].bindMountOptions": Minor(1, 37),
}
SINCE = NEW_IN_POD | {
    f"spec.{kind}[].{path}": since
    for kind in ("containers", "initContainers")
    for path, since in NEW_IN_CONTAINERS.items()
}


def unknown_to(api: Minor) -> set[str]:
    return {path for path, since in SINCE.items() if since > api}


def container(name: str) -> JsonObject:
    """Every value tells which container it belongs to: the webhooks' types check none of them."""
    return {
        "name": name,
        "image": f"registry.example.com/{name}:1",
        "restartPolicy": f"policy-{name}",
        "restartPolicyRules": [{"action": f"rule-{name}", "exitCodes": {"operator": "In"}}],
        "lifecycle": {
            "preStop": {"sleep": {"seconds": len(name)}},
            "stopSignal": f"signal-{name}",
        },
        "env": [
            {
                "name": f"FILE_{name}",
                "valueFrom": {
                    "fileKeyRef": {
                        "volumeName": "scratch",
                        "path": f"path-{name}",
                        "key": "k",
                    }
                },
            },
            {"name": "PLAIN", "value": name},
        ],
        "volumeMounts": [
            {
                "name": "scratch",
                "mountPath": f"/{name}",
                "readOnly": True,
                "recursiveReadOnly": f"recursive-{name}",
                "bindMountOptions": [f"option-{name}"],
            }
        ],
        "livenessProbe": {"grpc": {"port": 80, "service": "", "mode": f"mode-{name}"}},
    }


def rich_pod() -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "rich", "namespace": NAMESPACE, "labels": {"app": "rich"}},
        "spec": {
            "hostnameOverride": "rich",
            "resources": {"limits": {"cpu": "1"}},
            "securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}},
            "volumes": [
                {"name": "scratch", "emptyDir": {"mode": 448}},
                {"name": "model", "image": {"reference": "registry.example.com/model:1"}},
            ],
            "initContainers": [container(name) for name in ("setup", "sidecar", "migrate")],
            "containers": [container("app"), {"name": "plain", "image": "p"}, container("third")],
        },
    }


def merged(pod: JsonObject, more: JsonObject) -> JsonObject:
    result = dict(pod)
    for name, value in more.items():
        present = result.get(name)
        both = isinstance(present, dict) and isinstance(value, dict)
        result[name] = (
            merged(cast("JsonObject", present), cast("JsonObject", value)) if both else value
        )
    return result


def review(pod: JsonObject) -> JsonObject:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "b7b2c4b6-0f6c-4f7e-8a9b-1f2e3d4c5b6a",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": NAMESPACE,
            "operation": "CREATE",
            "userInfo": {"username": "tester"},
            "object": pod,
            "oldObject": None,
            "dryRun": True,
            "options": None,
        },
    }


def answer(program: RunningProgram, path: str, pod: JsonObject) -> JsonObject:
    address = urlsplit(program.base_url)
    connection = http.client.HTTPSConnection(
        address.hostname or "",
        address.port,
        timeout=10,
        context=ssl.create_default_context(cafile=str(program.authority)),
    )
    try:
        body = json.dumps(review(pod))
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return cast("JsonObject", json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def operations(answered: JsonObject) -> list[JsonObject]:
    response = cast("JsonObject", answered["response"])
    assert response["allowed"] is True, response
    patch = response.get("patch")
    return json.loads(base64.b64decode(patch)) if isinstance(patch, str) else []


def call(program: RunningProgram, webhook: RealWebhook, pod: JsonObject) -> JsonObject:
    """The pod after the webhook's patch."""
    patch = operations(answer(program, webhook.path, pod))
    return cast("JsonObject", jsonpatch.apply_patch(pod, patch))


@pytest.fixture(scope="module")
def programs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Programs]:
    yield from running_programs(request.config, tmp_path_factory)


def name_of(row: RealWebhook | GoModule) -> str:
    return row.name


OURS = [webhook for webhook in REAL_WEBHOOKS if webhook.module != EKS]
every_webhook = pytest.mark.parametrize("webhook", REAL_WEBHOOKS, ids=name_of)


@pytest.mark.parametrize("module", [module for module in ALL_MODULES if module != EKS], ids=name_of)
def test_each_program_is_linked_with_the_api_version_it_stands_for(
    module: GoModule, programs: Programs
) -> None:
    linked = programs(module).modules["k8s.io/api"]
    apis = {webhook.api for webhook in REAL_WEBHOOKS if webhook.module == module}
    assert apis == {parse_minor(linked.replace("v0.", "v1."))}


def test_the_published_webhook_requires_the_api_version_it_stands_for() -> None:
    required = re.search(r"k8s\.io/api v0\.(\d+)\.", (EKS.folder / "go.mod").read_text())
    assert required is not None
    assert EKS_POD_IDENTITY.api == Minor(1, int(required[1]))


@pytest.mark.parametrize("webhook", OURS, ids=name_of)
def test_a_webhook_does_to_unknown_fields_what_is_said_of_it(
    webhook: RealWebhook, programs: Programs
) -> None:
    pod = merged(rich_pod(), webhook.trigger)
    result = call(programs(webhook.module), webhook, pod)
    expected = predict_pod(webhook, pod, unknown_to(webhook.api))
    assert without_empty(result) == without_empty(expected)


def test_whole_lists_lose_what_is_in_containers_and_keep_the_rest(programs: Programs) -> None:
    pod = merged(rich_pod(), EKS_POD_IDENTITY.trigger)
    result = json.dumps(call(programs(EKS), EKS_POD_IDENTITY, pod))
    assert [part for part in ("mode-app", "option-sidecar") if part in result] == []
    assert '"emptyDir": {"mode": 448}' in result
    assert "rule-app" in result


@pytest.mark.parametrize(
    "webhook", [webhook for webhook in REAL_WEBHOOKS if webhook.trigger], ids=name_of
)
def test_a_webhook_that_needs_a_trigger_leaves_other_pods_alone(
    webhook: RealWebhook, programs: Programs
) -> None:
    assert operations(answer(programs(webhook.module), webhook.path, rich_pod())) == []


@every_webhook
def test_called_with_its_own_output_a_webhook_changes_nothing(
    webhook: RealWebhook, programs: Programs
) -> None:
    program = programs(webhook.module)
    once = call(program, webhook, merged(rich_pod(), webhook.trigger))
    assert without_empty(call(program, webhook, once)) == without_empty(once)


async def test_a_program_ends_when_its_standard_input_does(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with serving_async(
        API_032, folder=tmp_path, progress=past_capture(request.config)
    ) as program:
        pid = program.pid
    assert ends(pid)


def test_a_program_does_not_outlive_a_killed_test_run(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from testbed.builds import API_032; from testbed.programs import serving\n"
        "with serving(API_032, folder=Path(sys.argv[1]), progress=lambda _: None) as program:\n"
        "    print(program.pid, flush=True); time.sleep(60)\n"
    )
    folders = [str(Path(__file__).parents[1]), *sys.path]
    with subprocess.Popen(  # noqa: S603 - this Python
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(folders)},
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        run.kill()
    assert ends(pid)
