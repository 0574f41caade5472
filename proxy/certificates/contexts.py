"""With which TLS does the proxy answer?

HTTP/1.1 is all it offers: an API server speaks it to services and, since 1.30, to all addresses but
loopback ones, where it would choose h2 (k8s.io/apiserver pkg/util/webhook/client.go). TLS 1.2 is
the least an API server offers.
"""

import ssl

from webhook_fuzz.proxy.certificates.clients import ClientAuthentication, demand_client_certificates
from webhook_fuzz.proxy.certificates.pairs import Pair, load_pair


def build_server_context(pair: Pair, clients: ClientAuthentication) -> ssl.SSLContext:
    """A context of a server; `load_pair` gives it another certificate while it is in use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, pair)
    if clients.ca_pem is not None:
        demand_client_certificates(context, clients.ca_pem)
    return context
