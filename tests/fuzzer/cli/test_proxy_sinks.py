"""Which of the proxy's webhooks may be sent copies."""

from pathlib import Path

import pytest

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.fuzzer.cli.proxy_sinks import shadow_targets
from webhook_fuzz.proxy.routes import Route, Upstream, rewrite

WEBHOOK = WebhookIdentity(configuration="injector", name="mpod", url="https://mpod.shop.svc/")
UPSTREAM = Upstream(
    webhook=WEBHOOK,
    host="10.0.0.1",
    port=8443,
    server_name="mpod.shop.svc",
    authority="mpod.shop.svc:443",
    ca_pem=b"ca",
    client_cert_file=Path("cert.pem"),
    client_key_file=Path("key.pem"),
    bearer_token_file=Path("token"),
    timeout_seconds=7.0,
)
ROUTE = Route(upstream=UPSTREAM, prefix="/webhook-fuzz/ab12", path_at_prefix="/inject")


@pytest.mark.parametrize("declared", ["None", "NoneOnDryRun"])
def test_a_webhook_that_declares_no_side_effects_may_be_shadowed(declared: str) -> None:
    found = shadow_targets([ROUTE], side_effects={WEBHOOK: declared})
    (target,) = found.allowed

    assert found.refused == ()
    assert (target.webhook, target.host, target.port) == (WEBHOOK, "10.0.0.1", 8443)
    assert (target.ca_pem, target.authority) == (b"ca", "mpod.shop.svc:443")
    assert (target.client_cert_file, target.client_key_file) == (Path("cert.pem"), Path("key.pem"))
    assert (target.bearer_token_file, target.timeout_seconds) == (Path("token"), 7.0)


@pytest.mark.parametrize("assumed", [False, True])
@pytest.mark.parametrize("declared", ["Some", "Unknown"])
def test_one_that_declares_others_is_refused_whatever_is_assumed(
    declared: str, *, assumed: bool
) -> None:
    found = shadow_targets([ROUTE], side_effects={WEBHOOK: declared}, assume_none=assumed)

    assert found.allowed == ()
    assert declared in found.refused[0]


def test_one_of_which_nothing_is_known_is_shadowed_only_on_the_users_word() -> None:
    refused = shadow_targets([ROUTE], side_effects={})
    assumed = shadow_targets([ROUTE], side_effects={}, assume_none=True)

    assert refused.allowed == ()
    assert "--shadow-assume-no-side-effects" in refused.refused[0]
    assert len(assumed.allowed) == 1


def test_a_webhook_with_several_routes_is_one_target() -> None:
    other = Route(upstream=UPSTREAM, server_names=frozenset({"mpod.shop.svc"}))

    assert len(shadow_targets([ROUTE, other], side_effects={WEBHOOK: "None"}).allowed) == 1


@pytest.mark.parametrize("rest", ["/mutate?timeout=3s", "?timeout=3s", "", "/"])
def test_copies_go_to_the_path_the_proxy_sends_the_original_to(rest: str) -> None:
    (target,) = shadow_targets([ROUTE], side_effects={WEBHOOK: "None"}).allowed
    reached = ROUTE.prefix + rest

    assert target.path_of(reached.encode()) == rewrite(ROUTE, reached).partition("?")[0]
