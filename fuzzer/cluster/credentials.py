"""Which API server, and as whom?

Kubeconfig files, contexts, exec plugins and in-cluster tokens are read by the official client, so
that whatever works with it works here. Nothing else of it is used: objects stay raw JSON.
"""

import importlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from webhook_fuzz.corpora.errors import InputError

if TYPE_CHECKING:  # the client takes most of a second to import
    from kubernetes.client import Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Which cluster: a context of a kubeconfig (the current one of the default file otherwise).

    Without any kubeconfig, the credentials of the pod this runs in. `concurrency` is how many
    requests are under way at once, `timeout_seconds` how long one may take.
    """

    context: str | None = None
    kubeconfig: Path | None = None
    concurrency: int = 16
    timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What it takes to talk to one API server. `headers` makes the Authorization, refreshed."""

    server: str
    context: str
    tls: ssl.SSLContext
    server_name: str | None
    proxy: str | None
    headers: Callable[[], dict[str, str]]


def load_credentials(options: ClusterOptions) -> Credentials:
    """The credentials of the chosen context; may run an exec plugin, so it may take a while.

    Raises InputError when there is no such context or file, or the `kubernetes` package is missing.
    """
    try:
        from kubernetes import client  # noqa: PLC0415 - slow to import, needed only here

        config: Any = importlib.import_module("kubernetes.config")  # has no types
    except ImportError as error:
        raise InputError(
            "the package `kubernetes` is not installed",
            hint="Install it with: pip install 'webhook-fuzz[cluster]'",
        ) from error
    configuration = client.Configuration()
    name = options.context or ""
    try:
        if options.context is None and options.kubeconfig is None and _only_in_cluster():
            config.load_incluster_config(client_configuration=configuration)
            name = "in-cluster"
        else:
            file = str(options.kubeconfig) if options.kubeconfig else None
            config.load_kube_config(
                config_file=file, context=options.context, client_configuration=configuration
            )
            name = name or _current_context(config, file)
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the cluster's credentials cannot be loaded: {_one_line(error)}",
            hint="`kubectl config get-contexts` lists the contexts; choose one with --context, or "
            "a file with --kubeconfig or KUBECONFIG.",
        ) from error
    return Credentials(
        server=str(configuration.host).rstrip("/"),
        context=name,
        tls=_build_context(configuration),
        server_name=configuration.tls_server_name or None,
        proxy=configuration.proxy or None,
        headers=lambda: _headers(configuration),
    )


def _only_in_cluster() -> bool:
    from kubernetes.config import incluster_config, kube_config  # noqa: PLC0415 - as above

    files = str(kube_config.KUBE_CONFIG_DEFAULT_LOCATION).split(":")
    if any(Path(file).expanduser().exists() for file in files if file):
        return False
    return Path(incluster_config.SERVICE_TOKEN_FILENAME).exists()


def _current_context(config: Any, file: str | None) -> str:  # noqa: ANN401 - an untyped package
    _, current = config.list_kube_config_contexts(config_file=file)
    return str(current["name"])


def _headers(configuration: "Configuration") -> dict[str, str]:
    """Asks the client's hook first: tokens from exec plugins and pods expire."""
    settings: dict[str, dict[str, object]] = cast("Any", configuration).auth_settings()
    return {
        str(setting["key"]): str(setting["value"])
        for setting in settings.values()
        if setting.get("in") == "header" and setting.get("value")
    }


def _build_context(configuration: "Configuration") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    # Python 3.13 checks more than Go does, and refuses authorities that kubeadm made for years.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
