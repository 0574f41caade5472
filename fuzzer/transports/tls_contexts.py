"""Whom does the API server trust when it calls a webhook?

TLS 1.2 or newer, HTTP/1.1 only, the roots of `caBundle` or, where that is empty, the system's;
the name must be in the certificate's subject alternative names. Like Go, a certificate in the CA
file is an anchor even when it is an intermediate or the serving certificate itself.
Source: k8s.io/apiserver pkg/util/webhook/client.go, Go crypto/x509.
"""

import ssl
from pathlib import Path

from webhook_fuzz.corpora.errors import InputError


def build_client_context(
    *,
    ca_file: Path | None,
    insecure_skip_verify: bool,
    client_cert: Path | None,
    client_key: Path | None,
    ca_bundle: bytes | None = None,
) -> ssl.SSLContext:
    """A client context as kube-apiserver would use it.

    `ca_bundle` is a caBundle, decoded, where there is no file. Raises InputError when a file or the
    bundle cannot be read, is no PEM, or key and certificate do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if ca_bundle is not None:
        _load_ca_bundle(context, ca_bundle)
    else:
        _load_trust(context, ca_file=ca_file, insecure_skip_verify=insecure_skip_verify)
    _load_client_certificate(context, client_cert=client_cert, client_key=client_key)
    return context


def _load_trust(
    context: ssl.SSLContext, *, ca_file: Path | None, insecure_skip_verify: bool
) -> None:
    if insecure_skip_verify:
        if ca_file is not None:
            raise InputError(
                "a CA file was given and verification was switched off",
                hint="Leave out one of --ca and --insecure-skip-verify.",
            )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_ca_file(context, ca_file)


def _load_ca_bundle(context: ssl.SSLContext, ca_bundle: bytes) -> None:
    try:
        context.load_verify_locations(cadata=ca_bundle.decode("ascii", errors="replace"))
    except ssl.SSLError as error:
        raise InputError(
            f"the caBundle holds no CA certificate that can be used ({_reason(error)})",
            hint="The API server cannot call such a webhook either: caBundle is base64 of PEM.",
        ) from error


def _load_ca_file(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as error:
        raise InputError(
            f"{ca_file} holds no CA certificate that can be used ({_reason(error)})",
            hint="Give a PEM file with BEGIN CERTIFICATE; caBundle in a webhook configuration is "
            "base64 and has to be decoded first (base64 -d).",
        ) from error
    except OSError as error:
        raise _unreadable(ca_file, "CA file", error) from error


def _load_client_certificate(
    context: ssl.SSLContext, *, client_cert: Path | None, client_key: Path | None
) -> None:
    if client_cert is None:
        if client_key is not None:
            raise InputError(
                f"a client key ({client_key}) was given without its certificate",
                hint="Give the certificate with --client-cert.",
            )
        return
    for what, path in (("client certificate", client_cert), ("client key", client_key)):
        _assert_readable(path, what)
    key_file = client_key or client_cert
    try:
        context.load_cert_chain(client_cert, client_key, password=_refuse_password(key_file))
    except ssl.SSLError as error:
        raise _unusable_pair(client_cert, key_file, error) from error


def _assert_readable(path: Path | None, what: str) -> None:
    if path is None:
        return
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise _unreadable(path, what, error) from error


class _refuse_password:  # noqa: N801 - used as a function: `ssl` calls it for encrypted keys
    """Instead of asking on the terminal, which would hang a run in CI, say what to do."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def __call__(self) -> str:
        raise InputError(
            f"the client key {self._key_file} is encrypted",
            hint="Give a key without a passphrase (openssl pkey -in KEY -out PLAIN_KEY).",
        )


def _unusable_pair(cert: Path, key: Path, error: ssl.SSLError) -> InputError:
    if error.reason == "KEY_VALUES_MISMATCH":
        return InputError(
            f"the client key {key} does not belong to the certificate {cert}",
            hint="Give the key that was made together with this certificate.",
        )
    return InputError(
        f"{cert} and {key} are no client certificate and key ({_reason(error)})",
        hint="Both must be PEM: BEGIN CERTIFICATE and BEGIN PRIVATE KEY.",
    )


def _unreadable(path: Path, what: str, error: OSError) -> InputError:
    return InputError(
        f"the {what} {path} cannot be read: {error.strerror}",
        hint="Check the path and its permissions.",
    )


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "not PEM").replace("_", " ").lower()
