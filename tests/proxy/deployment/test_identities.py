"""Does the caBundle stay the same while certificates are renewed, and does nothing end too soon?"""

import base64
import ssl

import pytest
from cryptography import x509

from applying_clusters import ApplyingCluster
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.deployment.applying import apply_objects
from webhook_fuzz.proxy.deployment.identities import DAY, prepare_identity
from webhook_fuzz.proxy.deployment.installations import Installation, build_objects

NAME = "webhook-fuzz-proxy.webhook-fuzz.svc"
SECRET = "/api/v1/namespaces/webhook-fuzz/secrets/webhook-fuzz-authority"
NOW = 1_800_000_000.0


async def installed(*, days: float = 7, now: float = NOW) -> ApplyingCluster:
    api = ApplyingCluster()
    identity = await prepare_identity(api, "webhook-fuzz", [NAME], seconds=days * DAY, now=now)
    given = Installation(certificate=identity.certificate, authority=identity.authority)
    await apply_objects(api, build_objects(given), tell=lambda _: None)
    return api


async def test_it_outlives_the_interception_with_days_to_spare() -> None:
    found = await prepare_identity(
        ApplyingCluster(), "webhook-fuzz", [NAME], seconds=7 * DAY, now=NOW
    )
    served = x509.load_pem_x509_certificate(found.certificate["tls.crt"])
    assert served.not_valid_after_utc.timestamp() >= NOW + 8 * DAY
    served.verify_directly_issued_by(x509.load_pem_x509_certificate(found.ca_pem))
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    ssl.create_default_context(cadata=found.ca_pem.decode())


async def test_installing_again_renews_the_certificate_by_the_same_authority() -> None:
    api = await installed()
    first = await prepare_identity(api, "webhook-fuzz", [NAME], seconds=DAY, now=NOW)
    later = await prepare_identity(api, "webhook-fuzz", [NAME], seconds=DAY, now=NOW + 30 * DAY)
    assert later.ca_pem == first.ca_pem
    assert later.certificate["tls.crt"] != first.certificate["tls.crt"]
    assert later.authority == first.authority


async def test_an_authority_that_ends_before_the_interception_is_refused() -> None:
    api = await installed()
    with pytest.raises(InputError, match="does not live that long"):
        await prepare_identity(api, "webhook-fuzz", [NAME], seconds=30 * DAY, now=NOW + 350 * DAY)


@pytest.mark.parametrize("planted", ["%%%", base64.b64encode(b"no PEM").decode()])
async def test_a_damaged_authority_is_said_and_not_replaced(planted: str) -> None:
    api = await installed()
    api.stored[SECRET]["data"] = {"authority.pem": planted}
    with pytest.raises(InputError):
        await prepare_identity(api, "webhook-fuzz", [NAME], seconds=DAY, now=NOW)


async def test_keys_show_up_in_no_repr() -> None:
    found = await prepare_identity(ApplyingCluster(), "webhook-fuzz", [NAME], seconds=DAY, now=NOW)
    given = Installation(certificate=found.certificate, authority=found.authority)
    assert "PRIVATE" not in repr(found) + repr(given)
