"""`webhook-fuzz doctor`."""

import asyncio
import difflib
import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.gates import Gate, load_gates
from webhook_fuzz.corpora.seeds.manifests import load_pod_manifests
from webhook_fuzz.fuzzer.cli.cluster_access import Bundles, access_cluster, bundle_options
from webhook_fuzz.fuzzer.cli.cluster_options import cluster_options
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.severities import any_reaches, fail_on_option
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.readiness import strategies
from webhook_fuzz.fuzzer.readiness.examined import Examination
from webhook_fuzz.fuzzer.readiness.gate_traits import SIDECARS
from webhook_fuzz.fuzzer.readiness.probe_pods import ProbePod, probe_with
from webhook_fuzz.reports.readiness_documents import examination_document, feature_document
from webhook_fuzz.reports.readiness_texts import render_examination, render_features

_EPILOG = """\b
Examples:
  webhook-fuzz doctor
  webhook-fuzz doctor --context staging --namespace shop
  webhook-fuzz doctor --feature ImageVolume --format json
  webhook-fuzz doctor --pod shop/cart-0
  webhook-fuzz doctor -f cart.yaml --namespace shop
  webhook-fuzz doctor --universal-pair > pair.yaml

\b
Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage or input error,
3 something of the cluster could not be seen that might change the answer.
"""


@click.command("doctor", epilog=_EPILOG)
@cluster_options
@bundle_options
@click.option(
    "--feature",
    is_flag=False,
    flag_value="",
    default=SIDECARS,
    show_default=True,
    metavar="[GATE]",
    help="Feature gate of the pod field; without a value, list those that are known.",
)
@click.option("--list-features", is_flag=True, help="List the features that are known.")
@click.option("--pod", metavar="NAMESPACE/NAME", help="Explain what happened to this pod.")
@click.option(
    "-f",
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Try the pod of this manifest instead of the shipped probe pod (dry run).",
)
@click.option(
    "--namespace",
    metavar="NAME",
    help="Where the probe pod is tried (dry run): webhooks select by namespace. "
    "The manifest's own, or `default`.",
)
@click.option(
    "--no-kubelets",
    is_flag=True,
    help="Do not read the kubelets' metrics (needs nodes/proxy, a powerful permission).",
)
@click.option(
    "--universal-pair",
    is_flag=True,
    help="Print the pair of native and old-way sidecars, as a pod fragment; asks no cluster.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@fail_on_option("Exit with 1 from this severity on.")
def command(  # noqa: PLR0913 - one parameter an option
    *,
    cluster: ClusterOptions,
    bundles: Bundles,
    feature: str,
    list_features: bool,
    pod: str | None,
    file: Path | None,
    namespace: str | None,
    no_kubelets: bool,
    universal_pair: bool,
    form: str,
    fail_on: str,
) -> Exit:
    """Find out whether a cluster can run a pod feature, native sidecars unless told otherwise.

    Asks API servers and kubelets for their versions and feature gates, sends one probe pod through
    admission as a dry run, looks for pods that hang in Init and Jobs that cannot finish, and says
    which way of adopting the feature fits the cluster. Every answer says how it is known. Nothing
    is changed or stored.
    """
    if universal_pair:
        click.echo(strategies.universal_pair(), nl=False)
        return Exit.CLEAN
    if list_features or not feature:
        _show_features(form)
        return Exit.CLEAN
    if pod and file:
        raise click.UsageError("Give --pod or --file, not both.")
    gate, one_pod = find_gate(feature), _parse_pod(pod) if pod else None
    probe, own = _load_probe(file, gate) if file else (None, "default")
    found = asyncio.run(
        _examine(
            cluster,
            bundles,
            _Question(
                gate=gate,
                namespace=namespace or own,
                ask_kubelets=not no_kubelets,
                pod=one_pod,
                probe=probe,
            ),
        )
    )
    _show(found, form)
    return exit_code(found, fail_on=fail_on)


def find_gate(name: str) -> Gate:
    """The gate of that name, in any case. Raises InputError for one that is not known."""
    gates = {gate.name.lower(): gate for gate in load_gates().values()}
    found = gates.get(name.lower())
    if found is not None:
        return found
    near = difflib.get_close_matches(name.lower(), gates, 1)
    meant = f"Did you mean {gates[near[0]].name}? " if near else ""
    raise InputError(
        f"there is no feature {name!r} that guards a pod field",
        hint=f"{meant}`webhook-fuzz doctor --list-features` lists them.",
    )


def _parse_pod(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not slash or not namespace or not name or "/" in name:
        raise InputError(
            f"--pod {text}: not a namespace and a name", hint="Write it as NAMESPACE/NAME."
        )
    return namespace, name


def _load_probe(file: Path, gate: Gate) -> tuple[ProbePod, str]:
    """The pod of a manifest, and its namespace."""
    found = load_pod_manifests(file)
    if len(found) != 1:
        raise InputError(
            f"{file}: holds {len(found)} pods and templates of pods",
            hint="Give a file with one of them.",
        )
    probe = probe_with(gate, found[0].pod)
    if probe is None:
        raise InputError(
            f"{file}: the pod has none of the fields behind {gate.name}",
            hint=f"`webhook-fuzz fields --gate {gate.name}` lists them.",
        )
    return probe, found[0].namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What the options ask."""

    gate: Gate
    namespace: str
    ask_kubelets: bool
    pod: tuple[str, str] | None
    probe: ProbePod | None


async def _examine(cluster: ClusterOptions, bundles: Bundles, asked: _Question) -> Examination:
    # Imported here: --help and --list-features must not wait for aiohttp.
    from webhook_fuzz.fuzzer.cluster.api_servers import connect_directly  # noqa: PLC0415
    from webhook_fuzz.fuzzer.examining.examinations import examine_cluster  # noqa: PLC0415
    from webhook_fuzz.fuzzer.examining.options import ExaminationOptions  # noqa: PLC0415
    from webhook_fuzz.fuzzer.examining.single_pods import examine_pod  # noqa: PLC0415
    from webhook_fuzz.fuzzer.staging.walked_suspects import WalkedWebhooks  # noqa: PLC0415

    options = ExaminationOptions(
        gate=asked.gate,
        namespace=asked.namespace,
        probe=asked.probe,
        ask_kubelets=asked.ask_kubelets,
        concurrency=cluster.concurrency,
        progress=_say,
    )
    async with access_cluster(cluster, bundles) as access:
        api = access.api
        if access.live:
            options = replace(
                options, direct=connect_directly(cluster), attribution=WalkedWebhooks(api)
            )
        if asked.pod is not None:
            namespace, name = asked.pod
            return await examine_pod(api, options, namespace=namespace, name=name)
        return await examine_cluster(api, options)


def _say(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"{text} …", err=True)


def _show_features(form: str) -> None:
    gates = list(load_gates().values())
    if form == "json":
        click.echo(json.dumps([feature_document(gate) for gate in gates], indent=1))
    else:
        click.echo(render_features(gates), nl=False)


def _show(found: Examination, form: str) -> None:
    if form == "json":
        click.echo(json.dumps(examination_document(found), indent=1))
        return
    is_terminal = sys.stdout.isatty()
    text = render_examination(
        found,
        width=min(shutil.get_terminal_size().columns, 120) if is_terminal else 100,
        colour=is_terminal and "NO_COLOR" not in os.environ,
    )
    click.echo(text, nl=False)


def exit_code(found: Examination, *, fail_on: str) -> Exit:
    """Findings first, then what could not be seen."""
    if any_reaches((finding.severity for finding in found.findings), fail_on):
        return Exit.FINDINGS
    return Exit.INCOMPLETE if found.not_seen else Exit.CLEAN
