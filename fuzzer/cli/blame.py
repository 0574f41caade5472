"""`webhook-fuzz blame`."""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webhook_fuzz.corpora.audit_events import find_pod_creation
from webhook_fuzz.corpora.bundles import load_bundle
from webhook_fuzz.corpora.errors import IncompleteRunError, InputError
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.manifests import ManifestCount, iterate_manifests
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.fuzzer.blames.accounts import Account, calls_of_audit, focus
from webhook_fuzz.fuzzer.blames.audits import history_of_event
from webhook_fuzz.fuzzer.blames.trees import blame
from webhook_fuzz.fuzzer.cli.cluster_options import cluster_options
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.reports.blame_listings import ListingOptions, render_blame
from webhook_fuzz.reports.blame_results import fold_account, render_blame_json

if TYPE_CHECKING:  # slow to import
    from webhook_fuzz.corpora.cluster_api.requests import ClusterApi

_KINDS = (
    "Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob",
    "ReplicationController", "PodTemplate",
)  # fmt: skip
_EPILOG = """\b
Examples:
  webhook-fuzz blame -f pod.yaml --context staging
  webhook-fuzz blame -f deployment.yaml --namespace shop --path spec.initContainers
  webhook-fuzz blame shop/web-7d4b9c-x2x9k
  webhook-fuzz blame shop/web-7d4b9c-x2x9k --audit /var/log/kubernetes/audit.log

\b
Exit codes: 0 everything is told, 2 usage or input error, 3 somebody stays unknown because
something could not be seen.
"""


@click.command("blame", epilog=_EPILOG)
@click.argument("pod", required=False, metavar="[NAMESPACE/POD]")
@click.option("-f", "--file", "manifest", metavar="FILE", help="A pod or workload; - is stdin.")
@click.option(
    "--audit",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read an audit log of the API server; nobody is called.",
)
@click.option(
    "--bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read an offline bundle instead of a cluster; nobody is called.",
)
@cluster_options
@click.option("--namespace", metavar="NAME", help="Create it here; the manifest's own otherwise.")
@click.option("--api-server", metavar="MINOR", help="With --audit: the API server's version.")
@click.option("--allow-side-effects", is_flag=True, help="Call webhooks that have side effects.")
@click.option("--path", metavar="PATH", help="Only this field, such as spec.initContainers.")
@click.option("--all", "everything", is_flag=True, help="Fold nothing; list skipped webhooks too.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(  # noqa: PLR0913 - one for each option
    *,
    pod: str | None,
    manifest: str | None,
    audit: Path | None,
    bundle: Path | None,
    cluster: ClusterOptions,
    namespace: str | None,
    api_server: str | None,
    allow_side_effects: bool,
    path: str | None,
    everything: bool,
    form: str,
) -> Exit:
    """Show who set every field of a pod, and who took what is missing: git blame for admission.

    A manifest (-f) is created by server-side dry run, and each webhook is called alone in the
    order of the chain; nothing is stored. A pod of the cluster (NAMESPACE/POD) is made again from
    the template of its owner and compared with what is stored. An audit log of level Request or
    above tells what really happened, without a cluster.
    """
    if (pod is None) == (manifest is None):
        raise click.UsageError("Give either NAMESPACE/POD or a manifest with -f.")
    if audit is not None:
        account = _read_audit_log(audit, pod, parse_minor(api_server) if api_server else None)
    else:
        asked = _Asked(
            pod=_split(pod) if pod else None,
            manifest=_read_manifest(manifest) if manifest else None,
            namespace=namespace,
            allow_side_effects=allow_side_effects,
        )
        account = asyncio.run(_ask_cluster(asked, cluster, bundle))
    shown = focus(account, path) if path else account
    click.echo(_render(shown, form=form, everything=everything), nl=False)
    return Exit.CLEAN if account.complete else Exit.INCOMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What of a cluster is asked: a pod (namespace, name) or a manifest."""

    pod: tuple[str, str] | None
    manifest: JsonObject | None
    namespace: str | None
    allow_side_effects: bool


def _split(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not namespace or not name or "/" in name:
        what = "has no namespace" if not slash else "is no pod"
        raise InputError(f"{text} {what}", hint="Write NAMESPACE/POD, such as default/web-0.")
    return namespace, name


def _read_manifest(source: str) -> JsonObject:
    found = list(iterate_manifests([source], _KINDS, count=ManifestCount()))
    if len(found) == 1:
        return found[0].value
    if not found:
        raise InputError(
            f"{source}: there is no pod in it", hint=f"Give one of: {', '.join(_KINDS)}."
        )
    places = ", ".join(f"{each.value.get('kind')} at line {each.line}" for each in found[:5])
    raise InputError(
        f"{source}: there are {len(found)} pods in it ({places})",
        hint="Give them one by one: a blame is about one pod.",
    )


def _read_audit_log(file: Path, pod: str | None, api_server: Minor | None) -> Account:
    if pod is None:
        raise click.UsageError("An audit log is about a pod that was created: give NAMESPACE/POD.")
    catalogue = load_catalogue()
    event = find_pod_creation(file, *_split(pod))
    history = history_of_event(event, catalogue, api_server=api_server or catalogue.newest)
    calls = calls_of_audit(history.calls)
    if not history.stages:
        called = ", ".join(f"{call.webhook} ({call.outcome})" for call in calls) or "no webhook"
        raise IncompleteRunError(
            f"{file}: who set what is not in the log: called were {called}",
            hint=" ".join(history.notes),
        )
    tree = blame(history.stages, catalogue.schema(catalogue.newest))
    source = f"as {event.user or 'somebody'} created it at {event.time}, by the audit log {file}"
    return Account(
        pod=pod,
        source=source,
        tree=tree,
        calls=calls,
        notes=history.notes,
        complete=history.complete,
    )


async def _ask_cluster(asked: _Asked, options: ClusterOptions, bundle: Path | None) -> Account:
    from webhook_fuzz.fuzzer.cluster.bundles import BundleApi  # noqa: PLC0415 - slow to import
    from webhook_fuzz.fuzzer.cluster.connections import Cluster  # noqa: PLC0415 - as above

    if bundle is not None:
        kept = BundleApi(load_bundle(bundle), name=str(bundle))
        return await _ask(kept, asked, f"the bundle {bundle}", alone=False)
    async with Cluster(options) as cluster:
        return await _ask(cluster, asked, f"the context {cluster.context}", alone=True)


async def _ask(api: "ClusterApi", asked: _Asked, source: str, *, alone: bool) -> Account:
    from webhook_fuzz.fuzzer.blaming import (  # noqa: PLC0415 - slow to import
        BlameOptions,
        blame_manifest,
        blame_stored_pod,
    )
    from webhook_fuzz.fuzzer.transports.choosing import ReachOptions  # noqa: PLC0415 - as above

    reach = ReachOptions(allow_side_effects=asked.allow_side_effects)
    options = BlameOptions(source=source, reach=reach, alone=alone)
    if asked.manifest is not None:
        return await blame_manifest(api, asked.manifest, options, namespace=asked.namespace)
    namespace, name = asked.pod or ("", "")
    return await blame_stored_pod(api, namespace, name, options)


def _render(account: Account, *, form: str, everything: bool) -> str:
    if form == "json":
        return render_blame_json(fold_account(account, version=tool_version()))
    is_terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns
    return render_blame(
        account,
        ListingOptions(
            width=columns if is_terminal else 100,
            colour=is_terminal and "NO_COLOR" not in os.environ,
            everything=everything,
        ),
    )
