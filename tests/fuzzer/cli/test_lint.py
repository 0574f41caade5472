"""Does `webhook-fuzz lint` read what it is given and say how it ended?"""

import asyncio
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest
from goldens import FOLDER, check_golden

from command_lines import run_cli
from configured import NAME_LABEL, configuration, entry
from fake_clusters import FakeCluster
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.cli import lint as lint_module
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cluster import connections
from webhook_fuzz.reports.lint_results import LintResult

BAD = """\
# Source: injector/templates/webhook.yaml
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata:
  name: injector
webhooks:
- name: pods.injector.example.com
  admissionReviewVersions: [v1]
  sideEffects: Some
  timeoutSeconds: 5
  failurePolicy: Ignore
  clientConfig: {url: "https://injector.example.com"}
  rules: []
"""
REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1"


class ConnectedCluster(FakeCluster):
    """A fake that is opened and closed as the real one is."""

    context = "staging"
    server = "https://staging.example.com"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


def run(*arguments: object) -> object:
    ended: object = lint_module.command.main(list(map(str, arguments)), standalone_mode=False)
    return ended


def write(folder: Path, text: str) -> Path:
    file = folder / "webhook.yaml"
    file.write_text(text)
    return file


async def test_findings_in_a_file_end_with_one(tmp_path: Path) -> None:
    write(tmp_path, BAD)
    ran = await run_cli("lint", "webhook.yaml", cwd=tmp_path)
    assert ran.code == Exit.FINDINGS
    assert "error    WF605 side-effects-block-dry-run" in ran.out
    assert "webhook.yaml:9  injector/pods.injector.example.com  (injector/templ" in ran.out
    assert "1 webhook in 1 configuration of webhook.yaml: 1 error" in ran.out
    assert not ran.err


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_every_fault_of_a_manifest_is_shown_as_it_was_reviewed(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(lint_module, "tool_version", str)
    assert run("lint.yaml", "--ignore", "WF604=careless/*", "--format", form) == Exit.FINDINGS
    check_golden(f"lint.{'txt' if form == 'text' else form}", capsys.readouterr().out)


async def test_what_cannot_be_read_ends_with_two(tmp_path: Path) -> None:
    for name, text in (("broken.yaml", BAD + " x: {{ .Values.x }}\n"), ("values.yaml", "a: 1\n")):
        (tmp_path / name).write_text(text)
        ran = await run_cli("lint", name, cwd=tmp_path)
        assert ran.code == Exit.USAGE
        assert name in ran.err


@pytest.mark.parametrize(("level", "code"), [("critical", Exit.CLEAN), ("never", Exit.CLEAN)])
def test_fail_on_decides_what_is_bad(level: str, code: Exit, tmp_path: Path) -> None:
    assert run(write(tmp_path, BAD), "--fail-on", level) == code


def test_what_is_rendered_may_come_in_by_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(BAD.encode())))
    assert run("-", "--format", "json") == Exit.FINDINGS
    lint: LintResult = json.loads(capsys.readouterr().out)
    (finding,) = lint["findings"]
    assert (finding["file"], finding["line"]) == ("<stdin>", 9)
    assert finding["chart_file"] == "injector/templates/webhook.yaml"
    assert (lint["source"], lint["complete"]) == ("standard input", True)


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("WF605", Exit.CLEAN),
        ("WF605=injector/*", Exit.CLEAN),
        ("WF605=other/*", Exit.FINDINGS),
        ("WF601", Exit.FINDINGS),
    ],
)
def test_what_is_ignored_is_named(
    option: str, code: Exit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(write(tmp_path, BAD), "--ignore", option) == code
    assert (f"ignored: 1 by --ignore {option}" in capsys.readouterr().out) == (code == Exit.CLEAN)


def test_a_code_that_is_none_cannot_be_ignored(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finding 'WF999'"):
        run(write(tmp_path, BAD), "--ignore", "WF999")


def test_what_is_not_looked_at_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = BAD.replace("k8s.io/v1\n", "k8s.io/v1beta1\n")
    validating = "---\nkind: ValidatingWebhookConfiguration\n"
    run(write(tmp_path, old + validating * 2))
    out = capsys.readouterr().out
    assert "2 validating configurations are not looked at." in out
    assert "1 configuration not of admissionregistration.k8s.io/v1" in out
    assert run(write(tmp_path, validating)) == Exit.CLEAN
    out = capsys.readouterr().out
    assert "There is no MutatingWebhookConfiguration among 1 object." in out
    assert "1 validating configuration is not looked at." in out


async def test_files_and_a_cluster_at_once_are_a_mistake(tmp_path: Path) -> None:
    ran = await run_cli("lint", "x.yaml", "--context", "staging", cwd=tmp_path)
    assert ran.code == Exit.USAGE
    assert "not several" in ran.err


def connect(monkeypatch: pytest.MonkeyPatch, refusals: dict[str, tuple[int, str]]) -> None:
    fake = ConnectedCluster(
        collections={
            f"{REGISTRATIONS}/mutatingwebhookconfigurations": [configuration(entry())],
            f"{REGISTRATIONS}/validatingwebhookconfigurations": [{"metadata": {"name": "v"}}],
            "/api/v1/namespaces": [
                {"metadata": {"name": "kube-system", "labels": {NAME_LABEL: "kube-system"}}}
            ],
        },
        objects={"/version": {"gitVersion": "v1.37.2"}},
        refusals=refusals,
    )

    def open_fake(_: object) -> ConnectedCluster:
        return fake

    monkeypatch.setattr(connections, "Cluster", open_fake)


async def test_a_cluster_is_read_when_no_file_is_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(monkeypatch, {})
    assert await asyncio.to_thread(run, "--no-dial") == Exit.CLEAN
    out = capsys.readouterr().out
    assert "info     WF613 static-webhooks-unknown" in out
    assert "1 webhook in 1 configuration of context staging: 1 info" in out
    assert "1 validating configuration is not looked at." in out


async def test_what_could_not_be_seen_ends_with_three(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(monkeypatch, {"/api/v1/namespaces": (403, "forbidden: no")})
    assert await asyncio.to_thread(run, "--no-dial") == Exit.INCOMPLETE
    assert "not seen: namespaces (GET /api/v1/namespaces/kube-system" in capsys.readouterr().out
