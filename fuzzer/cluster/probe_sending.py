"""What would the API server store of a pod?

A create as a dry run goes through all of admission, gate dropping and validation, and stores
nothing. With fieldValidation Strict, a field that the API server does not know is refused instead
of dropped.

Source: k8s.io/apiserver pkg/endpoints/handlers/create.go (createHandler).
"""

import orjson

from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster.component_facts import ProbeAnswer

# The API server gives all webhooks of a request 34 seconds (pkg/endpoints/handlers/rest.go).
_SECONDS = 40.0


async def send_probe(api: ClusterApi, pod: JsonObject, *, namespace: str) -> ProbeAnswer:
    """Create a pod as a dry run. Raises ClusterError when no answer came."""
    answer = await api.ask(
        ClusterRequest(
            method="POST",
            path=f"/api/v1/namespaces/{namespace}/pods",
            query={"dryRun": "All", "fieldValidation": "Strict", "fieldManager": "webhook-fuzz"},
            body=orjson.dumps(pod),
            timeout_seconds=_SECONDS,
        )
    )
    stored = answer.document() if answer.status < 300 else None  # noqa: PLR2004 - HTTP
    return ProbeAnswer(
        status=answer.status,
        message="" if stored is not None else answer.message,
        pod=stored,
        warnings=answer.warnings,
    )
