"""Until when can the API server verify a webhook's certificate with its caBundle?"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from webhook_fuzz.corpora.webhooks import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class CaBundle:
    """The certificates in a caBundle: how many, when the first and the last of them expire.

    Without certificates `problem` says why; both None with no caBundle, which means the system's
    authorities. An expired one beside a valid one does no harm: `expires` is the last.
    """

    certificates: int = 0
    first_expires: datetime | None = None
    expires: datetime | None = None
    problem: str | None = None


def read_ca_bundle(webhook: Webhook) -> CaBundle:
    """What the caBundle of a webhook holds."""
    try:
        pem = webhook.ca_bundle
        found = x509.load_pem_x509_certificates(pem) if pem else []
    except ValueError as error:
        return CaBundle(problem=" ".join(str(error).split()) or "not a PEM certificate")
    if not found:
        return CaBundle()
    ends = sorted(each.not_valid_after_utc for each in found)
    return CaBundle(certificates=len(found), first_expires=ends[0], expires=ends[-1])
