"""`webhook-fuzz webhooks`."""

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook_fuzz.corpora.admission import UserInfo
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.manifests import load_pod_manifests
from webhook_fuzz.fuzzer.apiserver.attributes import UNKNOWN_USER, pod_attributes
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.matching import Matching, match_webhook
from webhook_fuzz.fuzzer.cli.cluster_access import Bundles, access_cluster, bundle_options
from webhook_fuzz.fuzzer.cli.cluster_options import cluster_options
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.discoveries import Discovery, describe_webhooks
from webhook_fuzz.fuzzer.cluster.pod_reach import match_any_pod
from webhook_fuzz.fuzzer.configurations.manifest_sets import load_manifest_set
from webhook_fuzz.reports.webhook_lists import WebhookList, fold_webhooks, render_webhooks_json
from webhook_fuzz.reports.webhook_tables import render_webhooks

_ANY_POD: JsonObject = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {}}
_STATIC_NOTE = (
    "API servers from 1.36 on may have webhooks from files of their own, called before all these; "
    "the API does not show them (WF613)."
)
_EPILOG = """\b
Examples:
  webhook-fuzz webhooks --context staging
  webhook-fuzz webhooks --namespace shop
  webhook-fuzz webhooks --pod deploy.yaml --namespace shop
  helm template ./chart | webhook-fuzz webhooks --file -

\b
EXPIRES is what runs out first, the certificate the webhook serves (where it can be reached from
here) or the authority in its caBundle; `!` says that it has. Exit codes: 0, 2 usage or input
error, 3 something of the cluster could not be seen.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """For which pod, and in which namespace, would webhooks be called?

    `by_us` says that the user creates the pod, and not a controller on their behalf.
    """

    namespace: str
    pod: JsonObject | None = None
    name: str = ""
    by_us: bool = False

    @classmethod
    def of(cls, pod: Path | None, namespace: str | None) -> "_Question | None":
        """The question the options put; None where they put none."""
        if pod is None:
            return cls(namespace=namespace) if namespace else None
        found = load_pod_manifests(pod)
        if len(found) != 1:
            raise InputError(
                f"{pod}: holds {len(found)} pods and templates of pods",
                hint="Give a file with one of them.",
            )
        seed = found[0]
        return cls(
            namespace=namespace or seed.namespace,
            pod=seed.pod,
            name=seed.name,
            by_us=seed.name.startswith("pod/"),
        )

    def __str__(self) -> str:
        what = "new pods" if self.pod is None else f"the pods of {self.name}"
        what = self.name if self.by_us else what
        return f"{what} in the namespace {self.namespace}"


@click.command("webhooks", epilog=_EPILOG)
@cluster_options
@bundle_options
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="FILE|DIR|-",
    help="List the webhooks of manifests instead of a cluster's. Repeatable.",
)
@click.option("--namespace", metavar="NS", help="Say which are called for new pods in it.")
@click.option(
    "--pod",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Say which are called for this pod, or this workload's pods.",
)
@click.option("--no-dial", is_flag=True, help="Do not connect to webhooks to see certificates.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(  # noqa: PLR0913 - one argument an option is how click passes them
    *,
    cluster: ClusterOptions,
    bundles: Bundles,
    files: tuple[str, ...],
    namespace: str | None,
    pod: Path | None,
    no_dial: bool,
    form: str,
) -> Exit:
    """List the mutating webhooks of a cluster in the order the API server calls them.

    What they match, where they are and whether anybody is there, what happens when they fail,
    when their certificates run out, and whose they are. With --pod or --namespace also which of
    them are called, as the API server decides it. A pod is taken as it is sent: what earlier
    webhooks and MutatingAdmissionPolicies change in it is not foreseen, nor is the user a
    controller creates the pods of a workload as.
    """
    question = _Question.of(pod, namespace)
    if files and (cluster.context or cluster.kubeconfig or bundles.read):
        raise click.UsageError("Give --file, --context or --bundle, not several of them.")
    if files:
        discovery = _read_files(files)
        source = ", ".join("standard input" if file == "-" else file for file in files)
    else:
        discovery, context = asyncio.run(
            _read_cluster(cluster, bundles, question, dial=not no_dial)
        )
        source = f"context {context}"
    listed = _fold(discovery, source, question, is_cluster=not files)
    text = render_webhooks_json(listed) if form == "json" else _render_text(listed)
    click.echo(text, nl=False)
    return Exit.CLEAN if listed["complete"] else Exit.INCOMPLETE


def _read_files(files: Sequence[str]) -> Discovery:
    found = load_manifest_set(files, now=datetime.now(UTC))
    if not found.configurations:
        raise InputError(
            f"{', '.join(files)}: there is no MutatingWebhookConfiguration in it",
            hint="Give manifests as `kubectl apply -f` takes them, or the output of "
            "`kubectl get mutatingwebhookconfigurations -o yaml`.",
        )
    return describe_webhooks(found.webhooks, found.around)


async def _read_cluster(
    options: ClusterOptions, bundles: Bundles, question: _Question | None, *, dial: bool
) -> tuple[Discovery, str]:
    from webhook_fuzz.fuzzer.cluster.discovery import discover  # noqa: PLC0415 - slow to import

    async with access_cluster(options, bundles) as access:
        namespace = question.namespace if question else None
        dial, now = dial and access.live, datetime.now(UTC)
        found = await discover(access.api, now=now, dial=dial, namespace=namespace)
        return found, access.context


def _fold(
    discovery: Discovery, source: str, question: _Question | None, *, is_cluster: bool
) -> WebhookList:
    called: Mapping[int, Matching] = _match(discovery, question) if question else {}
    listed = fold_webhooks(discovery, version=tool_version(), source=source, called=called)
    return {
        **listed,
        "asked": _asked(question, discovery.user) if question else None,
        "notes": _notes(discovery) if is_cluster else [],
    }


def _match(discovery: Discovery, question: _Question) -> Mapping[int, Matching]:
    if discovery.namespaces is not None and question.namespace not in discovery.namespaces:
        raise InputError(
            f"there is no namespace {question.namespace}",
            hint="Choose one that exists with --namespace.",
        )
    attributes = pod_attributes(
        default_pod(question.pod or _ANY_POD),
        namespace=question.namespace,
        namespace_labels=discovery.labels.get(question.namespace),
        user=discovery.user if question.by_us else UNKNOWN_USER,
    )
    match = match_webhook if question.pod else match_any_pod
    webhooks = [found.webhook for found in discovery.webhooks]
    return {webhook.position: match(webhook, attributes) for webhook in webhooks}


def _asked(question: _Question, user: UserInfo) -> str:
    name = user.get("username")
    return f"{question} created by {name}" if question.by_us and name else str(question)


def _notes(discovery: Discovery) -> list[str]:
    if not discovery.may_have_static_webhooks:
        return []
    return [_STATIC_NOTE]


def _render_text(listed: WebhookList) -> str:
    is_terminal = sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, 160) if is_terminal else 100
    return render_webhooks(listed, width=width)
