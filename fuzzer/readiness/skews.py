"""Do the versions of API servers and kubelets keep to the version skew policy?

A kubelet is never newer than an API server it may talk to, and at most three minors older (two
before 1.25); replicas of a highly available control plane are within one minor.

Source: the documentation's page "Version Skew Policy".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.readiness.standings import ApiServerStanding, NodeGroup, name_nodes

_OLDER = 3
_OLDER_BEFORE_1_25 = 2
_WIDER_SINCE = Minor(1, 25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """One thing the policy does not allow: who, and a sentence."""

    subject: str
    sentence: str


def find_skews(servers: Sequence[ApiServerStanding], groups: Sequence[NodeGroup]) -> list[Skew]:
    """What the policy does not allow; versions nobody can read are left out."""
    minors = [server.minor for server in servers if server.minor is not None]
    if not minors:
        return []
    oldest, newest = min(minors), max(minors)
    found: list[Skew] = []
    if newest.minor - oldest.minor > 1 or newest.major != oldest.major:
        sentence = f"API servers of {oldest} and {newest} side by side; one minor is allowed."
        found.append(Skew(subject="API servers", sentence=sentence))
    seen: set[Minor] = set()
    for group in groups:
        if group.minor is None or group.minor in seen:
            continue
        seen.add(group.minor)
        complaint = _check_kubelet(group.minor, oldest, newest)
        if complaint is not None:
            members = [
                each for other in groups if other.minor == group.minor for each in other.members
            ]
            subject = f"nodes of {group.minor} ({name_nodes(members)})"
            found.append(Skew(subject=subject, sentence=complaint))
    return found


def _check_kubelet(kubelet: Minor, oldest: Minor, newest: Minor) -> str | None:
    if kubelet > oldest:
        return f"kubelet {kubelet} is newer than the API server ({oldest}), which is never allowed."
    allowed = _OLDER if kubelet >= _WIDER_SINCE else _OLDER_BEFORE_1_25
    behind = newest.minor - kubelet.minor
    if behind > allowed:
        return (
            f"kubelet {kubelet} is {behind} minors older than the API server ({newest}); "
            f"{allowed} are allowed."
        )
    return None
