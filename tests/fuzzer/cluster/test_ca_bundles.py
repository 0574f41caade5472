import base64
from pathlib import Path

from cryptography import x509

from authorities import Authority
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.cluster.ca_bundles import CaBundle, read_ca_bundle


def _webhook(bundle: str | None) -> Webhook:
    entry: JsonObject = {"name": "w", "clientConfig": {"caBundle": bundle}}
    (webhook,) = list_webhooks([{"metadata": {"name": "c"}, "webhooks": [entry]}])
    return webhook


def test_the_expiry_of_every_authority_is_read(tmp_path: Path) -> None:
    files = [Authority(tmp_path / name).ca_file for name in "ab"]
    pem = b"".join(file.read_bytes() for file in files)
    bundle = read_ca_bundle(_webhook(base64.b64encode(pem).decode()))
    ends = sorted(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(pem))
    assert bundle == CaBundle(certificates=2, first_expires=ends[0], expires=ends[1])


def test_no_bundle_means_the_system_s_authorities() -> None:
    assert read_ca_bundle(_webhook(None)) == CaBundle()


def test_a_bundle_that_is_none_says_why() -> None:
    assert "base64" in (read_ca_bundle(_webhook("%")).problem or "")
    assert read_ca_bundle(_webhook(base64.b64encode(b"x").decode())).problem
