"""What does a probe pod show, sent through mutating admission as a dry run?"""

from webhook_fuzz.corpora.cluster_api.failures import Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.fuzzer.cluster.probe_sending import send_probe
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.examining.suspecting import MatchingWebhooks
from webhook_fuzz.fuzzer.readiness.gate_traits import came_with
from webhook_fuzz.fuzzer.readiness.probe_pods import ProbePod, build_probe_pod
from webhook_fuzz.fuzzer.readiness.standings import ApiServerStanding
from webhook_fuzz.fuzzer.readiness.survivals import ProbeResult, Survival, blame, judge_probe

_LOSSES = frozenset({Survival.LOST, Survival.LOST_OR_DROPPED})


async def try_probe(
    api: ClusterApi, options: ExaminationOptions, server: ApiServerStanding
) -> tuple[ProbeResult | None, tuple[Unseen, ...]]:
    """Send the feature's probe pod and judge it; None when there is no probe for the feature."""
    probe = options.probe or _shipped(options, server)
    if probe is None:
        return None, ()
    options.progress(f"trying a probe pod in namespace {options.namespace} (dry run)")
    sending = send_probe(api, probe.pod, namespace=options.namespace)
    answer = await attempt(sending, f"a probe pod in namespace {options.namespace}")
    matching = MatchingWebhooks(api)
    called = await matching.suspects(probe.pod, (), namespace=options.namespace)
    any_webhook = bool(called.webhooks) if called.complete else None
    result = judge_probe(probe, answer, server.answer, any_webhook=any_webhook)
    if result.survival is Survival.BLOCKED:
        what = f"whether the field survives in namespace {options.namespace}"
        return result, (Unseen(what=what, why=result.sentence),)
    if result.survival not in _LOSSES:
        return result, ()
    suspects = await (options.attribution or matching).suspects(
        probe.pod, result.lost, namespace=options.namespace
    )
    gap = Unseen(what="who took the field", why=result.sentence)
    unsure = (gap,) if result.survival is Survival.LOST_OR_DROPPED else ()
    return blame(result, suspects.webhooks, suspects.how), (*unsure, *suspects.not_seen)


def _shipped(options: ExaminationOptions, server: ApiServerStanding) -> ProbePod | None:
    """An API server below the field's version is to refuse it: built as newer ones know it."""
    first = came_with(options.gate)
    return build_probe_pod(options.gate, max(server.minor or first, first))
