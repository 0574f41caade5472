"""Are certificates complained about in time, and only where nobody takes care of them?"""

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from configured import NOW, around, by_service, configuration, entry, lint, lint_entry, only
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.cluster.surroundings import ServedCertificate, View
from webhook_fuzz.fuzzer.findings import ClusterFinding, Severity

DAY = dt.timedelta(days=1)
YEAR = 365 * DAY


def bundle(*lives: tuple[dt.timedelta, dt.timedelta]) -> str:
    """A caBundle of authorities that began and end so long from now."""
    return base64.b64encode(b"".join(authority(*life) for life in lives)).decode()


def authority(begins: dt.timedelta, ends: dt.timedelta) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "injector CA")])
    builder = x509.CertificateBuilder(issuer_name=name, subject_name=name)
    builder = builder.public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(NOW + begins).not_valid_after(NOW + ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


GOOD = bundle((-DAY, 10 * YEAR))


def with_bundle(
    ca_bundle: JsonValue,
    *,
    view: View = View.MANIFESTS,
    annotations: JsonObject | None = None,
    served: ServedCertificate | None = None,
) -> list[ClusterFinding]:
    changed = entry(clientConfig=by_service(caBundle=ca_bundle))
    known = around(view, certificates={0: served} if served else {})
    found = lint(
        configuration(changed, metadata={"annotations": annotations or {}}), surroundings=known
    )
    return [finding for finding in found if finding.code == "WF608"]


def test_an_authority_with_years_to_go_is_fine() -> None:
    assert with_bundle(GOOD) == []


def test_an_expired_authority_is_an_error() -> None:
    finding = only(with_bundle(bundle((-2 * YEAR, -DAY))), "WF608")
    assert finding.severity is Severity.ERROR
    assert "expired on 2026-11-23" in finding.explanation
    assert finding.path == "webhooks[0].clientConfig.caBundle"
    assert "CN=injector CA" in finding.evidence


def test_an_authority_that_ends_within_a_month_is_a_warning() -> None:
    finding = only(with_bundle(bundle((-YEAR, 29 * DAY))), "WF608")
    assert finding.severity is Severity.WARNING
    assert "in 29 days" in finding.explanation
    assert with_bundle(bundle((-YEAR, 31 * DAY))) == []


def test_a_short_lived_authority_is_late_in_its_own_terms() -> None:
    assert with_bundle(bundle((-DAY / 2, DAY / 2))) == []
    assert only(with_bundle(bundle((-3 * DAY / 4, DAY / 4))), "WF608").explanation


def test_one_good_authority_in_a_bundle_is_enough() -> None:
    assert with_bundle(bundle((-2 * YEAR, -DAY), (-DAY, YEAR))) == []


def test_an_authority_of_the_future_verifies_nothing_yet() -> None:
    finding = only(with_bundle(bundle((DAY, YEAR))), "WF608")
    assert "not valid before 2026-11-25 12:00 UTC" in finding.explanation
    assert with_bundle(bundle((DAY, YEAR), (-YEAR, 2 * DAY))) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("${CA_BUNDLE}", "caBundle is not base64"),
        (base64.b64encode(b"CA bundle").decode(), "no certificate"),
    ],
)
def test_what_is_no_certificate_is_an_error(given: str, said: str) -> None:
    finding = only(with_bundle(given), "WF608")
    assert finding.severity is Severity.ERROR
    assert said in finding.explanation


@pytest.mark.parametrize("empty", ["", "Cg==", None])
def test_an_empty_bundle_in_a_manifest_is_worth_a_word(empty: str | None) -> None:
    finding = only(with_bundle(empty), "WF608")
    assert finding.severity is Severity.INFO
    assert finding.remedy is not None


def test_a_bundle_that_is_left_out_is_told_at_the_client_config() -> None:
    found = lint(configuration(entry(clientConfig=by_service())))
    assert only(found, "WF608").path == "webhooks[0].clientConfig"


@pytest.mark.parametrize(
    "annotation",
    ["cert-manager.io/inject-ca-from-secret", "service.beta.openshift.io/inject-cabundle"],
)
def test_an_empty_bundle_that_a_controller_fills_is_fine_in_a_manifest(annotation: str) -> None:
    annotations: JsonObject = {annotation: "x"}
    assert with_bundle("", annotations=annotations) == []
    finding = only(with_bundle("", annotations=annotations, view=View.CLUSTER), "WF608")
    assert finding.severity is Severity.ERROR
    assert "has not filled it in" in finding.explanation


def test_an_empty_bundle_on_a_cluster_verifies_no_service() -> None:
    finding = only(with_bundle("", view=View.CLUSTER), "WF608")
    assert finding.severity is Severity.ERROR
    assert "nobody has filled it in" in finding.explanation


def test_a_url_may_rely_on_the_systems_authorities() -> None:
    assert lint_entry(around(View.CLUSTER)) == []


def test_a_served_certificate_that_is_not_accepted_is_an_error() -> None:
    served = ServedCertificate(address="injector.injector.svc:443", problem="certificate expired")
    finding = only(with_bundle(GOOD, view=View.CLUSTER, served=served), "WF608")
    assert finding.severity is Severity.ERROR
    assert "certificate expired" in finding.explanation
    assert "injector.injector.svc:443" in finding.evidence


@pytest.mark.parametrize(("days", "count"), [(5, 1), (90, 0)])
def test_a_served_certificate_that_ends_soon_is_a_warning(days: int, count: int) -> None:
    served = ServedCertificate(address="x:443", expires=NOW + days * DAY, lifetime=YEAR)
    found = with_bundle(GOOD, view=View.CLUSTER, served=served)
    assert [finding.severity for finding in found] == [Severity.WARNING] * count


def test_a_broken_bundle_hides_what_is_served() -> None:
    served = ServedCertificate(address="x:443", problem="unable to get local issuer certificate")
    finding = only(with_bundle(bundle((-YEAR, -DAY)), served=served), "WF608")
    assert "expired" in finding.explanation
