import datetime as dt
import os
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from authorities import Authority, Credential
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.certificates.given_certificates import GivenCertificates

NOW = time.time()


def mount(volume: Path, version: str, credential: Credential) -> None:
    """As kubelet writes a Secret: a folder a version, a link to it that is swapped by renaming."""
    folder = volume / version
    folder.mkdir(parents=True)
    (folder / "tls.crt").write_bytes(credential.cert_file.read_bytes())
    (folder / "tls.key").write_bytes(credential.key_file.read_bytes())
    for file in folder.iterdir():
        os.utime(file, (0, 0))
    (volume / "..data_tmp").symlink_to(version)
    (volume / "..data_tmp").replace(volume / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"..data/{name}")


def open_mounted(volume: Path) -> GivenCertificates:
    return GivenCertificates(volume / "tls.crt", volume / "tls.key")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def test_a_swapped_volume_gives_the_new_pair(tmp_path: Path, authority: Authority) -> None:
    volume = tmp_path / "volume"
    mount(volume, "..1", authority.issue("a"))
    given = open_mounted(volume)
    first = given.pair
    mount(volume, "..2", authority.issue("a"))

    assert given.refresh(NOW)
    assert given.pair.serial != first.serial
    assert not given.refresh(NOW)


def test_a_broken_pair_keeps_the_old_one_and_says_so(tmp_path: Path, authority: Authority) -> None:
    credential, other = authority.issue("a"), authority.issue("a")
    given = GivenCertificates(credential.cert_file, credential.key_file)
    first = given.pair
    credential.key_file.write_bytes(other.key_file.read_bytes())

    assert not given.refresh(NOW)
    assert given.pair == first
    assert given.problem is not None
    assert "not the one of the certificate" in given.problem


def test_a_pair_that_is_whole_again_is_taken(tmp_path: Path, authority: Authority) -> None:
    credential, other = authority.issue("a"), authority.issue("a")
    given = GivenCertificates(credential.cert_file, credential.key_file)
    credential.key_file.write_bytes(other.key_file.read_bytes())
    given.refresh(NOW)
    credential.cert_file.write_bytes(other.cert_file.read_bytes())

    assert given.refresh(NOW)
    assert given.problem is None


def test_a_file_that_is_gone_for_a_while_is_no_change(authority: Authority) -> None:
    credential = authority.issue("a")
    given = GivenCertificates(credential.cert_file, credential.key_file)
    content = credential.key_file.read_bytes()
    credential.key_file.unlink()

    assert not given.refresh(NOW)
    assert given.problem is not None
    credential.key_file.write_bytes(content)
    assert not given.refresh(NOW)
    assert given.problem is None


def test_an_expired_certificate_is_not_begun_with(authority: Authority) -> None:
    old = authority.issue("a", age=dt.timedelta(days=2), lifetime=dt.timedelta(days=1))

    with pytest.raises(InputError, match="expired on"):
        GivenCertificates(old.cert_file, old.key_file)


def test_a_key_with_a_password_is_said(authority: Authority) -> None:
    credential = authority.issue("a")
    key = serialization.load_pem_private_key(credential.key_file.read_bytes(), password=None)
    credential.key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(InputError, match="password"):
        GivenCertificates(credential.cert_file, credential.key_file)


def test_files_that_hold_something_else_are_said(tmp_path: Path, authority: Authority) -> None:
    credential = authority.issue("a")
    nothing = tmp_path / "nothing"
    nothing.write_text("nothing")

    with pytest.raises(InputError, match="no certificate in it"):
        GivenCertificates(nothing, credential.key_file)
    with pytest.raises(InputError, match="key cannot be read"):
        GivenCertificates(credential.cert_file, nothing)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        GivenCertificates(tmp_path / "missing", credential.key_file)


def test_what_clients_verify_with_is_the_given_authority_or_the_end_of_the_chain(
    authority: Authority,
) -> None:
    credential = authority.issue("a")
    ca = authority.ca_file.read_bytes()

    alone = GivenCertificates(credential.cert_file, credential.key_file)
    told = GivenCertificates(credential.cert_file, credential.key_file, ca=authority.ca_file)
    credential.cert_file.write_bytes(credential.cert_file.read_bytes() + ca)
    chained = GivenCertificates(credential.cert_file, credential.key_file)

    assert alone.ca_pem is None
    assert told.ca_pem == ca
    assert chained.ca_pem == ca
    assert chained.ca_not_after is not None
