"""Which API server, and as whom?

Kubeconfig files, contexts, exec plugins and in-cluster tokens are read by the official client, so
that whatever works with it works here. Nothing else of it is used: objects stay raw JSON. Where it
is quieter than kubectl (an exec plugin that fails, a context without a server, `as:`), it is made
to say so, or a run would go on as nobody or as somebody else.
"""

import importlib
import logging
import os
import ssl
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.cluster.proxies import choose_proxy

if TYPE_CHECKING:  # the client takes most of a second to import
    from kubernetes.client import Configuration

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_DEFAULT_FILE: Final = "~/.kube/config"
_HINT: Final = (
    "`kubectl config get-contexts` lists the contexts; choose one with --context, or a file with "
    "--kubeconfig or KUBECONFIG."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Which cluster: a context of a kubeconfig (the current one of the default file otherwise).

    Without any kubeconfig, the credentials of the pod this runs in. `concurrency` is how many
    requests are under way at once, `timeout_seconds` how long one may take, repetitions included.
    """

    context: str | None = None
    kubeconfig: Path | None = None
    concurrency: int = 16
    timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What it takes to talk to one API server.

    `headers` makes the Authorization. It may run an exec plugin whose token has expired, so it
    belongs into a thread.
    """

    server: str
    context: str
    tls: ssl.SSLContext
    server_name: str | None
    proxy: str | None
    headers: Callable[[], dict[str, str]]


def load_credentials(options: ClusterOptions) -> Credentials:
    """The credentials of the chosen context; may run an exec plugin, so it may take a while.

    Raises InputError when there is no such context or file, when a plugin or a certificate is of
    no use, or when the `kubernetes` package is missing.
    """
    try:
        from kubernetes import client  # noqa: PLC0415 - slow to import, needed only here

        config: Any = importlib.import_module("kubernetes.config")  # has no types
    except ImportError as error:
        raise InputError(
            "the package `kubernetes` is not installed",
            hint="Install it with: pip install 'webhook-fuzz[cluster]'",
        ) from error
    # The client takes a proxy from the environment, but no notice of NO_PROXY.
    configuration = client.Configuration(host="")
    configuration.proxy = None
    try:
        if options.context is None and options.kubeconfig is None and _only_in_cluster():
            name, user = _load_pod(config, configuration)
        else:
            name, user = _load_file(config, configuration, options)
    except InputError:
        raise
    # The client takes kubeconfigs for well-formed, and identity providers fail in their own ways.
    except Exception as error:
        raise _unusable(_one_line(error)) from error
    return _credentials(configuration, name, user)


def _credentials(
    configuration: "Configuration", name: str, user: Mapping[str, object]
) -> Credentials:
    server = str(configuration.host or "").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise _unusable(f"the context {name} names no server with https://")
    impersonation = _impersonation(user)
    return Credentials(
        server=server,
        context=name,
        tls=_build_context(configuration),
        server_name=configuration.tls_server_name or None,
        proxy=choose_proxy(server, configuration.proxy or None),
        headers=lambda: {**_headers(configuration), **impersonation},
    )


def _load_pod(
    config: Any,  # noqa: ANN401 - an untyped package
    configuration: "Configuration",
) -> tuple[str, Mapping[str, object]]:
    config.load_incluster_config(client_configuration=configuration)
    return "in-cluster", {}


def _load_file(
    config: Any,  # noqa: ANN401 - an untyped package
    configuration: "Configuration",
    options: ClusterOptions,
) -> tuple[str, Mapping[str, object]]:
    """The name of the context, and its user as it stands in the file."""
    files = str(options.kubeconfig) if options.kubeconfig else _default_files()
    if not any(Path(file).expanduser().exists() for file in files.split(os.pathsep) if file):
        raise _unusable(f"there is no kubeconfig at {files}")
    merger = config.kube_config.KubeConfigMerger(files)
    name = options.context or str(merger.config["current-context"])
    names = [str(each["name"]) for each in merger.config["contexts"].value]
    if name not in names:
        known = f"it has {', '.join(names)}" if names else "it has none"
        raise _unusable(f"there is no context {name} in {files}: {known}")
    loader = config.kube_config.KubeConfigLoader(
        config_dict=merger.config,
        active_context=name,
        config_persister=merger.save_changes,
    )
    user = _user_of(merger, loader.current_context)
    with _heard() as said:
        loader.load_and_set(configuration)
    if said and not (configuration.api_key or configuration.cert_file):
        raise _unusable(f"the exec plugin of the context {name} gave no credentials: {said[-1]}")
    return name, user


def _user_of(merger: Any, context: Mapping[str, Any]) -> Mapping[str, object]:  # noqa: ANN401
    name = context["context"].get("user")
    users: list[Any] = merger.config.safe_get("users") or []
    found = [each["user"] for each in users if each["name"] == name]
    user = getattr(found[0], "value", found[0]) if found else None
    return cast("Mapping[str, object]", user) if isinstance(user, dict) else {}


def _impersonation(user: Mapping[str, object]) -> dict[str, str]:
    """`as:` of a kubeconfig, which the client does not know: to leave it out would add rights.

    Source: k8s.io/client-go tools/clientcmd/api/v1/types.go AuthInfo, transport/round_trippers.go.
    """
    if user.get("as-groups") or user.get("as-user-extra"):
        raise InputError(
            "the kubeconfig's user impersonates groups (as-groups), which is not supported",
            hint="Use a context without as-groups and as-user-extra.",
        )
    given = {"Impersonate-User": user.get("as"), "Impersonate-Uid": user.get("as-uid")}
    return {name: str(value) for name, value in given.items() if value}


def _only_in_cluster() -> bool:
    files = _default_files().split(os.pathsep)
    if any(Path(file).expanduser().exists() for file in files if file):
        return False
    return _SERVICE_ACCOUNT.exists()


def _default_files() -> str:
    # The client reads the variable only once, when it is imported.
    return os.environ.get("KUBECONFIG") or _DEFAULT_FILE


@contextmanager
def _heard() -> Generator[list[str]]:
    """What the client logs while it loads: it logs the failure of a plugin, and goes on."""
    said: list[str] = []

    class _Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(" ".join(record.getMessage().split()))

    listener, root = _Listener(level=logging.ERROR), logging.getLogger()
    root.addHandler(listener)
    try:
        yield said
    finally:
        root.removeHandler(listener)


def _headers(configuration: "Configuration") -> dict[str, str]:
    """Asks the client's hook first: tokens from exec plugins and pods expire."""
    with _heard():
        try:
            settings = _auth_settings(configuration)
        except Exception:  # noqa: BLE001 - as above; the 401 that follows has all loaded anew
            configuration.refresh_api_key_hook = None
            settings = _auth_settings(configuration)
    return {
        str(setting["key"]): str(setting["value"]).strip()  # a token file may end with a newline
        for setting in settings.values()
        if setting.get("in") == "header" and setting.get("value")
    }


def _auth_settings(configuration: "Configuration") -> dict[str, dict[str, object]]:
    return cast("dict[str, dict[str, object]]", cast("Any", configuration).auth_settings())


def _build_context(configuration: "Configuration") -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
        if configuration.cert_file:
            # Without a password given, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(
                configuration.cert_file, configuration.key_file, password=_no_password
            )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise _unusable(f"a certificate or key is of no use: {_one_line(error)}") from error
    # Python 3.13 checks more than Go does, and refuses authorities that kubeadm made for years.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _no_password() -> str:
    raise ValueError("the client key is encrypted, which kubeconfigs do not allow")


def _unusable(said: str) -> InputError:
    return InputError(f"the cluster's credentials cannot be loaded: {said}", hint=_HINT)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
