"""Does a webhook take a connection from here, with a certificate the API server would accept?

Only TCP and TLS: nothing is sent, so nobody's log fills with reviews that are none.
"""

import asyncio
import contextlib
import socket
import ssl

from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.fuzzer.transports.direct import DirectOptions
from webhook_fuzz.fuzzer.transports.failures import (
    CALL_ERRORS,
    Dialled,
    Phase,
    classify_failure,
    failure,
)
from webhook_fuzz.fuzzer.transports.targets import parse_target
from webhook_fuzz.fuzzer.transports.tls_contexts import build_client_context

_HANG_UP_SECONDS = 0.5


async def dial(options: DirectOptions, *, seconds: float) -> CallFailure | None:
    """Connect as `DirectTransport` would and hang up; None when that works, else why not.

    Raises InputError for options that cannot be used.
    """
    target = parse_target(
        options.url, server_name=options.server_name, timeout_seconds=options.timeout_seconds
    )
    host, port = target.url.host or "", target.url.port or 443
    context = build_client_context(
        ca_file=options.ca_file,
        ca_bundle=options.ca_bundle,
        insecure_skip_verify=options.insecure_skip_verify,
        client_cert=options.client_cert,
        client_key=options.client_key,
    )
    name = target.verified_name or host
    dialled = Dialled(address=f"{host}:{port}", verified_name=name, timeout_seconds=seconds)
    try:
        async with asyncio.timeout(seconds):
            writer = await _connect(host, port, context, name)
    except socket.gaierror as error:
        said = f"the name {host} does not resolve: {error.strerror}"
        return failure(FailureKind.DNS, said)
    except CALL_ERRORS as error:
        return classify_failure(error, dialled, Phase.CONNECTING)
    writer.close()
    with contextlib.suppress(OSError):  # it was there: how it hangs up is its affair
        await writer.wait_closed()
    return None


async def _connect(
    host: str, port: int, context: ssl.SSLContext, name: str
) -> asyncio.StreamWriter:
    """Connect to the first address that takes a connection; raises what the last one said."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    *others, last = dict.fromkeys(str(each[4][0]) for each in found)
    for address in others:
        with contextlib.suppress(OSError):
            return await _open(address, port, context, name)
    return await _open(last, port, context, name)


async def _open(
    address: str, port: int, context: ssl.SSLContext, name: str
) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(
        address,
        port,
        ssl=context,
        server_hostname=name,
        ssl_shutdown_timeout=_HANG_UP_SECONDS,
    )
    return writer
