"""What does a clientConfig look like that leads to the proxy, and where does a call go from there?

The new path holds an identifier of the webhook and then the old path. Port, caBundle and address
are the proxy's; the route keeps what the old ones were, as the API server would have used them
(k8s.io/apiserver pkg/util/webhook/client.go, hookClientConfig to REST client).
"""

import base64
import hashlib
import posixpath
import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook
from webhook_fuzz.proxy.interception.options import Target
from webhook_fuzz.proxy.routes import Route, Upstream

PREFIX: Final = "/webhook-fuzz"
# What service.path may consist of: k8s.io/apiserver pkg/util/webhook/validation.go
# ValidateWebhookService, IsDNS1123Subdomain for every segment.
_SEGMENT: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def identify(configuration: str, name: str) -> str:
    """A short name for a webhook that is the same every time, 16 hexadecimal digits."""
    return hashlib.sha256(f"{configuration}/{name}".encode()).hexdigest()[:16]


def reroute(original: JsonObject, target: Target, *, identifier: str, ca_pem: bytes) -> JsonObject:
    """The clientConfig that leads to the proxy instead."""
    path = f"{PREFIX}/{identifier}{_suffix(original)}"
    bundle = base64.b64encode(ca_pem).decode()
    if target.service is None:
        return {"url": f"{target.url}{path}", "caBundle": bundle}
    service: JsonObject = {
        "namespace": target.service.namespace,
        "name": target.service.name,
        "path": path,
        "port": target.service.port,
    }
    return {"service": service, "caBundle": bundle}


def build_route(webhook: Webhook, *, dial: tuple[str, int] | None, dns: bool) -> Route:
    """Where the proxy sends the calls of a webhook, whose entry has its original clientConfig.

    `dial` is where it is reached; without, by the name of its Service (`dns`) or the host of its
    URL. Raises InputError for a caBundle or an address that cannot be used.
    """
    try:
        ca_pem = webhook.ca_bundle
    except ValueError as error:
        raise InputError(
            f"{webhook.identity}: {error}", hint="No call of it can succeed."
        ) from error
    service = webhook.service
    host, port, server_name, authority, url = _address(webhook, service)
    if dial is None and service is not None and not dns:
        raise InputError(
            f"{webhook.identity}: it is not known where its Service is reached from here",
            hint=f"Give --dial {webhook.identity}=HOST:PORT.",
        )
    return Route(
        upstream=Upstream(
            webhook=WebhookIdentity(
                configuration=webhook.configuration, name=webhook.name, url=url
            ),
            host=dial[0] if dial else host,
            port=dial[1] if dial else port,
            server_name=server_name,
            authority=authority,
            ca_pem=ca_pem,
            timeout_seconds=float(webhook.timeout_seconds),
        ),
        prefix=f"{PREFIX}/{identify(webhook.configuration, webhook.name)}",
        path_at_prefix=_path(webhook.entry.get("clientConfig")),
    )


def _address(webhook: Webhook, service: ServiceReference | None) -> tuple[str, int, str, str, str]:
    """Host, port, name in the certificate, Host header, and the URL the API server calls."""
    if service is not None:
        name = service.server_name
        authority = f"{name}:{service.port}"
        path = _path(webhook.entry.get("clientConfig"))
        return name, service.port, name, authority, f"https://{authority}{path}"
    url = webhook.url or ""
    parts = urlsplit(url)
    try:
        port = 443 if parts.port is None else parts.port
    except ValueError:
        port = 0
    if parts.scheme != "https" or not parts.hostname or not port:
        raise InputError(
            f"{webhook.identity}: its clientConfig has no service and no https:// URL",
            hint="No call of it can succeed.",
        )
    return parts.hostname, port, parts.hostname, parts.netloc, url


def _path(client_config: JsonValue) -> str:
    """The path as the API server sends it: cleaned, `/` at least (client-go rest/request.go)."""
    config: JsonObject = client_config if isinstance(client_config, dict) else {}
    service = config.get("service")
    given = str(service.get("path") or "") if isinstance(service, dict) else ""
    if not isinstance(service, dict):
        given = unquote(urlsplit(str(config.get("url") or "")).path)
    # normpath keeps two slashes at the beginning, which Go's path.Join does not.
    return quote("/" + posixpath.normpath("/" + given).lstrip("/"), safe="/!$&'()*+,;=:@~-._")


def _suffix(original: JsonObject) -> str:
    """The old path, where a service.path may have it; otherwise the route alone knows it."""
    segments = _path(original).strip("/").split("/")
    if all(_SEGMENT.fullmatch(each) for each in segments):
        return "/" + "/".join(segments)
    return ""
