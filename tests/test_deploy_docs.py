"""Do the commands of the proxy's pages exist, and do the kubectl lines do what the page says?"""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import click
import jsonpatch
import pytest
import yaml

from webhook_fuzz.corpora.cluster_api.leases import Lease
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cli.commands import cli
from webhook_fuzz.proxy.deployment.installations import load_manifests, pod_template
from webhook_fuzz.proxy.interception.marks import Mark, render_mark
from webhook_fuzz.proxy.routes_files import load_routes

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/proxy.md"
PAGES = ("README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))
CONFIGURATION = "mesh-injector"
WEBHOOK = "inject.mesh.example.com"


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every `webhook-fuzz …` of the pages, in blocks and in running text, and what deploys it."""
    for name in PAGES:
        text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
        fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        lines = re.findall(r"^webhook-fuzz (.*)$", fenced, re.MULTILINE)
        lines += re.findall(r"^    webhook-fuzz (.*)$", text, re.MULTILINE)
        lines += re.findall(r"`webhook-fuzz ([^`]*)`", text)
        for piped in lines:
            for line in piped.split(" | "):
                if line == piped.split(" | ")[0] or line.startswith("webhook-fuzz "):
                    # What the line is for stands behind it, after several spaces.
                    words = re.split(r" {3,}(?=[\w#])", line.removeprefix("webhook-fuzz "))[0]
                    yield f"{name}: {line}", shlex.split(words)
    for each in load_manifests():
        for container in cast("Any", pod_template(each) or {"spec": {}})["spec"].get(
            "containers", []
        ):
            yield f"{each['kind']}", container["args"]
    for document in yaml.safe_load_all(blocks(PAGE, "yaml")[-1]):
        for container in document["spec"].get("template", {}).get("spec", {}).get("containers", []):
            if container["name"] == "proxy":
                yield "sidecar", container["args"]


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words call, and what is left of them for it."""
    command: click.Command = cli
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no {words[0]}"
        command, words = found, words[1:]
        context = click.Context(command, parent=context)
    return command, words


@pytest.mark.parametrize("words", [pytest.param(words, id=name[:70]) for name, words in commands()])
def test_every_command_of_the_pages_exists_with_its_options(words: list[str]) -> None:
    command, rest = resolve(words)
    known = {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if isinstance(parameter, click.Option)
    }
    options = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert options <= known, f"{command.name} has no {options - known}"


def test_what_the_pods_run_is_understood_to_the_last_argument() -> None:
    for name, words in commands():
        if name in {"Deployment", "CronJob", "sidecar"}:
            command, rest = resolve(words)
            assert command.make_parser(click.Context(command)).parse_args([*rest])[1] == []


def test_the_routes_of_the_page_are_routes(tmp_path: Path) -> None:
    (text,) = (block for block in blocks(PAGE, "yaml") if "routes.yaml" in block)
    routes = yaml.safe_load(text)["data"]["routes.yaml"]
    file = tmp_path / "routes.yaml"
    file.write_text(routes)
    (route,) = load_routes(file).routes
    assert route.upstream.server_name == "mesh-injector.mesh.svc"
    assert route.prefix == "/mesh"


def patches() -> list[str]:
    """The JSON patches of the page's kubectl lines, quotes of the shell taken away."""
    found: list[str] = []
    for block in blocks(PAGE, "sh"):
        found += re.findall(r"--type=json -p '(.*?\n\])'", block, re.DOTALL)
    return [quoted.replace("'\"$CA\"'", "Q0E=") for quoted in found]


ORIGINAL: JsonObject = {
    "service": {"namespace": "mesh", "name": "mesh-injector", "port": 443, "path": "/mutate"},
    "caBundle": "BASE64",
}


def configuration() -> JsonObject:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION, "annotations": {"team": "mesh"}},
        "webhooks": [{"name": WEBHOOK, "clientConfig": ORIGINAL}, {"name": "second"}],
    }


def apply(document: JsonObject, patch: str) -> JsonObject:
    return cast("JsonObject", jsonpatch.apply_patch(document, json.loads(patch)))


def test_by_hand_the_second_patch_undoes_the_first() -> None:
    there, back, _ = patches()
    pointed = apply(configuration(), there)
    assert pointed != configuration()
    assert "webhook-fuzz-proxy" in json.dumps(pointed)
    assert apply(pointed, back) == configuration()


def test_what_an_interception_left_is_undone_by_the_patch_of_the_page() -> None:
    ours: JsonObject = {"url": "https://192.0.2.1:8443/webhook-fuzz/x", "caBundle": "Q0E="}
    mark = Mark(
        configuration=CONFIGURATION,
        webhook=WEBHOOK,
        session="s",
        lease=Lease(owner="", expires=datetime.now(UTC) + timedelta(hours=1)),
        original=ORIGINAL,
        ours=ours,
    )
    intercepted = cast("dict[str, Any]", configuration())
    intercepted["metadata"]["annotations"][mark.key] = render_mark(mark)
    intercepted["webhooks"][0]["clientConfig"] = ours
    said = json.loads(intercepted["metadata"]["annotations"][mark.key])
    *_, patch = patches()
    filled = (
        patch.replace("OURS", json.dumps(said["ours"]))
        .replace("ORIGINAL", json.dumps(said["original"]))
        .replace("0123456789abcdef", mark.key.rpartition("-")[2])
    )
    assert apply(intercepted, filled) == configuration()
    moved = {**intercepted, "webhooks": intercepted["webhooks"][::-1]}
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        apply(moved, filled)


def test_what_is_to_be_deleted_by_hand_is_all_that_is_installed_outside_of_the_namespace() -> None:
    outside = {
        str(each["kind"]).lower()
        for each in load_manifests(volume=True)
        if "namespace" not in cast("JsonObject", each["metadata"])
    }
    (block,) = (block for block in blocks(PAGE, "sh") if "kubectl delete namespace" in block)
    deleted = {word for line in block.splitlines() for word in line.split()[2].split(",")}
    assert deleted == outside
