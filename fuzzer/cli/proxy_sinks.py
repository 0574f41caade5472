"""Which webhooks of the proxy may be sent shadow copies?

Those whose configuration declares `sideEffects: None` or `NoneOnDryRun`: copies are dry runs. Where
the configuration is not known (a proxy without a cluster), only if the user says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.fuzzer.recorded.shadow_targets import ShadowTarget
from webhook_fuzz.proxy.routes import Route

SAFE_SIDE_EFFECTS: Final = frozenset({"None", "NoneOnDryRun"})
"""What a webhook's `sideEffects` must be; `Some` and `Unknown` exist in v1beta1 only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowTargets:
    """The webhooks that may be shadowed, and a sentence for each of the others."""

    allowed: tuple[ShadowTarget, ...]
    refused: tuple[str, ...]


def shadow_targets(
    routes: Iterable[Route],
    *,
    side_effects: Mapping[WebhookIdentity, str],
    assume_none: bool = False,
) -> ShadowTargets:
    """Sort the routes' webhooks; `side_effects` says what is known of them.

    `assume_none` is the user's word for those of which nothing is known; what is known to have side
    effects is refused in any case.
    """
    allowed: dict[WebhookIdentity, ShadowTarget] = {}
    refused: dict[WebhookIdentity, str] = {}
    for route in routes:
        webhook = route.upstream.webhook
        declared = side_effects.get(webhook)
        if declared in SAFE_SIDE_EFFECTS or (declared is None and assume_none):
            allowed.setdefault(webhook, _target(route))
        else:
            refused.setdefault(webhook, _refusal(webhook, declared))
    return ShadowTargets(allowed=tuple(allowed.values()), refused=tuple(refused.values()))


def _target(route: Route) -> ShadowTarget:
    upstream = route.upstream
    return ShadowTarget(
        webhook=upstream.webhook,
        host=upstream.host,
        port=upstream.port,
        server_name=upstream.server_name,
        authority=upstream.authority,
        ca_pem=upstream.ca_pem,
        verify=upstream.verify,
        client_cert_file=upstream.client_cert_file,
        client_key_file=upstream.client_key_file,
        bearer_token_file=upstream.bearer_token_file,
        timeout_seconds=upstream.timeout_seconds,
        prefix=route.prefix,
        path_at_prefix=route.path_at_prefix,
    )


def _refusal(webhook: WebhookIdentity, declared: str | None) -> str:
    if declared is None:
        return (
            f"{webhook.name} is not shadowed: its sideEffects are not known. "
            "--shadow-assume-no-side-effects says it has none in dry runs."
        )
    return f"{webhook.name} is not shadowed: it declares sideEffects {declared}."
