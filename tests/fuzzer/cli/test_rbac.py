"""`webhook-fuzz rbac`: roles without a cluster, and what is missing on one."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from command_lines import run_cli
from scripted_api_servers import answering, scripted_api_server


async def test_the_roles_come_without_a_cluster_as_yaml(tmp_path: Path) -> None:
    ran = await run_cli("rbac", "--mode", "doctor", "--namespace", "shop", cwd=tmp_path)

    documents = list(yaml.safe_load_all(ran.out))
    assert (ran.code, ran.err) == (0, "")
    assert [each["kind"] for each in documents][::2] == ["ClusterRole", "Role"]
    assert ran.out.startswith("# What webhook-fuzz needs for: doctor.\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--namespace", "No_Namespace"], "lower case letters"),
        (["--name", "a b"], "DNS subdomain"),
        (["--service", "nothing"], "is not NAMESPACE/NAME"),
        (["--service", "a/b:https"], "'https' is no port"),
        (["--service", "a/b:70000"], "is no port"),
        (["--mode", "everything"], "is not one of"),
        (["--format", "json"], "go with --check"),
        (["--context", "staging"], "go with --check"),
    ],
)
async def test_a_wrong_option_is_said(tmp_path: Path, options: list[str], said: str) -> None:
    ran = await run_cli("rbac", *options, cwd=tmp_path)

    assert ran.code == 2
    assert said in " ".join(ran.err.split())


async def test_services_may_have_a_port(tmp_path: Path) -> None:
    options = ("--mode", "service-proxy", "--service", "a/b", "--service", "a/c:8443")
    ran = await run_cli("rbac", *options, cwd=tmp_path)

    assert '["https:b:443", "https:c:8443"]' in ran.out


async def _check(folder: Path, answer: Any, *options: str) -> Any:  # noqa: ANN401 - scripted
    async with scripted_api_server(answer, folder=folder) as server:
        file = server.write_kubeconfig(folder / "config")
        return await run_cli("rbac", "--check", "--kubeconfig", file, *options, cwd=folder)


async def _no_nodes(request: web.BaseRequest) -> web.StreamResponse:
    about = json.loads(await request.text())["spec"].get("resourceAttributes", {})
    allowed = (about.get("resource"), about.get("subresource")) != ("nodes", "")
    return web.json_response({"status": {"allowed": allowed}}, status=201)


async def test_what_is_missing_is_said_and_exits_1(tmp_path: Path) -> None:
    ran = await _check(tmp_path, _no_nodes)

    assert ran.code == 1
    assert ran.out.splitlines() == [
        "cannot get nodes: doctor will not see kubelet versions",
        "cannot list nodes: doctor will not see kubelet versions",
    ]


async def test_what_is_missing_comes_as_json(tmp_path: Path) -> None:
    ran = await _check(tmp_path, _no_nodes, "--format", "json")

    printed = json.loads(ran.out)
    assert {**printed, "missing": printed["missing"][1:]} == {
        "missing": [
            {
                "verb": "list",
                "group": "",
                "resource": "nodes",
                "path": "",
                "namespace": "",
                "name": "",
                "mode": "doctor",
                "sentence": "cannot list nodes: doctor will not see kubelet versions",
            }
        ],
        "notSeen": [],
        "complete": True,
    }


async def test_nothing_missing_is_said_and_exits_0(tmp_path: Path) -> None:
    ran = await _check(tmp_path, answering({"status": {"allowed": True}}), "--namespace", "shop")

    assert (ran.code, ran.out) == (0, "nothing is missing\n")


async def test_an_api_server_that_does_not_say_exits_3(tmp_path: Path) -> None:
    ran = await _check(tmp_path, answering({"message": "no"}, status=500), "--mode", "url")

    assert ran.code == 3
    assert ran.out.startswith("not seen: the permission to list mutatingwebhookconfigurations.")


async def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    ran = await run_cli("rbac", "--check", "--context", "nowhere", cwd=tmp_path)

    assert ran.code == 2
    assert "kubectl config get-contexts" in ran.err
