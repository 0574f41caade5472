"""Sweeps of the specimens, made once and looked at by many tests; no sockets."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from fakes import IDENTITY, specimen_transport
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.engine import WebhookSweep
from webhook_fuzz.fuzzer.events import CaseJudged, Event
from webhook_fuzz.fuzzer.plans import Plan, build_plan
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.specimens.programs import Specimen
from webhook_fuzz.fuzzer.tallies import Tally
from webhook_fuzz.fuzzer.verdicts import Verdict, decide


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A specimen after a sweep of all shipped seeds."""

    specimen: Specimen
    plan: Plan
    events: Sequence[Event]
    tally: Tally

    @property
    def codes(self) -> frozenset[str]:
        """What is reported of it."""
        return frozenset(found.finding.code for found in self.tally.findings)

    @property
    def verdict(self) -> Verdict:
        """What a report says of it."""
        return decide(
            [found.finding.key for found in self.tally.findings],
            catalogue=self.plan.catalogue,
            target=self.plan.target,
            reached=self.tally.reached,
            exercised=self.tally.exercised,
        )


@cache
def plan_of(minor: Minor | None = None) -> Plan:
    """All shipped seeds and probes, and the triggers specimens need."""
    triggers = [
        Trigger(name=f"{name}-annotation", annotations=specimen.trigger_annotations)
        for name, specimen in SPECIMENS.items()
        if specimen.trigger_annotations
    ]
    return build_plan(minor, triggers=triggers)


@cache
def swept(name: str) -> Swept:
    """The sweep of one specimen."""
    specimen, plan = SPECIMENS[name], plan_of()
    sweep = WebhookSweep(plan=plan, webhook=IDENTITY, transport=specimen_transport(specimen.answer))

    async def run() -> list[Event]:
        return [event async for event in sweep.events()]

    events = asyncio.run(run())
    return Swept(specimen=specimen, plan=plan, events=events, tally=sweep.tally)


def tally_of(sweep: Swept, *, without: str = "", again: bool = False) -> Tally:
    """The sweep folded once more, without the findings of one check, or judged `again`."""
    tally = Tally(webhook=sweep.tally.webhook)
    for event in sweep.events:
        if isinstance(event, CaseJudged):
            judged = run_checks(event.observation) if again else event.findings
            kept = tuple(finding for finding in judged if finding.code != without)
            tally.add(replace(event, findings=kept))
        else:
            tally.add(event)
    return tally


def violations(specimen: Specimen, tally: Tally) -> frozenset[str]:
    """The codes that are missing, and those that are made up."""
    found = {entry.finding.code for entry in tally.findings}
    return (specimen.expected_codes - found) | (
        found - specimen.expected_codes - specimen.possible_codes
    )
