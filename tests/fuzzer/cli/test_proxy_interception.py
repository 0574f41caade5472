"""Is refused on the command line what makes no sense, and is the proxy's own namespace safe?"""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from command_lines import run_cli
from intercepted import ALL, CA_PEM, MESH, SECRETS, prepared, staging
from patching_clusters import PatchingCluster, configuration, service_config, webhook
from served_clusters import CONTEXT, served
from storing_clusters import status
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook, list_webhooks
from webhook_fuzz.fuzzer.cli.proxy_interception import (
    InterceptionArguments,
    interception_options,
    refuse_own_namespace,
    render_dry_run,
)

PROXY = ServiceReference(namespace="fuzz", name="proxy")
WHOLE = ("--context", "x", "--webhook", ALL[0], "--service", "fuzz/proxy")


@click.command()
@interception_options
def checked(*, interception: InterceptionArguments) -> None:
    interception.check()
    click.echo(interception.build("https://api.example.com"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--context", "x"), "goes with --webhook or --all"),
        (("--dry-run",), "goes with --webhook or --all"),
        ((*WHOLE, "--all"), "--webhook or --all, not both"),
        (WHOLE[2:], "--context NAME or --in-cluster"),
        ((*WHOLE, "--in-cluster"), "the one, not the other"),
        (WHOLE[:4], "--service NS/NAME or --advertise URL"),
        ((*WHOLE, "--advertise", "https://10.0.0.1"), "--service NS/NAME or --advertise URL"),
        ((*WHOLE, "--ttl", "10s"), "from 1m to 90d"),
        ((*WHOLE, "--ttl", "91d"), "from 1m to 90d"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: tuple[str, ...], said: str) -> None:
    ran = CliRunner().invoke(checked, arguments)
    assert ran.exit_code == 2
    assert said in ran.output


def test_no_interception_needs_no_options() -> None:
    assert CliRunner().invoke(checked, ("--service", "fuzz/proxy")).exit_code == 2
    assert "InterceptionOptions" in CliRunner().invoke(checked, WHOLE).output


@pytest.mark.parametrize("dial", ["10.0.0.1:443", "mesh/inject", "mesh/inject=nowhere"])
def test_a_dial_names_a_webhook_and_an_address(dial: str) -> None:
    ran = CliRunner().invoke(checked, (*WHOLE, "--dial", dial))
    assert isinstance(ran.exception, InputError)


def hooks(**others: JsonValue) -> list[Webhook]:
    config = service_config("mesh", "injector")
    return list_webhooks([configuration("c", webhook("w.example.com", config, **others))])


def with_proxy(cluster: PatchingCluster, labels: JsonObject) -> PatchingCluster:
    named: JsonObject = {"kubernetes.io/metadata.name": "fuzz", **labels}
    cluster.put("/api/v1/namespaces", {"metadata": {"name": "fuzz", "labels": named}})
    spec: JsonObject = {"selector": {"app": "proxy"}, "clusterIP": "10.0.0.9"}
    cluster.put("/api/v1/namespaces/fuzz/services", {"metadata": {"name": "proxy"}, "spec": spec})
    return cluster


EXCLUDED: JsonObject = {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}
OTHERS: JsonObject = {"matchLabels": {"app": "other"}}


async def test_a_webhook_that_is_called_for_the_proxys_own_pods_is_refused() -> None:
    cluster = with_proxy(staging(), {})
    with pytest.raises(InputError, match="called for pods in fuzz, where the proxy itself is"):
        await refuse_own_namespace(cluster, hooks(), PROXY)
    with pytest.raises(InputError):
        await refuse_own_namespace(staging(), hooks(namespaceSelector=EXCLUDED), PROXY)


async def test_what_is_kept_away_from_the_proxys_pods_is_not_refused() -> None:
    cluster = with_proxy(staging(), {"skip": "yes"})
    assert not await refuse_own_namespace(cluster, hooks(namespaceSelector=EXCLUDED), PROXY)
    assert not await refuse_own_namespace(cluster, hooks(objectSelector=OTHERS), PROXY)
    ignoring = await refuse_own_namespace(cluster, hooks(failurePolicy="Ignore"), PROXY)
    assert "failurePolicy Ignore" in ignoring[0]


async def test_a_dry_run_prints_a_json_document_for_each_configuration(tmp_path: Path) -> None:
    shown = await render_dry_run(await prepared(staging(), tmp_path), CA_PEM)
    patches = [json.loads(line) for line in shown.splitlines() if not line.startswith("#")]
    assert len(patches) == 2
    assert all({"op", "path"} <= operation.keys() for patch in patches for operation in patch)
    for name in (MESH, SECRETS):
        assert f"kubectl patch mutatingwebhookconfiguration {name} --type=json" in shown
    assert "The API server accepts them" in shown


async def test_who_may_not_patch_is_shown_the_patches_all_the_same(tmp_path: Path) -> None:
    cluster = staging()
    cluster.refuse = lambda request: (
        status(403, "you may not") if request.method == "PATCH" else None
    )
    shown = await render_dry_run(await prepared(cluster, tmp_path), CA_PEM)
    assert "Not tried by the API server" in shown
    assert '"op":"replace"' in shown


async def test_the_command_prints_patches_warnings_and_the_way_back_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    cluster = staging()
    async with served(cluster, tmp_path) as kubeconfig:
        address = kubeconfig.read_text().split("http://")[1].split()[0]
        ran = await run_cli(
            *("proxy", "--context", CONTEXT, "--kubeconfig", kubeconfig, "--webhook", ALL[0]),
            *("--advertise", "https://127.0.0.1:8443", "--dial", f"{ALL[0]}={address}"),
            *("--judge", "--dry-run"),
            cwd=tmp_path,
        )
    assert ran.code == 0, ran.err
    assert '"op":"replace"' in ran.out
    assert "should the proxy die" in ran.err
    assert f"kubectl get mutatingwebhookconfiguration {MESH}" in ran.err
    assert cluster.snapshot() == staging().snapshot()
