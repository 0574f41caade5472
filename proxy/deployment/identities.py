"""With which certificate do the proxies of a cluster answer, and who signs the next one?

Both replicas serve one certificate out of a Secret. Its authority is in another Secret that no pod
mounts: whoever installs again renews the certificate, and the caBundles in the webhooks stay what
they are. It lives as long as an interception may be prolonged, and is trusted for nothing but
calls of the webhooks behind the proxy.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.proxy.certificates.authorities import (
    Authority,
    create_authority,
    parse_authority,
)
from webhook_fuzz.proxy.deployment.applying import read_present
from webhook_fuzz.proxy.deployment.installations import AUTHORITY, find, load_manifests

DAY: Final = 86_400.0
_AUTHORITY_SECONDS: Final = 365 * DAY
# After an interception has ended, API servers go on calling the proxy for a moment; a keeper may
# be late.
_MARGIN_SECONDS: Final = 2 * DAY
_FILE: Final = "authority.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The files of the two Secrets by their names, and `ca_pem`, which goes into caBundles."""

    ca_pem: bytes
    certificate: Mapping[str, bytes] = field(repr=False)
    authority: Mapping[str, bytes] = field(repr=False)


async def prepare_identity(
    api: ClusterApi, namespace: str, names: Sequence[str], *, seconds: float, now: float
) -> Identity:
    """A certificate for `names` that outlives `seconds` from now, by the authority there is.

    Raises InputError when the authority in the cluster is damaged, or ends before that: with
    another one the caBundles of intercepted webhooks would be wrong.
    """
    manifest = find(load_manifests(), "Secret", AUTHORITY)
    object_at(manifest, "metadata")["namespace"] = namespace
    found = await read_present(api, manifest)
    authority = _read(found) or create_authority(now=now, seconds=_AUTHORITY_SECONDS)
    if authority.not_after < now + seconds + _MARGIN_SECONDS:
        raise InputError(
            f"the authority in the Secret {namespace}/{AUTHORITY} does not live that long",
            hint="`webhook-fuzz proxy uninstall`, then install anew: that makes another one.",
        )
    pair = authority.issue(names, now=now, seconds=seconds + _MARGIN_SECONDS)
    return Identity(
        ca_pem=authority.ca_pem,
        certificate={
            "ca.crt": authority.ca_pem,
            "tls.crt": pair.chain_pem,
            "tls.key": pair.key_pem,
        },
        authority={"ca.crt": authority.ca_pem, _FILE: authority.render()},
    )


def _read(secret: JsonObject | None) -> Authority | None:
    """The authority in a Secret; None where there is no Secret, or it was not filled in yet."""
    encoded = text_at(object_at(secret or {}, "data"), _FILE)
    if not encoded:
        return None
    source = f"the Secret {AUTHORITY}"
    try:
        return parse_authority(base64.b64decode(encoded, validate=True), source=source)
    except binascii.Error as error:
        raise InputError(
            f"{source}: {_FILE} is not base64",
            hint="`webhook-fuzz proxy uninstall`, then install anew.",
        ) from error
