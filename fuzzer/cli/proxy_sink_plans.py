"""What is done with the calls that pass?

Each purpose is a sink of its own, in a process of its own: recording goes on when judging fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.sinks import SinkFactory
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
from webhook_fuzz.fuzzer.cli.proxy_options import FindingOptions, KeepingOptions
from webhook_fuzz.fuzzer.cli.proxy_sinks import shadow_targets
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.proxy.operations.plans import SinkPlan
from webhook_fuzz.proxy.routes import RouteTable

RECORDING: Final = "recording"
JUDGING: Final = "judging"
SHADOWING: Final = "shadowing"
JUDGED_FILE: Final = "judged-findings.json"
SHADOW_FILE: Final = "shadow-findings.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSinks:
    """The sinks, and a line for people on each that judges."""

    plans: tuple[SinkPlan, ...]
    notes: Sequence[str] = field(default_factory=list[str])


def plan_sinks(
    keeping: KeepingOptions,
    finding: FindingOptions,
    routes: RouteTable,
    *,
    side_effects: Mapping[WebhookIdentity, str] | None = None,
) -> PlannedSinks:
    """The sinks that were asked for; `side_effects` is what is known of the webhooks.

    Raises InputError where no webhook may be shadowed.
    """
    plans: list[SinkPlan] = []
    notes: list[str] = []
    if keeping.recording is not None:
        plans.append(SinkPlan(name=RECORDING, factory=_record(keeping, keeping.recording)))
    if finding.judge:
        results = _results(keeping, finding, JUDGED_FILE)
        plans.append(SinkPlan(name=JUDGING, factory=_judge(finding, results)))
        where = f": findings in {results}" if results else ", findings in the metrics"
        notes.append(f"every call, for Kubernetes {finding.target or 'as new as is known'}{where}")
    if finding.shadow:
        results = _results(keeping, finding, SHADOW_FILE)
        factory, refused = _shadow(finding, routes, side_effects or {}, results)
        plans.append(SinkPlan(name=SHADOWING, factory=factory))
        notes += [f"copies with new fields: findings in {results}" if results else "copies"]
        notes += refused
    return PlannedSinks(plans=tuple(plans), notes=notes)


def _record(keeping: KeepingOptions, folder: Path) -> SinkFactory:
    return RecordingSinkFactory(
        folder=folder.absolute(),
        raw=keeping.record_raw,
        rotate_bytes=keeping.rotate_size,
        rotate_seconds=keeping.rotate_age,
        retain_bytes=keeping.retain_size,
        retain_seconds=keeping.retain_age,
        tool=f"webhook-fuzz {tool_version()}",
    )


def _judge(finding: FindingOptions, results: Path | None) -> SinkFactory:
    from webhook_fuzz.fuzzer.recorded.judging_sinks import (  # noqa: PLC0415 - slow to import
        JudgingSinkFactory,
    )

    return JudgingSinkFactory(target=finding.target, results=results)


def _shadow(
    finding: FindingOptions,
    routes: RouteTable,
    side_effects: Mapping[WebhookIdentity, str],
    results: Path | None,
) -> tuple[SinkFactory, tuple[str, ...]]:
    from webhook_fuzz.fuzzer.recorded.shadowing import (  # noqa: PLC0415 - slow to import
        ShadowingSinkFactory,
    )

    targets = shadow_targets(
        routes.routes,
        side_effects=side_effects,
        assume_none=finding.shadow_assume_no_side_effects,
    )
    if not targets.allowed:
        raise InputError(
            "--shadow: no webhook may be sent copies",
            hint=" ".join(targets.refused),
        )
    factory = ShadowingSinkFactory(
        targets=targets.allowed,
        target=finding.target,
        per_second=finding.shadow_rate,
        results=results,
    )
    return factory, targets.refused


def _results(keeping: KeepingOptions, finding: FindingOptions, name: str) -> Path | None:
    folder = finding.findings or keeping.recording
    return None if folder is None else folder.absolute() / name
