"""Is what makes no sense refused before any cluster is asked, and is no key printed?"""

import pytest
import yaml
from click.testing import CliRunner

from webhook_fuzz.fuzzer.cli.proxy_deployment import install, render_dry_run, uninstall
from webhook_fuzz.proxy.deployment.installations import Installation, build_objects, find

STAGING = ("--context", "staging")
ONE = ("--webhook", "mesh/inject.example.com")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (ONE, "--context"),
        (STAGING, "--webhook or --all"),
        ((*STAGING, *ONE, "--all"), "--webhook or --all"),
        ((*STAGING, *ONE, "--storage-class", "shared"), "goes with --pvc"),
        ((*STAGING, *ONE, "--ttl", "1s"), "10m to 90d"),
        ((*STAGING, *ONE, "--ttl", "91d"), "10m to 90d"),
        ((*STAGING, *ONE, "--wait", "soon"), "no duration"),
        ((*STAGING, *ONE, "--egress-to", "192.0.2.7"), "192.0.2.7/32"),
        ((*STAGING, *ONE, "--namespace", "Not/A.Label"), "Not/A.Label"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: tuple[str, ...], said: str) -> None:
    ran = CliRunner().invoke(install, arguments)
    assert ran.exit_code == 2
    assert said in ran.output


def test_a_cluster_is_never_guessed_to_uninstall_from() -> None:
    ran = CliRunner().invoke(uninstall, ())
    assert ran.exit_code == 2
    assert "--context" in ran.output


def test_a_dry_run_is_yaml_with_everything_but_keys() -> None:
    given = Installation(
        routes="routes: []\n",
        certificate={"tls.key": b"SECRET"},
        authority={"authority.pem": b"SECRET"},
    )
    objects = build_objects(given)
    text = render_dry_run(objects, "[]\n")
    *shown, patches = yaml.safe_load_all(text)
    assert patches == []
    assert len(shown) == len(objects)
    assert find(shown, "ConfigMap", "webhook-fuzz-routes")["data"] == {
        "routes.yaml": "routes: []\n"
    }
    for each in objects:
        if each["kind"] == "Secret":
            assert isinstance(each["data"], dict)
            assert not any(str(value) in text for value in each["data"].values())
