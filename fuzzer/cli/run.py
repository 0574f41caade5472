"""`webhook-fuzz run`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.seeds.manifests import load_pod_manifests
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.corpora.triggers.loading import load_shipped_triggers, load_trigger_file
from webhook_fuzz.corpora.triggers.selecting import select_triggers
from webhook_fuzz.corpora.versions import parse_minor
from webhook_fuzz.fuzzer.cli.cluster_run_options import Asked, OnCluster, cluster_run_options
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.outputs import prepare_folder, show_summary, write_outputs
from webhook_fuzz.fuzzer.cli.result_options import OUTPUT, TARGET, formats_option
from webhook_fuzz.fuzzer.cli.severities import any_reaches, fail_on_option
from webhook_fuzz.fuzzer.cli.sweeps import sweep_webhooks
from webhook_fuzz.fuzzer.cli.webhook_options import (
    CONCURRENCY,
    SEED,
    TIMEOUT,
    Connecting,
    connecting_options,
)
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.reports.results import RunResult

_FILE = click.Path(path_type=Path)


@click.command("run")
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="Where a webhook is called (https), without a cluster. Repeat for several webhooks.",
)
@cluster_run_options
@click.option(
    "--name",
    metavar="CONFIG/NAME",
    help="What to call it in the report; its server name or URL otherwise.",
)
@connecting_options(
    ca="CA certificates to verify it with (PEM); the system's otherwise.",
    insecure_skip_verify="Do not verify its certificate.",
    client_cert="Client certificate (PEM), if it asks for one.",
)
@TARGET
@click.option(
    "--trigger",
    "triggers",
    multiple=True,
    metavar="NAME|FILE",
    help="What makes it act: a shipped trigger, a product (vault, istio), a YAML file, or none. "
    "Repeatable.  [default: all shipped triggers]",
)
@click.option(
    "--pods",
    type=_FILE,
    metavar="DIR",
    help="Your own manifests as seed pods, instead of the shipped ones.",
)
@SEED
@TIMEOUT
@CONCURRENCY
@OUTPUT
@formats_option("run.json and report.html")
@fail_on_option("Exit 1 from this severity on.")
@click.option(
    "--require-exercised", is_flag=True, help="Exit 3 if a webhook never patched anything."
)
def command(  # noqa: PLR0913 - one argument an option is how click passes them
    *,
    urls: tuple[str, ...],
    on_cluster: OnCluster | None,
    name: str | None,
    connecting: Connecting,
    target: str | None,
    triggers: tuple[str, ...],
    pods: Path | None,
    seed: int,
    timeout: float,
    concurrency: int,
    output: Path,
    formats: tuple[str, ...],
    fail_on: str,
    require_exercised: bool,
) -> int:
    """Sweep webhooks and report which pod fields they lose, move or stumble over.

    Pods carrying every field Kubernetes gained since 1.20, in every position, are sent as the API
    server would send them (dryRun is set); each answer is judged as it would apply it.

    With --url, webhooks at URLs: nothing is sent anywhere else, and no cluster is needed. With
    --context, all webhooks of a staging cluster, each alone and the whole chain in server-side
    dry runs, after looking at its readiness and configurations. Nothing is stored in it.
    """
    _check_where(urls, on_cluster, name)
    asked = Asked(
        target=parse_minor(target) if target else None,
        triggers=_choose_triggers(triggers),
        chosen_triggers=bool(triggers),
        pods=load_pod_manifests(pods) if pods else (),
        seed=seed,
    )
    prepare_folder(output)
    if on_cluster is not None:
        run = asyncio.run(_run_on_cluster(asked, on_cluster))
    else:
        configuration, _, webhook = (name or "").rpartition("/")
        targets = [
            replace(
                connecting.to(url, timeout=timeout, concurrency=concurrency),
                configuration=configuration or "direct",
                name=webhook if len(urls) == 1 else "",
            )
            for url in urls
        ]
        plan = build_plan(
            asked.target, triggers=asked.triggers, pods=asked.pods, random_seed=asked.seed
        )
        run = asyncio.run(sweep_webhooks(plan, targets))
    show_summary(run, write_outputs(run, output, formats))
    return exit_code(run, fail_on=fail_on, require_exercised=require_exercised)


def _check_where(urls: Sequence[str], on_cluster: OnCluster | None, name: str | None) -> None:
    """Raises InputError unless it is clear what is to be tried."""
    if bool(urls) == (on_cluster is not None):
        both = "both --url and --context" if urls else "neither --url nor --context"
        raise InputError(
            f"{both} given",
            hint="Give --url for a webhook you can reach, or --context for all of a cluster's.",
        )
    if name and len(urls) != 1:
        raise InputError("--name goes with one --url", hint="Leave it out for several webhooks.")


async def _run_on_cluster(asked: Asked, on_cluster: OnCluster) -> RunResult:
    from webhook_fuzz.fuzzer.cli.cluster_runs import (  # noqa: PLC0415 - much to import
        run_on_cluster,
    )

    return await run_on_cluster(asked, on_cluster)


def exit_code(run: RunResult, *, fail_on: str, require_exercised: bool) -> Exit:
    """What the run comes to: findings first, then what could not be done."""
    verdicts = {webhook["verdict"] for webhook in run["webhooks"]}
    cluster = run.get("cluster")
    findings = [*run["findings"], *(cluster["findings"] if cluster else ())]
    severities = (each["severity"] for each in findings if each["code"] != _UNREACHABLE)
    if any_reaches(severities, fail_on):
        return Exit.FINDINGS
    if not run["complete"] or "unreachable" in verdicts:
        return Exit.INCOMPLETE
    if require_exercised and "not-exercised" in verdicts:
        return Exit.INCOMPLETE
    return Exit.CLEAN


_UNREACHABLE = "WF001"
"""Says that a run is incomplete, not that a webhook is bad."""


def _choose_triggers(wanted: Sequence[str]) -> tuple[Trigger, ...]:
    """Shipped triggers by name or product, and files; every shipped one without a wish."""
    shipped = load_shipped_triggers()
    if not wanted:
        return shipped
    chosen: dict[str, Trigger] = {}
    for text in wanted:
        found = (
            load_trigger_file(Path(text)) if _is_file(text) else select_triggers([text], shipped)
        )
        chosen |= {trigger.name: trigger for trigger in found}
    return tuple(trigger for trigger in chosen.values() if trigger != NO_TRIGGER)


def _is_file(text: str) -> bool:
    return "/" in text or text.endswith((".yaml", ".yml", ".json")) or Path(text).is_file()
