"""What do all pods of a cluster say, looked at once and one after the other?

How many are on each node, which are worth a second look, and which containers are native sidecars
somewhere. Ten thousand pods pass through; only the suspects are kept.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import named, object_at, text_at
from webhook_fuzz.fuzzer.readiness.pod_origins import ALWAYS
from webhook_fuzz.fuzzer.readiness.stuck_pods import PATIENCE_SECONDS, find_waiting, is_rejected
from webhook_fuzz.fuzzer.readiness.unfinished_jobs import may_be_unfinished

_MOST_SUSPECTS = 200
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(slots=True, kw_only=True)
class Census:
    """Counts pods and keeps those that may hang; `left_out` counts suspects beyond the first 200.

    `by_node` counts the pods that have not ended. `rejected` are pods that a kubelet refused for
    their native sidecars.
    """

    now: datetime
    sidecars: bool
    by_node: Counter[str] = field(default_factory=Counter[str])
    waiting: list[JsonObject] = field(default_factory=list[JsonObject])
    unfinished: list[JsonObject] = field(default_factory=list[JsonObject])
    rejected: list[JsonObject] = field(default_factory=list[JsonObject])
    natives: set[str] = field(default_factory=set[str])
    left_out: int = 0
    seen: int = 0

    def add(self, pod: JsonObject) -> None:
        """Look at one pod."""
        self.seen += 1
        spec = object_at(pod, "spec")
        if text_at(object_at(pod, "status"), "phase") not in _ENDED and spec.get("nodeName"):
            self.by_node[text_at(spec, "nodeName")] += 1
        if not self.sidecars:
            return
        self.natives.update(
            name
            for name, container in named(spec, "initContainers")
            if container.get("restartPolicy") == ALWAYS
        )
        self._suspect(pod)

    def _suspect(self, pod: JsonObject) -> None:
        waiting = find_waiting(pod, self.now)
        if waiting is not None and waiting.seconds >= PATIENCE_SECONDS:
            self._keep(self.waiting, pod)
        elif may_be_unfinished(pod):
            self._keep(self.unfinished, pod)
        elif is_rejected(pod):
            self._keep(self.rejected, pod)

    def _keep(self, suspects: list[JsonObject], pod: JsonObject) -> None:
        if len(suspects) < _MOST_SUSPECTS:
            suspects.append(pod)
        else:
            self.left_out += 1
