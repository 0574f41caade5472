"""What is one admission request about?

The API server's own term: what its plugins and its webhook dispatcher decide on.
Source: k8s.io/apiserver pkg/admission/interfaces.go (Attributes).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from webhook_fuzz.corpora.admission import Operation, UserInfo
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

UNKNOWN_USER: Final[UserInfo] = {}
"""A request always has a user: without a name it is one we do not know."""

IN_TREE_FIELDS: Final = frozenset(
    {
        "imagePullPolicy",
        "imagePullSecrets",
        "limits",
        "nodeSelector",
        "overhead",
        "preemptionPolicy",
        "priority",
        "priorityClassName",
        "requests",
        "resources",
        "serviceAccount",
        "serviceAccountName",
        "tolerations",
        "volumeMounts",
        "volumes",
    }
)
"""Members of a pod that in-tree plugins set before webhooks see it.

Source: plugin/pkg/admission of k8s.io/kubernetes: alwayspullimages, defaulttolerationseconds,
extendedresourcetoleration, limitranger, podnodeselector, podtolerationrestriction, priority,
runtimeclass, serviceaccount.
"""


# Source: k8s.io/apiserver pkg/registry/rest/meta.go WipeObjectMetaSystemFields.
_SET_BY_THE_SERVER: Final = frozenset(
    {"creationTimestamp", "generation", "managedFields", "selfLink", "uid"}
)


class Resource(NamedTuple):
    """A group, a version and a resource; the group of pods is empty."""

    group: str
    version: str
    resource: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What one admission request is about, as the API server has it when a webhook's turn comes.

    `subresource`, `namespace` and `name` are empty where there are none (a cluster-scoped object,
    generateName); for a Namespace, `namespace` is its own name. `object` is None on DELETE,
    `old_object` on CREATE; earlier webhooks' changes are in `object`. `namespace_labels` are those
    of the live Namespace, None where they are not known. `kind` and `user` matter to
    matchConditions only; `unsettled` are member names whose values are not known yet, so that a
    condition on them cannot be decided.
    """

    operation: Operation
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str
    object: JsonObject | None
    old_object: JsonObject | None
    namespace_labels: Mapping[str, str] | None
    user: UserInfo
    dry_run: bool
    kind: str = ""
    unsettled: frozenset[str] = field(default=frozenset())

    @property
    def group_resource(self) -> Resource:
        """The resource the request names."""
        return Resource(self.group, self.version, self.resource)


def pod_attributes(  # noqa: PLR0913 - each is one thing a request has, all but two have defaults
    pod: JsonObject,
    *,
    namespace: str,
    namespace_labels: Mapping[str, str] | None = None,
    operation: Operation = "CREATE",
    dry_run: bool = True,
    user: UserInfo = UNKNOWN_USER,
    settled: bool = False,
) -> Attributes:
    """The attributes of a request for a pod; the namespace is filled in as the API server does.

    `settled` says that the pod is as the API server wrote it (out of a recording or of the cluster
    itself); otherwise matchConditions on what it or its plugins may still change stay undecided.
    Source: k8s.io/apiserver pkg/registry/rest/meta.go EnsureObjectNamespaceMatchesRequestNamespace.
    """
    given = pod.get("metadata")
    metadata: JsonObject = {**given} if isinstance(given, dict) else {}
    metadata["namespace"] = namespace
    for key in ("labels", "annotations"):
        if not metadata.get(key):
            metadata.pop(key, None)
    name = metadata.get("name")
    filled: JsonObject = {**pod, "metadata": metadata}
    return Attributes(
        operation=operation,
        group="",
        version="v1",
        resource="pods",
        subresource="",
        namespace=namespace,
        name=name if isinstance(name, str) else "",
        object=None if operation == "DELETE" else filled,
        old_object=None if operation == "CREATE" else filled,
        namespace_labels=namespace_labels,
        user=user,
        dry_run=dry_run,
        kind="Pod",
        unsettled=frozenset()
        if settled
        else _SET_BY_THE_SERVER | IN_TREE_FIELDS | frozenset(_empty_members(filled)),
    )


def _empty_members(value: JsonValue) -> Iterator[str]:
    """Names of members that Go leaves out where they are not pointers: `hostNetwork: false`."""
    if isinstance(value, list):
        for element in value:
            yield from _empty_members(element)
    elif isinstance(value, dict):
        for key, member in value.items():
            if not member:
                yield key
            else:
                yield from _empty_members(member)
