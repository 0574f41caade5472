"""Which proxy did the user ask for?

Turns options into a plan, and refuses what makes no sense before anything is opened.
"""

import os
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.fuzzer.cli.proxy_interception import InterceptionArguments
from webhook_fuzz.fuzzer.cli.proxy_options import (
    FindingOptions,
    KeepingOptions,
    ListeningOptions,
    RunningOptions,
    UpstreamOptions,
)
from webhook_fuzz.fuzzer.cli.proxy_screens import Standing
from webhook_fuzz.fuzzer.cli.proxy_sink_plans import plan_sinks
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.transports.targets import LONGEST_TIMEOUT_SECONDS, parse_target
from webhook_fuzz.proxy.certificates.clients import (
    ClientAuthentication,
    parse_networks,
    read_client_ca,
)
from webhook_fuzz.proxy.certificates.given_certificates import GivenCertificates
from webhook_fuzz.proxy.certificates.own_certificates import Lifetimes, OwnCertificates
from webhook_fuzz.proxy.interception.interceptions import Prepared
from webhook_fuzz.proxy.operations.listeners import Address, parse_address
from webhook_fuzz.proxy.operations.logs import LogFormat
from webhook_fuzz.proxy.operations.plans import FixedRoutes, ProxyPlan, RouteSource
from webhook_fuzz.proxy.operations.watching import WatchedRoutes
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream
from webhook_fuzz.proxy.routes_files import load_routes

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - to be recognised


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The certificate that is served; `ca_file` is what goes into caBundles, where it is known."""

    source: OwnCertificates | GivenCertificates
    ca_file: Path | None
    is_new: bool = False


def parse_upstream(options: UpstreamOptions) -> RouteTable:
    """The one route of `--upstream`. Raises InputError for what cannot be called."""
    url = options.upstream_url or ""
    target = parse_target(
        url, server_name=options.upstream_server_name, timeout_seconds=LONGEST_TIMEOUT_SECONDS
    )
    host = target.url.host or ""
    if (options.upstream_client_cert is None) != (options.upstream_client_key is None):
        raise click.UsageError("Give --upstream-client-cert and --upstream-client-key together.")
    ca = None if options.upstream_ca is None else read_client_ca(options.upstream_ca)
    upstream = Upstream(
        webhook=WebhookIdentity(
            configuration="direct", name=options.upstream_server_name or url, url=url
        ),
        host=host,
        port=target.url.port or 443,
        server_name=options.upstream_server_name or host,
        ca_pem=ca,
        verify=not options.upstream_insecure,
        client_cert_file=options.upstream_client_cert,
        client_key_file=options.upstream_client_key,
        bearer_token_file=options.upstream_token_file,
    )
    return RouteTable.of([Route(upstream=upstream)])


def _open_certificates(
    options: ListeningOptions, listen: Sequence[Address], names: Iterable[str]
) -> Served:
    """The given certificate, or an own one for `names`, the addresses listened on and loopback."""
    if (options.tls_cert is None) != (options.tls_key is None):
        raise click.UsageError("Give --tls-cert and --tls-key together.")
    if options.tls_cert is not None and options.tls_key is not None:
        if options.tls_name:
            raise click.UsageError("--tls-name is for an own certificate, not for --tls-cert.")
        given = GivenCertificates(options.tls_cert, options.tls_key, ca=options.tls_ca)
        return Served(source=given, ca_file=options.tls_ca)
    hosts = {address.host for address in listen}
    wanted = [*options.tls_name, *names, *sorted(hosts - _EVERYWHERE), *_LOOPBACK]
    if hosts & _EVERYWHERE:
        wanted.append(socket.gethostname())
    folder = options.certificates or _default_folder()
    own = OwnCertificates(
        folder, tuple(dict.fromkeys(wanted)), lifetimes=Lifetimes(), now=time.time()
    )
    return Served(source=own, ca_file=own.ca_file, is_new=own.is_new)


def _build_clients(options: ListeningOptions) -> ClientAuthentication:
    """Who may call."""
    ca = None if options.client_ca is None else read_client_ca(options.client_ca)
    return ClientAuthentication(ca_pem=ca, networks=parse_networks(options.allow_from))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All the options, by their groups."""

    upstream: UpstreamOptions
    interception: InterceptionArguments
    listening: ListeningOptions
    keeping: KeepingOptions
    finding: FindingOptions
    running: RunningOptions

    @property
    def speaks_to_people(self) -> bool:
        """Whether somebody reads what is printed; machines read the log lines instead."""
        return self.running.log_format == LogFormat.TEXT

    def check(self) -> None:
        """Raises UsageError where the options do not say where calls go, or what for."""
        self.interception.check()
        ways = (
            self.upstream.upstream_url is not None,
            self.upstream.routes is not None,
            self.interception.is_asked,
        )
        if ways.count(True) != 1:
            raise click.UsageError(
                "Say where calls go: --upstream URL for one webhook, --routes FILE for several, "
                "--context with --webhook or --all for those of a cluster."
            )
        if self.interception.is_asked and self.interception.dry_run:
            return
        if self.keeping.recording is None and not (self.finding.judge or self.finding.shadow):
            raise click.UsageError(
                "Give --recording DIR, or --judge or --shadow: otherwise nothing would come of it."
            )
        if self.keeping.record_raw and self.keeping.recording is None:
            raise click.UsageError("--record-raw needs --recording DIR.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, and what is to be said of it."""

    plan: ProxyPlan
    standing: Standing


def plan_proxy(asked: Asked, prepared: Prepared | None = None) -> Planned:
    """The proxy that was asked for, before what an interception has prepared.

    Reads and makes certificates, and reads routes. Raises InputError for what cannot be used.
    """
    listen = tuple(parse_address(text, option="--listen") for text in asked.listening.listen)
    if prepared is None:
        source = _find_routes(asked.upstream)
        names = [route.upstream.server_name for route in source.table.routes]
        side_effects = {}
    else:
        source = FixedRoutes(table=RouteTable.of(prepared.routes))
        names = [*prepared.names]
        side_effects = _side_effects(prepared)
    served = _open_certificates(asked.listening, listen, names)
    sinks = plan_sinks(asked.keeping, asked.finding, source.table, side_effects=side_effects)
    metrics = asked.running.metrics
    plan = ProxyPlan(
        listen=listen,
        routes=source,
        certificates=served.source,
        clients=_build_clients(asked.listening),
        workers=asked.running.workers,
        sinks=sinks.plans,
        admin=None if metrics is None else parse_address(metrics, option="--metrics"),
        drain_seconds=asked.running.drain,
        log_format=LogFormat(asked.running.log_format),
        version=tool_version(),
    )
    standing = Standing(
        upstreams=[_describe(route) for route in source.table.routes],
        workers=asked.running.workers,
        ca_file=served.ca_file,
        ca_is_new=served.is_new,
        certificate_not_after=served.source.pair.not_after,
        recording=asked.keeping.recording,
        judging=sinks.notes,
    )
    return Planned(plan=plan, standing=standing)


def _side_effects(prepared: Prepared) -> dict[WebhookIdentity, str]:
    """What the configurations declare, by the webhooks of the routes."""
    declared = {
        (each.webhook.configuration, each.webhook.name): each.webhook.side_effects
        for each in prepared.chosen
    }
    known = (route.upstream.webhook for route in prepared.routes)
    return {
        webhook: effects
        for webhook in known
        if (effects := declared.get((webhook.configuration, webhook.name))) is not None
    }


def _find_routes(options: UpstreamOptions) -> RouteSource:
    if options.routes is not None:
        return WatchedRoutes(options.routes, load_routes)
    return FixedRoutes(table=parse_upstream(options))


def _describe(route: Route) -> str:
    upstream = route.upstream
    where = f"{upstream.host}:{upstream.port}"
    at = f" below {route.prefix}" if route.prefix else ""
    named = "" if upstream.server_name == upstream.host else f" as {upstream.server_name}"
    trusted = "" if upstream.verify else ", its certificate NOT VERIFIED"
    return f"{upstream.webhook.name} at {where}{named}{at}{trusted}"


def _default_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    parent = Path(state) if state else Path.home() / ".local" / "state"
    return parent / "webhook-fuzz" / "certificates"
