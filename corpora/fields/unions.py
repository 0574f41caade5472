"""Which members of a struct exclude one another?

The API has one-ofs without a discriminator: a volume has one source, a probe one handler. A webhook
that drops the member it does not know leaves an object that is still valid and means something
else, an image volume turning into an emptyDir being the best known.
"""

from collections.abc import Mapping

# Sources: validateVolumeSource, validateHandler, validateLifecycle, validateProjectionSources,
# validateEnvVarValueFrom, validateEnvFrom and validatePodResourceClaim in kubernetes/kubernetes
# pkg/apis/core/validation/validation.go. An empty set of members: every member not named in
# _BESIDE, also one that no release has yet.
_UNIONS: Mapping[str, frozenset[str]] = {
    "Volume": frozenset(),
    "VolumeProjection": frozenset(),
    "EnvVarSource": frozenset(),
    "EnvVar": frozenset({"value", "valueFrom"}),
    "EnvFromSource": frozenset({"configMapRef", "secretRef"}),
    "Probe": frozenset({"exec", "httpGet", "tcpSocket", "grpc"}),
    "LifecycleHandler": frozenset({"exec", "httpGet", "tcpSocket", "sleep"}),
    "PodResourceClaim": frozenset(
        {"resourceClaimName", "resourceClaimTemplateName", "source"},
    ),
}
_BESIDE = frozenset({"name"})


def is_union_member(struct: str, member: str) -> bool:
    """Whether `member` of a Go struct is one of a set of which an object has exactly one."""
    members = _UNIONS.get(struct)
    if members is None:
        return False
    return member in members if members else member not in _BESIDE
