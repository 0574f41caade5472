"""`webhook-fuzz lint`."""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.webhooks import list_webhooks
from webhook_fuzz.fuzzer.cli.cluster_access import Bundles, access_cluster, bundle_options
from webhook_fuzz.fuzzer.cli.cluster_options import cluster_options
from webhook_fuzz.fuzzer.cli.exemptions import Exemption
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.severities import any_reaches, fail_on_option
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.surroundings import Surroundings
from webhook_fuzz.fuzzer.configurations.linting import lint_webhooks, nowhere
from webhook_fuzz.fuzzer.configurations.manifest_sets import ManifestSet, load_manifest_set
from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.reports.lint_results import (
    SCHEMA_VERSION,
    LintFindingResult,
    LintResult,
    fold_lint_finding,
    order_lint_findings,
    render_lint_json,
)
from webhook_fuzz.reports.lint_sarif import render_lint_sarif
from webhook_fuzz.reports.lint_texts import render_lint
from webhook_fuzz.reports.texts import counted

_EPILOG = """\b
Examples:
  webhook-fuzz lint --context staging
  webhook-fuzz lint deploy/
  helm template ./chart | webhook-fuzz lint -
  webhook-fuzz lint deploy/ --ignore 'WF603=vault*' --format sarif > lint.sarif

\b
Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage or input error,
3 something of the cluster could not be seen.
"""


@click.command("lint", epilog=_EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE|DIR|-]...")
@cluster_options
@bundle_options
@click.option("--no-dial", is_flag=True, help="Do not connect to webhooks to see certificates.")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="CODE[=CONFIG/NAME]",
    help="Leave out a finding, everywhere or for webhooks that match (* and ?). Repeatable.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
)
@fail_on_option("Exit with 1 from this severity on.")
def command(  # noqa: PLR0913 - one argument an option is how click passes them
    files: tuple[str, ...],
    *,
    cluster: ClusterOptions,
    bundles: Bundles,
    no_dial: bool,
    ignored: tuple[str, ...],
    form: str,
    fail_on: str,
) -> Exit:
    """Check webhook configurations, on a cluster or in manifests: findings WF601 to WF613.

    Without a FILE, those of the cluster the current context (or --context) points to. Files and
    folders hold what `kubectl apply -f` takes; `-` is standard input. Nothing is sent to webhooks
    but, on a cluster, the beginning of a TLS connection to see what certificate they serve.
    """
    exemptions = [Exemption.parse(text) for text in ignored]
    if files and (cluster.context or cluster.kubeconfig or bundles.read):
        raise click.UsageError("Give files, a --context or a --bundle, not several of them.")
    if files:
        lint = _lint_manifests(files, exemptions)
    else:
        lint = asyncio.run(_lint_cluster(cluster, bundles, exemptions, dial=not no_dial))
    text = _RENDERERS[form](lint)
    click.echo(text, nl=not text.endswith("\n"))
    return exit_code(lint, fail_on=fail_on)


def exit_code(lint: LintResult, *, fail_on: str) -> Exit:
    """Findings first, then what could not be seen."""
    if any_reaches((finding["severity"] for finding in lint["findings"]), fail_on):
        return Exit.FINDINGS
    return Exit.CLEAN if lint["complete"] else Exit.INCOMPLETE


def _lint_manifests(files: Sequence[str], exemptions: Sequence[Exemption]) -> LintResult:
    found = load_manifest_set(files, now=datetime.now(UTC))
    if not found.documents:
        raise InputError(
            f"{', '.join(files)}: there is no Kubernetes object in it",
            hint="Give manifests as `kubectl apply -f` takes them; render charts with "
            "`helm template` first.",
        )
    findings = list(lint_webhooks(found.webhooks, found.around, locate=found.locate))
    lint = _fold(findings, found.around, exemptions, lambda each: _chart_file(found, each))
    return {
        **lint,
        "source": ", ".join("standard input" if file == "-" else file for file in files),
        "configurations": found.configurations,
        "webhooks": len(found.webhooks),
        "notes": _manifest_notes(found),
    }


def _chart_file(found: ManifestSet, finding: ClusterFinding) -> str | None:
    return found.find_chart_file(finding.place) if finding.place else None


def _manifest_notes(found: ManifestSet) -> list[str]:
    notes = _validating_note(found.validating)
    if not found.configurations:
        objects = counted(found.documents, "object")
        notes.append(f"There is no MutatingWebhookConfiguration among {objects}.")
    if found.outdated:
        notes.append(
            f"{counted(found.outdated, 'configuration')} not of admissionregistration.k8s.io/v1, "
            "the only version since Kubernetes 1.22: read as if it were."
        )
    return notes


def _validating_note(count: int) -> list[str]:
    if not count:
        return []
    are = "is" if count == 1 else "are"
    return [f"{counted(count, 'validating configuration')} {are} not looked at."]


async def _lint_cluster(
    options: ClusterOptions, bundles: Bundles, exemptions: Sequence[Exemption], *, dial: bool
) -> LintResult:
    from webhook_fuzz.fuzzer.cluster.surveying import (  # noqa: PLC0415 - slow to import
        count_validating,
        list_configurations,
        survey,
    )

    async with access_cluster(options, bundles) as access:
        api, dial = access.api, dial and access.live
        configurations = await list_configurations(api)
        webhooks = list_webhooks(configurations)
        around, validating = await asyncio.gather(
            survey(api, webhooks, now=datetime.now(UTC), dial=dial), count_validating(api)
        )
        context = access.context
    findings = list(lint_webhooks(webhooks, around, locate=nowhere))
    return {
        **_fold(findings, around, exemptions, lambda _: None),
        "source": f"context {context}",
        "configurations": len(configurations),
        "webhooks": len(webhooks),
        "notes": _validating_note(validating),
    }


def _fold(
    findings: Sequence[ClusterFinding],
    around: Surroundings,
    exemptions: Sequence[Exemption],
    chart_file: Callable[[ClusterFinding], str | None],
) -> LintResult:
    shown: list[LintFindingResult] = []
    lint: LintResult = {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "webhook-fuzz", "version": tool_version()},
        "source": "",
        "complete": not around.not_seen,
        "configurations": 0,
        "webhooks": 0,
        "findings": shown,
        "ignored": [],
        "not_seen": [{"what": unseen.what, "why": unseen.why} for unseen in around.not_seen],
        "notes": [],
    }
    for finding in dict.fromkeys(findings):
        exemption = next((each for each in exemptions if each.covers(finding)), None)
        if exemption is None:
            shown.append(fold_lint_finding(finding, chart_file(finding)))
        else:
            lint["ignored"].append(
                {"code": finding.code, "subject": finding.subject, "because": exemption.text}
            )
    return {**lint, "findings": order_lint_findings(shown)}


def _render_text(lint: LintResult) -> str:
    is_terminal = sys.stdout.isatty()
    return render_lint(
        lint,
        width=min(shutil.get_terminal_size().columns, 120) if is_terminal else 100,
        colour=is_terminal and "NO_COLOR" not in os.environ,
    )


_RENDERERS: Mapping[str, Callable[[LintResult], str]] = MappingProxyType(
    {"text": _render_text, "json": render_lint_json, "sarif": render_lint_sarif}
)
