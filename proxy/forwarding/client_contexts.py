"""Whom does the proxy trust when it calls a webhook?

Exactly whom the API server would trust: TLS 1.2 or newer, HTTP/1.1 only, the roots of the webhook's
own caBundle or, without one, the system's; the name must be in the certificate's subject
alternative names. Like in Go, a certificate in the bundle is an anchor even when it is no root.
Source: k8s.io/apiserver pkg/util/webhook/client.go, Go crypto/x509.
"""

import ssl
from pathlib import Path

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.routes import Upstream


def build_client_context(upstream: Upstream) -> ssl.SSLContext:
    """The context for connections to a webhook.

    Raises InputError where its caBundle or the client's certificate cannot be used. Reads files.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not upstream.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif upstream.ca_pem is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_bundle(context, upstream.ca_pem)
    if upstream.client_cert_file is not None:
        _load_certificate(context, upstream.client_cert_file, upstream.client_key_file)
    return context


def read_bearer_token(file: Path) -> bytes:
    """The value of an Authorization header. Raises InputError where the file cannot be read."""
    try:
        return b"Bearer " + file.read_bytes().strip()
    except OSError as error:
        raise InputError(
            f"the bearer token {file} cannot be read: {error.strerror}",
            hint="The proxy must be able to read it for every new connection to the webhook.",
        ) from error


def _load_bundle(context: ssl.SSLContext, bundle: bytes) -> None:
    try:
        context.load_verify_locations(cadata=bundle.decode("ascii", errors="replace"))
    except ssl.SSLError as error:
        raise InputError(
            f"the caBundle holds no certificate that can be used ({error.reason or 'not PEM'})",
            hint="The API server cannot call such a webhook either: caBundle is base64 of PEM.",
        ) from error


def _load_certificate(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")  # never asks on a terminal
    except (ssl.SSLError, OSError) as error:
        raise InputError(
            f"{cert} and {key or cert} are no client certificate and key: {error}",
            hint="Both must be PEM without a passphrase, and belong together.",
        ) from error
