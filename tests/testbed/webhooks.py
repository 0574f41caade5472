"""Which real webhooks are there to test against, and what does each do to fields it does not know?

Every row was observed: pods with a value of its own in every field of every container, sent to
the built program, the result compared container by container.

To add a generation: a folder under modules/ with a go.mod and a main.go like the others, `go mod
tidy` there, a GoModule in builds.py, and a row in _GENERATIONS.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from testbed.builds import API_027, API_031, API_032, API_036, EKS, GoModule
from testbed.programs import EKS_NAMESPACE, EKS_SERVICE_ACCOUNT
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor

NAMESPACE = EKS_NAMESPACE
"""The namespace to name in every request: one of the webhooks acts only there."""


class Effect(StrEnum):
    """What becomes of a pod's fields that are newer than the webhook's k8s.io/api."""

    KEEPS = "keeps every field"
    DROPS_IN_POD = "drops them in the whole pod"
    DROPS_IN_CONTAINERS = "drops them in containers and initContainers, keeps all others"
    LEAVES_BEHIND = "leaves them at their index while the containers move on by one"


class Injection(StrEnum):
    """Where the webhook adds its init container and its container."""

    NONE = "nowhere"
    LAST = "after the others"
    FIRST = "before the others"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealWebhook:
    """One path of one program.

    `api` is the Kubernetes version of the k8s.io/api it decodes with, `trigger` what a pod must
    hold for it to act (to be merged into the pod).
    """

    module: GoModule
    path: str
    api: Minor
    mechanism: str
    effect: Effect
    injection: Injection
    trigger: JsonObject

    @property
    def name(self) -> str:
        """Program and path, as a test's id: `api031/defaulter-append`."""
        return self.module.name + self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Generation:
    """The modules of one program: `protected` is controller-runtime 0.20 or newer."""

    module: GoModule
    api: Minor
    protected: bool
    kubewebhook: bool


_GENERATIONS = (
    _Generation(module=API_027, api=Minor(1, 27), protected=False, kubewebhook=True),
    _Generation(module=API_031, api=Minor(1, 31), protected=False, kubewebhook=False),
    _Generation(module=API_032, api=Minor(1, 32), protected=True, kubewebhook=False),
    _Generation(module=API_036, api=Minor(1, 36), protected=True, kubewebhook=True),
)
_ANNOTATION: JsonObject = {"metadata": {"annotations": {"testbed.example.com/inject": "true"}}}


def _rows(generation: _Generation) -> Iterator[RealWebhook]:
    """The paths of mechanisms/handlers.go and mechanisms/kubewebhooks."""

    def row(
        path: str,
        mechanism: str,
        effect: Effect,
        injection: Injection,
        trigger: JsonObject | None = None,
    ) -> RealWebhook:
        return RealWebhook(
            module=generation.module,
            path=path,
            api=generation.api,
            mechanism=mechanism,
            effect=effect,
            injection=injection,
            trigger=trigger or {},
        )

    first, last = Injection.FIRST, Injection.LAST
    drops, keeps, leaves = Effect.DROPS_IN_POD, Effect.KEEPS, Effect.LEAVES_BEHIND
    defaulter = "CustomDefaulter" + (", protected" if generation.protected else "")
    yield row("/patch-response-from-raw", "hand-written PatchResponseFromRaw", drops, last)
    yield row("/defaulter-append", defaulter, keeps if generation.protected else drops, last)
    yield row("/defaulter-prepend", defaulter, leaves if generation.protected else drops, first)
    yield row("/typed-diff-append", "typed against typed", keeps, last)
    yield row("/typed-diff-prepend", "typed against typed", leaves, first)
    yield row("/raw-patch", "hand-written JSON Patch", keeps, last)
    yield row("/needs-annotation", "PatchResponseFromRaw on demand", drops, last, _ANNOTATION)
    if generation.kubewebhook:
        yield row("/kubewebhook", "kubewebhook mutator", drops, Injection.NONE)


EKS_POD_IDENTITY = RealWebhook(
    module=EKS,
    path="/mutate",
    api=Minor(1, 36),
    mechanism="whole lists of containers added",
    effect=Effect.DROPS_IN_CONTAINERS,
    injection=Injection.NONE,
    trigger={"spec": {"serviceAccountName": EKS_SERVICE_ACCOUNT}},
)
REAL_WEBHOOKS: Sequence[RealWebhook] = (
    *(row for generation in _GENERATIONS for row in _rows(generation)),
    EKS_POD_IDENTITY,
)
