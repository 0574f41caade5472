"""Does a call go through the proxy to where it went before, under the same name and path?"""

import base64

import pytest

from intercepted import BUNDLE, CA_PEM, TARGET
from patching_clusters import configuration, service_config, webhook
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.proxy.interception.options import Target
from webhook_fuzz.proxy.interception.rerouting import build_route, identify, reroute
from webhook_fuzz.proxy.routes import RouteTable, rewrite


def hook(config: JsonObject) -> Webhook:
    return list_webhooks([configuration("mesh", webhook("inject.example.com", config))])[0]


@pytest.mark.parametrize(
    ("original", "arrives"),
    [
        (service_config("mesh", "injector", path="/inject"), "/inject"),
        (service_config("mesh", "injector", path="/inject/v1.2"), "/inject/v1.2"),
        (service_config("mesh", "injector", path="/inject/"), "/inject"),
        (service_config("mesh", "injector", path="/"), "/"),
        (service_config("mesh", "injector"), "/"),
        ({"url": "https://hooks.example.com/mutate"}, "/mutate"),
        ({"url": "https://hooks.example.com"}, "/"),
        ({"url": "https://hooks.example.com/Mutate_Pods"}, "/Mutate_Pods"),
        ({"url": "https://hooks.example.com//a//b/../c"}, "/a/c"),
        ({"url": "https://hooks.example.com/a%20b"}, "/a%20b"),
    ],
)
@pytest.mark.parametrize("target", [TARGET, Target(url="https://10.9.8.7:8443")])
def test_the_webhook_gets_the_path_it_got_before(
    original: JsonObject, arrives: str, target: Target
) -> None:
    route = build_route(hook(original), dial=("10.0.0.1", 443), dns=False)
    identifier = identify("mesh", "inject.example.com")
    ours = reroute(original, target, identifier=identifier, ca_pem=CA_PEM)
    path = text_at(object_at(ours, "service"), "path") or text_at(ours, "url").removeprefix(
        "https://10.9.8.7:8443"
    )
    # The API server cuts the slash at the end, and adds the query.
    asked = f"{path.rstrip('/')}?timeout=10s"
    found = RouteTable.of([route]).find("proxy.fuzz.svc", asked)
    assert found is route
    assert rewrite(route, asked) == f"{arrives}?timeout=10s"


def test_the_path_in_a_service_is_one_the_api_server_accepts() -> None:
    ours = reroute(
        {"url": "https://hooks.example.com/Mutate_Pods"}, TARGET, identifier="ab12", ca_pem=CA_PEM
    )
    assert ours["service"] == {
        "namespace": "fuzz",
        "name": "proxy",
        "path": "/webhook-fuzz/ab12",
        "port": 443,
    }


def test_nothing_of_the_old_address_is_left_in_the_new_one() -> None:
    ours = reroute(
        service_config("mesh", "injector", path="/inject", bundle=BUNDLE),
        Target(url="https://10.9.8.7:8443"),
        identifier="ab12",
        ca_pem=CA_PEM,
    )
    assert ours == {
        "url": "https://10.9.8.7:8443/webhook-fuzz/ab12/inject",
        "caBundle": base64.b64encode(CA_PEM).decode(),
    }


def test_a_service_is_called_by_its_name_at_the_address_it_is_reached_at() -> None:
    config = service_config("mesh", "injector", path="/inject", bundle=BUNDLE)
    upstream = build_route(hook(config), dial=("10.0.0.1", 443), dns=False).upstream
    assert (upstream.host, upstream.port) == ("10.0.0.1", 443)
    assert upstream.server_name == "injector.mesh.svc"
    assert upstream.authority == "injector.mesh.svc:443"
    assert upstream.ca_pem == base64.b64decode(BUNDLE)
    assert upstream.timeout_seconds == 10
    inside = build_route(hook(config), dial=None, dns=True).upstream
    assert (inside.host, inside.port) == ("injector.mesh.svc", 443)


def test_a_url_is_called_with_the_host_header_as_it_is_spelt() -> None:
    plain = build_route(hook({"url": "https://hooks.example.com/x"}), dial=None, dns=False).upstream
    assert (plain.host, plain.port, plain.authority) == (
        "hooks.example.com",
        443,
        "hooks.example.com",
    )
    with_port = build_route(
        hook({"url": "https://hooks.example.com:8443/x"}), dial=None, dns=False
    ).upstream
    assert (with_port.port, with_port.authority) == (8443, "hooks.example.com:8443")
    assert with_port.ca_pem is None  # the system's roots


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "no service and no https"),
        ({"url": "http://hooks.example.com"}, "no service and no https"),
        ({"url": "https://hooks.example.com:0"}, "no service and no https"),
        (service_config("mesh", "injector", bundle="%%%"), "not base64"),
        (service_config("mesh", "injector"), "not known where its Service is reached"),
    ],
)
def test_what_cannot_be_called_has_no_route(config: JsonObject, said: str) -> None:
    with pytest.raises(InputError, match=said):
        build_route(hook(config), dial=None, dns=False)


def test_an_identifier_is_the_same_every_time_and_a_webhooks_own() -> None:
    assert identify("mesh", "inject") == identify("mesh", "inject")
    assert identify("mesh", "inject") != identify("mesh", "other")
    assert len(identify("mesh", "inject")) == 16
