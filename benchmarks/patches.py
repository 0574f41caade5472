"""How fast is a patch applied, beside PyPI's `jsonpatch`?

Both get the operations decoded and leave the pod they are given as it is. Ours follows the API
server's library instead of RFC 6902, and shares with the input what the patch does not touch.
"""

from collections.abc import Callable, Iterator

import jsonpatch

from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit, alternate, rate
from benchmarks.subjects import injection_patch, pods
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.patches import apply_patch


def measure(effort: Effort) -> Iterator[Figure]:
    """Patches a second, of eight operations each."""
    patches = [(pod, injection_patch(pod)) for pod in pods()]

    def applied(apply: Callable[[JsonObject, list[JsonObject]], object]) -> float:
        return rate(
            lambda: [apply(pod, patch) for pod, patch in patches], len(patches), effort.seconds
        )

    ours, other = alternate(
        lambda: applied(apply_patch), lambda: applied(jsonpatch.apply_patch), effort
    )
    yield Figure(
        name="apply a patch of 8 operations to a 7 kB pod",
        other_name="jsonpatch.apply_patch",
        unit=Unit.RATE,
        ours=ours,
        other=other,
        goal=Goal(of=Measured.RATIO, bound=1.0),
    )
