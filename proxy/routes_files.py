"""How are routes written in a file, for a proxy that cannot ask the API server for them?

YAML, or JSON, which is YAML. Only `webhook`, `host` and `port` must be there; a caBundle is PEM, or
base64 of PEM as in a webhook configuration; without one, the system's roots are trusted.

    routes:
      - webhook: {configuration: injector, name: inject.example.com}
        host: injector.mesh.svc
        port: 443
        serverName: injector.mesh.svc
        authority: injector.mesh.svc:443
        caBundle: LS0tLS1CRUdJTi…
        timeoutSeconds: 10
        serverNames: [webhook-fuzz-proxy.webhook-fuzz.svc]
        prefix: /injector
"""

import base64
import binascii
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

import yaml

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.corpora.triggers.documents import read_document
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream

_WEBHOOK: Final = frozenset({"configuration", "name", "url"})
_ROUTE: Final = frozenset(
    {
        *("webhook", "host", "port", "serverName", "authority", "caBundle", "insecureSkipVerify"),
        *("clientCertFile", "clientKeyFile", "bearerTokenFile", "timeoutSeconds"),
        *("serverNames", "prefix", "pathAtPrefix"),
    }
)
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_PORTS: Final = range(1, 65536)
_HINT: Final = (
    "A route has webhook (configuration, name), host and port, and may have "
    f"{', '.join(sorted(_ROUTE - {'webhook', 'host', 'port'}))}."
)


def load_routes(path: Path) -> RouteTable:
    """The routes in a file.

    Raises InputError, naming file, route and member, where anything in it makes no sense.
    """
    document = read_document(path)
    if not isinstance(document, dict) or set(document) != {"routes"}:
        raise InputError(f"{path}: must have the one member 'routes'", hint=_HINT)
    entries = document["routes"]
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: routes: must be a list with at least one route", hint=_HINT)
    routes: list[Route] = []
    for number, entry in enumerate(entries):
        reader = _Reader(_object(entry, f"{path}: routes[{number}]"), f"{path}: routes[{number}]")
        routes.append(reader.route())
        reader.refuse_double(routes)
    return RouteTable.of(routes)


def dump_routes(table: RouteTable) -> str:
    """The routes as YAML that `load_routes` reads to an equal table."""
    return yaml.safe_dump({"routes": [_entry(route) for route in table.routes]}, sort_keys=False)


def _entry(route: Route) -> JsonObject:
    upstream = route.upstream
    webhook = upstream.webhook
    entry: JsonObject = {
        "webhook": {
            "configuration": webhook.configuration,
            "name": webhook.name,
            "url": webhook.url,
        },
        "host": upstream.host,
        "port": upstream.port,
        "serverName": upstream.server_name,
        "timeoutSeconds": upstream.timeout_seconds,
        "serverNames": [*sorted(route.server_names)],
        "prefix": route.prefix,
        "pathAtPrefix": route.path_at_prefix,
    }
    if upstream.authority is not None:
        entry["authority"] = upstream.authority
    if upstream.ca_pem is not None:
        entry["caBundle"] = base64.b64encode(upstream.ca_pem).decode()
    if not upstream.verify:
        entry["insecureSkipVerify"] = True
    files = {
        "clientCertFile": upstream.client_cert_file,
        "clientKeyFile": upstream.client_key_file,
        "bearerTokenFile": upstream.bearer_token_file,
    }
    entry.update({name: str(file) for name, file in files.items() if file is not None})
    return entry


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one object of the file; `at` is where it stands."""

    holder: JsonObject
    at: str

    def route(self) -> Route:
        self.refuse_unknown(_ROUTE)
        prefix = self.text("prefix", default="")
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise self.wrong("prefix", f"{prefix!r} must begin with a slash and not end with one")
        at_prefix = self.text("pathAtPrefix", default="/")
        if not at_prefix.startswith("/"):
            raise self.wrong("pathAtPrefix", f"{at_prefix!r} must begin with a slash")
        return Route(
            upstream=self.upstream(),
            server_names=self.names("serverNames"),
            prefix=prefix,
            path_at_prefix=at_prefix,
        )

    def upstream(self) -> Upstream:
        host, port = self.text("host"), self.port()
        server_name = self.text("serverName", default=host)
        url = f"https://{server_name}:{port}/"
        verify, bundle = not self.flag("insecureSkipVerify"), self.bundle()
        if bundle is not None and not verify:
            raise self.wrong("insecureSkipVerify", "makes no sense beside a caBundle")
        key, cert = self.file("clientKeyFile"), self.file("clientCertFile")
        if key is not None and cert is None:
            raise self.wrong("clientKeyFile", "is given without clientCertFile")
        return Upstream(
            webhook=self.webhook(url),
            host=host,
            port=port,
            server_name=server_name,
            authority=self.text("authority", default="") or None,
            ca_pem=bundle,
            verify=verify,
            client_cert_file=cert,
            client_key_file=key,
            bearer_token_file=self.file("bearerTokenFile"),
            timeout_seconds=self.seconds("timeoutSeconds", default=30.0),
        )

    def webhook(self, url: str) -> WebhookIdentity:
        at = f"{self.at}.webhook"
        named = _Reader(_object(self.holder.get("webhook"), at), at)
        named.refuse_unknown(_WEBHOOK)
        return WebhookIdentity(
            configuration=named.text("configuration"),
            name=named.text("name"),
            url=named.text("url", default=url),
        )

    def bundle(self) -> bytes | None:
        given = self.text("caBundle", default="").strip()
        if not given:
            return None
        data = given.encode()
        if _BEGIN not in data:
            try:
                data = base64.b64decode("".join(given.split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise self.wrong("caBundle", "is neither PEM nor base64") from error
        if _BEGIN not in data:
            raise self.wrong("caBundle", "holds no PEM certificate")
        return data

    def text(self, name: str, *, default: str | None = None) -> str:
        value = self.holder.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, f"must be a string, not {_said(value)}")
        if not value and default is None:
            raise self.wrong(name, "must not be empty")
        return value

    def port(self) -> int:
        value = self.holder.get("port")
        if not isinstance(value, int) or isinstance(value, bool) or value not in _PORTS:
            raise self.wrong("port", "must be a number from 1 to 65535")
        return value

    def seconds(self, name: str, *, default: float) -> float:
        match self.holder.get(name, default):
            case bool():
                pass
            case int() | float() as value if isfinite(value) and value > 0:
                return float(value)
            case _:
                pass
        raise self.wrong(name, "must be a number above 0")

    def flag(self, name: str) -> bool:
        value = self.holder.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(name, f"must be true or false, not {_said(value)}")
        return value

    def file(self, name: str) -> Path | None:
        given = self.text(name, default="")
        return Path(given) if given else None

    def names(self, name: str) -> frozenset[str]:
        value = self.holder.get(name, [])
        if not isinstance(value, list):
            raise self.wrong(name, f"must be a list, not {_said(value)}")
        found: set[str] = set()
        for each in value:
            if not isinstance(each, str) or not each:
                raise self.wrong(name, "must hold names only")
            found.add(each)
        return frozenset(found)

    def refuse_unknown(self, known: frozenset[str]) -> None:
        unknown = sorted(self.holder.keys() - known)
        if unknown:
            raise self.wrong(unknown[0], "is not known here")

    def refuse_double(self, routes: list[Route]) -> None:
        """The last of the routes must be told from all before it."""
        *before, last = routes
        for number, route in enumerate(before):
            if (route.prefix, route.server_names) == (last.prefix, last.server_names):
                same = f"has the prefix and the server names of routes[{number}]"
                raise InputError(f"{self.at}: {same}", hint="Only one of them could be reached.")

    def wrong(self, name: str, what: str) -> InputError:
        return InputError(f"{self.at}.{name}: {what}", hint=_HINT)


def _object(value: JsonValue, at: str) -> JsonObject:
    if not isinstance(value, dict):
        raise InputError(f"{at}: must be an object, not {_said(value)}", hint=_HINT)
    return value


def _said(value: JsonValue) -> str:
    return "left out" if value is None else json_type_name(value)
