"""Which host, path and Host header does kube-apiserver use for this webhook URL?

The rules are those of `clientConfig.url` and `clientConfig.service`: https only, no userinfo,
query or fragment (k8s.io/apiserver pkg/util/webhook/validation.go ValidateWebhookURL), the path
cleaned as `path.Join` does, so that a trailing slash is lost (k8s.io/client-go rest/request.go
NewRequest). A webhook that only answers at `/mutate/` fails in a cluster and must fail here.
"""

import math
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from yarl import URL

from webhook_fuzz.corpora.errors import InputError

# The port a webhook sees in `Host` when it is called through its service: the API server writes
# `name.namespace.svc:port` with the port always present; 443 is the default of
# `clientConfig.service.port`.
_SERVICE_PORT = 443
# `clientConfig.timeoutSeconds` may be 1 to 30 (k8s.io/api/admissionregistration/v1/types.go).
LONGEST_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to dial and what to call it.

    `host_header` is what the webhook reads in `Host`; `verified_name` is the name its certificate
    must carry and that is sent as SNI, None where the URL's own host serves for both.
    """

    url: URL
    host_header: str
    verified_name: str | None


def parse_target(
    url: str, *, server_name: str | None, timeout_seconds: float, server_port: int = _SERVICE_PORT
) -> Target:
    """The target for a webhook at `url`, known to itself as the service `server_name`.

    Raises InputError where the API server would refuse the URL or the timeout.
    """
    parts = _split(url)
    if not 0 < timeout_seconds <= LONGEST_TIMEOUT_SECONDS:
        raise InputError(
            f"a timeout of {timeout_seconds:g} s is not possible for a webhook",
            hint="timeoutSeconds may be 1 to 30; the default is 10.",
        )
    path = cleaned_path(parts.path)
    return Target(
        url=URL(
            f"https://{parts.netloc}{path}?timeout={math.ceil(timeout_seconds)}s", encoded=True
        ),
        host_header=f"{server_name}:{server_port}" if server_name else parts.netloc,
        verified_name=server_name,
    )


def redirected(target: Target, location: str) -> Target | None:
    """Where a 307 or 308 leads: another path of the same webhook, or None for anywhere else.

    `location` is resolved as the webhook sees its own address (its service name), then dialled
    where the webhook really listens.
    """
    seen = f"https://{target.host_header}{target.url.raw_path}"
    try:
        there, here = urlsplit(urljoin(seen, location)), urlsplit(seen)
        same = (there.scheme, there.hostname, there.port or _SERVICE_PORT) == (
            here.scheme,
            here.hostname,
            here.port or _SERVICE_PORT,
        )
    except ValueError:  # a Location that is no URL at all
        return None
    if not same:
        return None
    question = f"?{there.query}" if there.query else ""
    url = URL(f"https://{target.url.raw_authority}{there.path or '/'}{question}", encoded=True)
    return Target(url=url, host_header=target.host_header, verified_name=target.verified_name)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(
            f"{url!r} is not a URL: {error}", hint="Write it as https://HOST:PORT/PATH."
        ) from error
    if parts.scheme != "https":
        raise InputError(
            f"the webhook URL {url!r} does not start with https://",
            hint="The API server calls webhooks over TLS only: serve the webhook with a "
            "certificate and give its CA with --ca.",
        )
    if not host or any(char.isspace() for char in url):
        raise InputError(
            f"the webhook URL {url!r} has no usable host",
            hint="Write it as https://HOST:PORT/PATH.",
        )
    if "@" in parts.netloc:  # the URL is not repeated: it holds a secret
        raise InputError(
            "the webhook URL contains a user name or password",
            hint="The API server rejects such URLs; use a client certificate instead.",
        )
    if "?" in url or "#" in url:
        raise InputError(
            f"the webhook URL {url!r} has a query or a fragment",
            hint="The API server rejects both; leave out what follows the path.",
        )
    return parts


def cleaned_path(path: str) -> str:
    """`path.Join("/", path)` of Go: no empty, `.` or `..` segment, no trailing slash."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/" + "/".join(kept)
