"""Which pods are created, in dry runs, to see what the whole chain does to them?

The same packed pods as in a sweep, but with fields this API server has: it would only say of newer
ones that it does not know them, and direct calls have tried those. Pods of the future are left out
for the same reason.
"""

from collections.abc import Sequence
from dataclasses import replace

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.probes.loading import Probe
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.generation.cases import Case, Purpose
from webhook_fuzz.fuzzer.generation.packing import pack_sweep, with_trigger
from webhook_fuzz.fuzzer.plans import Plan


def pack_chain_cases(
    plan: Plan,
    api_server: Minor,
    *,
    acting: Sequence[Trigger] = (),
    screened: Sequence[Trigger] = (),
) -> tuple[Case, ...]:
    """The pods as they are, then with each of the triggers.

    With a trigger that makes a webhook act, a native sidecar in every position; with one of which
    that is not known, the pod that carries the most probes. Namespaces are left to whoever sends
    them; seeds and triggers with a service account of their own are left out: the namespace the
    pods are tried in does not have it.
    """
    minor = min(api_server, plan.catalogue.newest)
    probes = {
        name: probe
        for name, probe in plan.probes.items()
        if not probe.future and probe.fits(minor) and _is_known(probe, plan.catalogue, minor)
    }
    seeds = [seed for seed in plan.seeds if not _has_own_account(seed)]
    sweep = pack_sweep(seeds, probes, plan.catalogue.schema(minor))
    cases = [case for case in sweep.cases if case.purpose is Purpose.SWEEP]
    fullest = max(cases, key=lambda case: len(case.fields))
    positions = {case.sidecar_at: case for case in reversed(cases)}.values()
    acting = [trigger for trigger in acting if trigger.service_account_name is None]
    screened = [trigger for trigger in screened if trigger.service_account_name is None]
    return tuple(
        replace(case, namespace="")
        for case in (
            *cases,
            *(with_trigger(case, trigger) for trigger in acting for case in positions),
            *(with_trigger(fullest, trigger) for trigger in screened if trigger not in acting),
        )
    )


def _is_known(probe: Probe, catalogue: Catalogue, minor: Minor) -> bool:
    """Whether an API server of `minor` has every field of a probe."""
    fields = [catalogue.get(path) for path in probe.all_paths()]
    return all(field is not None and field.since <= minor for field in fields)


def _has_own_account(seed: SeedPod) -> bool:
    spec = seed.pod.get("spec")
    account = spec.get("serviceAccountName") if isinstance(spec, dict) else None
    return account not in {None, "", "default"}
