"""Can the API server verify the webhook's certificate, and for how long?

WF608: what the caBundle holds, and, where the webhook could be reached, what it serves. Nobody
notices an authority that runs out until the day it does, and then every request fails at once.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.cluster.surroundings import ServedCertificate, View
from webhook_fuzz.fuzzer.configurations.owners import find_bundle_injector
from webhook_fuzz.fuzzer.configurations.registry import Flaw, Subject, rule
from webhook_fuzz.fuzzer.findings import Severity

EXPIRING: Final = timedelta(days=30)
# Short-lived certificates are renewed late in days, in time in their own terms: cert-manager does
# it when a third of the lifetime is left.
_RENEWED_AT: Final = 3
_MEMBER: Final = ("clientConfig", "caBundle")


@rule("WF608")
def find_bundle_problems(subject: Subject) -> Iterator[Flaw]:
    """The caBundle by itself, then what is served; the first problem hides the others."""
    bundle = _bundle_flaw(subject)
    served = subject.around.certificates.get(subject.webhook.position)
    if bundle is not None:
        yield bundle
    elif served is not None:
        yield from _served_flaws(served, subject.around.now)


def _bundle_flaw(subject: Subject) -> Flaw | None:
    webhook = subject.webhook
    try:
        bundle = webhook.ca_bundle
    except ValueError as error:
        return Flaw(
            severity=Severity.ERROR, member=_MEMBER, explanation=f"{_sentence(str(error))}."
        )
    # `Cg==`, a line feed, is what kubebuilder writes for "to be filled in".
    if bundle is None or not bundle.strip():
        return _empty_bundle_flaw(subject)
    try:
        authorities = x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return Flaw(
            severity=Severity.ERROR,
            member=_MEMBER,
            explanation="caBundle holds no certificate (PEM) that can be read.",
        )
    return _expiry_flaw(authorities, subject.around.now)


def _empty_bundle_flaw(subject: Subject) -> Flaw | None:
    """The system's roots are good for a URL; nobody issues them for `name.namespace.svc`."""
    webhook = subject.webhook
    if webhook.service is None:
        return None
    injector = find_bundle_injector(webhook.metadata)
    if subject.around.view is View.CLUSTER:
        waiting = f"{injector} has not filled it in" if injector else "nobody has filled it in"
        return Flaw(
            severity=Severity.ERROR,
            member=_member_of(webhook),
            explanation=f"caBundle is empty: {waiting}, and no call to a service can be verified.",
        )
    if injector:
        return None
    return Flaw(
        severity=Severity.INFO,
        member=_member_of(webhook),
        explanation="caBundle is empty in the manifest: something must fill it in before the "
        "first call, and no annotation says what.",
        remedy="Let cert-manager's cainjector fill it in (cert-manager.io/inject-ca-from), or make "
        "sure that the program itself does so and keeps it up to date.",
    )


def _member_of(webhook: Webhook) -> tuple[str, ...]:
    config = webhook.entry.get("clientConfig")
    return _MEMBER if isinstance(config, dict) and "caBundle" in config else ("clientConfig",)


def _expiry_flaw(authorities: list[x509.Certificate], now: datetime) -> Flaw | None:
    """One authority that is good is enough: a bundle holds the old and the new one for a while."""
    last = max(authorities, key=lambda each: each.not_valid_after_utc)
    ends, starts = last.not_valid_after_utc, last.not_valid_before_utc
    if ends <= now:
        return Flaw(
            severity=Severity.ERROR,
            member=_MEMBER,
            explanation=f"caBundle has expired on {ends:%Y-%m-%d}: no call can be verified.",
            evidence=_name(last),
        )
    if min(each.not_valid_before_utc for each in authorities) > now:
        return Flaw(
            severity=Severity.ERROR,
            member=_MEMBER,
            explanation=f"caBundle is not valid before {starts:%Y-%m-%d %H:%M} UTC.",
            evidence=_name(last),
        )
    if _ends_soon(ends, ends - starts, now):
        return Flaw(
            severity=Severity.WARNING,
            member=_MEMBER,
            explanation=f"caBundle expires on {ends:%Y-%m-%d}, in {(ends - now).days} days: then "
            "every call fails.",
            evidence=_name(last),
        )
    return None


def _ends_soon(ends: datetime, lifetime: timedelta, now: datetime) -> bool:
    return ends - now < min(EXPIRING, lifetime / _RENEWED_AT)


def _name(certificate: x509.Certificate) -> str:
    subject = certificate.subject.rfc4514_string() or f"serial number {certificate.serial_number:x}"
    return f"The certificate is that of {subject}."


def _served_flaws(served: ServedCertificate, now: datetime) -> Iterator[Flaw]:
    if served.problem is not None:
        yield Flaw(
            severity=Severity.ERROR,
            member=_MEMBER,
            explanation=f"The certificate it serves is not accepted: {served.problem}.",
            evidence=f"Seen from here at {served.address}, verified with the caBundle.",
        )
    elif served.expires and served.lifetime and _ends_soon(served.expires, served.lifetime, now):
        yield Flaw(
            severity=Severity.WARNING,
            member=("clientConfig",),
            explanation=f"The certificate it serves expires on {served.expires:%Y-%m-%d}, in "
            f"{(served.expires - now).days} days.",
            evidence=f"Seen from here at {served.address}.",
        )


def _sentence(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
