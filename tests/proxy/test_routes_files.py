import base64
import json
from pathlib import Path
from typing import Any

import pytest

from authorities import Authority
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream
from webhook_fuzz.proxy.routes_files import dump_routes, load_routes

WEBHOOK = {"configuration": "c", "name": "n"}
LEAST = {"webhook": WEBHOOK, "host": "web.svc", "port": 443}


def write(folder: Path, *entries: object) -> Path:
    file = folder / "routes.yaml"
    file.write_text(json.dumps({"routes": entries}))
    return file


def test_the_least_route_gets_defaults(tmp_path: Path) -> None:
    (route,) = load_routes(write(tmp_path, LEAST)).routes
    identity = WebhookIdentity(configuration="c", name="n", url="https://web.svc:443/")
    upstream = Upstream(webhook=identity, host="web.svc", port=443, server_name="web.svc")
    assert route == Route(upstream=upstream)


def test_what_is_dumped_is_what_is_loaded(tmp_path: Path) -> None:
    bundle = Authority(tmp_path / "ca").ca_file.read_bytes()
    full = Upstream(
        webhook=WebhookIdentity(configuration="c", name="n", url="https://u/x"),
        host="10.0.0.1",
        port=8443,
        server_name="web.svc",
        authority="web.svc:443",
        ca_pem=bundle,
        client_cert_file=Path("/c"),
        client_key_file=Path("/k"),
        bearer_token_file=Path("/t"),
        timeout_seconds=2.5,
    )
    least = Upstream(webhook=full.webhook, host="h", port=1, server_name="h", verify=False)
    names = frozenset({"b.svc", "a.svc"})
    table = RouteTable.of(
        [
            Route(upstream=full, server_names=names, prefix="/p/q", path_at_prefix="/at"),
            Route(upstream=least),
        ]
    )
    file = tmp_path / "routes.yaml"
    file.write_text(dump_routes(table))
    assert load_routes(file) == table


@pytest.mark.parametrize("encoded", [True, False])
def test_a_bundle_is_pem_or_base64_of_it(tmp_path: Path, *, encoded: bool) -> None:
    pem = Authority(tmp_path / "ca").ca_file.read_bytes()
    given = base64.encodebytes(pem).decode() if encoded else pem.decode()
    (route,) = load_routes(write(tmp_path, {**LEAST, "caBundle": given})).routes
    assert route.upstream.ca_pem is not None
    assert route.upstream.ca_pem.strip() == pem.strip()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": ""}, "routes[0].host: must not be empty"),
        ({"host": None}, "routes[0].host: must be a string, not left out"),
        ({"port": 0}, "routes[0].port: must be a number from 1 to 65535"),
        ({"port": True}, "routes[0].port: must be a number from 1 to 65535"),
        ({"port": "443"}, "routes[0].port: must be a number from 1 to 65535"),
        ({"webhook": "n"}, "routes[0].webhook: must be an object, not string"),
        ({"webhook": {"name": "n"}}, "routes[0].webhook.configuration: must be a string"),
        ({"webhook": {**WEBHOOK, "x": "1"}}, "routes[0].webhook.x: is not known here"),
        ({"cabundle": "x"}, "routes[0].cabundle: is not known here"),
        ({"caBundle": "x!"}, "routes[0].caBundle: is neither PEM nor base64"),
        ({"caBundle": "eHg="}, "routes[0].caBundle: holds no PEM certificate"),
        ({"timeoutSeconds": 0}, "routes[0].timeoutSeconds: must be a number above 0"),
        ({"timeoutSeconds": "10s"}, "routes[0].timeoutSeconds: must be a number above 0"),
        ({"insecureSkipVerify": "yes"}, "routes[0].insecureSkipVerify: must be true or false"),
        ({"serverNames": "a"}, "routes[0].serverNames: must be a list, not string"),
        ({"serverNames": [""]}, "routes[0].serverNames: must hold names only"),
        ({"prefix": "a"}, "routes[0].prefix: 'a' must begin with a slash"),
        ({"prefix": "/a/"}, "routes[0].prefix: '/a/' must begin with a slash and not end"),
        ({"pathAtPrefix": "a"}, "routes[0].pathAtPrefix: 'a' must begin with a slash"),
        ({"clientKeyFile": "k"}, "routes[0].clientKeyFile: is given without clientCertFile"),
    ],
)
def test_a_mistake_is_said_in_one_line_with_its_place(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    file = write(tmp_path, {**LEAST, **changed})
    with pytest.raises(InputError) as raised:
        load_routes(file)
    assert raised.value.message.startswith(f"{file}: {said}")
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "must have the one member 'routes'"),
        ("routes: []", "routes: must be a list with at least one route"),
        ("routes: [3]", "routes[0]: must be an object, not number"),
        ("routes: [", "not valid YAML"),
        ("routes: &a [*a]", "alias"),
    ],
)
def test_what_is_no_list_of_routes_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as raised:
        load_routes(file)
    assert said in raised.value.message


def test_two_routes_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"routes\[1\]: has the prefix and the server names of"):
        load_routes(write(tmp_path, LEAST, LEAST))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_routes(tmp_path / "nowhere.yaml")
