"""Which Jobs cannot finish, because a container that a webhook injected never ends?

A Job is done when its pod is, and a pod with restartPolicy Never or OnFailure is done when all its
containers have ended. A plain container that was injected and never ends keeps it running for ever.
That is certain only once everything from the Job's own template has ended: many agents leave when
the work is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import controller_of, named, object_at, text_at
from webhook_fuzz.fuzzer.readiness.pod_origins import template_of

GRACE_SECONDS = 60
"""How long an injected agent may take to notice that the work is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedJob:
    """A Job whose own containers have ended, and those that were injected and still run.

    `seconds` is how long ago the last of the Job's own ended.
    """

    namespace: str
    job: str
    pod: str
    containers: tuple[str, ...]
    seconds: float


def may_be_unfinished(pod: JsonObject) -> bool:
    """Whether a Job's pod has containers that ended beside one that runs."""
    owner = controller_of(pod)
    status = object_at(pod, "status")
    if owner is None or owner.get("kind") != "Job" or text_at(status, "phase") != "Running":
        return False
    states = [object_at(each, "state") for _, each in named(status, "containerStatuses")]
    ended = sum("terminated" in state for state in states)
    return 0 < ended < len(states)


def find_unfinished(
    pod: JsonObject, owners: Sequence[JsonObject], now: datetime
) -> UnfinishedJob | None:
    """The Job of a pod that only injected containers keep running."""
    template = template_of(owners)
    if template is None or not owners:
        return None
    own = dict(named(template, "containers"))
    states = {
        name: object_at(status, "state")
        for name, status in named(object_at(pod, "status"), "containerStatuses")
    }
    ended = [object_at(states.get(name, {}), "terminated") for name in own]
    running = tuple(name for name, state in states.items() if "running" in state)
    if not ended or not all(ended) or not running:
        return None
    seconds = min(_age(text_at(each, "finishedAt"), now) for each in ended)
    metadata = object_at(pod, "metadata")
    if seconds < GRACE_SECONDS or set(running) & own.keys():
        return None
    return UnfinishedJob(
        namespace=text_at(metadata, "namespace"),
        job=text_at(object_at(owners[0], "metadata"), "name"),
        pod=text_at(metadata, "name"),
        containers=running,
        seconds=seconds,
    )


def _age(finished: str, now: datetime) -> float:
    try:
        return (now - datetime.fromisoformat(finished)).total_seconds()
    except ValueError:
        return 0.0
