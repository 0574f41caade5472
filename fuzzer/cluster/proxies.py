"""Which HTTP proxy lies between here and the API server?

A `proxy-url` in the kubeconfig is always used; HTTPS_PROXY and NO_PROXY as kubectl reads them:
networks like 10.0.0.0/8 in NO_PROXY count, and loopback never has a proxy. The environment is not
left to the HTTP client, which would read ~/.netrc with it and send that password, not the token.

Source: golang.org/x/net/http/httpproxy proxy.go (FromEnvironment, Config.useProxy, canonical
addresses of config.init); k8s.io/client-go tools/clientcmd/client_config.go (ProxyURL).
"""

import ipaddress
import os
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from webhook_fuzz.corpora.errors import InputError


def choose_proxy(server: str, proxy_url: str | None) -> str | None:
    """The proxy for an API server's URL, None for a direct connection.

    Raises InputError for a proxy of a kind that cannot be used (SOCKS).
    """
    parts = urlsplit(server)
    chosen = proxy_url or _from_environment(parts)
    if chosen is None:
        return None
    if "://" not in chosen:
        chosen = f"http://{chosen}"
    if urlsplit(chosen).scheme not in {"http", "https"}:
        raise InputError(
            f"the proxy {urlsplit(chosen).scheme}://… to the API server cannot be used",
            hint="Give an HTTP proxy in proxy-url or HTTPS_PROXY; SOCKS is not supported.",
        )
    return chosen


def _from_environment(server: SplitResult) -> str | None:
    variable = f"{server.scheme}_proxy"
    chosen = os.environ.get(variable.upper()) or os.environ.get(variable)
    return chosen if chosen and not _is_direct(server) else None


def _is_direct(server: SplitResult) -> bool:
    host = (server.hostname or "").rstrip(".")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    port = server.port or (443 if server.scheme == "https" else 80)
    return any(_matches(entry, host, port) for entry in _no_proxy())


def _no_proxy() -> Iterator[str]:
    entries = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    yield from filter(None, (entry.strip().lower() for entry in entries.split(",")))


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and (name.endswith("]") or ":" not in name):
        if int(number) != port:
            return False
        entry = name
    excluded = _address(entry.strip("[]"))
    if excluded is not None:
        return excluded == address
    entry = entry.removeprefix("*")
    # "example.com" is for the domain and what is below it, ".example.com" only for the latter.
    return host.endswith(entry if entry.startswith(".") else f".{entry}") or host == entry


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
