"""Does a sweep find exactly what a real webhook breaks, nothing more and nothing less?"""

from collections.abc import Iterator
from typing import cast

import pytest

from testbed.expectations import expect
from testbed.fixtures import Programs, running_programs
from testbed.webhooks import EKS_POD_IDENTITY, REAL_WEBHOOKS, Effect, RealWebhook
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.fuzzer.engine import WebhookSweep
from webhook_fuzz.fuzzer.generation.cases import Purpose
from webhook_fuzz.fuzzer.generation.packing import with_trigger
from webhook_fuzz.fuzzer.plans import Plan, build_plan
from webhook_fuzz.fuzzer.tallies import Tally
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport
from webhook_fuzz.fuzzer.verdicts import Verdict
from webhook_fuzz.reports.webhook_folds import WebhookFold

pytestmark = pytest.mark.real

MOST_CALLS = 24
CONTROLS = [webhook for webhook in REAL_WEBHOOKS if webhook.path == "/raw-patch"]
PREPENDING = [webhook for webhook in REAL_WEBHOOKS if webhook.effect is Effect.LEAVES_BEHIND]
ON_DEMAND = [webhook for webhook in REAL_WEBHOOKS if webhook.trigger]


def by_name(webhook: RealWebhook) -> str:
    return webhook.name


@pytest.fixture(scope="module")
def programs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Programs]:
    yield from running_programs(request.config, tmp_path_factory)


def trigger_of(webhook: RealWebhook) -> Trigger:
    if not webhook.trigger:
        return NO_TRIGGER
    metadata = cast("dict[str, dict[str, str]]", webhook.trigger.get("metadata", {}))
    spec = cast("dict[str, str]", webhook.trigger.get("spec", {}))
    return Trigger(
        name="what-it-acts-on",
        annotations=metadata.get("annotations", {}),
        service_account_name=spec.get("serviceAccountName"),
    )


def plan_for(webhook: RealWebhook, *, triggered: bool = True) -> Plan:
    trigger = trigger_of(webhook)
    return build_plan(triggers=[trigger] if triggered and trigger != NO_TRIGGER else [])


_SWEPT: dict[tuple[str, int], Tally] = {}


async def sweep(webhook: RealWebhook, plan: Plan, programs: Programs) -> Tally:
    """The sweep of a webhook with a plan, made once and read by every test that asks about it."""
    key = (webhook.name, len(plan.triggers))
    if key not in _SWEPT:
        _SWEPT[key] = await sweep_once(webhook, plan, programs)
    return _SWEPT[key]


async def sweep_once(webhook: RealWebhook, plan: Plan, programs: Programs) -> Tally:
    program = programs(webhook.module)
    options = DirectOptions(
        url=program.url(webhook.path), name=webhook.name, ca_file=program.authority
    )
    async with DirectTransport(options) as transport:
        run = WebhookSweep(plan=plan, webhook=options.identity(), transport=transport)
        async for _ in run.events():
            pass
        return run.tally


@pytest.mark.parametrize("webhook", REAL_WEBHOOKS, ids=by_name)
async def test_finds_exactly_the_fields_it_loses_and_moves(
    webhook: RealWebhook, programs: Programs
) -> None:
    plan = plan_for(webhook)
    tally = await sweep(webhook, plan, programs)
    fold = WebhookFold(tally, plan.catalogue, plan.target)
    trigger = trigger_of(webhook)
    swept = [case for case in plan.sweep.cases if case.purpose is Purpose.SWEEP]
    expected = expect(webhook, [with_trigger(case, trigger) for case in swept], plan.catalogue)

    assert frozenset(fold.lost) == expected.lost
    assert frozenset(fold.moved) == expected.moved
    assert not set(fold.kept) & (expected.lost | expected.moved)


@pytest.mark.parametrize("webhook", REAL_WEBHOOKS, ids=by_name)
async def test_confirms_every_lost_field_alone_in_few_calls(
    webhook: RealWebhook, programs: Programs
) -> None:
    tally = await sweep(webhook, plan_for(webhook), programs)

    lost = [f for f in tally.findings if f.finding.code in {"WF101", "WF102", "WF103", "WF108"}]
    assert all(found.alone for found in lost)
    assert all(done.sent <= MOST_CALLS for done in tally.triggers)
    assert tally.confirmations <= 2 * len(tally.findings)


@pytest.mark.parametrize("webhook", CONTROLS, ids=by_name)
async def test_finds_nothing_in_a_surgical_webhook(
    webhook: RealWebhook, programs: Programs
) -> None:
    plan = plan_for(webhook)
    tally = await sweep(webhook, plan, programs)

    assert [found.finding for found in tally.findings] == []
    assert WebhookFold(tally, plan.catalogue, plan.target).verdict is Verdict.COMPATIBLE


@pytest.mark.parametrize("webhook", PREPENDING, ids=by_name)
async def test_names_the_container_that_lost_and_the_one_that_received(
    webhook: RealWebhook, programs: Programs
) -> None:
    tally = await sweep(webhook, plan_for(webhook), programs)

    moved = [found.finding for found in tally.findings if found.finding.code == "WF104"]
    assert moved
    for finding in moved:
        assert finding.path is not None
        assert finding.moved_to is not None
        assert finding.path.partition("]")[0] != finding.moved_to.partition("]")[0]


@pytest.mark.parametrize("webhook", ON_DEMAND, ids=by_name)
async def test_is_not_exercised_without_its_trigger(
    webhook: RealWebhook, programs: Programs
) -> None:
    plan = plan_for(webhook, triggered=False)
    tally = await sweep(webhook, plan, programs)

    assert WebhookFold(tally, plan.catalogue, plan.target).verdict is Verdict.NOT_EXERCISED


async def test_the_eks_webhook_replaces_whole_lists(programs: Programs) -> None:
    tally = await sweep(EKS_POD_IDENTITY, plan_for(EKS_POD_IDENTITY), programs)

    assert "WF202" in {found.finding.code for found in tally.findings}
    assert tally.mechanism == "list-replacement"
