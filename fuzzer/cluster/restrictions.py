"""What refuses pods in a namespace besides webhooks?

PodSecurity, quotas and limit ranges. They are read to be told before a run, not to be judged: who
refused a pod is what the API server's answer says (`fuzzer/apiserver/denials.py`).
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from webhook_fuzz.corpora.cluster_api.failures import Seen, Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, list_objects
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels

_ENFORCE: Final = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """What there is in one namespace.

    `pod_security` is the level that the namespace's label enforces; empty where it has none, and
    the API server's own default holds. Quotas and limit ranges by name.
    """

    pod_security: str = ""
    quotas: Seen[tuple[str, ...]] = ()
    limit_ranges: Seen[tuple[str, ...]] = ()

    @property
    def not_seen(self) -> tuple[Unseen, ...]:
        """What could not be read."""
        return tuple(each for each in (self.quotas, self.limit_ranges) if isinstance(each, Unseen))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What there is, for people."""
        found: list[str] = []
        if self.pod_security not in {"", "privileged"}:
            found.append(f"PodSecurity enforces {self.pod_security}")
        if isinstance(self.quotas, tuple) and self.quotas:
            found.append(f"quotas limit pods: {', '.join(self.quotas)}")
        if isinstance(self.limit_ranges, tuple) and self.limit_ranges:
            found.append(f"limit ranges change or refuse pods: {', '.join(self.limit_ranges)}")
        return tuple(found)


async def read_restrictions(api: ClusterApi, namespace: JsonObject) -> Restrictions:
    """Those of a Namespace object; what may not be listed is Unseen."""
    path = f"/api/v1/namespaces/{text_at(object_at(namespace, 'metadata'), 'name')}"
    quotas, limit_ranges = await asyncio.gather(
        _list_names(api, f"{path}/resourcequotas", "quotas"),
        _list_names(api, f"{path}/limitranges", "limit ranges"),
    )
    return Restrictions(
        pod_security=object_labels(namespace).get(_ENFORCE, ""),
        quotas=quotas,
        limit_ranges=limit_ranges,
    )


async def _list_names(api: ClusterApi, path: str, what: str) -> Seen[tuple[str, ...]]:
    found = await attempt(list_objects(api, path), what)
    if isinstance(found, Unseen):
        return found
    return tuple(text_at(object_at(each, "metadata"), "name") for each in found)
