"""What does a MutatingWebhookConfiguration say, read as kube-apiserver reads it?

Entries stay raw JSON; the properties give them the defaults of admissionregistration.k8s.io/v1
(k8s.io/api admissionregistration/v1/types.go), because manifests on disk leave them out.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import list_at, object_at, objects_at

FailurePolicy: TypeAlias = Literal["Fail", "Ignore"]
MatchPolicy: TypeAlias = Literal["Equivalent", "Exact"]
ReinvocationPolicy: TypeAlias = Literal["Never", "IfNeeded"]

DEFAULT_TIMEOUT_SECONDS: Final = 10
DEFAULT_SERVICE_PORT: Final = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReference:
    """`clientConfig.service`. `path` begins with a slash, or is empty."""

    namespace: str
    name: str
    path: str = ""
    port: int = DEFAULT_SERVICE_PORT

    @property
    def server_name(self) -> str:
        """The name the API server sends as SNI and verifies."""
        return f"{self.name}.{self.namespace}.svc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One entry of a MutatingWebhookConfiguration.

    `position` counts from 0 over all webhooks in the order the API server calls them, `index` in
    the configuration's own list. `entry` is the raw entry, `metadata` that of its configuration.
    """

    configuration: str
    name: str
    position: int
    index: int
    entry: JsonObject = field(repr=False)
    metadata: JsonObject = field(repr=False)

    @property
    def identity(self) -> str:
        """`CONFIG/NAME`, as people and options write it."""
        return f"{self.configuration}/{self.name}"

    @property
    def failure_policy(self) -> FailurePolicy:
        """What happens to the pod when the call fails."""
        return "Ignore" if self.entry.get("failurePolicy") == "Ignore" else "Fail"

    @property
    def match_policy(self) -> MatchPolicy:
        """Whether other versions of the same resource match too."""
        return "Exact" if self.entry.get("matchPolicy") == "Exact" else "Equivalent"

    @property
    def reinvocation_policy(self) -> ReinvocationPolicy:
        """Whether it is called again when a later webhook changed the object."""
        return "IfNeeded" if self.entry.get("reinvocationPolicy") == "IfNeeded" else "Never"

    @property
    def timeout_seconds(self) -> int:
        """How long the API server waits, 1 to 30 s."""
        given = self.entry.get("timeoutSeconds")
        return given if isinstance(given, int) else DEFAULT_TIMEOUT_SECONDS

    @property
    def side_effects(self) -> str | None:
        """`None`, `NoneOnDryRun`, or in v1beta1 `Some` or `Unknown`; None where it is not set."""
        given = self.entry.get("sideEffects")
        return given if isinstance(given, str) else None

    @property
    def review_versions(self) -> tuple[str, ...]:
        """`admissionReviewVersions`, in the order of preference."""
        given = list_at(self.entry, "admissionReviewVersions")
        return tuple(text for text in given if isinstance(text, str))

    @property
    def rules(self) -> tuple[JsonObject, ...]:
        """The rules, raw."""
        return tuple(objects_at(self.entry, "rules"))

    @property
    def match_conditions(self) -> tuple[JsonObject, ...]:
        """The matchConditions, raw."""
        return tuple(objects_at(self.entry, "matchConditions"))

    @property
    def namespace_selector(self) -> JsonObject:
        """The namespaceSelector; empty selects everything."""
        return object_at(self.entry, "namespaceSelector")

    @property
    def object_selector(self) -> JsonObject:
        """The objectSelector; empty selects everything."""
        return object_at(self.entry, "objectSelector")

    @property
    def url(self) -> str | None:
        """`clientConfig.url`, where there is no service."""
        given = self._client_config.get("url")
        return given if isinstance(given, str) else None

    @property
    def service(self) -> ServiceReference | None:
        """`clientConfig.service`, where there is no URL."""
        given = self._client_config.get("service")
        if not isinstance(given, dict):
            return None
        port = given.get("port")
        return ServiceReference(
            namespace=str(given.get("namespace", "")),
            name=str(given.get("name", "")),
            path=str(given.get("path") or ""),
            port=port if isinstance(port, int) else DEFAULT_SERVICE_PORT,
        )

    @property
    def ca_bundle(self) -> bytes | None:
        """The caBundle, decoded (PEM); None where it is empty, which means the system's roots.

        Raises ValueError when it is not base64.
        """
        given = self._client_config.get("caBundle")
        if not isinstance(given, str) or not given.strip():
            return None
        try:
            return base64.b64decode("".join(given.split()), validate=True)
        except binascii.Error as error:
            raise ValueError(f"caBundle is not base64: {error}") from error

    @property
    def _client_config(self) -> JsonObject:
        return object_at(self.entry, "clientConfig")


def list_webhooks(configurations: Iterable[JsonObject]) -> list[Webhook]:
    """Every webhook of the configurations in the order the API server calls them.

    Configurations are sorted by name, byte by byte; inside one, the order of the list counts.
    Source: k8s.io/apiserver pkg/admission/configuration/mutating_webhook_manager.go
    (MutatingWebhookConfigurationSorter). What is no object is left out.
    """
    found: list[Webhook] = []
    named = [(object_at(each, "metadata"), each) for each in configurations]
    for metadata, configuration in sorted(named, key=lambda pair: _name(pair[0]).encode()):
        for index, entry in enumerate(objects_at(configuration, "webhooks")):
            found.append(
                Webhook(
                    configuration=_name(metadata),
                    name=_name(entry),
                    position=len(found),
                    index=index,
                    entry=entry,
                    metadata=metadata,
                )
            )
    return found


def _name(named: Mapping[str, JsonValue]) -> str:
    return str(named.get("name", ""))
